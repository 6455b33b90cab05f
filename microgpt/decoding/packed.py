"""A decoder for weights that come in blocks of 4 or 8 bits: they are multiplied as they are.

A prompt is read many tokens at a time by the code of `gpt`, whose products run in whole numbers
(`batch_kernels`) or, where the processor is not made for that, in floats, some rows at a time; a
single token goes through `kernels.decode_step`. No float32 copy of a whole matrix is ever made.
"""

import contextvars
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from microgpt.decoding import batch_kernels, kernels
from microgpt.decoding.batch_kernels import TOKENS
from microgpt.decoding.decoder import Decoder, aligned_room, supported
from microgpt.decoding.kernels import GROUP, ROWS, WORDS, pad
from microgpt.model import blocks
from microgpt.model.gguf_model import Packed
from microgpt.model.gpt import gpt
from microgpt.model.positions import rope_table

BATCH = 512  # tokens of a prompt that are read at once
SLAB = 256  # rows that are floats at once
MOST_THREADS = 2  # that work on one text; a text of somebody else may want a core too
PARTS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"), ("mlp.down_proj",),
)  # fmt: skip
TABLE = "model.embed_tokens.weight"


def cores() -> int:
    """How many processors this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1


def can_pack(model) -> bool:
    """Whether the whole-number kernels know this model: layers all in 4 or all in 8 bits, the
    table of tokens in 8, which is the head too, and whole tiles."""
    params = model.params
    if not isinstance(params, Packed) or not supported(model.config) or not model.config.tied:
        return False
    kinds = {
        params.kind(f"model.layers.{layer}.{part}.weight")
        for layer in range(model.config.layers)
        for parts in PARTS
        for part in parts
    }
    shapes = [one.shape for one in params.tensors.values() if len(one.shape) == 2]
    even = all(rows % ROWS == 0 and columns % GROUP == 0 for rows, columns in shapes)
    layers = kinds <= {"Q4_0", "Q4_1"} or kinds == {"Q8_0"}
    return layers and even and params.kind(TABLE) == "Q8_0"


def pack4(kind: str, raw):  # (R, N, bytes) uint8 -> flat uint16
    """Rows of 4-bit blocks in the order in which `kernels.product4` reads: tiles of 64 rows, and
    in each block 8 rows of four codes to a number, then scales, then least weights.

    Q4_0, d * (code - 8), is Q4_1 with the least weight -8 d, exactly.
    """
    R, N, _ = raw.shape
    codes = blocks.nibbles(raw, 2 if kind == "Q4_0" else 4).astype(np.uint16)
    fours = codes.reshape(R // ROWS, ROWS, N, 8, 4) << np.arange(0, 16, 4, dtype=np.uint16)
    scales = np.ascontiguousarray(raw[..., :2]).view("<f2")[..., 0]
    if kind == "Q4_0":
        least = scales * np.float16(-8)
    else:
        least = np.ascontiguousarray(raw[..., 2:4]).view("<f2")[..., 0]
    packed = np.empty((R // ROWS, N, 10, ROWS), np.uint16)
    packed[:, :, :8] = np.bitwise_or.reduce(fours, axis=-1).transpose(0, 2, 3, 1)
    for row, halves in ((8, scales), (9, least)):
        bits = halves.view(np.uint16).reshape(R // ROWS, ROWS, N)
        packed[:, :, row] = bits.transpose(0, 2, 1)
    return packed.ravel()


def pack8(raw):  # (R, N, 34) uint8 -> flat int8, flat uint16
    """The same for 8-bit blocks and `kernels.product8`: codes and scales, each in an array."""
    R, N, _ = raw.shape
    codes = raw[..., 2:].view(np.int8).reshape(R // ROWS, ROWS, N, GROUP).transpose(0, 2, 3, 1)
    scales = np.ascontiguousarray(raw[..., :2]).view(np.uint16)[..., 0]
    scales = scales.reshape(R // ROWS, ROWS, N).transpose(0, 2, 1)
    return np.ascontiguousarray(codes).ravel(), np.ascontiguousarray(scales).ravel()


def product(kind: str, raw, x):  # (R, N, bytes) uint8, (I,) -> (R,)
    """W x as the kernels work it out, in NumPy: x in codes from -127 to 127 with a scale for each
    32, whole-number sums in each block, and only those times the scales."""
    groups = np.asarray(x, np.float32).reshape(-1, GROUP)
    largest = np.abs(groups).max(-1)
    inverse = np.divide(127, largest, out=np.zeros_like(largest), where=largest > 0)
    rounded = np.rint(groups * inverse[:, None]).astype(np.int32)  # (N, 32)
    scales = largest / np.float32(127)
    if kind == "Q8_0":
        codes, least = raw[..., 2:].view(np.int8).astype(np.int32), 0
    else:
        codes = blocks.nibbles(raw, 2 if kind == "Q4_0" else 4).astype(np.int32)
        least = blocks.halves(raw, 0) * -8 if kind == "Q4_0" else blocks.halves(raw, 2)
    sums = (codes * rounded).sum(-1).astype(np.float32)  # (R, N)
    ones = rounded.sum(-1).astype(np.float32)  # what the least weight of a block is times
    return ((blocks.halves(raw, 0) * sums + least * ones) * scales).sum(-1)


def pack(kind: str, raw):  # (R, N, bytes) uint8 -> a tuple of flat arrays
    return pack8(raw) if kind == "Q8_0" else (pack4(kind, raw),)


def packed_together(params, names):
    """These matrices one after the other, in the order in which the kernels read; there are never
    two copies of them all."""
    blocks_of = [math.prod(params.tensors[name].shape) // (ROWS * GROUP) for name in names]
    rooms, done = [], 0
    for name, count in zip(names, blocks_of, strict=True):
        pieces = pack(params.kind(name), params.blocks(name))
        rooms = rooms or [
            aligned_room(one.size // count * sum(blocks_of), one.dtype) for one in pieces
        ]
        for room, one in zip(rooms, pieces, strict=True):
            each = one.size // count
            room[each * done : each * (done + count)] = one
        done += count
    for room in rooms:
        room.setflags(write=False)
    return tuple(rooms) if len(rooms) > 1 else rooms[0]


class Rows:
    """Some rows of packed weights, as `gpt` takes a matrix: `x @ rows.T` and `rows[tokens]`."""

    __array_ufunc__ = None  # an array times these asks `__rmatmul__`

    def __init__(self, weights, block: int, shape: tuple[int, int]):
        self.weights, self.block, self.shape = weights, block, shape

    @property
    def T(self) -> "Columns":
        return Columns(self)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, tokens):  # (...) -> (..., I), of 8-bit weights from the first block on
        codes, scales = self.weights
        groups = self.shape[1] // GROUP
        codes = codes.reshape(-1, groups, GROUP, ROWS)
        scales = scales.view(np.float16).reshape(-1, groups, 1, ROWS)
        tile, lane = np.divmod(tokens, ROWS)
        rows = codes[tile, :, :, lane] * scales[tile, :, :, lane].astype(np.float32)
        return rows.reshape(*np.shape(tokens), self.shape[1])


class Columns:
    """The same rows the other way round: the right side of a product."""

    __array_ufunc__ = None

    def __init__(self, rows: Rows):
        self.rows = rows

    def __rmatmul__(self, x):  # (..., I) @ (I, O) -> (..., O)
        (*before, I), rows = x.shape, self.rows
        x = np.ascontiguousarray(x.reshape(-1, I))
        if len(x) > 1:
            multiply = in_whole_numbers if batch_kernels.lanes_of_bytes() else in_floats
            return multiply(x, rows).reshape(*before, len(rows))
        out = np.empty(len(rows), np.float32)
        if isinstance(rows.weights, tuple):
            kernels.product8(rows.weights, rows.block, x[0], out)
        else:
            kernels.product4(rows.weights, rows.block * WORDS, x[0], out)
        return out.reshape(*before, len(rows))


def in_whole_numbers(x, rows: Rows):  # (T, I), of (O, I) -> (T, O)
    """x times the rows, x rounded to 8 bits, by the processor's instructions for bytes."""
    T, I = x.shape
    padded = pad(T, TOKENS)
    codes, sheets = np.zeros((padded, I), np.int8), 2 if isinstance(rows.weights, tuple) else 1
    scales, sums = np.zeros((2, padded, I // GROUP), np.float32)
    batch_kernels.round_tokens(x, codes, scales, sums)
    out = np.empty((padded, len(rows)), np.float32)
    batch_kernels.multiply_tokens(
        rows.weights, rows.block, sheets, codes.view(np.int32), scales, sums, out
    )
    return out[:T]


def in_floats(x, rows: Rows):  # (T, I), of (O, I) -> (T, O)
    """x times the rows, a slab of them after the other, widened to floats."""
    out, groups = np.empty((len(x), len(rows)), np.float32), x.shape[1] // GROUP
    widen = batch_kernels.widen8 if isinstance(rows.weights, tuple) else batch_kernels.widen4
    for first in range(0, len(rows), SLAB):
        part = out[:, first : first + SLAB]
        slab = np.empty((x.shape[1], part.shape[1]), np.float32)
        widen(rows.weights, rows.block + first // ROWS * groups, slab)
        part[...] = x @ slab
    return out


class PackedDecoder(Decoder):
    """The weights of one model in 4 or 8 bits, as `kernels.decode_step` reads them.

    `parts` are the same weights by name, as `gpt` takes them.
    """

    def __init__(self, model):
        params, config = model.params, model.config
        self.config = config
        matrices = [
            f"model.layers.{layer}.{part}.weight"
            for layer in range(config.layers)
            for parts in PARTS
            for part in parts
        ]
        shapes = [params.tensors[name].shape for name in matrices]
        starts = np.cumsum([0, *(math.prod(shape) // (ROWS * GROUP) for shape in shapes)])
        self.weights = packed_together(params, matrices)
        self.parts = {
            name: Rows(self.weights, int(start), shape)
            for name, start, shape in zip(matrices, starts, shapes, strict=False)
        }
        self.embedding = packed_together(params, [TABLE])
        self.head, self.head_at = self.embedding, 0
        self.parts[TABLE] = Rows(self.embedding, 0, params.tensors[TABLE].shape)
        norms = [
            f"model.layers.{layer}.{part}.weight"
            for layer in range(config.layers)
            for part in ("input_layernorm", "post_attention_layernorm")
        ]
        norms.append("model.norm.weight")
        self.norms = np.stack([params[name] for name in norms])
        self.parts |= zip(norms, self.norms, strict=True)
        self.rotation = rope_table(0, config.context, config)
        self.threads = min(MOST_THREADS, cores())
        self.helpers = ThreadPoolExecutor(8, "decoding")
        params.release()

    def prefill(self, session, tokens):  # (T,) -> (V,)
        """Read many tokens by `gpt`; return the scores of the next, a fresh array."""
        if session.position + len(tokens) > session.room:
            raise ValueError(
                f"This session has room for {session.room} tokens, and {session.position} are "
                f"read: {len(tokens)} more do not fit."
            )
        for first in range(0, len(tokens), BATCH):
            logits = self.read_batch(session, np.asarray(tokens[first : first + BATCH]))
        return logits

    def read_batch(self, session, tokens):  # (T,) -> (V,)
        """Some tokens by `gpt`, a stretch of them in each thread: a stretch follows the one before
        it through the layers, for it looks back at its keys."""
        size = pad(len(tokens), TOKENS * self.threads) // self.threads
        stretches = [tokens[i : i + size] for i in range(0, len(tokens), size)]
        caches, start = [], session.position
        for stretch in stretches:
            caches.append(SessionCache(session, start, caches[-1] if caches else None))
            start += len(stretch)
        reading = [
            self.helpers.submit(contextvars.copy_context().run, self.read_stretch, *one)
            for one in zip(stretches[:-1], caches, strict=False)
        ]
        scores = self.read_stretch(stretches[-1], caches[-1])
        for one in reading:
            one.result()
        session.position = start
        return scores

    def read_stretch(self, tokens, cache):  # (T,) -> (V,)
        try:
            return gpt(self.parts, tokens[None], self.config, cache=cache, last=1)[0, 0]
        finally:
            cache.give_up()


class SessionCache:
    """The tokens of a session from `length` on, as `gpt`'s cache: keys and values are stored where
    the kernels will read them. `before` is that of the tokens before, if they are still read."""

    def __init__(self, session, length: int, before: "SessionCache | None"):
        self.session, self.length, self.before = session, length, before
        self.stored = [threading.Event() for _ in range(len(session.keys))]  # one for each layer

    def extend(self, layer: int, key, value):  # (1, T, G, D) twice -> (1, S, G, D) twice
        self.session.store(layer, self.length, key[0], value[0])
        if self.before is not None:
            self.before.stored[layer].wait()
        self.stored[layer].set()
        keys, values = self.session.recall(layer, self.length + key.shape[1])
        return keys[None], values[None]

    def give_up(self) -> None:
        """Let nobody wait for what will not come."""
        for one in self.stored:
            one.set()
