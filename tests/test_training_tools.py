"""Runs that can be talked to, LoRA, bfloat16 by rounding, and fine-tuning with masked prompts."""

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest

from microgpt.alignment import sft
from microgpt.alignment.sft import FineTuning, answered, held_out_questions
from microgpt.autograd.tensor import Tensor, array, backend
from microgpt.decoding.generate import generate
from microgpt.decoding.sampling import GREEDY
from microgpt.model.checkpoint import load
from microgpt.model.config import llama_style
from microgpt.model.gpt import gpt, init_params
from microgpt.training.control import Controller, Ended, Sampled, run
from microgpt.training.data import Batch
from microgpt.training.lora import DOWN, UP, LoRA, init_lora, lora_loss, merge
from microgpt.training.parallel import gradients
from microgpt.training.precision import bfloat16, in_bfloat16
from microgpt.training.train import Options, StepReport, fresh_state, loss_function, train_steps

CONFIG = llama_style(vocab_size=40, context=16, layers=2, width=16, heads=2, hidden=24)
OPTIONS = Options(steps=8, batch=4, rate=1e-2, warmup=1, micro=2)


def batch(seed):
    tokens = np.random.default_rng(seed).integers(0, 40, (4, 13))
    return Batch(tokens[:, :-1], tokens[:, 1:], np.full((4, 12), 1 / 48, np.float32))


def stream():
    return (batch(seed) for seed in itertools.count())


def fresh():
    return fresh_state(init_params(CONFIG, np.random.default_rng(0)), OPTIONS)


def straight(options=OPTIONS):
    state = fresh()
    return state, list(train_steps(state, CONFIG, stream(), options))


def same(first, second):
    return all((first.params[n] == second.params[n]).all() for n in first.params)


# The controller ------------------------------------------------------------------------------


def test_an_undisturbed_run_is_the_same_as_plain_training():
    expected, reports = straight()
    state = fresh()
    events = list(run(state, CONFIG, stream(), OPTIONS, Controller(), lambda s: ""))
    assert events[-1] == Ended(8, "done") and same(state, expected)
    assert [e.loss for e in events[:-1]] == [r.loss for r in reports]


def test_samples_pauses_and_rates_lose_no_batch():
    changed = replace(OPTIONS, rate=3e-3)
    expected = fresh()
    batches = stream()
    list(itertools.islice(train_steps(expected, CONFIG, batches, OPTIONS), 3))
    list(train_steps(expected, CONFIG, batches, changed))

    state, control, events = fresh(), Controller(), []
    for event in run(state, CONFIG, stream(), OPTIONS, control, lambda s: f"after {s.step}"):
        events.append(event)
        if isinstance(event, StepReport) and event.step == 3:
            control.set_rate(3e-3)
            control.sample()
            control.pause()
        if isinstance(event, Sampled):
            control.resume()
    assert same(state, expected)
    assert [e for e in events if isinstance(e, Sampled)] == [Sampled(3, "after 3")]
    rates = [e.rate for e in events if isinstance(e, StepReport)]
    assert rates[2] == OPTIONS.rate and rates[3] == pytest.approx(3e-3, rel=0.3)
    with pytest.raises(ValueError, match="learning rate"):
        control.set_rate(0)


def test_a_paused_run_waits_in_its_thread_until_it_is_resumed_or_stopped():
    state, control, events = fresh(), Controller(), []
    control.pause()
    worker = threading.Thread(
        target=lambda: events.extend(
            run(state, CONFIG, stream(), OPTIONS, control, lambda s: "now"))
    )  # fmt: skip
    worker.start()
    control.sample()
    worker.join(0.3)
    assert worker.is_alive() and state.step == 0
    control.stop()
    worker.join(20)
    assert not worker.is_alive() and events == [Sampled(0, "now"), Ended(0, "stopped")]


def test_a_stopped_run_can_be_gone_on_with():
    expected, _ = straight()
    state, control, batches = fresh(), Controller(), stream()
    for event in run(state, CONFIG, batches, OPTIONS, control, lambda s: ""):
        if event.step == 5:
            control.stop()
    assert state.step == 5
    assert list(run(state, CONFIG, batches, OPTIONS, Controller(), lambda s: ""))[-1].reason == "done"
    assert same(state, expected)


def test_a_run_that_nobody_keeps_ends():
    now = [0.0]
    control = Controller(lease=15, clock=lambda: now[0])
    state = fresh()
    for event in run(state, CONFIG, stream(), OPTIONS, control, lambda s: ""):
        now[0] += 6
        if event.step == 2:
            control.keep()
    assert event == Ended(5, "left alone")
    control.pause()
    assert [e.reason for e in run(state, CONFIG, stream(), OPTIONS, control, str)] == ["left alone"]


def test_a_run_that_explodes_says_so():
    wild = replace(OPTIONS, rate=1e30, clip=1e30)
    with np.errstate(all="ignore"):
        last = list(run(fresh(), CONFIG, stream(), wild, Controller(), str))[-1]
    assert isinstance(last, Ended) and "lower the learning rate" in last.reason


# bfloat16 ------------------------------------------------------------------------------------


def test_bfloat16_keeps_the_upper_half_of_the_bits_and_rounds_half_to_even():
    one = np.float32(1)
    step = np.float32(2**-7)  # the gap above 1
    given = np.array([1, 1 + step, 1 + step / 2, 1 + 3 * step / 2, 1 + step / 2 * 1.01], np.float32)
    np.testing.assert_array_equal(bfloat16(given), [one, 1 + step, one, 1 + 2 * step, 1 + step])
    numbers = np.random.default_rng(0).standard_normal(5000).astype(np.float32) * 1e3
    rounded = bfloat16(numbers)
    assert not (rounded.view(np.uint32) & 0xFFFF).any()
    assert (np.abs(rounded - numbers) <= np.abs(numbers) * 2**-8).all()
    odd = np.array([np.inf, -np.inf, np.nan, 0, -0.0, 1e-40, 3e38], np.float32)
    assert np.isinf(bfloat16(odd)[:2]).all() and np.isnan(bfloat16(odd)[2])
    np.testing.assert_array_equal(np.signbit(bfloat16(odd)[3:5]), [False, True])
    np.testing.assert_array_equal(bfloat16(rounded), rounded)


def test_training_in_bfloat16_rounds_what_is_used_and_keeps_what_is_learned():
    state = fresh()
    first = next(train_steps(state, CONFIG, stream(), OPTIONS, in_bfloat16(loss_function(CONFIG))))
    params = init_params(CONFIG, np.random.default_rng(0))
    rounded = {n: bfloat16(p) for n, p in params.items()}
    loss = loss_function(CONFIG)(rounded, *batch(0))
    assert first.loss == pytest.approx(float(array(loss)), rel=1e-6)
    assert any((bfloat16(p) != p).any() for p in state.params.values()), "float32 is kept"
    _, grads = gradients(in_bfloat16(loss_function(CONFIG)), params, [tuple(batch(0))])
    assert all((bfloat16(g) == g).all() for g in grads.values())


# LoRA ----------------------------------------------------------------------------------------


def test_lora_begins_as_the_model_and_trains_little():
    params, lora = init_params(CONFIG, np.random.default_rng(0)), LoRA(rank=2)
    adapters = init_lora(params, lora, np.random.default_rng(1))
    tokens = batch(0).tokens
    np.testing.assert_array_equal(
        gpt(merge(params, adapters, lora), tokens, CONFIG), gpt(params, tokens, CONFIG)
    )
    assert len(adapters) == 2 * 5 * CONFIG.layers
    assert sum(a.size for a in adapters.values()) < 0.5 * sum(p.size for p in params.values())
    with pytest.raises(ValueError, match="whole number"):
        LoRA(rank=0)
    with pytest.raises(ValueError, match="No weight's name"):
        init_lora(params, LoRA(targets=("conv",)), np.random.default_rng(0))


def test_lora_is_x_through_a_and_b_beside_the_matrix():
    params, lora = init_params(CONFIG, np.random.default_rng(0)), LoRA(rank=3, alpha=6)
    adapters = init_lora(params, lora, np.random.default_rng(1))
    name = "model.layers.0.self_attn.q_proj.weight"
    adapters[name + UP] += 0.5
    x = np.random.default_rng(2).standard_normal((5, 16)).astype(np.float32)
    beside = x @ params[name].T + 2 * (x @ adapters[name + DOWN].T) @ adapters[name + UP].T
    np.testing.assert_allclose(x @ merge(params, adapters, lora)[name].T, beside, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_lora_is_the_matrix_gradient_sent_through_its_factors():
    params = {n: p.astype(float) for n, p in init_params(CONFIG, np.random.default_rng(0)).items()}
    lora = LoRA(rank=2)
    adapters = {n: np.random.default_rng(3).standard_normal(a.shape) * 0.1
                for n, a in init_lora(params, lora, np.random.default_rng(1)).items()}  # fmt: skip
    with backend("readable"):
        _, grads = gradients(lora_loss(params, CONFIG, lora), adapters, [tuple(batch(0))], 1)
        _, full = gradients(loss_function(CONFIG), merge(params, adapters, lora), [tuple(batch(0))], 1)
    assert set(grads) == set(adapters)
    for name in params:
        if name + UP in adapters:
            d = full[name] * lora.scale
            np.testing.assert_allclose(grads[name + UP], d @ adapters[name + DOWN].T, atol=1e-9)
            np.testing.assert_allclose(grads[name + DOWN], adapters[name + UP].T @ d, atol=1e-9)
    assert not isinstance(merge(params, adapters, lora)["model.norm.weight"], Tensor)


# Fine-tuning ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base():
    return load("tiny-base")


def test_only_the_assistants_words_are_learned(base):
    first = next(FineTuning.of(base).batches)
    end, assistant = (base.tokenizer.specials[f"<|{n}|>"] for n in ("end", "assistant"))
    learned = first.weights > 0
    assert first.weights.sum() == pytest.approx(1) and 0.1 < learned.mean() < 0.9
    for tokens, targets, marks in zip(first.tokens, first.targets, learned, strict=True):
        for t in np.flatnonzero(marks):
            before = tokens[: t + 1].tolist()
            since = before[len(before) - before[::-1].index(assistant) :]
            assert end not in since, "nothing of the next speaker is learned"
        assert all(marks[t] for t in np.flatnonzero((targets == end) & np.roll(marks, 1))[1:])


def test_fine_tuning_changes_a_copy_and_lora_only_its_corrections(base):
    before = {n: p.copy() for n, p in base.params.items()}
    options = Options(steps=1, batch=2, rate=1e-3, warmup=1)
    full = FineTuning.of(base, options)
    small = FineTuning.of(base, options, LoRA(4))
    for tuning in (full, small):
        (report,) = list(tuning.steps())
        assert report.step == 1
    assert all((base.params[n] == p).all() for n, p in before.items())
    assert small.trained_weights < 0.1 * full.trained_weights
    name = "model.layers.0.self_attn.q_proj.weight"
    assert (small.model.params[name] != before[name]).any()
    embedding = "model.embed_tokens.weight"
    assert (small.model.params[embedding] == before[embedding]).all()
    assert (full.model.params[embedding] != before[embedding]).any()
    prompt = [base.tokenizer.specials["<|begin|>"], 300]
    assert len(list(generate(small.model, prompt, GREEDY, 3, None))) == 3


def test_held_out_questions_were_never_asked_in_the_fine_tuning(base):
    asked = held_out_questions(60)
    assert len(asked) == len({q.text for q in asked}) == 60 and len({q.kind for q in asked}) == 5
    read = "".join(base.tokenizer.decode(row) for b in itertools.islice(FineTuning.of(base).batches, 40)
                   for row in b.tokens)  # fmt: skip
    assert not [q.text for q in asked if f"<|user|>{q.text}<|end|>" in read]


def test_fine_tuning_turns_completion_into_answering(base):
    asked = held_out_questions(40)
    tuning = FineTuning.of(base, replace(sft.OPTIONS, steps=24))
    for _ in tuning.steps():
        pass
    before, after = answered(base, asked), answered(tuning.model, asked)
    print(f"right on held-out questions: {before:.2f} -> {after:.2f}")
    assert after >= 0.9 > before
