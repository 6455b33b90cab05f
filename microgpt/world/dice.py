"""Chance, and what is held out.

Every text of the tiny world is drawn with a `Dice`. It uses nothing of `random.Random` but
`random()`, the one method whose sequence Python promises never to change: the same seed gives
the same text under every version of Python.
"""

import random
import zlib


class Dice(random.Random):
    """A seeded source of chance: `Dice(7).pick("abc")` is the same letter everywhere."""

    def below(self, n):  # int -> int in 0 .. n-1
        return int(self.random() * n)

    def between(self, low, high):  # int, int -> int in low .. high, both included
        return low + int(self.random() * (high - low + 1))

    def pick(self, items):
        """One of `items` (a sequence), all equally likely."""
        return items[int(self.random() * len(items))]

    def some(self, items, n):  # sequence of N, n <= N -> list of n different ones
        """`n` different items in random order (Fisher and Yates 1938, stopped after n swaps)."""
        pool = list(items)
        for i in range(n):
            j = i + int(self.random() * (len(pool) - i))
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:n]

    def chance(self, probability):
        return self.random() < probability


def held_out(*parts, one_in=5):
    """Whether this combination belongs to the probes and must never be trained on.

    The CRC-32 of the combination decides, so the split needs no list and never changes:
    about one combination in `one_in` is held out.
    """
    return zlib.crc32("|".join(map(str, parts)).encode()) % one_in == 0
