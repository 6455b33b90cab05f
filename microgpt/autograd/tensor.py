"""Arrays on a tape: the same idea as `scalar.Value`, for whole arrays at once.

An operation called with arrays computes and returns an array. Called with a `Tensor` among its
arguments it also remembers how to go back. One definition of the model therefore serves training,
generation and pictures alike.
"""

import contextlib
import contextvars
import functools
import importlib

import numpy as np

from microgpt.autograd import arithmetic, experts, ops, scan

_fast = contextvars.ContextVar("microgpt_fast", default=True)


class Tensor:
    """An array, its gradient, and the operation that made it.

    `parents` are the operation's arguments; `vjp(grad)` (vector-Jacobian product) turns the
    gradient of this tensor into one gradient per argument, or None where there is none.
    """

    __slots__ = ("data", "grad", "op", "parents", "vjp")

    def __init__(self, data, parents=(), vjp=None, op=""):
        self.data = np.asarray(data)
        self.grad = None
        self.parents = parents
        self.vjp = vjp
        self.op = op

    @property
    def shape(self):
        return self.data.shape

    def __repr__(self):
        return f"Tensor(shape={self.shape}, op={self.op!r})"

    def backward(self, keep=False):
        backward(self, keep)


def array(x) -> np.ndarray:
    """The plain array inside x, whether x is a Tensor or already an array."""
    return x.data if isinstance(x, Tensor) else x


@contextlib.contextmanager
def backend(name: str):
    """Run the enclosed code on "fast" (Numba kernels) or "readable" (NumPy) operations."""
    if name not in ("fast", "readable"):
        raise ValueError(f"There is no backend {name!r}; use 'fast' or 'readable'.")
    token = _fast.set(name == "fast")
    try:
        yield
    finally:
        _fast.reset(token)


@functools.cache
def _twins(name: str):
    """Numba takes half a second to import, so it is loaded when first needed."""
    return importlib.import_module(f"microgpt.autograd.{name}")


def primitive(module, name: str, twins: str = "kernels"):
    """Make `module.<name>` and `module.<name>_backward` one differentiable operation.

    The backward function is called as `backward(grad, out, *inputs, **options)` and returns one
    gradient per positional input. Where the module `twins` has a function of the same name it
    runs instead, for float32: the twin is faster and tested equal.
    """
    forward_function = getattr(module, name)

    def find(suffix, inputs):
        if _fast.get() and any(getattr(a, "dtype", None) == np.float32 for a in inputs):
            twin = getattr(_twins(twins), name + suffix, None)
            if twin is not None:
                return twin
        return getattr(module, name + suffix)

    @functools.wraps(forward_function)
    def op(*args, **options):
        inputs = tuple(a.data if isinstance(a, Tensor) else a for a in args)
        out = find("", inputs)(*inputs, **options)
        if not any(isinstance(a, Tensor) for a in args):
            return out
        back = find("_backward", inputs)
        return Tensor(out, args, lambda grad: back(grad, out, *inputs, **options), name)

    return op


def topological_order(result: Tensor) -> list[Tensor]:
    """Every tensor the result depends on, parents before children, each once."""
    order, seen, stack = [], set(), [(result, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((p, False) for p in reversed(node.parents) if isinstance(p, Tensor))
    return order


def backward(result: Tensor, keep=False) -> None:
    """Add d(result)/d(leaf) to `grad` of every leaf; a second call adds once more.

    A leaf is a tensor that no operation made. With `keep`, tensors in between keep their
    gradients too (the pages draw them); without, those are freed as soon as they are used.
    The result must be a single number.
    """
    if result.data.size != 1:
        raise ValueError(
            f"backward starts from a single number, but the result has shape {result.shape}; "
            "sum it or take its mean first."
        )
    order = topological_order(result)
    pending = {id(result): np.ones_like(result.data)}
    for node in reversed(order):
        grad = pending.pop(id(node), None)
        if grad is None:
            continue
        if node.vjp is None:
            node.grad = grad if node.grad is None else node.grad + grad
            continue
        if keep:
            node.grad = grad
        for parent, parent_grad in zip(node.parents, node.vjp(grad), strict=False):
            if isinstance(parent, Tensor) and parent_grad is not None:
                # A new array, never an in-place add: operations may hand one array to two parents.
                before = pending.get(id(parent))
                pending[id(parent)] = parent_grad if before is None else before + parent_grad


add = primitive(arithmetic, "add")
subtract = primitive(arithmetic, "subtract")
multiply = primitive(arithmetic, "multiply")
divide = primitive(arithmetic, "divide")
power = primitive(arithmetic, "power")
matmul = primitive(arithmetic, "matmul")
exp = primitive(arithmetic, "exp")
log = primitive(arithmetic, "log")
tanh = primitive(arithmetic, "tanh")
sigmoid = primitive(arithmetic, "sigmoid")
relu = primitive(arithmetic, "relu")
maximum = primitive(arithmetic, "maximum")
minimum = primitive(arithmetic, "minimum")
clip = primitive(arithmetic, "clip")
log_sigmoid = primitive(arithmetic, "log_sigmoid")
total = primitive(arithmetic, "total")
mean = primitive(arithmetic, "mean")
reshape = primitive(arithmetic, "reshape")
transpose = primitive(arithmetic, "transpose")
take = primitive(arithmetic, "take")

embedding = primitive(ops, "embedding")
linear = primitive(ops, "linear")
rmsnorm = primitive(ops, "rmsnorm")
layernorm = primitive(ops, "layernorm")
rotate = primitive(ops, "rotate")
attention_scores = primitive(ops, "attention_scores")
causal_softmax = primitive(ops, "causal_softmax")
attention_mix = primitive(ops, "attention_mix")
swiglu = primitive(ops, "swiglu")
gelu = primitive(ops, "gelu")
cross_entropy = primitive(ops, "cross_entropy")
token_log_probabilities = primitive(ops, "token_log_probabilities")

softplus = primitive(scan, "softplus", "scan_kernels")
silu = primitive(scan, "silu", "scan_kernels")
causal_convolution = primitive(scan, "causal_convolution", "scan_kernels")
selective_scan = primitive(scan, "selective_scan", "scan_kernels")

router_softmax = primitive(experts, "router_softmax", "experts_fast")
renormalize = primitive(experts, "renormalize", "experts_fast")
balance_loss = primitive(experts, "balance_loss", "experts_fast")
router_z_loss = primitive(experts, "router_z_loss", "experts_fast")
expert_linear = primitive(experts, "expert_linear", "experts_fast")
combine = primitive(experts, "combine", "experts_fast")

Tensor.__add__ = Tensor.__radd__ = lambda self, other: add(self, other)
Tensor.__mul__ = Tensor.__rmul__ = lambda self, other: multiply(self, other)
Tensor.__sub__ = lambda self, other: subtract(self, other)
Tensor.__rsub__ = lambda self, other: subtract(other, self)
Tensor.__truediv__ = lambda self, other: divide(self, other)
Tensor.__rtruediv__ = lambda self, other: divide(other, self)
Tensor.__pow__ = lambda self, other: power(self, other)
Tensor.__matmul__ = lambda self, other: matmul(self, other)
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)
Tensor.__neg__ = lambda self: multiply(self, -1.0)
Tensor.__getitem__ = lambda self, index: take(self, index)
# NumPy would otherwise broadcast `array + tensor` over the tensor as if it were an object.
Tensor.__array_ufunc__ = None
