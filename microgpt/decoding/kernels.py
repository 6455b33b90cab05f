"""One token through the whole model in one compiled call: the fast twin of `gpt` with a cache.

With one token there is nothing to multiply matrix by matrix: every weight is read once and used
once, so the time goes into reading. Therefore

- weights lie in the order in which they are read: layer by layer, each matrix in tiles of 128
  outputs, each tile in blocks of 8 inputs by 16 outputs. That is one walk through memory a token,
  and the innermost loop over 16 outputs is one vector instruction on AVX-512, two on AVX2, four
  on ARM;
- weights that float16 can hold exactly, as those of every stored model, are read as float16;
- weights that come in blocks of 4 or 8 bits (`model/blocks.py`) are read as such, and multiplied in
  whole numbers (`product4`, `product8`);
- keys and values lie in the same blocks, so that scores need no sums across a vector.

All other arithmetic is float32, and results equal `gpt` up to the order of sums, but for the
rounding of activations where whole numbers are multiplied. Everything here is plain loops that
release the GIL and touch nothing but their arguments.
"""

import platform

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from microgpt.decoding.team import arrive, arrived

flags = {"reassoc", "contract", "arcp", "nsz"}  # never nnan or ninf: the mask is made of -inf
kernel = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)
inlined = njit(cache=True, nogil=True, error_model="numpy", fastmath=flags, inline="always")
f4 = np.float32
i2, i4 = np.int16, np.int32

LANES = 16  # outputs in a block, positions in a panel of keys
DEPTH = 8  # inputs in a block
BLOCK = DEPTH * LANES
TILE = 128  # outputs in a tile; the last one of a matrix may have fewer
GROUP = 32  # inputs that share a scale, where weights have 4 or 8 bits
ROWS = 64  # outputs in a tile of such weights
AHEAD = 2  # blocks of such weights, between the one that is multiplied and the one asked for
WORDS = 10 * ROWS  # uint16 in a block of 4-bit weights: 8 rows of four codes, scales, least ones


def pad(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def pack(matrix):  # (O, I) -> flat, in the order in which `product` reads
    """Lay a matrix out in tiles and blocks, padded with zeros to whole blocks."""
    outputs, inputs = matrix.shape
    padded = np.zeros((pad(outputs, LANES), pad(inputs, DEPTH)), np.float32)
    padded[:outputs, :inputs] = matrix
    tiles = []
    for first in range(0, len(padded), TILE):
        tile = padded[first : first + TILE].reshape(-1, LANES, padded.shape[1] // DEPTH, DEPTH)
        tiles.append(tile.transpose(2, 0, 3, 1).ravel())
    return np.concatenate(tiles)


def halve(weights):  # (N,) float32 -> (N,) int16, or None
    """The bits of the weights as float16, if that holds every one of them exactly, else None."""
    with np.errstate(over="ignore"):
        halves = weights.astype(np.float16)
    return halves.view(np.int16) if np.array_equal(halves, weights) else None


def reads_halves() -> bool:
    """Whether the processor has an instruction for float16 to float32: all 64-bit ARM, and x86
    since 2012. Numba itself knows no float16, so `half_to_float` asks for the instruction."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES:
        return False  # compiled for some other processor than this
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    return bool(llvmlite.binding.get_host_cpu_features().get("f16c"))


@intrinsic
def half_to_float(typing_context, bits):
    """The float32 number that 16 bits mean as float16. Measured: a token of a model of 29 MB takes
    half the time. Where it can't be used, weights stay float32: the same kernels, the same sums."""

    def generate(context, builder, signature, arguments):
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), generate


def number(weight):
    """A weight as float32; compiled for the type of weights at hand."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(number, inline="always")
def _number(weight):
    if isinstance(weight, types.Integer):
        return lambda weight: half_to_float(weight)
    return lambda weight: weight


@inlined
def eight(x, i):
    return x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5], x[i + 6], x[i + 7]


@inlined
def add_block(block, x, out):  # (128,), 8 numbers, (16,)
    """out += x @ block: eight rows of sixteen, each times one number."""
    for j in range(LANES):
        out[j] += (
            x[0] * number(block[j])
            + x[1] * number(block[j + 16])
            + x[2] * number(block[j + 32])
            + x[3] * number(block[j + 48])
            + x[4] * number(block[j + 64])
            + x[5] * number(block[j + 80])
            + x[6] * number(block[j + 96])
            + x[7] * number(block[j + 112])
        )


@kernel
def fill(x, start, stop, value):
    for i in range(start, stop):
        x[i] = value


@kernel
def product(weights, at, x, out):  # x (I,), out (O,), both padded -> where to read on
    """out = W x, for the packed matrix that starts at `weights[at]`."""
    for tile in range(0, out.shape[0], TILE):
        y = out[tile : tile + TILE]
        fill(y, 0, y.shape[0], f4(0))
        for i in range(0, x.shape[0], DEPTH):
            inputs = eight(x, i)
            for row in range(0, y.shape[0], LANES):  # unrolled, this would be a third slower
                add_block(weights[at : at + BLOCK], inputs, y[row : row + LANES])
                at += BLOCK
    return at


def scale(bits):
    """The float32 number that an unsigned 16-bit number means as float16."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(scale, inline="always")
def _scale(bits):
    if reads_halves():
        return lambda bits: half_to_float(i2(bits))
    return lambda bits: half_by_fields(i4(bits))


@inlined
def half_by_fields(bits):
    """float16 without an instruction for it: the fields of the bits, moved to their places."""
    sign, exponent, fraction = (bits >> i4(15)) << i4(31), bits >> i4(10) & i4(31), bits & i4(1023)
    normal = i4(sign | ((exponent + i4(112)) << i4(23)) | (fraction << i4(13))).view(f4)
    small = f4(fraction) * f4(2.0**-24)
    return normal if exponent else (-small if sign else small)


@intrinsic
def prefetch(typing_context, array, at):
    """Ask for the cache line of `array[at]`, which will soon be read. Measured: the 66 MB of one
    token's layers in 4 bits take 30 % less, as long as a plain sum over their bytes."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(array)(context, builder, arguments[0]).data
        kind, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [kind, *[integer] * 3])
        ask = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(data, [arguments[1]]), kind)
        builder.call(ask, [place, integer(0), integer(3), integer(1)])  # to read, to keep, data
        return context.get_dummy_value()

    return types.void(array, at), generate


@inlined
def prefetch_lines(weights, start, stop):
    """Ask for a stretch of uint16 that is read a few blocks later, or behind the array's end."""
    for at in range(start, stop, 32):
        prefetch(weights, at)


@kernel
def round_inputs(x, codes, scales, sums):  # (I,) -> (I/32, 32) int16, (I/32,), (I/32,)
    """x ~ scale * code with codes from -127 to 127; sums are scale * (the codes added up)."""
    for b in range(codes.shape[0]):
        group, row = x[GROUP * b : GROUP * b + GROUP], codes[b]
        largest = f4(0)
        for j in range(GROUP):
            largest = max(largest, abs(group[j]))
        inverse = f4(127) / largest if largest > f4(0) else f4(0)
        total = f4(0)
        for j in range(GROUP):
            code = np.rint(group[j] * inverse)
            row[j] = i2(code)
            total += code
        scales[b] = largest / f4(127)
        sums[b] = total * scales[b]


@inlined
def add_sixteen(block, x, out):  # (4 * 64,) uint16, (16,) int16, (64,) int16
    """out = sixteen rows of 4-bit codes times sixteen numbers. 16 * 15 * 127 fits an int16, and so
    the loop runs on 16-bit lanes, twice as many as floats would have."""
    for j in range(ROWS):
        total = i2(0)
        for g in range(4):
            four = block[g * ROWS + j]
            total = i2(
                total
                + i2(four & 15) * x[4 * g]
                + i2((four >> 4) & 15) * x[4 * g + 1]
                + i2((four >> 8) & 15) * x[4 * g + 2]
                + i2(four >> 12) * x[4 * g + 3]
            )
        out[j] = total


@kernel
def product4(weights, at, x, out):  # x (I,), out (O,) -> where to read on
    """out = W x for 4-bit weights, scale * code + least, that start at the uint16 `weights[at]`."""
    groups = x.shape[0] // GROUP
    codes = np.empty((groups, GROUP), np.int16)
    scales, sums = np.empty(groups, np.float32), np.empty(groups, np.float32)
    round_inputs(x[: groups * GROUP], codes, scales, sums)
    # Sums go to memory first: in one loop with floats the compiler would take the floats' lanes.
    first, second = np.empty(ROWS, np.int16), np.empty(ROWS, np.int16)
    for tile in range(0, out.shape[0], ROWS):
        y = out[tile : tile + ROWS]
        fill(y, 0, ROWS, f4(0))
        for b in range(groups):
            block, row, later = weights[at : at + WORDS], codes[b], at + AHEAD * WORDS
            prefetch_lines(weights, later, later + WORDS // 2)  # a few at a time, or they queue
            add_sixteen(block[: 4 * ROWS], row[:16], first)
            prefetch_lines(weights, later + WORDS // 2, later + WORDS)
            add_sixteen(block[4 * ROWS : 8 * ROWS], row[16:], second)
            scale_row, least_row = block[8 * ROWS : 9 * ROWS], block[9 * ROWS :]
            for j in range(ROWS):
                whole = f4(i4(first[j]) + i4(second[j]))
                y[j] += scale(scale_row[j]) * scales[b] * whole + scale(least_row[j]) * sums[b]
            at += WORDS
    return at


@kernel
def product8(weights, at, x, out):  # x (I,), out (O,) -> where to read on
    """out = W x for 8-bit weights, scale * code: int8 codes and uint16 scales, from block `at`."""
    all_codes, all_scales = weights
    groups = x.shape[0] // GROUP
    codes = np.empty((groups, GROUP), np.int16)
    scales, sums = np.empty(groups, np.float32), np.empty(groups, np.float32)
    round_inputs(x[: groups * GROUP], codes, scales, sums)
    pairs = np.empty((GROUP // 2, ROWS), np.int16)
    for tile in range(0, out.shape[0], ROWS):
        y = out[tile : tile + ROWS]
        fill(y, 0, ROWS, f4(0))
        for b in range(groups):
            start, later = at * GROUP * ROWS, (at + AHEAD) * GROUP * ROWS
            block = all_codes[start : start + GROUP * ROWS]
            scale_row, row = all_scales[at * ROWS : (at + 1) * ROWS], codes[b]
            for g in range(GROUP // 2):  # two products of 128 * 127 fit an int16
                prefetch(all_codes, later + 2 * g * ROWS)
                prefetch(all_codes, later + (2 * g + 1) * ROWS)
                a, b_, pair = row[2 * g], row[2 * g + 1], pairs[g]
                even = block[2 * g * ROWS : (2 * g + 1) * ROWS]
                odd = block[(2 * g + 1) * ROWS : (2 * g + 2) * ROWS]
                for j in range(ROWS):
                    pair[j] = i2(i2(even[j]) * a + i2(odd[j]) * b_)
            for j in range(ROWS):
                total = i4(0)
                for g in range(GROUP // 2):
                    total += i4(pairs[g, j])
                y[j] += scale(scale_row[j]) * scales[b] * f4(total)
            at += 1
    return at


def multiply(weights, at, x, out):
    """The product for the kind of weights at hand; where to read on."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(multiply)
def _multiply(weights, at, x, out):
    if isinstance(weights, types.BaseTuple):
        return lambda weights, at, x, out: product8(weights, at, x, out)
    if weights.dtype == types.uint16:
        return lambda weights, at, x, out: product4(weights, at, x, out)
    return lambda weights, at, x, out: product(weights, at, x, out)


def add_row(x, table, token):
    """x += a token's row of the table."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(add_row)
def _add_row(x, table, token):
    if isinstance(table, types.BaseTuple):
        return lambda x, table, token: add_row8(x, table, token)
    return lambda x, table, token: add(x, table[token])


@kernel
def add_row8(x, table, token):
    """The same where the table is laid out for `product8`."""
    codes, scales = table
    lane, groups = token % ROWS, x.shape[0] // GROUP
    for b in range(groups):
        at = token // ROWS * groups + b
        size = scale(scales[at * ROWS + lane])
        for j in range(GROUP):
            x[GROUP * b + j] += size * f4(codes[(at * GROUP + j) * ROWS + lane])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _exp(x):
    """exp(x) without a branch, so that loops vectorize; relative error below 2e-7.

    x = n ln 2 + r: a polynomial for e^r (Cephes), and n goes into the exponent bits. Below the
    smallest normal number the result is 0, so exp(-inf) is 0.
    """
    y = min(max(x, f4(-87.0)), f4(88.0))
    n = np.floor(y * f4(1.44269504) + f4(0.5))
    r = y - n * f4(0.693359375) + n * f4(2.12194440e-4)
    p = f4(1.9875691500e-4) * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    p = p * r * r + r + f4(1)
    e = p * i4((i4(n) + i4(127)) << i4(23)).view(f4)
    return e if x >= f4(-87.0) else f4(0)


@kernel
def padded(size, multiple):
    return (size + multiple - 1) // multiple * multiple


@kernel
def attend(query, keys, values, start, stop, scores, peaks, out):
    """One head, one query: scores against keys, softmax, mix of values.

    query: (D padded to 8,), scaled. keys: (D/8, S/16, 128), values: (S/8, D/16, 128), in blocks.
    Positions from `start` to `stop` are seen. scores: (S padded to 16,), peaks: (16,), for use
    meanwhile. out: (D padded to 16,).
    """
    first, last = start // LANES * LANES, padded(stop, LANES)
    fill(scores, first, last, f4(0))
    for i in range(keys.shape[0]):
        inputs = eight(query, i * DEPTH)
        for s in range(first, last, LANES):
            add_block(keys[i, s // LANES], inputs, scores[s : s + LANES])
    fill(scores, first, start, f4(-np.inf))
    fill(scores, stop, last, f4(-np.inf))
    fill(peaks, 0, LANES, f4(-np.inf))
    for s in range(first, last, LANES):
        row = scores[s : s + LANES]
        for j in range(LANES):  # sixteen maxima side by side, for one alone would not vectorize
            peaks[j] = row[j] if row[j] > peaks[j] else peaks[j]
    peak = peaks[0]
    for j in range(LANES):
        peak = max(peak, peaks[j])
    total = f4(0)
    for s in range(first, last):
        e = _exp(scores[s] - peak)
        scores[s] = e
        total += e
    fill(out, 0, out.shape[0], f4(0))
    for s in range(first, stop, DEPTH):
        amounts = eight(scores, s)
        for i in range(values.shape[1]):
            add_block(values[s // DEPTH, i], amounts, out[i * LANES : (i + 1) * LANES])
    share = f4(1) / total
    for j in range(out.shape[0]):
        out[j] *= share


@kernel
def normalize(x, weight, eps, out):
    """RMSNorm of one row (C,)."""
    squares = f4(0)
    for j in range(weight.shape[0]):
        squares += x[j] * x[j]
    inverse = f4(1) / np.sqrt(squares / f4(weight.shape[0]) + eps)
    for j in range(weight.shape[0]):
        out[j] = x[j] * inverse * weight[j]


@kernel
def rotate(heads, cos, sin, factor):
    """RoPE on heads side by side (N * D,), in place, pairing j with j + D/2, times a factor."""
    half = cos.shape[0]
    for at in range(0, heads.shape[0], 2 * half):
        first, second = heads[at : at + half], heads[at + half : at + 2 * half]
        for j in range(half):
            a, b = first[j] * factor, second[j] * factor
            first[j] = a * cos[j] - b * sin[j]
            second[j] = a * sin[j] + b * cos[j]


@kernel
def gate(gates, ups, out):  # (F,) twice -> (F,)
    """SwiGLU: each hidden unit times silu of its gate."""
    for j in range(gates.shape[0]):
        out[j] = gates[j] / (f4(1) + _exp(-gates[j])) * ups[j]


@kernel
def add(x, y):
    for j in range(y.shape[0]):
        x[j] += y[j]


@kernel
def remember(keys, values, position, key, value):
    """Store one token's key and value, (G * D,) each, where `attend` will read them."""
    lane, row = position % LANES, position % DEPTH * LANES
    G = keys.shape[0]
    D = key.shape[0] // G
    for g in range(G):
        panels, eighth = keys[g, :, position // LANES], values[g, position // DEPTH]
        for j in range(D):
            panels[j // DEPTH, j % DEPTH * LANES + lane] = key[g * D + j]
            eighth[j // LANES, row + j % LANES] = value[g * D + j]


@kernel
def remember_all(keys, values, start, key, value):
    """The same for tokens in a row, (T, G * D) each, the first one at `start`."""
    for t in range(key.shape[0]):
        remember(keys, values, start + t, key[t], value[t])


def skip(weights, rows, inputs):
    """How far on `at` is after so many rows of a matrix, whole tiles, with so many inputs."""
    raise NotImplementedError("Only compiled code calls this.")


@overload(skip)
def _skip(weights, rows, inputs):
    if isinstance(weights, types.BaseTuple):
        return lambda weights, rows, inputs: rows // ROWS * (inputs // GROUP)
    if weights.dtype == types.uint16:
        return lambda weights, rows, inputs: rows // ROWS * (inputs // GROUP) * WORDS
    return lambda weights, rows, inputs: rows * inputs


@kernel
def share(size, unit, rank, team):
    """Which of `size` this thread works on, in whole units; alone, all of them."""
    if team == 1:
        return 0, size
    units = size // unit
    return (units - units * (team - rank) // team) * unit, (
        units - units * (team - rank - 1) // team
    ) * unit


@kernel
def multiply_share(weights, at, x, out, rank, team):
    """This thread's rows of out = W x; where to read on after all of them."""
    first, stop = share(out.shape[0], ROWS, rank, team)
    multiply(weights, at + skip(weights, first, x.shape[0]), x, out[first:stop])
    return at + skip(weights, out.shape[0], x.shape[0])


@kernel
def meet(arrivals, meetings, team):
    """Arrive at a meeting, the first is 1, and wait for the team; how often the count was read."""
    looks = 0
    if team > 1:
        arrive(arrivals)
        while arrived(arrivals) < meetings * team:
            looks += 1
    return looks


@kernel
def attend_share(
    qkv, H, keys, values, position, start, cos, sin, scores, peaks, mixed, rank, team
):  # fmt: skip
    """This thread's heads of a layer, all of those that share keys."""
    G, D = keys.shape[0], 2 * cos.shape[0]
    each = H // G
    for g in range(G * rank // team, G * (rank + 1) // team):
        k, v = qkv[(H + g) * D : (H + g + 1) * D], qkv[(H + G + g) * D : (H + G + g + 1) * D]
        rotate(qkv[g * each * D : (g + 1) * each * D], cos, sin, f4(1) / np.sqrt(f4(D)))
        rotate(k, cos, sin, f4(1))
        remember(keys[g : g + 1], values[g : g + 1], position, k, v)
        for h in range(g * each, (g + 1) * each):
            attend(
                qkv[h * D :], keys[g], values[g], start, position + 1, scores, peaks,
                mixed[h * D : h * D + padded(D, LANES)],
            )  # fmt: skip


@kernel
def widen_share(weights, at, normed, gate_up, gated, rank, team):
    """This thread's hidden units, (F,); where to read on after all of them."""
    hidden = gated.shape[0]
    if team == 1:
        at = multiply(weights, at, normed, gate_up)
        gate(gate_up[:hidden], gate_up[hidden : 2 * hidden], gated)
        return at
    first, stop = share(hidden, ROWS, rank, team)
    gates, ups = gate_up[first:stop], gate_up[hidden + first : hidden + stop]
    multiply(weights, at + skip(weights, first, normed.shape[0]), normed, gates)
    multiply(weights, at + skip(weights, hidden + first, normed.shape[0]), normed, ups)
    gate(gates, ups, gated[first:stop])
    return at + skip(weights, 2 * hidden, normed.shape[0])


@kernel
def decode_step(
    token, position, weights, head, head_at, embedding, norms, cos, sin, keys, values,
    hidden, window, eps, logits, qkv, mixed, gated, added, arrivals, rank, team,
):  # fmt: skip
    """Read the token at `position`: the scores of the next token go into `logits`. Returns how long
    this thread waited for others, in looks at the count.

    weights: packed, flat: each layer's qkv, o, gate and up, down. head: packed, from `head_at` on,
    perhaps the same array. embedding: (V, C), or packed for `product8`. norms (2 L + 1, C), cos and
    sin (S, D/2), keys (L, G, D/8, S/16, 128), values (L, G, S/8, D/16, 128) with zeros where D and
    S are padded, logits (V padded to whole blocks,).

    `team` threads share a token, each with a `rank` and the same arrays: qkv, mixed, gated and
    added are zeros where they are padded, arrivals are 0. Each computes some rows of every product
    and some heads, and all meet before they read what others wrote. The stream is cheap, so each
    has its own.
    """
    C, H = norms.shape[1], norms.shape[1] // (2 * cos.shape[1])
    x, normed = np.zeros(padded(C, LANES), np.float32), np.zeros(padded(C, DEPTH), np.float32)
    add_row(x, embedding, token)
    gate_up = np.empty(padded(2 * hidden, LANES), np.float32)
    scores, peaks = np.empty(keys.shape[3] * LANES, np.float32), np.empty(LANES, np.float32)
    start, cos, sin = max(0, position + 1 - window), cos[position], sin[position]
    at, meetings, waited = 0, 0, 0
    for layer in range(keys.shape[0]):
        normalize(x, norms[2 * layer], eps, normed)
        at = multiply_share(weights, at, normed, qkv[:-DEPTH], rank, team)
        waited += meet(arrivals, meetings + 1, team)
        attend_share(
            qkv, H, keys[layer], values[layer], position, start, cos, sin, scores, peaks, mixed,
            rank, team,
        )  # fmt: skip
        waited += meet(arrivals, meetings + 2, team)
        at = multiply_share(weights, at, mixed[:-LANES], added, rank, team)
        waited += meet(arrivals, meetings + 3, team)
        add(x, added)
        normalize(x, norms[2 * layer + 1], eps, normed)
        at = widen_share(weights, at, normed, gate_up, gated[:hidden], rank, team)
        waited += meet(arrivals, meetings + 4, team)
        at = multiply_share(weights, at, gated, added, rank, team)
        meetings += 5
        waited += meet(arrivals, meetings, team)
        add(x, added)
    normalize(x, norms[-1], eps, normed)
    multiply_share(head, head_at, normed, logits, rank, team)
    return waited
