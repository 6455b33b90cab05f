"""A model laid out for fast decoding, and sessions that read with it.

A `Decoder` holds packed copies of the weights: it is read-only and shared. A `Session` holds the
keys and values of one text: it belongs to whoever made it. So any number of threads can decode
with one model, each in a session of its own. Which decoder a model gets, its weights decide: those
that come in 4 or 8 bits stay so (`packed.py`), and need no float32 copy of the whole model.
"""

import numpy as np

from microgpt.decoding import kernels
from microgpt.decoding.kernels import BLOCK, DEPTH, LANES, pad
from microgpt.model.cache import KVCache
from microgpt.model.positions import rope_table

PATIENCE = 500_000  # looks, 10 to 20 ms: after a token that waited so long a text goes on alone


def supported(config) -> bool:
    """Whether the compiled step knows this architecture: Llama's, with any grouping and window."""
    kinds = (config.positions, config.norm, config.mlp, config.bias, {*config.kinds})
    plain = config.causal and config.scale is None
    return kinds == ("rope", "rmsnorm", "swiglu", False, {"attention"}) and plain


class Decoder:
    """The weights of one model in the order in which `kernels.decode_step` reads them.

    Weights that float16 holds exactly are kept as such, unless `halves` is False.
    """

    prefill = None  # reading many tokens at once is left to `gpt` with a cache
    threads, step_threads = 1, 1  # that read a text, and that share a single token

    def __init__(self, model, halves: bool = True):
        if not supported(model.config):
            raise ValueError(
                f"{model.name} has an architecture that the compiled step doesn't know: it takes "
                "attention that looks back and is scaled by 1/sqrt(D), RoPE, RMSNorm and SwiGLU "
                "without biases. Use `gpt` with a cache."
            )
        self.config = model.config
        embedding = model.params["model.embed_tokens.weight"]
        self.embedding = embedding.copy() if embedding.flags.writeable else embedding
        self.embedding.setflags(write=False)  # always, for Numba compiles anew for the other kind
        matrices, self.norms = reading_order(model.params, model.config)
        packed = [kernels.pack(matrix) for matrix in matrices]
        weights = np.concatenate(packed)
        halved = kernels.halve(weights) if halves and kernels.reads_halves() else None
        self.weights = aligned(weights if halved is None else halved)
        self.head, self.head_at = self.weights, len(weights) - len(packed[-1])
        self.rotation = rope_table(0, model.config.context, model.config)

    def session(self, cache: KVCache | None = None, room: int | None = None) -> "Session":
        """A text to go on with: that of a cache of batch 1, or an empty one.

        `room` is how many tokens the text may get, the whole context unless told.
        """
        return Session(self, cache, room or self.config.context)


class Session:
    """The keys and values of one text, and the position of its next token."""

    def __init__(self, decoder: Decoder, cache: KVCache | None, room: int):
        config = decoder.config
        L, G, D = config.layers, config.kv_heads, config.head_size
        panels, key_blocks, value_tiles = (
            pad(room, LANES) // LANES, pad(D, DEPTH) // DEPTH, pad(D, LANES) // LANES
        )  # fmt: skip
        self.decoder, self.position, self.room = decoder, 0, room
        self.team = decoder.step_threads if D % LANES == 0 else 1  # else heads share a block
        self.keys = np.zeros((L, G, key_blocks, panels, BLOCK), np.float32)
        self.values = np.zeros((L, G, 2 * panels, value_tiles, BLOCK), np.float32)
        self.shared = (  # by the threads that work on one token: see `decode_step`
            np.zeros(pad(config.width + 2 * G * D, LANES) + DEPTH, np.float32),
            np.zeros(pad(config.width, DEPTH) + LANES, np.float32),
            np.zeros(pad(config.hidden, DEPTH), np.float32),
            np.zeros(pad(config.width, LANES), np.float32),
            np.zeros(1, np.int64),
        )
        window = config.window or config.context
        self.numbers = (config.hidden, window, np.float32(config.norm_eps))
        if cache is not None:
            self.take_over(cache)

    def take_over(self, cache: KVCache) -> None:
        """Copy the keys and values of a cache with batch 1, so that its text is this one's."""
        B = cache.keys.shape[1]
        if B != 1 or cache.length > self.room:
            raise ValueError(
                f"A session reads one text of at most {self.room} tokens, "
                f"but this cache holds {B} of {cache.length}."
            )
        for layer in range(len(self.keys)):
            filled = slice(cache.length)
            self.store(layer, 0, cache.keys[layer, 0, filled], cache.values[layer, 0, filled])
        self.position = cache.length

    def store(self, layer: int, start: int, key, value) -> None:  # (T, G, D) twice
        """Put keys and values of the tokens from `start` on where the kernels read them."""
        T, G, D = key.shape
        rows = [np.ascontiguousarray(x, np.float32).reshape(T, G * D) for x in (key, value)]
        kernels.remember_all(self.keys[layer], self.values[layer], start, *rows)

    def recall(self, layer: int, stop: int):  # -> (S, G, D) twice
        """Keys and values of the first `stop` tokens, as `gpt` takes them."""
        G, D = self.keys.shape[1], self.decoder.config.head_size
        keys = self.keys[layer].reshape(*self.keys.shape[1:4], DEPTH, LANES)
        keys = keys.transpose(2, 4, 0, 1, 3).reshape(-1, G, keys.shape[1] * DEPTH)
        values = self.values[layer].reshape(*self.values.shape[1:4], DEPTH, LANES)
        values = values.transpose(1, 3, 0, 2, 4).reshape(-1, G, values.shape[2] * LANES)
        return keys[:stop, :, :D], values[:stop, :, :D]

    def read(self, tokens):  # (T,) -> (V,)
        """The scores after the last of these tokens: many at once where the decoder can."""
        if len(tokens) > 1 and self.decoder.prefill is not None:
            return self.decoder.prefill(self, tokens)
        for token in tokens:
            logits = self.step(token)
        return logits

    def step(self, token: int):  # -> (V,)
        """Read one token; return the scores of the next, a fresh array."""
        config = self.decoder.config
        if not 0 <= token < config.vocab_size:
            raise ValueError(f"Tokens go from 0 to {config.vocab_size - 1}, but this is {token}.")
        if self.position >= self.room:
            raise ValueError(f"This session has room for {self.room} tokens, and they are read.")
        d, team, arrivals = self.decoder, self.team, self.shared[-1]
        logits = np.empty(pad(config.vocab_size, LANES), np.float32)
        arrivals[0] = 0

        def work(rank):
            return kernels.decode_step(
                token, self.position, d.weights, d.head, d.head_at, d.embedding, d.norms,
                *d.rotation, self.keys, self.values, *self.numbers, logits, *self.shared, rank,
                team,
            )  # fmt: skip

        others = [d.helpers.submit(work, rank) for rank in range(1, team)]
        waited = work(0)
        for other in others:
            other.result()
        if waited > PATIENCE:
            self.team = 1
        self.position += 1
        return logits[: config.vocab_size]


def reading_order(params, config):
    """The matrices in the order of `kernels.decode_step`, and all norms as (2 L + 1, C)."""
    matrices, norms = [], []
    for layer in range(config.layers):
        name = f"model.layers.{layer}"

        def together(*parts, name=name):
            return np.concatenate([params[f"{name}.{part}.weight"] for part in parts])

        matrices += [
            together("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            together("self_attn.o_proj"),
            together("mlp.gate_proj", "mlp.up_proj"),
            together("mlp.down_proj"),
        ]
        norms += [together("input_layernorm"), together("post_attention_layernorm")]
    matrices.append(params["model.embed_tokens.weight" if config.tied else "lm_head.weight"])
    norms.append(params["model.norm.weight"])
    return matrices, np.stack(norms)


def aligned(array):
    """A read-only copy that starts at a cache line, so that no row of a block straddles two."""
    copy = aligned_room(array.size, array.dtype)
    copy[:] = array
    copy.setflags(write=False)
    return copy


def aligned_room(size: int, dtype):
    """An array to be filled that starts at a cache line."""
    line, nbytes = 64, size * np.dtype(dtype).itemsize
    room = np.empty(nbytes + line, np.uint8)
    start = -room.ctypes.data % line
    return room[start : start + nbytes].view(dtype)
