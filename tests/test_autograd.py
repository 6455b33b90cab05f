"""Autograd against finite differences, closed forms, and the ways in which tapes go wrong."""

import math

import numpy as np
import pytest

from microgpt.autograd import arithmetic, experts, ops, scan, tensor
from microgpt.autograd.scalar import Value, backward_steps, topological_order
from microgpt.autograd.tensor import Tensor, backend, backward

RNG = np.random.default_rng(7)


def normal(*shape):
    return np.random.default_rng(math.prod(shape)).standard_normal(shape)


def positive(*shape):
    return np.abs(normal(*shape)) + 0.5


def check_gradient(function, *inputs, eps=1e-6, tolerance=1e-6):
    """Every input's gradient along a random direction against a central difference, float64."""
    rng = np.random.default_rng(3)
    out = function(*inputs)
    direction = rng.standard_normal(np.shape(out))
    tensors = [Tensor(x) if _is_float(x) else x for x in inputs]
    result = tensor.total(function(*tensors) * direction)
    backward(result)
    for i, x in enumerate(inputs):
        if not _is_float(x):
            continue
        step = rng.standard_normal(x.shape)
        ends = [
            (function(*inputs[:i], x + sign * eps * step, *inputs[i + 1 :]) * direction).sum()
            for sign in (1, -1)
        ]
        numeric = (ends[0] - ends[1]) / (2 * eps)
        exact = (tensors[i].grad * step).sum()
        assert tensors[i].grad.shape == x.shape
        assert exact == pytest.approx(numeric, rel=tolerance, abs=tolerance)


def _is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


TOKENS = np.array([[1, 4, 4], [0, 4, 2]])
CHOSEN = np.array([[2, 0], [2, 1], [0, 2], [3, 2], [2, 3]])
ORDER, COUNTS = experts.sort_by_expert(CHOSEN, 5, capacity=4)  # one pair of ten is dropped
SCAN = (
    normal(2, 5, 3), positive(2, 5, 3), -positive(3, 4), normal(2, 5, 4), normal(5, 4, 2).reshape(2, 5, 4),
    normal(3),
)  # fmt: skip
ANGLES = normal(5, 3)
CASES = {
    "add": (tensor.add, normal(3, 1, 4), normal(2, 4)),
    "subtract": (tensor.subtract, normal(3, 4), normal(4)),
    "multiply": (tensor.multiply, normal(2, 3, 4), normal(3, 1)),
    "divide": (tensor.divide, normal(3, 4), positive(1, 4)),
    "power": (lambda x: tensor.power(x, 3), normal(3, 4)),
    "matmul": (tensor.matmul, normal(2, 3, 4), normal(4, 5)),
    "matmul of batches": (tensor.matmul, normal(2, 1, 3, 4), normal(5, 4, 2)),
    "exp": (tensor.exp, normal(3, 4)),
    "log": (tensor.log, positive(3, 4)),
    "tanh": (tensor.tanh, normal(3, 4)),
    "sigmoid": (tensor.sigmoid, normal(3, 4)),
    "log_sigmoid": (tensor.log_sigmoid, normal(3, 4)),
    "relu": (tensor.relu, normal(3, 4)),
    "maximum": (tensor.maximum, normal(3, 4), normal(4)),
    "minimum": (tensor.minimum, normal(3, 4), normal(4)),
    "clip": (lambda x: tensor.clip(x, -0.5, 0.5), normal(3, 4)),
    "total over an axis": (lambda x: tensor.total(x, axis=1), normal(3, 4)),
    "mean": (lambda x: tensor.mean(x, axis=0, keepdims=True), normal(3, 4)),
    "reshape": (lambda x: tensor.reshape(x, (2, 6)), normal(3, 4)),
    "transpose": (lambda x: tensor.transpose(x, (2, 0, 1)), normal(3, 4, 2)),
    "take repeated rows": (lambda x: tensor.take(x, TOKENS), normal(6, 4)),
    "embedding": (lambda table: tensor.embedding(table, TOKENS), normal(6, 4)),
    "linear": (tensor.linear, normal(2, 3, 4), normal(5, 4)),
    "linear with bias": (tensor.linear, normal(2, 3, 4), normal(5, 4), normal(5)),
    "rmsnorm": (tensor.rmsnorm, normal(2, 3, 4), normal(4)),
    "layernorm": (tensor.layernorm, normal(2, 3, 4), normal(4), normal(4)),
    "rotate": (lambda x: tensor.rotate(x, np.cos(ANGLES), np.sin(ANGLES)), normal(2, 5, 2, 6)),
    "attention_scores": (tensor.attention_scores, normal(2, 3, 4, 6), normal(2, 5, 2, 6)),
    "attention_scores with another scale": (
        lambda q, k: tensor.attention_scores(q, k, scale=1.0), normal(1, 3, 4, 6), normal(1, 5, 2, 6),
    ),
    "causal_softmax": (tensor.causal_softmax, normal(2, 2, 3, 5)),
    "causal_softmax with window": (lambda s: tensor.causal_softmax(s, window=2), normal(1, 2, 4, 4)),
    "causal_softmax with slopes": (
        lambda s: tensor.causal_softmax(s, slopes=np.array([0.5, 0.25])), normal(1, 2, 4, 4),
    ),
    "causal_softmax without the mask": (
        lambda s: tensor.causal_softmax(s, slopes=np.array([0.5, 0.25]), causal=False), normal(1, 2, 3, 5),
    ),
    "attention_mix": (tensor.attention_mix, normal(2, 4, 3, 5), normal(2, 5, 2, 6)),
    "swiglu": (tensor.swiglu, normal(3, 4), normal(3, 4)),
    "gelu": (tensor.gelu, normal(3, 4)),
    "softplus": (tensor.softplus, normal(3, 4) * 9),
    "silu": (tensor.silu, normal(3, 4)),
    "causal_convolution": (tensor.causal_convolution, normal(2, 5, 3), normal(3, 4), normal(3)),
    "causal_convolution longer than the text": (
        tensor.causal_convolution, normal(2, 2, 3), normal(3, 4), normal(3),
    ),
    "selective_scan": (tensor.selective_scan, *SCAN),
    "router_softmax": (tensor.router_softmax, normal(5, 4)),
    "renormalize": (lambda p: tensor.renormalize(p, CHOSEN), positive(5, 4)),
    "balance_loss": (lambda p: tensor.balance_loss(p, CHOSEN), positive(5, 4)),
    "router_z_loss": (tensor.router_z_loss, normal(5, 4)),
    "expert_linear": (lambda x, w: tensor.expert_linear(x, w, COUNTS), normal(9, 3), normal(5, 2, 3)),
    "combine": (lambda x, s: tensor.combine(x, s, ORDER), normal(9, 3), positive(5, 2)),
    "cross_entropy": (lambda x: tensor.cross_entropy(x, TOKENS), normal(2, 3, 6)),
    "token_log_probabilities": (
        lambda x: tensor.token_log_probabilities(x, TOKENS), normal(2, 3, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_finite_difference(name):
    function, *inputs = CASES[name]
    before = [np.copy(x) for x in inputs]
    check_gradient(function, *inputs)
    for x, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, copy, err_msg="an input was changed")


def test_every_operation_is_checked_here():
    written = [name for module in (ops, arithmetic, scan, experts) for name in dir(module)]
    differentiable = {n.removesuffix("_backward") for n in written if n.endswith("_backward")}
    checked = {case.split()[0] for case in CASES}
    assert differentiable == checked


def test_a_value_used_twice_gets_both_gradients():
    x = Tensor(np.array([3.0]))
    backward(tensor.total(x * x + x + x))
    assert x.grad.tolist() == [8.0]


def test_backward_twice_adds_up():
    x = Tensor(np.array([3.0]))
    result = tensor.total(x * x)
    backward(result)
    backward(result)
    assert x.grad.tolist() == [12.0]


def test_gradients_are_never_shared_between_leaves():
    x, y = Tensor(np.zeros(2)), Tensor(np.zeros(2))
    backward(tensor.total(x + y))
    backward(tensor.total(x * 2.0))
    assert y.grad.tolist() == [1, 1] and x.grad.tolist() == [3, 3]


def test_long_graphs_do_not_recurse():
    x = Tensor(np.array(0.0))
    out = x
    for _ in range(20_000):
        out = out + 1.0
    backward(out)
    assert x.grad == 1
    v = value = Value(0)
    for _ in range(20_000):
        value = value + 1
    value.backward()
    assert v.grad == 1


def test_ties_of_max_share_the_gradient():
    x, y = Tensor(np.array([2.0])), Tensor(np.array([2.0]))
    backward(tensor.total(tensor.maximum(x, y)))
    assert x.grad == 0.5 and y.grad == 0.5
    a, b = Value(2), Value(2)
    a.maximum(b).backward()
    assert a.grad == b.grad == 0.5


def test_float32_stays_float32():
    """`float32_array * np.float64` is float64 in NumPy 2: a gradient must not slip."""
    for name in ("rmsnorm", "attention_scores", "gelu", "swiglu", "mean", "cross_entropy", "linear"):
        function, *inputs = CASES[name]
        for kind in ("readable", "fast"):
            tensors = [Tensor(x.astype(np.float32)) for x in inputs]
            with backend(kind):
                out = function(*tensors)
                assert out.data.dtype == np.float32
                backward(tensor.total(out))
            assert all(t.grad.dtype == np.float32 for t in tensors), name


def test_backward_needs_a_single_number():
    with pytest.raises(ValueError, match="single number"):
        backward(Tensor(np.zeros(3)))
    with pytest.raises(ValueError, match="no backend"), backend("quick"):
        pass


def test_arrays_in_arrays_out():
    out = tensor.rmsnorm(normal(2, 4), normal(4))
    assert type(out) is np.ndarray


SCALARS = {
    "product": (lambda x, y: x * y + x, lambda x, y: (y + 1, x)),
    "quotient": (lambda x, y: x / y, lambda x, y: (1 / y, -x / y**2)),
    "power": (lambda x, y: x**y, lambda x, y: (y * x ** (y - 1), x**y * math.log(x))),
    "difference": (lambda x, y: 2 - x * y, lambda x, y: (-y, -x)),
    "exp log": (lambda x, y: (x * y).exp() + x.log(), None),
    "sqrt": (lambda x, y: x.sqrt() * y, None),
    "sin cos tan": (lambda x, y: x.sin() * y.cos() + (x / 4).tan(), None),
    "tanh sigmoid": (lambda x, y: x.tanh() * (-y).sigmoid() + (x * 40).sigmoid(), None),
    "relu abs": (lambda x, y: (x - y).relu() + abs(y - 2 * x), None),
    "max min": (lambda x, y: x.maximum(y) * x.minimum(3), None),
    "constant base": (lambda x, y: 2**x * y, lambda x, y: (2**x * math.log(2) * y, 2**x)),
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalar_derivatives(name):
    function, closed_form = SCALARS[name]
    for a, b in ((0.7, 1.9), (2.5, 0.4)):
        x, y = Value(a), Value(b)
        function(x, y).backward()
        h = 1e-6
        numeric = (
            (function(Value(a + h), Value(b)).data - function(Value(a - h), Value(b)).data) / (2 * h),
            (function(Value(a), Value(b + h)).data - function(Value(a), Value(b - h)).data) / (2 * h),
        )
        assert (x.grad, y.grad) == pytest.approx(numeric, rel=1e-6, abs=1e-8)
        if closed_form:
            assert (x.grad, y.grad) == pytest.approx(closed_form(a, b), rel=1e-12)


def test_the_slope_of_x_squared_at_3_is_6():
    x = Value(3)
    (x**2).backward()
    assert x.grad == 6.0
    (x * x).backward()
    assert x.grad == 6.0


def test_backward_steps_tell_the_whole_story():
    x, y = Value(2), Value(5)
    result = x * y + x
    steps = list(backward_steps(result))
    assert sum(s.contribution for s in steps if s.parent is x) == x.grad == 6
    assert steps[0].node is result
    order = topological_order(result)
    assert all(order.index(p) < order.index(n) for n in order for p in n.parents)
