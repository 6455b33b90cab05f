"""Weights in blocks, as GGUF stores them: 32 numbers in a row share a scale, and perhaps a least.

    F32   4 bytes a number                       F16   2 bytes a number
    Q8_0  float16 d, 32 int8 codes               weight = d * code
    Q4_0  float16 d, 32 codes in 16 bytes        weight = d * (code - 8)
    Q4_1  float16 d and m, 32 codes in 16 bytes  weight = d * code + m

Byte j of a 4-bit block holds code j in its low half and code j + 16 in its high half. What is here
is the NumPy that says what a block means; `block_kernels` has the fast twins.
"""

from dataclasses import dataclass

import numpy as np

SIZE = 32  # numbers in a block
HIGHEST = 65504.0  # of float16


@dataclass(frozen=True)
class Kind:
    """A way to store numbers: its code in the file, numbers to a block, bytes to a block."""

    name: str
    code: int
    numbers: int
    bytes: int


KINDS = {
    kind.name: kind
    for kind in (
        Kind("F32", 0, 1, 4),
        Kind("F16", 1, 1, 2),
        Kind("Q4_0", 2, SIZE, 18),
        Kind("Q4_1", 3, SIZE, 20),
        Kind("Q8_0", 8, SIZE, 34),
    )
}


def halves(raw, start):  # (R, N, bytes) uint8 -> (R, N) float32
    """The float16 that stands at byte `start` of every block."""
    return np.ascontiguousarray(raw[..., start : start + 2]).view("<f2")[..., 0].astype(np.float32)


def nibbles(raw, start):  # (R, N, bytes) uint8 -> (R, N, 32) uint8
    """The 32 codes of every block whose 16 bytes begin at byte `start`."""
    packed = raw[..., start : start + 16]
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def dequantize(kind: str, raw):  # (R, N, bytes) uint8 -> (R, N * numbers) float32
    """The numbers that rows of blocks stand for."""
    if kind == "F32":
        weights = np.ascontiguousarray(raw).view("<f4").astype(np.float32)
    elif kind == "F16":
        weights = np.ascontiguousarray(raw).view("<f2").astype(np.float32)
    elif kind == "Q8_0":
        weights = halves(raw, 0)[..., None] * raw[..., 2:].view(np.int8).astype(np.float32)
    elif kind == "Q4_0":
        codes = nibbles(raw, 2).astype(np.float32) - np.float32(8)
        weights = halves(raw, 0)[..., None] * codes
    else:
        codes = nibbles(raw, 4).astype(np.float32)
        weights = halves(raw, 0)[..., None] * codes + halves(raw, 2)[..., None]
    return weights.reshape(len(raw), -1)


def quantize(kind: str, matrix):  # (R, I) -> (R, I / numbers, bytes) uint8
    """Rows of numbers in blocks, rounded as llama.cpp's reference does.

    ValueError where a row can't be cut into whole blocks or a number is too large for the kind.
    """
    matrix = np.ascontiguousarray(matrix, np.float32)
    numbers = KINDS[kind].numbers
    if matrix.ndim != 2 or matrix.shape[1] % numbers:
        raise ValueError(
            f"{kind} cuts rows into blocks of {numbers}, which shape {matrix.shape} doesn't allow."
        )
    if not np.isfinite(matrix).all() or (kind != "F32" and np.abs(matrix).max(initial=0) > HIGHEST):
        raise ValueError(f"The matrix holds numbers that {kind} can't: they must be finite "
                         f"and, but in F32, at most {HIGHEST:g}.")  # fmt: skip
    if kind == "F32":
        return matrix[..., None].astype("<f4").view(np.uint8)
    if kind == "F16":
        return matrix[..., None].astype("<f2").view(np.uint8)
    groups = matrix.reshape(len(matrix), -1, SIZE)
    if kind == "Q8_0":
        scale = np.abs(groups).max(-1) / np.float32(127)
        codes = round_away(scaled(groups, scale)).astype(np.int8)
        return joined(scale, codes=codes.view(np.uint8))
    if kind == "Q4_0":
        at = np.abs(groups).argmax(-1)[..., None]
        scale = np.take_along_axis(groups, at, -1)[..., 0] / np.float32(-8)
        codes = np.clip(np.trunc(scaled(groups, scale) + np.float32(8.5)), 0, 15)
        return joined(scale, codes=paired(codes.astype(np.uint8)))
    least = groups.min(-1)
    scale = (groups.max(-1) - least) / np.float32(15)
    codes = np.trunc(scaled(groups - least[..., None], scale) + np.float32(0.5))
    return joined(scale, least, codes=paired(np.clip(codes, 0, 15).astype(np.uint8)))


def scaled(groups, scale):
    """The numbers of each group over its scale; 0 where the scale is 0."""
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)
    return groups * inverse[..., None]


def round_away(x):
    """To the nearest whole number, halves away from 0, as C's `roundf` does."""
    return np.trunc(x + np.copysign(np.float32(0.5), x))


def paired(codes):  # (R, N, 32) -> (R, N, 16)
    return codes[..., :16] | codes[..., 16:] << 4


def joined(*halves_of_block, codes):
    """Blocks as bytes: the float16 numbers first, then the codes."""
    first = [h[..., None].astype("<f2").view(np.uint8) for h in halves_of_block]
    return np.concatenate([*first, codes], axis=-1)


def check(kind: str, raw, name: str) -> None:
    """ValueError if a number or a scale is not finite."""
    if kind in ("F32", "F16"):
        stored = np.ascontiguousarray(raw).view("<f4" if kind == "F32" else "<f2")
    else:
        stored = np.ascontiguousarray(raw[..., : 4 if kind == "Q4_1" else 2]).view("<f2")
    if not np.isfinite(stored).all():
        raise ValueError(f"The tensor {name} holds numbers that are not finite.")
