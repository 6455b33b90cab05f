"""Backpropagation on single numbers: the whole idea in one small class.

A `Value` remembers which values it was made from and how fast it changes with each of them.
`backward` walks from the result to the inputs and multiplies along the way: the chain rule.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass


class Value:
    """A number that knows its own history.

    `local` holds one derivative per parent: d(self)/d(parent), a plain float.
    `grad` is d(result)/d(self), filled in by `backward`.
    """

    __slots__ = ("data", "grad", "label", "local", "op", "parents")

    def __init__(self, data, parents=(), local=(), op="", label=""):
        self.data = float(data)
        self.grad = 0.0
        self.parents = parents
        self.local = local
        self.op = op
        self.label = label

    def __repr__(self):
        name = f"{self.label}=" if self.label else ""
        return f"Value({name}{self.data:.6g}, grad={self.grad:.6g})"

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0), "+")

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data), "*")

    def __sub__(self, other):
        other = as_value(other)
        return Value(self.data - other.data, (self, other), (1.0, -1.0), "-")

    def __truediv__(self, other):
        other = as_value(other)
        quotient = self.data / other.data
        return Value(quotient, (self, other), (1 / other.data, -quotient / other.data), "/")

    def __pow__(self, other):
        """A constant exponent works for any base; a variable one needs a positive base."""
        other = as_value(other)
        base, exponent = self.data, other.data
        power = base**exponent
        by_base = exponent * base ** (exponent - 1) if exponent else 0.0
        by_exponent = power * math.log(base) if base > 0 else 0.0
        return Value(power, (self, other), (by_base, by_exponent), "**")

    def __neg__(self):
        return Value(-self.data, (self,), (-1.0,), "neg")

    def __radd__(self, other):
        return as_value(other) + self

    def __rmul__(self, other):
        return as_value(other) * self

    def __rsub__(self, other):
        return as_value(other) - self

    def __rtruediv__(self, other):
        return as_value(other) / self

    def __rpow__(self, other):
        return as_value(other) ** self

    def exp(self):
        e = math.exp(self.data)
        return Value(e, (self,), (e,), "exp")

    def log(self):
        return Value(math.log(self.data), (self,), (1 / self.data,), "log")

    def sqrt(self):
        root = math.sqrt(self.data)
        return Value(root, (self,), (0.5 / root if root else math.inf,), "sqrt")

    def sin(self):
        return Value(math.sin(self.data), (self,), (math.cos(self.data),), "sin")

    def cos(self):
        return Value(math.cos(self.data), (self,), (-math.sin(self.data),), "cos")

    def tan(self):
        t = math.tan(self.data)
        return Value(t, (self,), (1 + t * t,), "tan")

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,), "tanh")

    def sigmoid(self):
        # Two forms of the same function: neither ever exponentiates a large positive number.
        z = math.exp(-abs(self.data))
        s = 1 / (1 + z) if self.data >= 0 else z / (1 + z)
        return Value(s, (self,), (s * (1 - s),), "sigmoid")

    def relu(self):
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),), "relu")

    def __abs__(self):
        sign = (self.data > 0) - (self.data < 0)
        return Value(abs(self.data), (self,), (float(sign),), "abs")

    def maximum(self, other):
        """The larger of two; at a tie each gets half the gradient."""
        other = as_value(other)
        share = 0.5 if self.data == other.data else float(self.data > other.data)
        return Value(max(self.data, other.data), (self, other), (share, 1 - share), "max")

    def minimum(self, other):
        """The smaller of two; at a tie each gets half the gradient."""
        other = as_value(other)
        share = 0.5 if self.data == other.data else float(self.data < other.data)
        return Value(min(self.data, other.data), (self, other), (share, 1 - share), "min")

    def backward(self) -> None:
        """Fill `grad` of every value this one depends on. A second call starts afresh."""
        for _ in backward_steps(self):
            pass


def as_value(x) -> Value:
    return x if isinstance(x, Value) else Value(x)


def topological_order(result: Value) -> list[Value]:
    """Every value the result depends on, parents before children, each once.

    A stack in place of recursion, so that long graphs don't meet Python's recursion limit.
    """
    order, seen, stack = [], set(), [(result, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents))
    return order


@dataclass(frozen=True)
class BackwardStep:
    """One edge of the backward walk: `parent` receives `incoming * local`."""

    node: Value
    parent: Value
    incoming: float
    local: float

    @property
    def contribution(self) -> float:
        return self.incoming * self.local


def backward_steps(result: Value) -> Iterator[BackwardStep]:
    """Backpropagation as steps: yields after each product has reached the parent."""
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        for parent, local in zip(node.parents, node.local, strict=True):
            parent.grad += node.grad * local
            yield BackwardStep(node, parent, node.grad, local)
