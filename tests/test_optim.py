"""Optimizers against their formulas, step by step by hand."""

import math

import numpy as np
import pytest

from microgpt.autograd.optim import (
    SGD,
    AdamW,
    Momentum,
    RMSProp,
    clip_gradients,
    constant,
    warmup_cosine,
    warmup_linear,
)


def run(optimizer, gradients, start=1.0, rate=0.1, shape=()):
    params = {"w": np.full(shape, start)}
    for g in gradients:
        optimizer.update(params, {"w": np.full(shape, g)}, rate)
    return float(params["w"].ravel()[0])


def test_sgd_and_momentum():
    assert run(SGD(), [1.0, 2.0]) == pytest.approx(1 - 0.1 - 0.2)
    assert run(Momentum(0.9), [1.0, 2.0]) == pytest.approx(1 - 0.1 * 1 - 0.1 * (0.9 + 2))


def test_rmsprop():
    v = 0.01 * 4
    assert run(RMSProp(0.99), [2.0]) == pytest.approx(1 - 0.1 * 2 / (math.sqrt(v) + 1e-8))


def test_the_first_adam_step_has_the_size_of_the_rate():
    """Bias correction makes m and v whole at t = 1, so the step is rate * sign(g)."""
    for g in (1e-3, 5.0, -70.0):
        assert run(AdamW(decay=0), [g]) == pytest.approx(1 - 0.1 * math.copysign(1, g), rel=1e-4)


def test_adamw_by_hand_with_eps_after_the_root():
    m = v = 0.0
    w, beta1, beta2, eps = 1.0, 0.9, 0.95, 0.5
    for t, g in enumerate((0.3, -1.2, 0.7), start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        w -= 0.1 * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
    assert run(AdamW(eps=eps, decay=0), (0.3, -1.2, 0.7)) == pytest.approx(w, rel=1e-12)


def test_decay_pulls_matrices_only_and_stays_out_of_the_moments():
    assert run(AdamW(decay=0.1), [0.0], shape=(2, 2)) == pytest.approx(1 - 0.1 * 0.1)
    assert run(AdamW(decay=0.1), [0.0], shape=(2,)) == 1.0
    optimizer = AdamW(decay=0.5)
    run(optimizer, [0.0], shape=(2, 2))
    assert not optimizer.state["w"][0].any() and not optimizer.state["w"][1].any()


def test_clipping_keeps_the_direction_and_leaves_short_gradients_alone():
    grads = {"a": np.array([3.0], np.float32), "b": np.array([4.0], np.float32)}
    before = grads["a"]
    assert clip_gradients(grads, 1.0) == pytest.approx(5)
    assert [grads["a"][0], grads["b"][0]] == pytest.approx([0.6, 0.8], rel=1e-5)
    assert before[0] == 3  # a gradient may be shared: it is replaced, not changed
    assert clip_gradients(grads, 1.0) == pytest.approx(1.0, rel=1e-5)


def test_schedules():
    assert constant(99, 3e-4) == 3e-4
    assert warmup_cosine(0, 1.0, 100, 10) == pytest.approx(0.1)
    assert warmup_cosine(9, 1.0, 100, 10) == pytest.approx(1.0)
    assert warmup_cosine(55, 1.0, 100, 10, floor=0.2) == pytest.approx(0.6)
    assert warmup_cosine(100, 1.0, 100, 10, floor=0.2) == pytest.approx(0.2)
    line = [warmup_linear(s, 1.0, 110, 10, floor=0.1, hold=0.5) for s in range(111)]
    assert line[0] == pytest.approx(0.1) and line[10] == line[59] == 1.0
    assert line[110] == pytest.approx(0.1) and min(np.diff(line[61:])) < 0
