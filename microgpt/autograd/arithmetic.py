"""Arithmetic on arrays, each operation with its derivative right below it.

Every backward function receives the gradient of the output, the output, and the inputs, and
returns one gradient per input. Broadcast inputs get their gradient summed back to their shape.
"""

import numpy as np


def unbroadcast(grad, like):
    """Sum a gradient over the axes along which `like` was broadcast."""
    shape = np.shape(like)
    if grad.shape == shape:
        return grad
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    return grad.sum(axis=stretched, keepdims=True) if stretched else grad


def add(x, y):
    return x + y


def add_backward(grad, out, x, y):
    return unbroadcast(grad, x), unbroadcast(grad, y)


def subtract(x, y):
    return x - y


def subtract_backward(grad, out, x, y):
    return unbroadcast(grad, x), unbroadcast(-grad, y)


def multiply(x, y):
    return x * y


def multiply_backward(grad, out, x, y):
    return unbroadcast(grad * y, x), unbroadcast(grad * x, y)


def divide(x, y):
    return x / y


def divide_backward(grad, out, x, y):
    return unbroadcast(grad / y, x), unbroadcast(-grad * out / y, y)


def power(x, exponent):
    """x ** exponent for a constant exponent."""
    return x**exponent


def power_backward(grad, out, x, exponent):
    return grad * exponent * x ** (exponent - 1), None


def matmul(x, y):  # (..., M, K), (..., K, N) -> (..., M, N)
    if np.ndim(x) < 2 or np.ndim(y) < 2:
        raise ValueError(
            f"matmul takes matrices, but got shapes {np.shape(x)} and {np.shape(y)}; "
            "reshape a vector to one row or one column."
        )
    return x @ y


def matmul_backward(grad, out, x, y):
    dx = grad @ np.swapaxes(y, -1, -2)
    dy = np.swapaxes(x, -1, -2) @ grad
    return unbroadcast(dx, x), unbroadcast(dy, y)


def exp(x):
    return np.exp(x)


def exp_backward(grad, out, x):
    return (grad * out,)


def log(x):
    return np.log(x)


def log_backward(grad, out, x):
    return (grad / x,)


def tanh(x):
    return np.tanh(x)


def tanh_backward(grad, out, x):
    return (grad * (1 - out * out),)


def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow for large |x|."""
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, z).astype(z.dtype) / (1 + z)


def sigmoid_backward(grad, out, x):
    return (grad * out * (1 - out),)


def log_sigmoid(x):
    """log(sigmoid(x)) without overflow: min(x, 0) - log(1 + exp(-|x|))."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def log_sigmoid_backward(grad, out, x):
    return (grad * sigmoid(-x),)


def relu(x):
    return np.maximum(x, 0)


def relu_backward(grad, out, x):
    return (grad * (x > 0),)


def maximum(x, y):
    """The larger of two, element by element; at a tie each gets half the gradient."""
    return np.maximum(x, y)


def maximum_backward(grad, out, x, y):
    share = np.where(x == y, 0.5, x > y).astype(grad.dtype)
    return unbroadcast(grad * share, x), unbroadcast(grad * (1 - share), y)


def minimum(x, y):
    """The smaller of two, element by element; at a tie each gets half the gradient."""
    return np.minimum(x, y)


def minimum_backward(grad, out, x, y):
    share = np.where(x == y, 0.5, x < y).astype(grad.dtype)
    return unbroadcast(grad * share, x), unbroadcast(grad * (1 - share), y)


def clip(x, low, high):
    return np.clip(x, low, high)


def clip_backward(grad, out, x, low, high):
    return grad * ((x >= low) & (x <= high)), None, None


def total(x, axis=None, keepdims=False):
    """Sum over all elements or along an axis."""
    return np.sum(x, axis=axis, keepdims=keepdims)


def total_backward(grad, out, x, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        grad = np.expand_dims(grad, axis)
    return (np.broadcast_to(grad, x.shape),)


def mean(x, axis=None, keepdims=False):
    return np.mean(x, axis=axis, keepdims=keepdims)


def mean_backward(grad, out, x, axis=None, keepdims=False):
    (spread,) = total_backward(grad, out, x, axis, keepdims)
    return (spread * np.asarray(np.size(out) / x.size, dtype=x.dtype),)


def reshape(x, shape):
    return x.reshape(shape)


def reshape_backward(grad, out, x, shape):
    return grad.reshape(x.shape), None


def transpose(x, axes):
    return x.transpose(axes)


def transpose_backward(grad, out, x, axes):
    return grad.transpose(np.argsort(axes)), None


def take(x, index):
    """x[index] for any NumPy index; an element taken twice gets both gradients."""
    return x[index]


def take_backward(grad, out, x, index):
    dx = np.zeros_like(x)
    np.add.at(dx, index, grad)
    return dx, None
