"""Where a token stands: four ways to tell the model, none of them learned but one."""

import functools
import math

import numpy as np


@functools.lru_cache(maxsize=32)
def _rope_table(length: int, head_size: int, base: float):
    frequencies = base ** (-np.arange(0, head_size, 2) / head_size)  # (D/2,) radians a position
    angles = np.outer(np.arange(length), frequencies)  # (T, D/2)
    tables = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    for table in tables:
        table.setflags(write=False)
    return tables


def rope_table(start: int, stop: int, config):  # -> (T, D/2), (T, D/2)
    """Cosine and sine of each position's angles t * base^(-2j/D) (Su et al. 2021, eq. 15).

    The table is made once for the whole context and shared, so it is read-only.
    """
    cos, sin = _rope_table(config.context, config.head_size, config.rope_base)
    return cos[start:stop], sin[start:stop]


@functools.lru_cache(maxsize=32)
def _sinusoidal_table(length: int, width: int):
    angles = np.outer(np.arange(length), 10_000 ** (-np.arange(0, width, 2) / width))
    table = np.empty((length, width), np.float32)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : width // 2])
    table.setflags(write=False)
    return table


def sinusoidal_table(start: int, stop: int, config):  # -> (T, C)
    """Sines and cosines of many wavelengths, one row a position (Vaswani et al. 2017, 3.5)."""
    return _sinusoidal_table(config.context, config.width)[start:stop]


def alibi_slopes(heads: int):  # -> (H,)
    """How much each head's score falls per token of distance: 2^(-8 h / H), h = 1 ... H.

    Press et al. 2022 for a power of two; for other numbers the slopes of the next power below,
    then every other one of the next power above, as in their code.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (h + 1) / power) for h in range(power)]
    between = [2 ** (-8 * (h + 1) / (2 * power)) for h in range(0, 2 * power, 2)]
    return np.array(slopes + between[: heads - power], dtype=np.float32)
