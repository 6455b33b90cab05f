"""The words of a formula in three languages: arrays, Tensors on a tape, and single Values.

sin, cos, tan, sqrt, abs and powers of anything are no part of a GPT, so they join the tape here:
each operation with its derivative right below it, as in `microgpt.autograd.arithmetic`.
"""

import ast
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microgpt.autograd import arithmetic, tensor
from microgpt.autograd.arithmetic import unbroadcast
from microgpt.autograd.scalar import Value, as_value


def sin(x):
    return np.sin(x)


def sin_backward(grad, out, x):
    return (grad * np.cos(x),)


def cos(x):
    return np.cos(x)


def cos_backward(grad, out, x):
    return (-grad * np.sin(x),)


def tan(x):
    return np.tan(x)


def tan_backward(grad, out, x):
    return (grad * (1 + out * out),)


def sqrt(x):
    return np.sqrt(x)


def sqrt_backward(grad, out, x):
    return (grad * 0.5 / out,)


def absolute(x):
    return np.abs(x)


def absolute_backward(grad, out, x):
    return (grad * np.sign(x),)


def power(x, exponent):
    return np.power(x, exponent)


def power_backward(grad, out, x, exponent):
    """A constant exponent works for any base; a variable one needs a positive base."""
    by_base = np.where(exponent == 0, 0.0, exponent * np.power(x, exponent - 1))
    if isinstance(exponent, float):
        return unbroadcast(grad * by_base, x), None
    by_exponent = np.where(x > 0, out * np.log(np.where(x > 0, x, 1.0)), 0.0)
    return unbroadcast(grad * by_base, x), unbroadcast(grad * by_exponent, exponent)


def _on_tape(name: str) -> Callable:
    return tensor.primitive(sys.modules[__name__], name)


@dataclass(frozen=True)
class Function:
    """One function for arrays, for Tensors, and as the name of the method of a Value."""

    arrays: Callable
    tape: Callable
    method: str
    pairwise: bool = False  # takes two arguments or more


FUNCTIONS = {
    "sin": Function(sin, _on_tape("sin"), "sin"),
    "cos": Function(cos, _on_tape("cos"), "cos"),
    "tan": Function(tan, _on_tape("tan"), "tan"),
    "exp": Function(arithmetic.exp, tensor.exp, "exp"),
    "log": Function(arithmetic.log, tensor.log, "log"),
    "sqrt": Function(sqrt, _on_tape("sqrt"), "sqrt"),
    "abs": Function(absolute, _on_tape("absolute"), "__abs__"),
    "tanh": Function(arithmetic.tanh, tensor.tanh, "tanh"),
    "sigmoid": Function(arithmetic.sigmoid, tensor.sigmoid, "sigmoid"),
    "relu": Function(arithmetic.relu, tensor.relu, "relu"),
    "min": Function(arithmetic.minimum, tensor.minimum, "minimum", pairwise=True),
    "max": Function(arithmetic.maximum, tensor.maximum, "maximum", pairwise=True),
}
_POWER = Function(power, _on_tape("power"), "__pow__")


def call(function: Function, *arguments):
    """Apply a function in the language that its arguments speak."""
    arguments = _alike(*arguments)
    if isinstance(arguments[0], Value):
        return getattr(arguments[0], function.method)(*arguments[1:])
    if any(isinstance(a, tensor.Tensor) for a in arguments):
        return function.tape(*arguments)
    return function.arrays(*arguments)


def _alike(*arguments) -> tuple:
    """A number beside a Value becomes a Value too (NumPy would wrap the Value in an array)."""
    if any(isinstance(a, Value) for a in arguments):
        return tuple(as_value(a) for a in arguments)
    return tuple(np.float64(a) if isinstance(a, int | float) else a for a in arguments)


def _sign(apply: Callable) -> Callable:
    return lambda *arguments: apply(*_alike(*arguments))


OPERATORS = {
    ast.Add: _sign(operator.add),
    ast.Sub: _sign(operator.sub),
    ast.Mult: _sign(operator.mul),
    ast.Div: _sign(operator.truediv),
    ast.Pow: lambda base, exponent: call(_POWER, base, exponent),
}
SIGNS = {ast.USub: _sign(operator.neg), ast.UAdd: lambda x: x}
