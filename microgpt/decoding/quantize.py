"""Quantization: weights as small whole numbers and one scale for each little group.

Symmetric round-to-nearest. The inputs of each row are cut into groups; a group's scale maps its
largest weight to the largest code, so that weight = code x scale with codes from -top to top:
top is 127 at 8 bits, 7 at 4, 3 at 3 and 1 at 2. A weight moves by half a scale at most.

Codes are stored as a stream of bits, `bits` to a code, in two's complement, the lowest bits first:
at 4 bits the low nibble of a byte holds the earlier code and the high nibble the later one. Rows
start at a new byte, and what is left over of the last byte is 0. Scales are float16.
"""

import math
from dataclasses import dataclass

import numpy as np

BITS = (2, 3, 4, 8)


@dataclass(frozen=True)
class Quantized:
    """A matrix (O, I) in `bits` bits a weight and one float16 scale per `group` inputs.

    `packed` is (O, bytes of a row) uint8, `scales` (O, number of groups) float16.
    """

    packed: np.ndarray
    scales: np.ndarray
    bits: int
    group: int
    shape: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Bytes of codes and scales together."""
        return self.packed.nbytes + self.scales.nbytes

    @property
    def codes(self) -> np.ndarray:
        """The whole numbers, (O, I) int8."""
        return unpack(self.packed, self.bits, self.shape[1])


def pack(codes, bits: int):  # (O, I) -> (O, ceil(I * bits / 8))
    """Whole numbers as a stream of `bits` bits each, lowest bits first; see the file's header."""
    _check_bits(bits)
    shifts = np.arange(bits, dtype=np.uint8)
    each = (codes.astype(np.int8).view(np.uint8)[:, :, None] >> shifts) & 1  # (O, I, bits)
    return np.packbits(each.reshape(len(codes), -1), axis=1, bitorder="little")


def unpack(packed, bits: int, inputs: int):  # (O, bytes) -> (O, I)
    """The int8 codes that `pack` stored; the top bit of a code is its sign."""
    _check_bits(bits)
    stream = np.unpackbits(packed, axis=1, count=inputs * bits, bitorder="little")
    weights = 2 ** np.arange(bits)
    weights[-1] *= -1  # two's complement
    return (stream.reshape(len(packed), inputs, bits) @ weights).astype(np.int8)


def quantize(matrix, bits: int = 8, group: int = 32) -> Quantized:  # (O, I)
    """Round a matrix to codes and scales.

    The scale is stored first, rounded up to float16, and the codes are worked out with the stored
    scale: so no weight lies beyond the last code, and none moves by more than scale / 2. Halves
    round to the even code. A group of zeros has scale 0. The last group of a row may be shorter.
    """
    _check_bits(bits)
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.dtype.kind != "f" or not np.isfinite(matrix).all():
        raise ValueError(
            "Only a matrix of finite numbers can be quantized, "
            f"but got shape {matrix.shape} of {matrix.dtype}."
        )
    if not isinstance(group, int) or group < 1:
        raise ValueError(f"group is {group!r}, but must be a whole number of at least 1.")
    groups = _in_groups(matrix.astype(np.float32), group)  # (O, groups, group)
    top = 2 ** (bits - 1) - 1
    scales = _round_up_to_half(np.abs(groups).max(-1) / np.float32(top), top)
    wide = scales.astype(np.float32)[:, :, None]
    codes = np.rint(np.divide(groups, wide, out=np.zeros_like(groups), where=wide > 0))
    codes = np.clip(codes, -top, top).reshape(len(matrix), -1)[:, : matrix.shape[1]]
    return Quantized(pack(codes, bits), scales, bits, group, matrix.shape)


def dequantize(quantized: Quantized):  # -> (O, I)
    """The float32 weights that the codes stand for: code x scale."""
    groups = _in_groups(quantized.codes.astype(np.float32), quantized.group)
    weights = groups * quantized.scales.astype(np.float32)[:, :, None]
    return weights.reshape(quantized.shape[0], -1)[:, : quantized.shape[1]]


def product(x, quantized: Quantized):  # (N, I) -> (N, O)
    """x @ W.T in whole numbers: x is rounded to int8 in the same groups, sums are int32.

    A group of up to 133,000 products of two int8 fits an int32. Only the sums of a group meet
    the scales, in float32. What is lost is the rounding of x; see `quantize` for that of W.
    """
    rounded = quantize(x, 8, quantized.group)
    left = _in_groups(rounded.codes.astype(np.int32), quantized.group)  # (N, groups, group)
    right = _in_groups(quantized.codes.astype(np.int32), quantized.group)
    sums = left.transpose(1, 0, 2) @ right.transpose(1, 2, 0)  # (groups, N, O) int32
    scales = rounded.scales.T[:, :, None].astype(np.float32) * quantized.scales.T[:, None]
    return (sums * scales).astype(np.float32).sum(0)


def quantize_params(params, bits: int = 8, group: int = 32) -> dict:
    """Every matrix of a model quantized, the embedding too; norms and biases as they are.

    The matrices of experts (E, O, I) become one of E * O rows. A_log, the logarithms of a state
    space, stays too: its errors would grow with the length of the text.
    """
    return {
        name: quantize(value.reshape(-1, value.shape[-1]), bits, group)
        if value.ndim > 1 and not name.endswith("A_log") else value
        for name, value in params.items()
    }  # fmt: skip


def fake_quantize(params, bits: int = 8, group: int = 32) -> dict[str, np.ndarray]:
    """The float32 weights that the quantized model computes with, to measure what is lost."""
    return {
        name: dequantize(value).reshape(params[name].shape)
        if isinstance(value, Quantized) else value
        for name, value in quantize_params(params, bits, group).items()
    }  # fmt: skip


def size(params) -> int:
    """Bytes of all arrays, quantized or not."""
    return sum(value.nbytes for value in params.values())


def _check_bits(bits):
    if bits not in BITS:
        raise ValueError(f"Weights come in {', '.join(map(str, BITS))} bits, not {bits!r}.")


def _in_groups(matrix, group):  # (O, I) -> (O, ceil(I / group), group), zeros at the end
    outputs, inputs = matrix.shape
    padded = np.zeros((outputs, math.ceil(inputs / group) * group), matrix.dtype)
    padded[:, :inputs] = matrix
    return padded.reshape(outputs, -1, group)


def _round_up_to_half(scales, top):
    """The next float16 from each scale up: rounding down would leave the largest weight no code."""
    with np.errstate(over="ignore"):
        halves = scales.astype(np.float16)
    low = halves.astype(np.float32) < scales
    halves[low] = np.nextafter(halves[low], np.float16(np.inf))
    if not np.isfinite(halves).all():
        raise ValueError(
            f"The largest weight is {scales.max() * top:.3g}, but float16 scales reach only "
            f"{65504 * top:,}; scale the weights down first."
        )
    return halves
