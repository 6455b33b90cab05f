"""Blocks of weights to float32, fast: the Numba twins of `blocks.dequantize`, row by row."""

import numpy as np
from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
f4 = np.float32
i4 = np.int32


@kernel
def half(low, high):
    """The float16 in two bytes: its fields moved to their places in a float32."""
    bits = i4(low) | i4(high) << i4(8)
    sign, exponent, fraction = bits >> i4(15), bits >> i4(10) & i4(31), bits & i4(1023)
    if exponent == 0:
        size = f4(fraction) * f4(2.0**-24)
        return -size if sign else size
    return i4((sign << i4(31)) | ((exponent + i4(112)) << i4(23)) | (fraction << i4(13))).view(f4)


@kernel
def expand_q8_0(raw, out):  # (R, N, 34) uint8, (R, 32 N) float32
    for r in range(raw.shape[0]):
        for b in range(raw.shape[1]):
            block, row = raw[r, b], out[r, 32 * b : 32 * b + 32]
            d = half(block[0], block[1])
            for j in range(32):
                row[j] = d * f4(np.int8(block[2 + j]))


@kernel
def expand_q4_0(raw, out):  # (R, N, 18) uint8, (R, 32 N) float32
    for r in range(raw.shape[0]):
        for b in range(raw.shape[1]):
            block, row = raw[r, b], out[r, 32 * b : 32 * b + 32]
            d = half(block[0], block[1])
            for j in range(16):
                row[j] = d * f4(i4(block[2 + j] & 15) - i4(8))
                row[j + 16] = d * f4(i4(block[2 + j] >> 4) - i4(8))


@kernel
def expand_q4_1(raw, out):  # (R, N, 20) uint8, (R, 32 N) float32
    for r in range(raw.shape[0]):
        for b in range(raw.shape[1]):
            block, row = raw[r, b], out[r, 32 * b : 32 * b + 32]
            d, m = half(block[0], block[1]), half(block[2], block[3])
            for j in range(16):
                row[j] = d * f4(block[4 + j] & 15) + m
                row[j + 16] = d * f4(block[4 + j] >> 4) + m


TWINS = {"Q8_0": expand_q8_0, "Q4_0": expand_q4_0, "Q4_1": expand_q4_1}
