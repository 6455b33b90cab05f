"""Chapter 11: what its widgets say is what the models did. Small models with fresh weights stand in
for the trained ones: nothing here depends on what they have learned."""

import json
import re

import numpy as np
import pytest

from microgpt.decoding import compare
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import llama_style
from microgpt.model.costs import cache_bytes
from microgpt.model.gpt import init_params
from microgpt.model.trace import trace
from microgpt.training import balance as balance_runs
from microgpt.world.dice import Dice
from microgpt.world.skills import recall_document
from widgets import (
    architectures,
    architectures_balance,
    architectures_experts,
    architectures_recall,
    architectures_scan,
)
from widgets.components import payload

SIZES = dict(vocab_size=2048, context=96, layers=2, width=32, heads=2, hidden=16)
TEXTS = ["", "a", "The cat.", "😀 naïve مرحبا 你好", "def f(x):\n\treturn x", "word " * 500,
         "x" * 1_000_000, "\x00\x07 <|end|> [link](x) `code`"]  # fmt: skip


def small(name, **kinds):
    config = llama_style(**SIZES, **kinds)
    params = {n: p * (3 if p.ndim == 2 and "A_log" not in n else 1)
              for n, p in init_params(config, np.random.default_rng(0)).items()}  # fmt: skip
    return Model(name, params, config, load(SHIPPED / "tiny-base").tokenizer, {})


MOE = small("tiny-moe", mlp="moe")
SSM = small("tiny-ssm", blocks="ssm", positions="none")


def test_the_routes_are_those_of_the_model():
    found = architectures_experts.routes(MOE, "The cat sat on the mat.")
    ids = [MOE.tokenizer.specials["<|begin|>"], *MOE.tokenizer.encode("The cat sat on the mat.")]
    values = trace(MOE.params, np.array([ids]), MOE.config)
    assert len(found.tokens) == len(ids)
    for layer in range(2):
        np.testing.assert_array_equal(found.chosen[layer], values[f"blocks.{layer}.mlp.chosen"][0])
        np.testing.assert_allclose(found.shares[layer].sum(-1), 1, rtol=1e-5)
        assert found.loads[layer].sum() == pytest.approx(1)
        counted = np.bincount(found.chosen[layer].ravel(), minlength=8) / (2 * len(ids))
        np.testing.assert_array_equal(found.loads[layer], counted)
        by_hand = 8 * (counted * found.router[layer].mean(0)).sum()
        assert found.balance[layer] == pytest.approx(by_hand, rel=1e-5)
    words = architectures_experts.in_words(found, 1)
    assert f"expert {found.loads[1].argmax() + 1} gets the most" in words


@pytest.mark.parametrize("text", TEXTS, ids=[repr(t[:12]) for t in TEXTS])
def test_any_text_gives_a_view_that_can_be_sent(text):
    found = architectures_experts.routes(MOE, text)
    assert 1 <= len(found.tokens) <= architectures_experts.MOST
    payload(architectures_experts.view_of(found))
    scan = architectures_scan.scan(SSM, text, 1)
    assert 1 <= len(scan.tokens) <= architectures_scan.MOST
    payload(architectures_scan.view_of(scan))
    assert bool(scan.notices) == (len(text) > 1_000)
    own = architectures_recall.ask_all([SSM], text)
    assert len(own.said["tiny-ssm"]) == len(own.keys) <= architectures_recall.MOST
    architectures_recall.table_of(own)


def test_each_step_of_the_scan_adds_up():
    """What stays of the old state plus what comes in is the new one; looking at it gives y."""
    found = architectures_scan.scan(SSM, "The red cat sat on the mat.", 1)
    assert len(found.channels) == architectures_scan.CHANNELS
    for c in found.channels:
        before = np.zeros_like(c.states[0])
        for t in range(len(found.tokens)):
            after = c.kept[t] * before + c.written[t]
            np.testing.assert_allclose(c.states[t], after, rtol=1e-4, atol=1e-6)
            read = (c.looked[t] * after).sum() + c.skip * c.x[t]
            assert c.read[t] == pytest.approx(read, rel=1e-3, abs=1e-5)
            before = after
        assert (c.kept >= 0).all() and (c.kept <= 1).all() and c.kept.std() > 0
    remembered = [np.abs(c.read - c.skip * c.x).mean() for c in found.channels]
    assert remembered == sorted(remembered, reverse=True)


def test_every_key_of_an_own_list_is_asked():
    base = load(SHIPPED / "tiny-base")
    own = architectures_recall.ask_all([base], "pear: 3, egg: 5; nose = 6. rain 7")
    assert own.keys == ("pear", "egg", "nose", "rain") and own.values == ("3", "5", "6", "7")
    assert own.right("tiny-base") == 4
    wrong = architectures_recall.Asked(("a", "b"), ("x", "y"), {"m": ("x", "|")}, "", 0.0)
    table = architectures_recall.table_of(wrong).splitlines()
    assert table[0] == "| asked for | m, 1 of 2 right |"
    assert table[2:] == ["| a | x |", "| b | ~~\\|~~ |"]
    assert not architectures_recall.ask_all([base], "dog").keys
    many = architectures_recall.ask_all([base], ", ".join(f"{i}: {i}" for i in range(100)))
    assert not many.keys or len(many.keys) == architectures_recall.MOST
    assert many.notice


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("pear:3 egg:5", "pear 3 egg 5"), ("pear : 3,egg  5.", "pear 3 egg 5"), ("a: b: c", "a b"),
     ("pear", ""), ("pear:", ""), (": 3", ""), ("猫: 三", "猫 三"), ("🎉 = 🙂", "🎉 🙂"),
     ("a" * 200_000, ""), (" " * 200_000, ""), ("a:" * 100_000, "a a"), ("a" + " " * 200_000, ""),
     ("a " * 100_000, "a a")],
)  # fmt: skip
def test_pairs_are_found_however_they_are_written_and_soon(text, pairs):
    """Found in one walk: a pattern that goes back would need minutes for the long ones."""
    found = dict(architectures_recall.PAIR.findall(text))
    assert found == dict(zip(*[iter(pairs.split())] * 2, strict=True))


def test_the_longest_list_of_the_training_text_is_the_one_that_is_named():
    dice = Dice("lists")
    lengths = ["".join(piece.text for piece in recall_document(dice)).split(".")[0].count(",") + 1
               for _ in range(2000)]  # fmt: skip
    assert max(lengths) == architectures_recall.LONGEST
    assert architectures_recall.LONGEST in compare.PAIRS[:-1]


def test_the_memory_of_a_state_is_what_the_page_says():
    assert architectures_recall.state_size(SSM) == cache_bytes(SSM.config, 1, 1)
    total, active = architectures.millions(architectures.MIXTRAL)
    assert total == pytest.approx(46_700, rel=1e-3) and active == pytest.approx(12_900, rel=2e-3)


def test_the_race_starts_alike_and_is_repeatable():
    tokenizer = load(SHIPPED / "tiny-base").tokenizer
    first, second = (list(balance_runs.race(tokenizer, (0.0, 0.1), 0, 2, 4)) for _ in range(2))
    assert repr(first) == repr(second)
    assert first[0][0].load == first[0][1].load and first[-1][0].step == 4
    assert all(sum(m.load) == pytest.approx(1) for both in first for m in both)
    words = architectures_balance.in_words(first)
    assert words.startswith("After 4 steps: without the balance loss")
    for run in range(2):
        *experts, even = payload(architectures_balance.view_of(first, run))["series"]
        drawn = np.array([one["points"] for one in experts])[:, :, 1].T
        np.testing.assert_allclose(drawn, [both[run].load for both in first], atol=1e-4)
        assert [point[1] for point in even["points"]] == [0.125, 0.125]
    payload(architectures_balance.view_of([], 0))


def test_without_the_balance_loss_experts_stay_idle():
    """What the page promises to show, on the very run that a reader starts first."""
    tokenizer = load(SHIPPED / "tiny-base").tokenizer
    *_, (free, kept) = balance_runs.race(tokenizer, architectures_balance.WEIGHTS, 0, 120)
    assert architectures_balance.two_busiest(free) > 0.5 > architectures_balance.two_busiest(kept)
    assert architectures_balance.idle(free) > architectures_balance.idle(kept)


def report():
    row = {
        "parameters": 2_000_000, "active_parameters": 1_000_000, "flops_per_token": 2_500_000,
        "held_out_loss": 0.5, "training_tokens_per_second": 9_000,
        "decoding_tokens_per_second": 700, "abilities": dict.fromkeys(architectures.PROBES, 0.5),
        "lengths": [{"length": n, "read_seconds": n / 1000, "step_seconds": 0.002,
                     "memory_bytes": 1024 * n} for n in compare.LENGTHS],
    }  # fmt: skip
    return {"measured": "2030-01-01", "machine": {"processor": "a machine"},
            "models": dict.fromkeys(compare.NAMES, row)}  # fmt: skip


def test_the_table_shows_what_was_recorded(tmp_path):
    path = tmp_path / "architectures.json"
    path.write_text(json.dumps(report()))
    table = architectures.recorded(path)
    text = architectures.in_html(architectures.rows_of(table))
    assert '<th scope="row">Weights</th><td>2.00 M</td>' in text
    assert '<th scope="row">Held-out loss</th><td>0.5000</td>' in text
    assert table.curve("Memory")["tiny-ssm"][0] == (128, 128.0)
    words = architectures.in_words(table, "Read a whole text")
    assert re.search(r"tiny-base from 128 ms at 128 tokens to .* at 4,096, 32\.0 times", words)
    for what in architectures.CURVES:
        architectures.chart_of(table, what).to_dict()


@pytest.mark.parametrize("text", [None, "", "{}", "[1]", '{"measured": 1, "machine": {}, "models": {}}'])
def test_a_table_that_is_missing_or_damaged_says_so(tmp_path, text):
    path = tmp_path / "odd.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match="python -m microgpt compare"):
        architectures.recorded(path)


def test_the_race_is_a_job_like_all_training():
    tokenizer = load(SHIPPED / "tiny-base").tokenizer
    steps = architectures_balance.work(tokenizer, 3)
    assert next(steps) == 3 and next(steps)[0].step == 0
    steps.close()


@pytest.mark.parametrize(("loss", "said"), [(0.3, "Here yes"), (0.7, "Here not yet")])
def test_whether_experts_helped_is_read_off_the_table(loss, said):
    models = report()["models"]
    models["tiny-moe"] = {**models["tiny-moe"], "held_out_loss": loss}
    words = architectures.experts_in_words(architectures.Table("", {}, models), architectures.MIXTRAL)
    assert said in words and f"{loss:.3f}" in words
    assert ("from 25% of the tokens" in words) == (loss == 0.7), "two of eight"
