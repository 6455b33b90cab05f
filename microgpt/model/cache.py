"""The cache: what the layers have already worked out about earlier tokens.

An attention layer keeps keys and values of every token. A state space layer keeps one state and
the last inputs of its convolution, however long the text is.
"""

from dataclasses import dataclass, field, replace

import numpy as np


def nothing():
    return np.zeros((0, 0, 0, 0), np.float32)


@dataclass
class KVCache:
    """What is known of the tokens read so far.

    `keys` (after RoPE) and `values` are (L, B, S, G, D) with room for S tokens, of which `length`
    are filled; `tails` are (L, B, K-1, I) and `states` (L, B, I, N). Each L counts only the layers
    of its kind: layer i of the model is number `slots[i]` there (None: all are attention).
    """

    keys: np.ndarray
    values: np.ndarray
    length: int = 0
    tails: np.ndarray = field(default_factory=nothing)
    states: np.ndarray = field(default_factory=nothing)
    slots: tuple[int, ...] | None = None

    @classmethod
    def empty(cls, config, batch=1, length=None):
        if not config.causal:
            raise ValueError(
                "A token that sees those after it changes with each of them, so there is nothing "
                "to keep: a model with causal=False has no cache."
            )
        room = config.context if length is None else length
        attending, scanning = config.layers_of("attention"), config.layers_of("ssm")
        shape = (len(attending), batch, room, config.kv_heads, config.head_size)
        cache = cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
        if not scanning:
            return cache
        inner = (len(scanning), batch, config.inner)
        return replace(
            cache,
            tails=np.zeros((*inner[:2], config.taps - 1, config.inner), np.float32),
            states=np.zeros((*inner, config.state), np.float32),
            slots=tuple(config.kinds[:i].count(kind) for i, kind in enumerate(config.kinds)),
        )

    @property
    def room(self) -> int:
        return self.keys.shape[2]

    def slot(self, layer: int) -> int:
        return layer if self.slots is None else self.slots[layer]

    def extend(self, layer: int, key, value):  # (B, T, G, D) twice -> (B, S, G, D) twice
        """Store the new tokens' keys and values; return those of all tokens so far.

        `length` stays until every layer has stored its part: `gpt` advances it at the end.
        """
        end = self.length + key.shape[1]
        if end > self.room:
            raise ValueError(
                f"The cache has room for {self.room} tokens, but {end} are needed; "
                "make a longer cache or drop the oldest tokens."
            )
        keys, values = self.keys[self.slot(layer)], self.values[self.slot(layer)]
        keys[:, self.length : end] = key
        values[:, self.length : end] = value
        return keys[:, :end], values[:, :end]

    def memory(self, layer: int):  # -> (B, K-1, I), (B, I, N)
        """A state space layer's last inputs and its state: views, which the layer overwrites."""
        return self.tails[self.slot(layer)], self.states[self.slot(layer)]

    def truncate(self, length: int) -> None:
        """Forget every token from position `length` on.

        Raises ValueError for a model with states unless nothing or everything is to be forgotten:
        a state has no way back. Keep a `copy` of the cache instead.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"The cache holds {self.length} tokens; it can't keep {length}.")
        if self.states.size and length not in (0, self.length):
            raise ValueError(
                f"A state of {self.length} tokens can't be turned back to {length}; go on from a "
                "copy that was made there, or read the text again."
            )
        if length == 0:
            self.tails[...] = self.states[...] = 0
        self.length = length

    def rows(self, index) -> "KVCache":
        """A cache whose text number i is a copy of this one's text number index[i]."""
        parts = self.keys, self.values, self.tails, self.states
        copies = [part[:, index] if part.shape[1] else part for part in parts]
        keys, values, tails, states = copies
        return KVCache(keys, values, self.length, tails, states, self.slots)

    def copy(self) -> "KVCache":
        return self.rows(np.arange(self.keys.shape[1]))

    @property
    def bytes(self) -> int:
        """Bytes of the filled part of keys and values, and of the states."""
        filled = (self.keys.nbytes + self.values.nbytes) * self.length // self.room
        return filled + self.tails.nbytes + self.states.nbytes
