"""The fast twin of `patterns.py`: the same words, found by Numba in UTF-8 bytes.

`scan` is what others call. Plain ASCII, nearly all of most texts, is cut by a table that looks at
four bytes at a time, without a branch for every word; everything else word by word. Kernels that
call each other share a file, because Numba's disk cache does not notice a change in another one.
"""

from functools import cache
from itertools import product

import numpy as np
from numba import njit

from microgpt.tokens.categories import LETTER, NEWLINE, NUMBER, OTHER, SPACE, categories
from microgpt.tokens.patterns import find_pattern

kernel = njit(cache=True, nogil=True, error_model="numpy")

BLOCK = 2048  # bytes that are cut into words at a time
GPT2 = 0  # in the place of a number of digits: GPT-2's rules
PADDING = 16  # zero bytes that follow the text, so that reading a little ahead is safe


@kernel
def read_character(data, at):  # (N,) uint8 -> code point, its number of bytes
    """Decode the UTF-8 character that begins at byte `at`."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, 1
    second = np.int64(data[at + 1]) & 63
    if first < 0xE0:
        return (first & 31) << 6 | second, 2
    third = np.int64(data[at + 2]) & 63
    if first < 0xF0:
        return (first & 15) << 12 | second << 6 | third, 3
    return (first & 7) << 18 | second << 12 | third << 6 | np.int64(data[at + 3]) & 63, 4


@kernel
def run(data, start, stop, kinds, wanted):
    """The end of the run of characters of the kind `wanted` that begins at `start`."""
    end = start
    while end < stop:
        character, size = read_character(data, end)
        if kinds[character] != wanted:
            break
        end += size
    return end


@kernel
def contraction(data, start, stop):
    """The end of 's 'd 'm 't 'll 've 're at the apostrophe `start`, or `start`."""
    if start + 1 >= stop:
        return start
    first = data[start + 1] | 32
    if first == 115 or first == 100 or first == 109 or first == 116:
        return start + 2
    if data[start + 1] == 0xC5 and data[start + 2] == 0xBF:  # the old small s
        return start + 3
    second = data[start + 2] | 32
    if start + 2 < stop and (
        (first == 108 and second == 108) or ((first == 118 or first == 114) and second == 101)
    ):
        return start + 3
    return start


@kernel
def white_space(data, start, stop, kinds):
    """The end of white space: after its last line end, or else one short of the next word."""
    end = last = start
    line_end = -1
    while end < stop:
        character, size = read_character(data, end)
        if kinds[character] != SPACE and kinds[character] != NEWLINE:
            break
        last = end
        end += size
        if kinds[character] == NEWLINE:
            line_end = end
    if line_end >= 0:
        return line_end
    return last if end < stop and last > start else end


@kernel
def gpt2_contraction(data, start, stop):
    """The end of 's 'd 'm 't 'll 've 're in small letters at the apostrophe `start`, or `start`."""
    first = data[start + 1] if start + 1 < stop else 0
    if first == 115 or first == 100 or first == 109 or first == 116:
        return start + 2
    second = data[start + 2] if start + 2 < stop else 0
    if (first == 108 and second == 108) or ((first == 118 or first == 114) and second == 101):
        return start + 3
    return start


@kernel
def next_gpt2_word(data, start, stop, kinds):
    """The same by GPT-2's rules with every digit by itself; see `patterns.next_gpt2_word`."""
    character, size = read_character(data, start)
    if kinds[character] == NUMBER:
        return start + size
    if character == 39:
        end = gpt2_contraction(data, start, stop)
        if end > start:
            return end
    first = start + 1 if character == 32 else start
    for kind in (LETTER, OTHER):
        end = run(data, first, stop, kinds, kind)
        if end > first:
            return end
    end = last = start
    while end < stop:
        character, size = read_character(data, end)
        if kinds[character] != SPACE and kinds[character] != NEWLINE:
            break
        last = end
        end += size
    if end < stop and kinds[character] != NUMBER and last > start:
        return last
    return end


@kernel
def next_word(data, start, stop, kinds, digits):
    """Where the word that begins at byte `start` ends; `patterns.next_word` explains the rules."""
    if digits == GPT2:
        return next_gpt2_word(data, start, stop, kinds)
    character, size = read_character(data, start)
    kind = kinds[character]
    after = start + size
    if kind == LETTER:
        return run(data, after, stop, kinds, LETTER)
    if kind == NUMBER:
        for _ in range(digits - 1):
            if after < stop:
                character, size = read_character(data, after)
                if kinds[character] != NUMBER:
                    break
                after += size
        return after
    if character == 39:
        end = contraction(data, start, stop)
        if end > start:
            return end
    if kind != NEWLINE and after < stop:
        end = run(data, after, stop, kinds, LETTER)
        if end > after:
            return end
    if kind == OTHER or character == 32:
        end = run(data, after, stop, kinds, OTHER)
        if kind == OTHER or end > after:
            return run(data, end, stop, kinds, NEWLINE)
    return white_space(data, start, stop, kinds)


# Cutting plain ASCII: the rules of patterns.py turned round. Not "where does this word end?" but
# "does a word begin at this byte?", which the classes of four bytes (two before, the byte itself,
# one after) decide, but for three cases that `mend` looks at again.

EDGE, APOSTROPHE, BLANK, TAB = 5, 6, SPACE, 7  # classes beside OTHER, LETTER, NUMBER and NEWLINE
BEGINS, LOOK_AGAIN = 1, 2
# Unsigned, because Numba asks of every signed index whether it counts from the end.
THREE, LAST_FOUR = np.uint64(3), np.uint64((1 << 12) - 1)


@cache
def scan_tables(pattern: str) -> tuple:
    """What `scan` needs to know: the categories, the ASCII classes and the windows; and how many
    digits go together (`GPT2`: its rules, which have no windows and are applied word by word)."""
    digits = find_pattern(pattern).code
    return (categories(), ascii_classes(), windows(digits)), digits


@cache
def ascii_classes() -> np.ndarray:  # () -> (128,) uint8
    """The class of every ASCII character: its category, with "'" and the plain space set apart."""
    classes = categories()[:128].copy()
    classes[classes == SPACE] = TAB
    classes[[ord("'"), ord(" ")]] = APOSTROPHE, BLANK
    return classes


@cache
def windows(digits: int) -> np.ndarray:  # () -> (4096,) uint8
    """For every window of four classes, 3 bits each: does a word begin at the third?"""
    return np.array([begins(digits, *window) for window in product(range(8), repeat=4)], np.uint8)


def begins(digits: int, before: int, previous: int, here: int, following: int) -> int:
    """BEGINS and LOOK_AGAIN for one window; EDGE is what lies outside of the text."""
    marks, white = (OTHER, APOSTROPHE), (BLANK, TAB, NEWLINE)
    look_again = False
    if here == EDGE or previous == EDGE:
        begin = here != EDGE
    elif here == LETTER:  # a lone mark or a white space before it belongs to the word
        begin = previous in (NUMBER, NEWLINE) or (previous in marks and before in (*marks, BLANK))
    elif here in marks:
        begin = previous not in (*marks, BLANK)
    elif here == NUMBER:
        begin = previous != NUMBER or digits == 1
    elif here == NEWLINE:  # ends the marks or the white space before it
        begin = previous not in (*marks, *white)
        look_again = previous in (BLANK, TAB)
    else:
        begin = previous not in (BLANK, TAB) or following not in (*white, EDGE)
    if here == APOSTROPHE:
        look_again = following == LETTER and begin
    if here == NUMBER:
        look_again = following == NUMBER and previous != NUMBER and digits > 1
    return BEGINS * begin | LOOK_AGAIN * look_again


@kernel
def mend(data, start, flags, at, size, classes, digits):
    """The three cases in which more than four bytes decide. `at` counts from `start`."""
    here = classes[data[start + at]]
    if here == APOSTROPHE:  # a contraction is a word, so another begins after it
        end = contraction(data, start + at, start + size)
        if end > start + at:
            flags[end - start] |= BEGINS
    elif here == NUMBER:  # every `digits` digits
        end = at + 1
        while end < size and classes[data[start + end]] == NUMBER:
            if (end - at) % digits == 0:
                flags[end] = BEGINS
            end += 1
    else:  # a line end after blanks: what follows the line end before them begins no word,
        first = at - 1
        while first > 0 and classes[data[start + first - 1]] in (BLANK, TAB):
            first -= 1
        mark = first - 1
        while mark >= 0 and classes[data[start + mark]] == NEWLINE:
            mark -= 1
        if mark < first - 1 and (
            mark < 0 or classes[data[start + mark]] not in (OTHER, APOSTROPHE)
        ):  # ... unless that line end belongs to the marks before it
            flags[first] = 0


@kernel
def cut(data, start, stop, tables, digits, flags, ends):
    """Cut up to BLOCK bytes of `data[start:stop]` into words; fills `ends`, returns how many.

    A block ends with the text or where a blank follows a visible character: surely a word begins
    there, whatever comes next. Where there is no such place, or at a character that is not ASCII,
    words are found one by one.
    """
    kinds, classes, windows = tables
    if digits == GPT2:
        return cut_slowly(data, start, stop, start + BLOCK - 1, kinds, digits, ends)
    size, seen = 0, 0
    block = data[start : min(stop, start + BLOCK)]
    if block[0] < 128:
        window = np.uint64(EDGE << 6 | EDGE << 3 | classes[block[0]])
        for at in range(1, len(block)):
            if block[at] >= 128:
                break
            window = window << THREE | np.uint64(classes[block[at]])
            flags[size] = windows[window & LAST_FOUR]
            seen |= flags[size]
            size = at
        flags[size] = windows[window << THREE & LAST_FOUR | np.uint64(EDGE)]
        seen |= flags[size]
        size += 1
    sure = size
    if start + size < stop:
        sure -= 1
        while sure > 0 and not (data[start + sure] == 32 and data[start + sure - 1] > 32):
            sure -= 1
    if sure <= 0:
        return cut_slowly(data, start, stop, start + size, kinds, digits, ends)
    if seen & LOOK_AGAIN:
        for at in range(sure):
            if flags[at] & LOOK_AGAIN:
                mend(data, start, flags, at, size, classes, digits)
    count = np.uint64(0)
    for at in range(1, sure):
        ends[count] = start + at  # stays only if a word does begin there
        count += np.uint64(flags[at] & BEGINS)
    ends[count] = start + sure
    return np.int64(count) + 1


@kernel
def cut_slowly(data, start, stop, until, kinds, digits, ends):
    """Cut `data[start:stop]` word by word until one ends behind `until`."""
    count = 0
    while start < stop and (start <= until or count == 0):
        start = next_word(data, start, stop, kinds, digits)
        ends[count] = start
        count += 1
    return count


@kernel
def scan(data, segments, special, tables, digits):  # (N,), (S + 1,), (S,) -> (words,) int64
    """The ends of all words of the segments `data[segments[s] : segments[s + 1]]`, which are cut
    each for itself; but segments that are a special token (`special` >= 0) have no words."""
    flags = np.empty(BLOCK + 4, np.uint8)
    ends, count = np.empty(len(data) // 4 + 2 * BLOCK, np.int64), 0
    for s in range(len(special)):
        start = segments[s] if special[s] < 0 else segments[s + 1]
        while start < segments[s + 1]:
            if count + BLOCK + 4 > len(ends):
                ends = grown(ends, 2 * len(ends))
            count += cut(data, start, segments[s + 1], tables, digits, flags, ends[count:])
            start = ends[count - 1]
    return ends[:count]


@kernel
def grown(array, size):
    """A longer copy of a 1-D array; what is new is not set."""
    longer = np.empty(size, array.dtype)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer
