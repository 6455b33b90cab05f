"""Training: packing, threads, resuming, and that it learns."""

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from microgpt.autograd.tensor import cross_entropy
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.training import recipes
from microgpt.training.data import batches, encode_documents, pack, replies_only
from microgpt.training.parallel import _blas, gradients, single_threaded_blas
from microgpt.training.recipes import RECIPES, find_recipe, recipe_batches, run, train_tokenizer
from microgpt.training.train import Options, fresh_state, load_state, loss_function, save_state
from microgpt.world.corpus import documents, with_old

CONFIG = llama_style(vocab_size=400, context=64, layers=2, width=32, heads=2, hidden=64)
TINY = replace(
    RECIPES["tiny-base"], name="test", config=CONFIG, snapshots=(),
    options=Options(steps=12, batch=4, rate=3e-3, warmup=2, micro=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TINY, count=500)


def test_documents_become_tokens_with_marks(tokenizer):
    documents_ = list(itertools.islice(documents(3), 50))
    for document, (ids, learn) in zip(documents_, encode_documents(documents_, tokenizer), strict=True):
        assert ids[0] == tokenizer.specials["<|begin|>"] and not learn[0]
        assert tokenizer.decode(ids[1:]) == document.text
        learned = "".join(p.text for p in document.pieces if p.learn)
        assert tokenizer.decode(ids[learn]) == learned


def test_rows_hold_whole_documents_and_little_padding(tokenizer):
    pad, begin, end = (tokenizer.specials[f"<|{n}|>"] for n in ("pad", "begin", "end"))
    examples = iter(encode_documents(itertools.islice(documents(1), 800), tokenizer))
    tokens, learn = pack(examples, 128, 40, pad)
    assert (tokens[:, 0] == begin).all() and (tokens == pad).mean() < 0.03
    for row, mask in zip(tokens, learn, strict=True):
        text = row[row != pad]
        assert text[-1] == end  # nothing here is longer than a row, so nothing is cut
        assert not mask[row == pad].any() and not mask[row == begin].any()


def test_a_document_longer_than_a_row_is_cut():
    long, short = (np.arange(50), np.ones(50, bool)), (np.arange(3), np.ones(3, bool))
    tokens, learn = pack(iter([long, short]), 9, 2, pad=99)
    assert tokens[0].tolist() == [0, 1, 2, 99, 99, 99, 99, 99, 99, 99]
    assert tokens[1].tolist() == list(range(10)) and learn[1].all()


def test_batches_resume_anywhere(tokenizer):
    def stream(start):
        return recipe_batches(TINY, tokenizer, start)

    straight = list(itertools.islice(stream(0), 70))
    for start in (1, 31, 32, 33, 64):
        for a, b in zip(straight[start:], stream(start), strict=False):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
    assert all(b.weights.sum() == pytest.approx(1) for b in straight)
    assert not np.array_equal(straight[0].tokens, straight[32].tokens)


def test_held_out_batches_are_others(tokenizer):
    def rows(part):
        stream = itertools.islice(recipe_batches(TINY, tokenizer, part=part), 32)
        return {row.tobytes() for batch in stream for row in batch.tokens}

    # A row of 64 tokens can be one list of facts that everybody repeats, but few are.
    assert len(rows("train") & rows("held-out")) < 0.05 * 128


def test_only_the_assistant_is_learned(tokenizer):
    text = "<|user|>Hello!<|end|><|assistant|>Good morning.<|end|><|user|>Bye.<|end|><|assistant|>Bye!<|end|>"
    ids = np.array([tokenizer.specials["<|begin|>"], *tokenizer.encode(text, allow_special=True)])
    _, mask = replies_only(ids, np.ones(len(ids), bool), tokenizer)
    assert tokenizer.decode(ids[mask]) == "Good morning.<|end|>Bye!<|end|>"


def test_documents_come_again_in_their_share():
    mixed = list(itertools.islice(with_old(itertools.count(0), itertools.repeat("old"), 0.25, 1), 4000))
    new = [one for one in mixed if one != "old"]
    assert new == list(range(len(new))), "no new one is left out"
    assert mixed.count("old") / 4000 == pytest.approx(0.25, abs=0.02)


def test_what_the_start_has_read_is_learned_whole_and_only_in_training(monkeypatch, tokenizer):
    monkeypatch.setitem(RECIPES, TINY.name, TINY)
    chat = replace(TINY, name="chat", corpus="chat", start=TINY.name, only_replies=True)
    some, all_of_it = replace(chat, again=0.2), replace(chat, again=1.0)

    def first(recipe, part="train"):
        return next(recipe_batches(recipe, tokenizer, part=part))

    for one, other in zip(first(chat, "held-out"), first(some, "held-out"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first(chat).tokens, first(some).tokens)
    streams = (itertools.islice(recipe_batches(r, tokenizer), 64) for r in (chat, some, all_of_it))
    learned = [np.mean([(batch.weights > 0).mean() for batch in stream]) for stream in streams]
    assert learned[0] < learned[1] < learned[2]
    assert "again" not in recipes.as_dict(chat) and recipes.as_dict(some)["again"] == 0.2


def test_threads_and_micro_batches_give_the_same_gradient():
    rng = np.random.default_rng(0)
    params = init_params(CONFIG, rng)
    tokens, targets = rng.integers(0, 400, (2, 8, 32))
    weights = np.full((8, 32), 1 / 256, np.float32)

    def of(size, threads):
        shards = [tuple(a[i : i + size] for a in (tokens, targets, weights)) for i in range(0, 8, size)]
        return gradients(loss_function(CONFIG), params, shards, threads)

    whole_loss, whole = of(8, 1)
    assert whole_loss == pytest.approx(float(cross_entropy(gpt(params, tokens, CONFIG), targets)), rel=1e-6)
    for size, threads in ((1, 1), (2, 2), (3, 2), (1, 3), (8, 2)):
        loss, grads = of(size, threads)
        assert loss == pytest.approx(whole_loss, rel=1e-6)
        for name in whole:
            scale = np.abs(whole[name]).max()
            np.testing.assert_allclose(grads[name], whole[name], atol=1e-5 * scale + 1e-9)
    first, second = of(2, 2), of(2, 2)
    assert first[0] == second[0]
    assert all((first[1][n] == second[1][n]).all() for n in whole)


def test_blas_is_held_to_one_thread_until_the_last_who_wants_it_has_left():
    """Two runs on a server overlap in any order; neither may free the other's limit, or keep it."""

    def threads():
        return {lib.num_threads for lib in _blas().select(user_api="blas").lib_controllers}

    with _blas().limit(limits=2, user_api="blas"):
        assert threads() == {2}
        first, second = single_threaded_blas(), single_threaded_blas()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}, "the second one still works"
        with pytest.raises(KeyError), single_threaded_blas():
            raise KeyError
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}


def test_it_learns_and_repeats_itself(tmp_path):
    losses = []
    recipe = replace(TINY, options=replace(TINY.options, steps=40))
    model = run(recipe, tmp_path / "a", report=lambda r, _: losses.append(r.loss))
    assert losses[0] == pytest.approx(math.log(400), rel=0.05)
    assert losses[-1] < losses[0] - 1
    again = run(recipe, tmp_path / "b")
    for name in model.params:
        np.testing.assert_array_equal(model.params[name], again.params[name])
    assert model.card["tokens_seen"] == 40 * 4 * 64
    assert model.card["held_out_loss"] < math.log(400)


@pytest.mark.parametrize("kinds", [{}, {"mlp": "moe", "experts": 4}, {"blocks": "ssm attention"}])
def test_a_stopped_run_resumes_bit_for_bit(tmp_path, monkeypatch, kinds):
    recipe = replace(TINY, config=replace(CONFIG, **kinds))
    straight = run(recipe, tmp_path / "straight")

    class Killed(Exception):
        pass

    def kill_at_5(report, recipe):
        if report.step == 5:
            raise Killed

    monkeypatch.setattr(recipes, "SAVE_EVERY", 0.0)
    with pytest.raises(Killed):
        run(recipe, tmp_path / "killed", report=kill_at_5)
    steps = []
    resumed = run(recipe, tmp_path / "killed", report=lambda r, _: steps.append(r.step))
    assert steps[0] == 5  # step 5 was done but not stored: it is done again
    for name in straight.params:
        np.testing.assert_array_equal(straight.params[name], resumed.params[name])


KILLED_RUN = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from tests.test_training import TINY, run, recipes
from dataclasses import replace
recipes.SAVE_EVERY = 0.0
run(replace(TINY, options=replace(TINY.options, steps=500)), Path({work!r}),
    report=lambda r, _: print(r.step, flush=True))
"""


def test_a_run_killed_by_the_system_leaves_a_state_that_can_be_read(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = KILLED_RUN.format(root=root, work=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root)
    for line in process.stdout:
        if int(line) >= 6:
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    recipe = replace(TINY, options=replace(TINY.options, steps=500))
    about = {"recipe": recipes.as_dict(recipe), "data": recipes.data_hash(recipe, train_tokenizer(recipe))}
    state = load_state(tmp_path / "state.safetensors", recipe.options, about)
    assert 5 <= state.step < 500 and state.optimizer.steps == state.step


def test_a_state_of_another_run_is_refused(tmp_path):
    state = fresh_state(init_params(CONFIG, np.random.default_rng(0)), TINY.options)
    save_state(tmp_path / "state", state, {"recipe": 1})
    with pytest.raises(ValueError, match="other settings"):
        load_state(tmp_path / "state", TINY.options, {"recipe": 2})
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:-9])
    with pytest.raises(ValueError, match="can't be resumed from"):
        load_state(tmp_path / "state", TINY.options, {"recipe": 1})


def test_a_diverging_run_says_so(tmp_path):
    recipe = replace(TINY, options=replace(TINY.options, rate=1e9, warmup=0, clip=1e9))
    with pytest.raises(FloatingPointError, match="lower the learning rate"), np.errstate(all="ignore"):
        run(recipe, tmp_path)


def test_recipes_are_found_by_name():
    assert find_recipe("tiny-base").config.context == 256
    with pytest.raises(ValueError, match="The recipes: tiny-base, tiny-chat"):
        find_recipe("huge")


def test_batches_of_a_short_corpus_end_in_padding(tokenizer):
    def three(seed):
        return itertools.islice(documents(seed), 3)

    batch = next(batches(three, tokenizer, 64, 4, "s"))
    assert np.isfinite(batch.weights).all() and batch.tokens.shape == (4, 64)
