"""The fast twin of `bpe.train_steps`: the merges of a text, in Numba.

The different words of the text lie one after another as linked tokens. Every pair of neighbors
has a count and a list of the places where it stands, so a merge touches nothing but its own
places, and a heap knows the most frequent pair.
"""

from heapq import heapify, heappop, heappush

import numpy as np
from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Fibonacci hashing (Knuth 6.4)
LOW = (1 << 32) - 1  # a pair of ids is one number, left << 32 | right, which sorts like the pair
KEY, COUNT, FIRST, LAST = range(4)  # of a row of `pairs`; FIRST and LAST are rows of `places`


@kernel
def learn(data, words, wanted):  # (N,) uint8, (words, 3) -> (merges, 2) int32
    """At most `wanted` merges: always the most frequent pair, among equals the smallest ids.

    `words`: start, size and count of every different word. A count can only fall once the pair is
    in the heap, since a merge makes no pairs but those of its new token. So the top of the heap
    is the right one if its count still holds; if not, it goes back with the count it has.
    """
    token, weight, previous, following = spread(data, words)
    pairs, slots = np.empty((4096, 4), np.int64), np.full(16384, -1, np.int32)
    places = np.empty((3 * len(token), 2), np.int32)  # one a token, and two for each that goes
    known, used = np.int64(0), np.int64(0)  # a plain 0 is another type to Numba
    for at in range(len(token)):
        if following[at] >= 0:
            if known == len(pairs):
                pairs, slots = more_pairs(pairs)
            key = np.int64(token[at]) << 32 | np.int64(token[following[at]])
            known = add_pair(pairs, slots, known, places, used, key, at, weight[at])
            used += 1
    heap = [(-pairs[row, COUNT], pairs[row, KEY], row) for row in range(known)]
    heapify(heap)
    merges, done = np.empty((wanted, 2), np.int32), 0
    while done < wanted and len(heap) > 0:
        fewer, key, row = heappop(heap)
        if pairs[row, COUNT] != -fewer:
            if pairs[row, COUNT] > 0:
                heappush(heap, (-pairs[row, COUNT], key, row))
            continue
        merges[done, 0], merges[done, 1] = key >> 32, key & LOW
        before = known
        pairs, slots, known, used = merge_everywhere(
            token, weight, previous, following, pairs, slots, known, places, used, row, 256 + done
        )
        for row in range(before, known):
            if pairs[row, COUNT] > 0:
                heappush(heap, (-pairs[row, COUNT], pairs[row, KEY], row))
        done += 1
    return merges[:done]


@kernel
def spread(data, words):  # (N,), (words, 3) -> 4 x (tokens,)
    """All words as linked tokens: the token, the count of its word, its neighbors (-1: none)."""
    size = 0
    for row in range(len(words)):
        size += words[row, 1]
    token, weight = np.empty(size, np.int32), np.empty(size, np.int32)
    previous, following = np.empty(size, np.int32), np.empty(size, np.int32)
    at = 0
    for row in range(len(words)):
        start, length, count = words[row, 0], words[row, 1], words[row, 2]
        for k in range(length):
            token[at], weight[at] = data[start + k], count
            previous[at] = at - 1 if k > 0 else -1
            following[at] = at + 1 if k < length - 1 else -1
            at += 1
    return token, weight, previous, following


@kernel
def merge_everywhere(
    token, weight, previous, following, pairs, slots, known, places, used, row, new
):
    """Write the token `new` for the pair `row` wherever it stands, and correct all counts."""
    left, right = pairs[row, KEY] >> 32, pairs[row, KEY] & LOW
    place = pairs[row, FIRST]
    while place >= 0:
        at, place = np.int64(places[place, 0]), places[place, 1]
        second = following[at]
        if token[at] != left or second < 0 or token[second] != right:
            continue  # another merge has taken one of the two
        if known + 2 > len(pairs):
            pairs, slots = more_pairs(pairs[:known])
        before, after = np.int64(previous[at]), following[second]
        if before >= 0:
            neighbor = np.int64(token[before])
            pairs[slots[find_pair(pairs, slots, neighbor << 32 | left)], COUNT] -= weight[at]
            key = neighbor << 32 | new
            known = add_pair(pairs, slots, known, places, used, key, before, weight[at])
            used += 1
        if after >= 0:
            neighbor = np.int64(token[after])
            pairs[slots[find_pair(pairs, slots, right << 32 | neighbor)], COUNT] -= weight[at]
            key = new << 32 | neighbor
            known = add_pair(pairs, slots, known, places, used, key, at, weight[at])
            used += 1
            previous[after] = at
        token[at], token[second], following[at] = new, -1, after
    pairs[row, COUNT] = 0
    return pairs, slots, known, used


@kernel
def find_pair(pairs, slots, key):
    """The place of the pair `key` in the hash table `slots`, or the free place for it."""
    slot = np.int64(np.uint64(key) * MULTIPLIER >> np.uint64(32)) & (len(slots) - 1)
    while slots[slot] >= 0 and pairs[slots[slot], KEY] != key:
        slot = (slot + 1) & (len(slots) - 1)
    return slot


@kernel
def add_pair(pairs, slots, known, places, used, key, at, weight):
    """Count the pair `key` and put the place `at` at the end of its list; the pairs known then."""
    slot = find_pair(pairs, slots, key)
    if slots[slot] < 0:
        slots[slot] = known
        pairs[known, KEY], pairs[known, COUNT] = key, 0
        pairs[known, FIRST] = pairs[known, LAST] = -1
        known += 1
    row = slots[slot]
    pairs[row, COUNT] += weight
    places[used, 0], places[used, 1] = at, -1
    if pairs[row, LAST] >= 0:
        places[pairs[row, LAST], 1] = used
    else:
        pairs[row, FIRST] = used
    pairs[row, LAST] = used
    return known


@kernel
def more_pairs(pairs):
    """The table of pairs at twice the size or more, and its hash table."""
    size = 4096
    while size < 2 * len(pairs):
        size *= 2
    larger, slots = np.empty((size, 4), np.int64), np.full(4 * size, -1, np.int32)
    for row in range(len(pairs)):
        for k in range(4):
            larger[row, k] = pairs[row, k]
        slots[find_pair(larger, slots, larger[row, KEY])] = row
    return larger, slots
