"""Many tokens times weights of 4 or 8 bits, in whole numbers: what reading a prompt is made of.

Activations are rounded to 16 bits, so that next to nothing is lost. Two inputs share an int32, and
so do the two weights they meet: processors multiply such pairs and add the two products up in one
instruction, twice as many at a time as floats. Codes are expanded to pairs once for 16 rows, in the
order in which they are read, and then serve all tokens.

All in plain loops, but for `sum_pairs_fast`, beside which stands its plain twin.
"""

from functools import cache

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from microgpt.decoding.kernels import GROUP, ROWS, WORDS

flags = {"reassoc", "contract", "arcp", "nsz"}
kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)
inlined = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags, inline="always")
f4, i4 = np.float32, np.int32

LANES = 16  # rows at a time
TOKENS = 4  # tokens at a time: 4 x 16 sums fit the registers of every processor
PAIRS = GROUP // 2
TOP = 32767  # the largest code of an activation: 32 products with 128 still fit an int32


@cache
def lanes_of_pairs() -> int:
    """How many pairs this processor multiplies and adds in one instruction: 16 with AVX-512, 8
    with AVX2, and 0 where no such instruction is known here or code is compiled for another."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:
        return 0
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if features.get("avx512bw") else 8 if features.get("avx2") else 0


INSTRUCTIONS = {16: "llvm.x86.avx512.pmaddw.d.512", 8: "llvm.x86.avx2.pmadd.wd"}


@intrinsic
def sum_pairs_fast(typing_context, weights, at, x, x_at, stride, sums, sums_at):
    """`sum_pairs_plain` with that instruction, which LLVM does not find in loops. Measured: a
    prompt is read in a third of the time."""
    signature = types.void(weights, at, x, x_at, stride, sums, sums_at)
    return signature, instructions_for_pairs


def instructions_for_pairs(context, builder, signature, arguments):
    lanes = lanes_of_pairs()
    integer, place = ir.IntType(32), arguments[1].type
    wide, numbers = ir.VectorType(integer, lanes), ir.VectorType(ir.IntType(16), 2 * lanes)
    kind = ir.FunctionType(wide, [numbers, numbers])
    multiply = cgutils.get_or_insert_function(builder.module, kind, INSTRUCTIONS[lanes])
    _, at, _, x_at, stride, _, sums_at = arguments

    def address(i, offset, kind):
        array = context.make_array(signature.args[i])(context, builder, arguments[i])
        return builder.bitcast(builder.gep(array.data, [offset]), kind.as_pointer())

    def plus(value, number):
        return builder.add(value, place(number))

    for row in range(0, LANES, lanes):
        totals = [ir.Constant(wide, None)] * TOKENS
        for p in range(PAIRS):
            rows = builder.load(address(0, plus(at, p * LANES + row), numbers), align=4)
            for t in range(TOKENS):
                start = builder.add(x_at, builder.mul(stride, place(t)))
                pair = builder.load(address(2, plus(start, p), integer))
                first = builder.insert_element(ir.Constant(wide, ir.Undefined), pair, integer(0))
                same = builder.shuffle_vector(first, first, ir.Constant(wide, None))
                products = builder.call(multiply, [rows, builder.bitcast(same, numbers)])
                totals[t] = builder.add(totals[t], products)
        for t in range(TOKENS):
            builder.store(totals[t], address(5, plus(sums_at, t * ROWS + row), wide), align=4)
    return context.get_dummy_value()


@kernel
def sum_pairs_plain(weights, at, x, x_at, stride, sums, sums_at):
    """sums[sums_at + 64 t + j] = what 16 pairs of row j and token t give: 16 rows and 4 tokens.

    weights[at:]: 16 pairs of 16 rows; x[x_at + stride * t:]: the 16 pairs of token t.
    """
    for t in range(TOKENS):
        for j in range(LANES):
            total = i4(0)
            for p in range(PAIRS):
                pair, other = weights[at + p * LANES + j], x[x_at + stride * t + p]
                total += i4(np.int16(pair)) * i4(np.int16(other))
                total += (pair >> i4(16)) * (other >> i4(16))
            sums[sums_at + t * ROWS + j] = total


def sum_pairs(weights, at, x, x_at, stride, sums, sums_at):
    """The fast one of the two, where this processor has the instruction."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(sum_pairs, inline="always")
def _sum_pairs(weights, at, x, x_at, stride, sums, sums_at):
    chosen = sum_pairs_fast if lanes_of_pairs() else sum_pairs_plain
    return lambda weights, at, x, x_at, stride, sums, sums_at: chosen(
        weights, at, x, x_at, stride, sums, sums_at
    )


@inlined
def paired(first, second):
    """Two numbers of 16 bits in one int32."""
    return (i4(first) & i4(0xFFFF)) | (i4(second) << i4(16))


@inlined
def wide(bits):
    """The float32 that 16 bits mean as float16: its fields moved to their places, and the exponent
    set right by a product, which is exact for the smallest numbers too."""
    moved = (i4(bits) & i4(0x7FFF)) << i4(13) | (i4(bits) & i4(0x8000)) << i4(16)
    return i4(moved).view(f4) * f4(2.0**112)


@kernel
def round_pairs(x, pairs, scales, sums):  # (T, I) -> (T, I/2) int32, (T, I/32) twice
    """x ~ scale * code with codes from -32767 to 32767, in pairs; sums are those of the x."""
    size = x.shape[1] // scales.shape[1]  # 32, but loops whose length is known would be unrolled
    codes, all_bits = np.empty(size, np.int32), x.view(np.int32)
    for t in range(x.shape[0]):
        for b in range(scales.shape[1]):
            first, last = b * size, (b + 1) * size
            group, bits, row = x[t, first:last], all_bits[t, first:last], pairs[t, first // 2 :]
            most = i4(0)
            for j in range(size):  # without their signs, floats are in order as whole numbers too
                most = i4(max(most, i4(bits[j] & i4(0x7FFFFFFF))))
            largest = i4(most).view(f4)
            inverse = f4(TOP) / largest if largest > f4(0) else f4(0)
            for j in range(size):
                codes[j] = i4(np.rint(group[j] * inverse))
            total = i4(0)
            for j in range(size):
                total = i4(total + codes[j])
            for j in range(size // 2):
                row[j] = paired(codes[2 * j], codes[2 * j + 1])
            scales[t, b] = largest / f4(TOP)
            sums[t, b] = f4(total) * scales[t, b]


def expand(weights, block, pairs, scales, least):
    """Write 64 rows of one block as pairs, with their scales and least weights as floats."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(expand)
def _expand(weights, block, pairs, scales, least):
    kind = expand8 if isinstance(weights, types.BaseTuple) else expand4
    return lambda weights, block, pairs, scales, least: kind(weights, block, pairs, scales, least)


@kernel
def expand4(weights, block, pairs, scales, least):
    """From the layout of `packed.pack4`: each uint16 holds four codes of a row."""
    numbers = weights[block * WORDS : (block + 1) * WORDS]
    for g in range(GROUP // 4):
        for lane in range(0, ROWS, LANES):
            fours = numbers[g * ROWS + lane : g * ROWS + lane + LANES]
            at = (lane * PAIRS) + 2 * g * LANES
            even, odd = pairs[at : at + LANES], pairs[at + LANES : at + 2 * LANES]
            for j in range(LANES):
                four = i4(fours[j])
                even[j] = (four & i4(15)) | (four & i4(0xF0)) << i4(12)
                odd[j] = (four >> i4(8) & i4(15)) | (four & i4(0xF000)) << i4(4)
    for j in range(ROWS):
        scales[j] = wide(numbers[8 * ROWS + j])
        least[j] = wide(numbers[9 * ROWS + j])


@kernel
def expand8(weights, block, pairs, scales, least):
    """From the layout of `packed.pack8`: a code is an int8, and there are no least weights."""
    codes, halves = weights
    for p in range(PAIRS):
        start = (block * GROUP + 2 * p) * ROWS
        for lane in range(0, ROWS, LANES):
            first = codes[start + lane : start + lane + LANES]
            second = codes[start + ROWS + lane : start + ROWS + lane + LANES]
            row = pairs[lane * PAIRS + p * LANES : lane * PAIRS + (p + 1) * LANES]
            for j in range(LANES):
                row[j] = paired(first[j], second[j])
    for j in range(ROWS):
        scales[j] = wide(halves[block * ROWS + j])
        least[j] = f4(0)


@kernel
def multiply_tokens(weights, block, pairs, scales, sums, out):
    """out = x W^T for the packed rows from this block on. pairs (T, I/2), scales and sums
    (T, I/32) of x, with T a multiple of 4; out (T, O)."""
    groups, stride = scales.shape[1], pairs.shape[1]
    flat = pairs.reshape(-1)
    rows = np.empty(groups * PAIRS * ROWS, np.int32)
    row_scales, row_least = np.empty((2, groups, ROWS), np.float32)
    whole, y = np.empty(TOKENS * ROWS, np.int32), np.empty((TOKENS, ROWS), np.float32)
    for row in range(0, out.shape[1], ROWS):
        for b in range(groups):
            place = rows[b * PAIRS * ROWS : (b + 1) * PAIRS * ROWS]
            expand(weights, block, place, row_scales[b], row_least[b])
            block += 1
        for token in range(0, out.shape[0], TOKENS):
            for t in range(TOKENS):
                clear(y[t])
            for b in range(groups):
                at = token * stride + b * PAIRS
                for lane in range(0, ROWS, LANES):
                    start = (b * ROWS + lane) * PAIRS
                    sum_pairs(rows, start, flat, at, stride, whole, lane)
                for t in range(TOKENS):
                    add_scaled(
                        y[t], whole[t * ROWS : (t + 1) * ROWS], scales[token + t, b],
                        sums[token + t, b], row_scales[b], row_least[b],
                    )  # fmt: skip
            for t in range(TOKENS):
                copy(y[t], out[token + t, row : row + ROWS])


@inlined
def clear(x):
    for j in range(ROWS):
        x[j] = f4(0)


@inlined
def copy(x, out):
    for j in range(ROWS):
        out[j] = x[j]


@inlined
def add_scaled(y, whole, size, total, row_scales, row_least):
    for j in range(ROWS):
        y[j] += row_scales[j] * size * f4(whole[j]) + row_least[j] * total
