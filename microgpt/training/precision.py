"""bfloat16, emulated by rounding: float32 with its last 16 bits gone.

It keeps float32's range (8 bits of exponent) and 2 to 3 decimal digits (7 bits of fraction). In
mixed precision the optimizer keeps the weights in float32, for a step is often smaller than the
gap between two bfloat16 numbers; what goes through the model is rounded (Micikevicius et al. 2018;
Kalamkar et al. 2019). Here the weights and their gradients are rounded, not what flows between
layers; and it costs time instead of saving it, for the arithmetic stays float32.
"""

import sys

import numpy as np

from microgpt.autograd.tensor import primitive


def bfloat16(x):  # (...) float32 -> (...) float32 that bfloat16 could hold
    """Each number rounded to the nearest bfloat16, half to even; infinities and nan stay."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + even) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(x), rounded.view(np.float32), x)


def bfloat16_backward(grad, out, x):
    """Rounding has no slope to speak of: the gradient passes, rounded itself."""
    return (bfloat16(grad),)


_rounded = primitive(sys.modules[__name__], "bfloat16")


def in_bfloat16(loss):
    """The same loss with all weights rounded on the way in and all gradients on the way back."""

    def rounded_loss(params, *shard):
        return loss({name: _rounded(p) for name, p in params.items()}, *shard)

    return rounded_loss
