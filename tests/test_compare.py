"""The table of architectures: what it counts is right, and its times belong to the right rows."""

import json
from dataclasses import replace

import numpy as np
import pytest

from microgpt.decoding import compare
from microgpt.model.cache import KVCache
from microgpt.model.checkpoint import SHIPPED, Model, load
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.training import recipes
from microgpt.world.dice import Dice
from microgpt.world.probes import recall_probe

SIZES = dict(vocab_size=2048, context=160, layers=2, width=16, heads=2, hidden=16)
KINDS = {
    "tiny-base": {}, "tiny-moe": {"mlp": "moe"}, "tiny-ssm": {"blocks": "ssm", "positions": "none"},
}  # fmt: skip


@pytest.fixture(scope="module")
def models():
    tokenizer = load(SHIPPED / "tiny-base").tokenizer
    found = []
    for name, kinds in KINDS.items():
        config = llama_style(**SIZES, **kinds)
        params = init_params(config, np.random.default_rng(0))
        found.append(Model(name, params, config, tokenizer, {"held_out_loss": 3.5}))
    return found


def test_the_report_is_json_and_says_what_the_models_are(models, monkeypatch):
    options = replace(recipes.ALONE, batch=2, micro=1)
    small = {m.name: replace(recipes.RECIPES[m.name], config=m.config, options=options)
             for m in models}  # fmt: skip
    monkeypatch.setattr(compare, "RECIPES", small)
    before = {m.name: {n: p.copy() for n, p in m.params.items()} for m in models}
    report = compare.compare(models, rounds=1, lengths=(16, 96))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    rows = report["models"]
    assert list(rows) == list(KINDS)
    assert rows["tiny-moe"]["active_parameters"] < rows["tiny-moe"]["parameters"]
    assert rows["tiny-base"]["active_parameters"] == rows["tiny-base"]["parameters"]
    memory = {n: [row["memory_bytes"] for row in r["lengths"]] for n, r in rows.items()}
    assert memory["tiny-ssm"][0] == memory["tiny-ssm"][1]
    assert memory["tiny-base"][1] == 6 * memory["tiny-base"][0]
    for row in rows.values():
        assert row["training_tokens_per_second"] > 0 < row["decoding_tokens_per_second"]
        assert all(one["read_seconds"] > 0 < one["step_seconds"] for one in row["lengths"])
        assert row["held_out_loss"] == 3.5
    assert "tiny-ssm" in compare.table(report)
    for model in models:  # measuring has not trained the models themselves
        for name, param in model.params.items():
            np.testing.assert_array_equal(param, before[model.name][name])


def test_the_memory_is_that_of_a_real_cache(models):
    for model in models:
        cache = KVCache.empty(model.config)
        gpt(model.params, np.zeros((1, 16), int), model.config, cache=cache)
        (row,) = compare.passes([model], 16, rounds=1)
        assert row["memory_bytes"] == cache.bytes


def test_recall_needs_the_list():
    """tiny-base finds the value of a key; without its list it has nothing to go by."""
    base = load(SHIPPED / "tiny-base")
    found = compare.recall(base, 8, rows=16)
    assert found.right > 0.85 and found.listed >= found.right and 1 / 8 <= found.drawn < 0.3
    asked = [("pear: 3, egg: 5, nose: 6. egg?", " 5"), ("pear: 3, nose: 6. egg?", " 5")]
    assert compare.answers(base, asked)[0] == " 5"
    probes = [recall_probe(Dice(i), 8) for i in range(16)]
    bare = [(probe.prompt.split(". ")[-1], probe.answer) for probe in probes]
    guessed = compare.answers(base, bare)
    assert np.mean([g == p.answer for g, p in zip(guessed, probes, strict=True)]) < 0.4


def test_answers_do_not_depend_on_their_neighbors():
    base = load(SHIPPED / "tiny-base")
    asked = [("pear: 3, egg: 5. egg?", " 5"), ("a: king, b: the hat of my aunt. b?", " the hat")]
    together = compare.answers(base, asked)
    assert together == [compare.answers(base, [one])[0] for one in asked]
