"""The fast twin of `bpe.py` for encoding: words counted and merged by Numba.

Text comes as UTF-8 bytes with padding, cut into words by `scanner.scan`, together with `eights`, a
view of the same memory in which element i is the eight bytes that begin at byte i. Ids stay below
2^21, so that one 64-bit number holds a merge: left id, right id, rank. Every kernel releases the
GIL and knows nothing but its arguments. (`np.int64(0)` where 0 would do: to Numba a plain 0 has a
type of its own, for which the kernels that get it would be compiled once more.)
"""

from heapq import heapify, heappop, heappush

import numpy as np
from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")

ID_BITS = 21
NOTHING = (1 << ID_BITS) - 1  # no id, no rank
SHORT_WORD = 48  # bytes; above this, merging keeps a heap instead of looking at every pair
CACHE_ROWS = 1 << 17  # of 32 bytes
ELSEWHERE, MOST = 255, (1 << 20) - 1
TOP, FEW, BELOW_TOP = np.uint64(56), np.uint64(20), np.uint64((1 << 56) - 1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Fibonacci hashing (Knuth 6.4)


@kernel
def find_special(data, start, stop, texts, bounds):
    """Where a special text first stands in `data[start:stop]`, and which: the longest there."""
    for at in range(start, stop):
        best = -1
        for row in range(len(bounds) - 1):
            size = bounds[row + 1] - bounds[row]
            if data[at] == texts[bounds[row]] and at + size <= stop:
                k = 1
                while k < size and data[at + k] == texts[bounds[row] + k]:
                    k += 1
                if k == size and (best < 0 or size > bounds[best + 1] - bounds[best]):
                    best = row
        if best >= 0:
            return at, best
    return stop, -1


@kernel
def segment(data, bounds, texts, text_bounds, text_ids):  # -> (S + 1,), (S,), (documents + 1,)
    """Cut documents at the special tokens: the bounds of the segments, the id of each (-1: plain
    text), and the first segment of every document."""
    segments, special = np.empty(1024, np.int64), np.empty(1024, np.int32)
    first, count = np.zeros(len(bounds), np.int64), 0
    for d in range(len(bounds) - 1):
        at = bounds[d]
        while at < bounds[d + 1]:
            stop, row = find_special(data, at, bounds[d + 1], texts, text_bounds)
            if count + 2 >= len(segments):
                segments, special = grown(segments, 2 * count), grown(special, 2 * count)
            segments[count], special[count] = at, -1
            count += 1
            at = stop
            if row >= 0:
                segments[count], special[count] = at, text_ids[row]
                count += 1
                at += text_bounds[row + 1] - text_bounds[row]
        first[d + 1] = count
    segments[count] = bounds[-1]
    return segments[: count + 1], special[:count], first


@kernel
def grown(array, size):
    """A longer copy of a 1-D array; what is new is not set."""
    longer = np.empty(size, array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer


@kernel
def word_key(eights, start, size):
    """Two numbers that say what word it is: for up to 15 bytes exactly, for more by a hash."""
    if size < 16:
        low = eights[start] & (ALL >> np.uint64(64 - 8 * min(size, 8)))
        high = eights[start + 8] & ~(ALL << np.uint64(8 * max(size - 8, 0)))
        return low, high << np.uint64(8) | np.uint64(size)
    low = eights[start]
    for at in range(start + 8, start + size - 8, 8):
        low = mixed(low, eights[at])
    return mixed(low, eights[start + size - 8]), np.uint64(size) << np.uint64(8) | np.uint64(255)


@kernel
def mixed(low, high):
    """A hash of two numbers; its upper bits are the best ones."""
    low = (low ^ high * np.uint64(0xD6E8FEB86659FD93)) * MULTIPLIER
    return (low ^ low >> np.uint64(32)) * MULTIPLIER


@kernel
def same_bytes(eights, first, second, size):
    """Whether the `size` bytes at `first` are those at `second`; `size` is at least 8."""
    first = np.int64(first)
    for k in range(0, size - 8, 8):
        if eights[first + k] != eights[second + k]:
            return False
    return eights[first + size - 8] == eights[second + size - 8]


@kernel
def count_words(eights, segments, ends):  # (N,), (S + 1,), (words,) -> (different words, 3) int64
    """Every different word once, in no special order: start, size, how often it stands."""
    table = np.zeros((8192, 4), np.uint64)  # the two numbers of `word_key`, start, count
    found, s = np.int64(0), 0
    for w in range(len(ends)):
        while segments[s] < ends[w]:
            s += 1
        start = max(segments[s - 1], ends[w - 1] if w > 0 else 0)
        size = ends[w] - start
        low, high = word_key(eights, start, size)
        slot = np.int64(mixed(low, high) >> np.uint64(32)) & (len(table) - 1)
        while table[slot, 3] > 0:
            known = table[slot, 0] == low and table[slot, 1] == high
            if known and (size < 16 or same_bytes(eights, table[slot, 2], start, size)):
                break
            slot = (slot + 1) & (len(table) - 1)
        table[slot, 3] += np.uint64(1)
        if table[slot, 3] == 1:
            table[slot, 0], table[slot, 1], table[slot, 2] = low, high, np.uint64(start)
            found += 1
            if 2 * found > len(table):
                table = more_words(table)
    return listed(table, found)


@kernel
def more_words(table):
    """The hash table of `count_words` at four times the size."""
    larger = np.zeros((4 * len(table), 4), np.uint64)
    for old in range(len(table)):
        if table[old, 3] > 0:
            slot = np.int64(mixed(table[old, 0], table[old, 1]) >> np.uint64(32))
            slot &= len(larger) - 1
            while larger[slot, 3] > 0:
                slot = (slot + 1) & (len(larger) - 1)
            for k in range(4):
                larger[slot, k] = table[old, k]
    return larger


@kernel
def listed(table, found):  # (slots, 4) -> (found, 3) int64
    """What is in the hash table of `count_words`: start, size and count of every word."""
    words, row = np.empty((found, 3), np.int64), 0
    for slot in range(len(table)):
        if table[slot, 3] > 0:
            high = np.int64(table[slot, 1])
            words[row, 0], words[row, 2] = np.int64(table[slot, 2]), np.int64(table[slot, 3])
            words[row, 1] = high >> 8 if high & 255 == 255 else high & 255
            row += 1
    return words


@kernel
def merge_table(merges):  # (merges, 3) int64 left, right, result -> (slots,) int64
    """A hash table from a pair of ids to its rank: left, right and rank in one number, -1 free."""
    size = 4
    while size < 4 * len(merges):
        size *= 2
    table = np.full(size, -1, np.int64)
    for rank in range(len(merges)):
        key = merges[rank, 0] << ID_BITS | merges[rank, 1]
        slot = np.int64(np.uint64(key) * MULTIPLIER >> np.uint64(20)) & (len(table) - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (len(table) - 1)
        table[slot] = key << ID_BITS | rank
    return table


@kernel
def find_rank(table, left, right):
    """The rank of the merge of two ids, or NOTHING."""
    key = np.int64(left) << ID_BITS | np.int64(right)
    slot = np.int64(np.uint64(key) * MULTIPLIER >> np.uint64(20)) & (len(table) - 1)
    while table[slot] >= 0:
        if table[slot] >> ID_BITS == key:
            return table[slot] & NOTHING
        slot = (slot + 1) & (len(table) - 1)
    return NOTHING


@kernel
def merge_word(data, start, size, merges, ids, used, ranks):
    """Write the ids of `data[start : start + size]`, one word, to `ids[used:]`; how many."""
    byte_ids, table, results = merges
    for k in range(size):
        ids[used + k] = byte_ids[data[start + k]]
    if size > SHORT_WORD:
        return merge_long_word(ids, used, size, table, results)
    for k in range(size - 1):
        ranks[k] = find_rank(table, ids[used + k], ids[used + k + 1])
    while size > 1:
        best = 0
        for k in range(1, size - 1):
            if ranks[k] < ranks[best]:
                best = k
        if ranks[best] == NOTHING:
            break
        at = used + best
        ids[at] = results[ranks[best]]
        size -= 1
        for k in range(best + 1, size):
            ids[used + k] = ids[used + k + 1]
            ranks[k - 1] = ranks[k]
        if best > 0:
            ranks[best - 1] = find_rank(table, ids[at - 1], ids[at])
        if best < size - 1:
            ranks[best] = find_rank(table, ids[at], ids[at + 1])
    return size


@kernel
def merge_long_word(ids, start, size, table, results):
    """The same as `merge_word` in n log n steps: a heap of (rank, place) over linked ids."""
    previous, following = np.arange(-1, size - 1), np.arange(1, size + 1)
    heap = [np.int64(0) for _ in range(0)]
    for k in range(size - 1):
        rank = find_rank(table, ids[start + k], ids[start + k + 1])
        if rank != NOTHING:
            heap.append(rank << 32 | k)
    heapify(heap)
    while len(heap) > 0:
        top = heappop(heap)
        rank, at = top >> 32, top & 0xFFFFFFFF
        second = following[at]
        if ids[start + at] == NOTHING or second >= size:
            continue
        if find_rank(table, ids[start + at], ids[start + second]) != rank:
            continue  # one of the two has been merged since
        ids[start + at], ids[start + second] = results[rank], NOTHING
        after = following[at] = following[second]
        before = previous[at]
        if after < size:
            previous[after] = at
            rank = find_rank(table, ids[start + at], ids[start + after])
            if rank != NOTHING:
                heappush(heap, rank << 32 | at)
        if before >= 0:
            rank = find_rank(table, ids[start + before], ids[start + at])
            if rank != NOTHING:
                heappush(heap, rank << 32 | before)
    left = at = 0
    while at < size:
        ids[start + left] = ids[start + at]
        left += 1
        at = following[at]
    return left


@kernel
def encode(data, eights, segments, special, first, ends, merges, ids, twos):
    """Fill `ids` with the ids of all segments; returns where each document begins in them.

    Document d has the segments `first[d]` to `first[d + 1]`, and `ends` are the ends of the words.
    `merges`: ids of the 256 bytes, the table of `merge_table`, ids of the merges by rank. `twos`
    is a view of `ids` (at least 4 longer than the text) in which element i is ids i and i + 1.
    """
    offsets, used, w = np.zeros(len(first), np.int64), np.int64(0), np.int64(0)
    rows = 64
    while rows < CACHE_ROWS and 16 * rows < len(ids):
        rows *= 2
    cache, ranks = np.zeros((rows, 4), np.uint64), np.empty(SHORT_WORD, np.int64)
    for d in range(len(first) - 1):
        for s in range(first[d], first[d + 1]):
            if special[s] >= 0:
                ids[used] = special[s]
                used += 1
            else:
                w, used = encode_words(
                    data, eights, segments[s], segments[s + 1], ends, w, merges, cache, ranks,
                    ids, twos, used,
                )  # fmt: skip
        offsets[d + 1] = used
    return offsets


@kernel
def encode_words(data, eights, start, stop, ends, w, merges, cache, ranks, ids, twos, used):
    """Write the ids of `data[start:stop]`, from word `w` on, to `ids[used:]`; the new w and used.

    A row of the cache has the two numbers of `word_key` and, for words of up to 15 bytes and 4
    ids, the ids, two in a number, and in the highest byte how many they are. For other words that
    byte is ELSEWHERE, and the rest says where the word stands in `data`, how many ids it has, and
    where they stand in `ids`. A new word takes the row of the old one.
    """
    while start < stop:
        size = ends[w] - start
        low, high = word_key(eights, start, size)
        row = mixed(low, high) >> np.uint64(32) & np.uint64(len(cache) - 1)
        first, second = cache[row, 2], cache[row, 3]
        count = np.int64(second >> TOP)
        known = cache[row, 0] == low and cache[row, 1] == high
        if known and count <= 4:
            twos[used], twos[used + 2] = first, second & BELOW_TOP
        elif known and (size < 16 or same_bytes(eights, first >> FEW, start, size)):
            count, where = np.int64(first & np.uint64(MOST)), np.int64(second & BELOW_TOP)
            for k in range(count):
                ids[used + k] = ids[where + k]
        else:
            count = merge_word(data, start, size, merges, ids, used, ranks)
            if count <= MOST:
                cache[row, 0], cache[row, 1] = low, high
                if size < 16 and count <= 4:
                    cache[row, 2], top = twos[used], count
                    cache[row, 3] = twos[used + 2] & BELOW_TOP
                else:
                    cache[row, 2], top = np.uint64(start << 20 | count), ELSEWHERE
                    cache[row, 3] = np.uint64(used)
                cache[row, 3] |= np.uint64(top) << TOP
        used += count
        start = ends[w]
        w += 1
    return w, used
