"""Many tokens times weights of 4 or 8 bits: what reading a prompt is made of.

Activations are rounded to 8 bits, as for one token (`kernels.round_inputs`). Four of them share an
int32, and so do the four weights they meet: processors multiply 32 such bytes and add neighbors up
in one instruction, four times as many as floats. Codes are expanded to bytes once for 64 rows, in
the order in which they are read, and then serve all tokens. A weight of 8 bits becomes two of 4,
its high and its low half: two sheets of codes.

All in plain loops, but for `add_group`. Where its instructions are not known, `widen4` and `widen8`
make floats of some rows at a time, for BLAS to multiply.
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
FOURS = GROUP // 4
STRIP = FOURS * LANES  # int32 of a group in 16 rows
EACH = i4(0x0F0F0F0F)  # the low half of each byte
FLIP = i4(-0x7F7F7F80)  # the highest bit of each byte: signed codes become code + 128
TOP = 127  # the largest code of an activation: 32 products with 15, in pairs, fit an int16


@cache
def lanes_of_bytes() -> int:
    """How many int32 of four bytes this processor multiplies and adds in one instruction: 16 with
    AVX-512, 8 with AVX2, and 0 where no such instruction is known here or code is compiled for
    another."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:
        return 0
    features = llvmlite.binding.get_host_cpu_features()
    return 16 if features.get("avx512bw") else 8 if features.get("avx2") else 0


INSTRUCTIONS = {  # products of bytes, neighbors added up to int16; then those, added up to int32
    16: ("llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"),
    8: ("llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"),
}
FUSED = ("contract", "reassoc")  # a product and a sum may be one instruction


@intrinsic
def add_group(typing_context, rows, row_scales, row_least, sheet, x, scales, sums, group, y):
    """Add to y (4 tokens, 16 rows), flat, what one group of 32 inputs gives.

    rows[128 sheet:]: 8 times 16 rows, four codes from 0 to 15 in each int32; their scales and least
    weights: [16 sheet:]. x (4, I/4): four codes from -127 to 127 in each int32; their scales, and
    sums of what the codes mean: (4, I/32).

    In `INSTRUCTIONS`, which LLVM does not find in loops: it makes one product at a time of them.
    Measured with AVX2: a prompt's products take a seventieth.
    """
    signature = types.void(rows, row_scales, row_least, sheet, x, scales, sums, group, y)
    return signature, instructions_for_bytes


def instructions_for_bytes(context, builder, signature, arguments):
    lanes, integer, single = lanes_of_bytes(), ir.IntType(32), ir.FloatType()
    wholes, floats = ir.VectorType(integer, lanes), ir.VectorType(single, lanes)
    names = ("rows", "row_scales", "row_least", "sheet", "x", "scales", "sums", "group", "y")
    given = dict(zip(names, arguments, strict=True))
    place, sheet, group = given["sheet"].type, given["sheet"], given["group"]
    arrays = {
        name: context.make_array(kind)(context, builder, given[name])
        for name, kind in zip(names, signature.args, strict=True)
        if isinstance(kind, types.Array)
    }

    def plus(start, number):
        return builder.add(start, place(number))

    def load(name, at, kind):
        where = builder.gep(arrays[name].data, [at])
        return builder.load(builder.bitcast(where, kind.as_pointer()), align=4)

    def everywhere(name, t, at, kind):  # one number of token t in all lanes
        stride = builder.extract_value(arrays[name].shape, 1)
        at = builder.add(builder.mul(stride, place(t)), at)
        one = load(name, at, kind.element)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), one, integer(0))
        return builder.shuffle_vector(first, first, ir.Constant(wholes, None))

    rows_at, x_at = builder.mul(sheet, place(STRIP)), builder.mul(group, place(FOURS))
    totals = sum_bytes(
        builder, lanes, lambda p, v, kind: load("rows", plus(rows_at, p * LANES + v), kind),
        lambda p, t: everywhere("x", t, plus(x_at, p), wholes),
    )  # fmt: skip
    scales_at = builder.mul(sheet, place(LANES))
    for (t, v), total in totals.items():
        whole = builder.sitofp(total, floats)
        scale, least = (load(n, plus(scales_at, v), floats) for n in ("row_scales", "row_least"))
        size, lift = (everywhere(n, t, group, floats) for n in ("scales", "sums"))
        y = load("y", place(t * LANES + v), floats)
        y = builder.fadd(y, builder.fmul(least, lift, FUSED), FUSED)
        y = builder.fadd(y, builder.fmul(builder.fmul(scale, size, FUSED), whole, FUSED), FUSED)
        where = builder.gep(arrays["y"].data, [place(t * LANES + v)])
        builder.store(y, builder.bitcast(where, floats.as_pointer()), align=4)
    return context.get_dummy_value()


def sum_bytes(builder, lanes, codes_of, four_of):
    """The int32 sums of a group by (token, row): codes_of(p, row, kind) times four_of(p, token)."""
    wholes, smalls, tinies = (
        ir.VectorType(ir.IntType(bits), lanes * 32 // bits) for bits in (32, 16, 8)
    )
    kinds = ir.FunctionType(smalls, [tinies, tinies]), ir.FunctionType(wholes, [smalls, smalls])
    multiply, gather = (
        cgutils.get_or_insert_function(builder.module, kind, name)
        for kind, name in zip(kinds, INSTRUCTIONS[lanes], strict=True)
    )
    vectors = range(0, LANES, lanes)
    sums = {(t, v): ir.Constant(smalls, None) for t in range(TOKENS) for v in vectors}
    for p in range(FOURS):
        codes = {v: codes_of(p, v, tinies) for v in vectors}
        for t in range(TOKENS):
            fours = builder.bitcast(four_of(p, t), tinies)
            for v in vectors:
                total = builder.add(sums[t, v], builder.call(multiply, [codes[v], fours]))
                # Nothing, but in its place: else LLVM loads all codes first, more than it can hold.
                as_is = ir.FunctionType(smalls, [smalls])
                sums[t, v] = builder.asm(as_is, "", "=x,0", [total], True)
    ones = ir.Constant(smalls, [1] * smalls.count)
    return {place: builder.call(gather, [total, ones]) for place, total in sums.items()}


@inlined
def sixteen(x, start):
    """Sixteen of x. Loops over the length of such a cut, unlike those over 16, use all lanes."""
    return x[start : start + LANES]


@inlined
def wide(bits):
    """The float32 that 16 bits mean as float16: its fields moved to their places, and the exponent
    set right by a product, which is exact for the smallest numbers too."""
    moved = (i4(bits) & i4(0x7FFF)) << i4(13) | (i4(bits) & i4(0x8000)) << i4(16)
    return i4(moved).view(f4) * f4(2.0**112)


@kernel
def round_tokens(x, codes, scales, sums):  # (T, I) -> (T, I) int8, (T, I/32) twice
    """x ~ scale * code with codes from -127 to 127; sums are scale * (the codes added up)."""
    size = x.shape[1] // scales.shape[1]  # 32, but loops whose length is known would be unrolled
    all_bits = x.view(np.int32)
    for t in range(x.shape[0]):
        for b in range(scales.shape[1]):
            first, last = b * size, (b + 1) * size
            group, bits, row = x[t, first:last], all_bits[t, first:last], codes[t, first:last]
            most = i4(0)
            for j in range(size):  # without their signs, floats are in order as whole numbers too
                most = i4(max(most, i4(bits[j] & i4(0x7FFFFFFF))))
            largest = i4(most).view(f4)
            inverse = f4(TOP) / largest if largest > f4(0) else f4(0)
            for j in range(size):
                row[j] = np.int8(np.rint(group[j] * inverse))
            total = i4(0)
            for j in range(size):
                total = i4(total + row[j])
            scales[t, b] = largest / f4(TOP)
            sums[t, b] = f4(total) * scales[t, b]


def expand(weights, block, sheets, at, stride, rows, row_scales, row_least):
    """Write 64 rows of one block as bytes, with their scales and least weights as floats: the
    sheets of 16 rows from `at` on, those of the next 16 from `at + stride` on."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(expand)
def _expand(weights, block, at, stride, rows, row_scales, row_least):
    kind = expand8 if isinstance(weights, types.BaseTuple) else expand4
    return lambda weights, block, at, stride, rows, row_scales, row_least: kind(
        weights, block, at, stride, rows, row_scales, row_least
    )


@kernel
def expand4(weights, block, at, stride, rows, row_scales, row_least):
    """From the layout of `packed.pack4`: each uint16 holds four codes of a row. One sheet."""
    numbers = weights[block * WORDS : (block + 1) * WORDS]
    for strip in range(ROWS // LANES):
        sheet, lane = at + strip * stride, strip * LANES
        for p in range(FOURS):
            fours, row = sixteen(numbers, p * ROWS + lane), sixteen(rows, sheet * STRIP + p * LANES)
            for j in range(len(row)):
                four = i4(fours[j])
                row[j] = (
                    (four & i4(15)) | (four & i4(0xF0)) << i4(4)
                    | (four & i4(0xF00)) << i4(8) | (four & i4(0xF000)) << i4(12)
                )  # fmt: skip
        for line, floats in ((8, row_scales), (9, row_least)):
            halves, out = sixteen(numbers, line * ROWS + lane), sixteen(floats, sheet * LANES)
            for j in range(len(out)):
                out[j] = wide(halves[j])


@kernel
def expand8(weights, block, at, stride, rows, row_scales, row_least):
    """From the layout of `packed.pack8`, an int8 a code: code = 16 high + low - 128. Two sheets."""
    codes, halves = weights
    for strip in range(ROWS // LANES):
        sheet, lane = at + strip * stride, strip * LANES
        for p in range(FOURS):
            start, place = (block * GROUP + 4 * p) * ROWS + lane, sheet * STRIP + p * LANES
            first, second = sixteen(codes, start), sixteen(codes, start + ROWS)
            third, fourth = sixteen(codes, start + 2 * ROWS), sixteen(codes, start + 3 * ROWS)
            high, low = sixteen(rows, place), sixteen(rows, place + STRIP)
            for j in range(len(high)):
                four = FLIP ^ (
                    (i4(first[j]) & i4(255)) | (i4(second[j]) & i4(255)) << i4(8)
                    | (i4(third[j]) & i4(255)) << i4(16) | i4(fourth[j]) << i4(24)
                )  # fmt: skip
                high[j], low[j] = four >> i4(4) & EACH, four & EACH
        place, sizes = sheet * LANES, sixteen(halves, block * ROWS + lane)
        scales, next_scales = sixteen(row_scales, place), sixteen(row_scales, place + LANES)
        least, next_least = sixteen(row_least, place), sixteen(row_least, place + LANES)
        for j in range(len(sizes)):
            size = wide(sizes[j])
            scales[j], next_scales[j] = f4(16) * size, size
            least[j], next_least[j] = f4(-128) * size, f4(0)


@kernel
def multiply_tokens(weights, block, sheets, codes, scales, sums, out):
    """out = x W^T for the packed rows from this block on, each of so many sheets. codes (T, I/4),
    scales and sums (T, I/32) of x, with T a multiple of 4; out (T, O)."""
    groups, stride = scales.shape[1], scales.shape[1] * sheets
    rows = np.empty(ROWS * FOURS * stride, np.int32)
    row_scales, row_least = np.empty((2, ROWS * stride), np.float32)
    y = np.empty(TOKENS * LANES, np.float32)
    for row in range(0, out.shape[1], ROWS):
        for b in range(groups):
            expand(weights, block, b * sheets, stride, rows, row_scales, row_least)
            block += 1
        for strip in range(ROWS // LANES):  # their codes stay in the nearest cache meanwhile
            for t in range(0, out.shape[0], TOKENS):
                some = slice(t, t + TOKENS)
                x, x_scales, x_sums = codes[some], scales[some], sums[some]
                y[:] = f4(0)
                sheet = strip * stride
                for b in range(groups):
                    for _ in range(sheets):
                        add_group(
                            rows, row_scales, row_least, sheet, x, x_scales, x_sums, b, y
                        )  # fmt: skip
                        sheet += 1
                first = row + strip * LANES
                for i in range(TOKENS):
                    for j in range(LANES):
                        out[t + i, first + j] = y[i * LANES + j]


@kernel
def widen4(weights, block, out):
    """out (I, O) float32: rows in the layout of `packed.pack4`, from this block on, as columns."""
    scales, least = np.empty((2, ROWS), np.float32)
    for row in range(0, out.shape[1], ROWS):
        for first in range(0, out.shape[0], GROUP):
            numbers = weights[block * WORDS : (block + 1) * WORDS]
            block += 1
            for j in range(ROWS):
                scales[j], least[j] = wide(numbers[8 * ROWS + j]), wide(numbers[9 * ROWS + j])
            for i in range(GROUP):
                column, place, shift = out[first + i, row : row + ROWS], i // 4 * ROWS, i % 4 * 4
                for j in range(ROWS):
                    code = i4(numbers[place + j]) >> i4(shift) & i4(15)
                    column[j] = scales[j] * f4(code) + least[j]


@kernel
def widen8(weights, block, out):
    """The same from the layout of `packed.pack8`."""
    codes, halves = weights
    scales = np.empty(ROWS, np.float32)
    for row in range(0, out.shape[1], ROWS):
        for first in range(0, out.shape[0], GROUP):
            for j in range(ROWS):
                scales[j] = wide(halves[block * ROWS + j])
            for i in range(GROUP):
                column, place = out[first + i, row : row + ROWS], (block * GROUP + i) * ROWS
                for j in range(ROWS):
                    column[j] = scales[j] * f4(codes[place + j])
            block += 1
