"""Each Numba twin against the readable operation, on shapes and numbers chosen to be awkward."""

import inspect

import numpy as np
import pytest

from microgpt.autograd import experts, experts_fast, kernels, ops, scan, scan_kernels
from microgpt.autograd.optim import AdamW

PAIRS = [(ops, kernels), (scan, scan_kernels), (experts, experts_fast)]
TWINS = {n: pair for pair in PAIRS for n in dir(pair[1])
         if hasattr(pair[0], n) and inspect.isfunction(getattr(pair[1], n))
         and getattr(pair[1], n).__module__ == pair[1].__name__}  # fmt: skip


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def strided(*shape):
    """The same numbers, but not contiguous in memory."""
    return np.swapaxes(np.ascontiguousarray(np.swapaxes(normal(*shape), -1, -2)), -1, -2)


def close(ours, theirs, tolerance=3e-6):
    if not isinstance(ours, tuple):
        ours, theirs = (ours,), (theirs,)
    for a, b in zip(ours, theirs, strict=True):
        if b is None:
            assert a is None
            continue
        assert a.dtype == np.float32 and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * (1 + np.abs(b).max()))


SLOPES = np.array([0.5, 0.25, 0.125, 0.0625], np.float32)
SCORES_WITH_HOLES = np.where(normal(2, 4, 5, 9) > 0.5, -np.inf, normal(2, 4, 5, 9)).astype("f4")
CHOSEN = np.array([[2, 0], [2, 1], [0, 2], [3, 2], [2, 3]])
ORDER, COUNTS = experts.sort_by_expert(CHOSEN, 5, capacity=4)


def scanned(B, T, I, N):
    x, delta, A = normal(B, T, I), np.abs(normal(B, T, I, seed=1)), -np.exp(normal(I, N))
    return x, delta, A, normal(B, T, N), normal(B, T, N, seed=2), normal(I)


INPUTS = {
    "silu": [((normal(3, 5) * 30,), {}), ((strided(3, 5),), {}), ((np.array([-200.0, 200.0], "f4"),), {})],
    "softplus": [
        ((normal(3, 5) * 9,), {}), ((strided(3, 5),), {}), ((np.array([-200.0, -20, 0, 200.0], "f4"),), {}),
    ],
    "causal_convolution": [
        ((normal(2, 5, 3), normal(3, 4), normal(3)), {}),
        ((normal(1, 1, 3), normal(3, 4), normal(3)), {}),
        ((strided(2, 9, 33), normal(33, 2), normal(33)), {}),
        ((normal(2, 3, 5), normal(5, 1), normal(5)), {}),
    ],
    "selective_scan": [
        (scanned(2, 5, 3, 4), {}),
        (scanned(1, 1, 1, 1), {}),
        (scanned(2, 40, 130, 17), {}),
        ((strided(2, 5, 3), *scanned(2, 5, 3, 4)[1:]), {}),
    ],
    "expert_linear": [
        ((normal(9, 3), normal(5, 2, 3), COUNTS), {}),
        ((strided(2, 3), normal(3, 4, 3), np.array([0, 0, 2])), {}),
    ],
    "combine": [((normal(9, 3), np.abs(normal(5, 2)), ORDER), {})],
    "linear": [
        ((normal(2, 3, 7), normal(5, 7)), {}),
        ((normal(2, 3, 7), normal(5, 7), normal(5)), {}),
        ((strided(2, 3, 33), strided(4, 33)), {}),
        ((normal(7), normal(5, 7), normal(5)), {}),
        ((normal(1, 1, 1), normal(1, 1)), {}),
    ],
    "rmsnorm": [
        ((normal(2, 3, 7), normal(7)), {}),
        ((np.zeros((1, 1, 5), np.float32), normal(5)), {}),
        ((strided(2, 3, 33), normal(33)), {"eps": 1e-3}),
        ((normal(1, 1, 1), normal(1)), {}),
    ],
    "layernorm": [
        ((normal(2, 3, 7), normal(7), normal(7, seed=1)), {}),
        ((np.full((1, 2, 5), 3, np.float32), normal(5), normal(5)), {}),
        ((strided(2, 3, 33), normal(33), normal(33)), {}),
    ],
    "rotate": [
        ((normal(2, 3, 2, 6), np.cos(normal(3, 3)), np.sin(normal(3, 3))), {}),
        ((normal(1, 1, 1, 2), np.ones((1, 1), "f4"), np.zeros((1, 1), "f4")), {}),
        ((normal(2, 4, 3, 10).swapaxes(0, 2), np.cos(normal(4, 5)), np.sin(normal(4, 5))), {}),
    ],
    "attention_scores": [
        ((normal(2, 3, 4, 6), normal(2, 5, 2, 6)), {}),
        ((normal(1, 1, 4, 8), normal(1, 1, 4, 8)), {}),
        ((normal(2, 7, 6, 4), normal(2, 7, 1, 4)), {}),
        ((normal(2, 7, 6, 4), normal(2, 7, 3, 4)), {"scale": 0.7}),
    ],
    "causal_softmax": [
        ((normal(2, 4, 5, 9),), {}),
        ((normal(2, 4, 5, 9),), {"window": 3}),
        ((normal(2, 4, 5, 9),), {"slopes": SLOPES}),
        ((normal(1, 4, 67, 67),), {"slopes": SLOPES, "window": 40}),
        ((normal(2, 4, 5, 9),), {"causal": False}),
        ((normal(1, 4, 67, 67),), {"slopes": SLOPES, "causal": False}),
        ((normal(1, 1, 1, 1),), {}),
        ((SCORES_WITH_HOLES,), {}),
        ((np.full((1, 2, 3, 3), -np.inf, np.float32),), {}),
        ((strided(2, 4, 8, 8) * 100,), {}),
    ],
    "attention_mix": [
        ((normal(2, 4, 3, 5), normal(2, 5, 2, 6)), {}),
        ((normal(1, 4, 1, 1), normal(1, 1, 4, 8)), {}),
        ((strided(2, 6, 3, 7), normal(2, 7, 1, 4)), {}),
    ],
    "swiglu": [
        ((normal(3, 5) * 30, normal(3, 5, seed=1)), {}),
        ((strided(3, 5), strided(3, 5)), {}),
        ((np.array([-200.0, 200.0], "f4"), np.ones(2, "f4")), {}),
    ],
    "gelu": [((normal(3, 5) * 5,), {}), ((strided(3, 41),), {}), ((np.array([-99.0, 99.0], "f4"),), {})],
    "cross_entropy": [
        ((normal(2, 3, 7), np.array([[0, 6, 3], [2, 2, 1]])), {}),
        ((normal(1, 2, 33) * 90, np.array([[32, 0]])), {"weights": np.array([[0.25, 0.75]], "f4")}),
        ((normal(1, 3, 5), np.array([[4, 0, 1]])), {"weights": np.array([[0, 1, 0]], "f4")}),
    ],
    "token_log_probabilities": [
        ((normal(2, 3, 7), np.array([[0, 6, 3], [2, 2, 1]])), {}),
        ((normal(2, 33) * 9, np.array([32, 0])), {}),
        ((strided(3, 5, 40), np.zeros((3, 5), int)), {}),
    ],
    "embedding": [((normal(5, 3), np.array([[1, 1, 4], [0, 1, 1]])), {})],
}  # fmt: skip


def test_every_twin_is_checked_here():
    assert {n.removesuffix("_backward") for n in TWINS} == set(INPUTS)


@pytest.mark.parametrize("name", INPUTS)
def test_the_twin_equals_the_readable_operation(name):
    readable, fast = TWINS.get(name, TWINS.get(name + "_backward"))
    for inputs, options in INPUTS[name]:
        copies = [np.copy(x) for x in inputs]
        out = getattr(readable, name)(*inputs, **options)
        if hasattr(fast, name):
            close(getattr(fast, name)(*inputs, **options), np.float32(out))
        grad = normal(*np.shape(out), seed=5)
        with np.errstate(invalid="ignore", over="ignore"):
            expected = getattr(readable, name + "_backward")(grad, out, *inputs, **options)
        if hasattr(fast, name + "_backward"):
            twin = getattr(fast, name + "_backward")(grad, np.float32(out), *inputs, **options)
            close(tuple(twin), tuple(expected))
        for x, copy in zip(inputs, copies, strict=True):
            np.testing.assert_array_equal(x, copy)


@pytest.mark.parametrize("module", [scan, scan_kernels])
@pytest.mark.parametrize("cuts", [[1], [4], [1, 2, 3], [7, 20]])
def test_a_scan_in_pieces_goes_on_where_it_was(module, cuts):
    """Whatever the split: tokens one after the other with a state, all at once, in chunks."""
    x, delta, A, B, C, D = scanned(2, 23, 6, 5)
    whole = module.selective_scan(x, delta, A, B, C, D)
    state, last = np.zeros((2, 6, 5), np.float32), scan.scan_states(x, delta, A, B)[:, -1]
    pieces = zip(*(np.split(a, cuts, 1) for a in (x, delta, B, C)), strict=True)
    parts = [module.selective_scan(x, d, A, b, c, D, state=state) for x, d, b, c in pieces]
    close(np.concatenate(parts, 1), whole, 1e-5)
    close(state, last, 1e-5)
    tail = np.zeros((2, 3, 6), np.float32)
    weight, bias = normal(6, 4), normal(6)
    parts = [module.causal_convolution(p, weight, bias, tail=tail) for p in np.split(x, cuts, 1)]
    close(np.concatenate(parts, 1), module.causal_convolution(x, weight, bias))
    np.testing.assert_array_equal(tail, x[:, -3:])
    with pytest.raises(ValueError, match="no gradient"):
        module.selective_scan_backward(x, x, x, delta, A, B, C, D, state=state)


@pytest.mark.parametrize("chunk", [1, 2, 7, 16, 23, 50])
def test_a_chunked_scan_is_the_scan(chunk):
    inputs = scanned(2, 23, 6, 5)
    states = np.zeros((2, 2, 6, 5), np.float32)
    expected = scan.selective_scan(*inputs, state=states[0])
    close(scan.chunked_scan(*inputs, state=states[1], chunk=chunk), expected, 1e-5)
    close(states[1], states[0], 1e-5)


def test_a_scan_over_a_long_text_with_strong_decay_stays_finite():
    """Products of decays underflow here and their inverses overflow; differences don't."""
    x, delta, A, B, C, D = scanned(1, 300, 4, 3)
    A = A * 100
    expected = scan.selective_scan(*(a.astype(np.float64) for a in (x, delta, A, B, C, D)))
    assert np.exp((delta[..., None] * A).sum(1)).max() == 0
    for y in (scan_kernels.selective_scan(x, delta, A, B, C, D),
              scan.chunked_scan(x, delta, A, B, C, D, chunk=150)):  # fmt: skip
        np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)


def test_exp_is_exact_where_it_matters():
    x = np.linspace(-87, 88, 100_001).astype(np.float32)
    scores = np.stack([x, np.zeros_like(x)], -1)[None, None]  # (1, 1, T, 2) -> exp within softmax
    weights = kernels.causal_softmax(np.ascontiguousarray(scores[:, :, -2:]))
    assert np.isfinite(weights).all()
    ours = kernels.swiglu(-x, np.ones_like(x))
    with np.errstate(over="ignore"):
        exact = -x.astype(np.float64) / (1 + np.exp(x.astype(np.float64)))
    np.testing.assert_allclose(ours, exact, rtol=4e-7, atol=1e-36)


def test_hidden_scores_get_exactly_nothing():
    weights = kernels.causal_softmax(normal(1, 4, 67, 67), window=9)
    t, s = np.indices((67, 67))
    hidden = (s > t) | (s <= t - 9)
    assert (weights[:, :, hidden] == 0).all() and (weights[:, :, ~hidden] > 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)


def test_a_fully_masked_row_gives_zeros():
    scores = np.full((1, 1, 2, 2), -np.inf, np.float32)
    assert not kernels.causal_softmax(scores).any()
    assert not ops.causal_softmax(scores).any()


def test_adamw_twin_equals_the_readable_update():
    params = {"weight": normal(5, 7), "norm": normal(7)}
    wide = {n: p.astype(np.float64) for n, p in params.items()}
    fast, readable = AdamW(), AdamW()
    for step in range(10):
        grads = {n: normal(*p.shape, seed=step) for n, p in params.items()}
        fast.update(params, grads, 1e-2)
        readable.update(wide, {n: g.astype(np.float64) for n, g in grads.items()}, 1e-2)
    for name in params:
        assert params[name].dtype == np.float32
        np.testing.assert_allclose(params[name], wide[name], rtol=2e-5, atol=1e-6)
