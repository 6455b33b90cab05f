"""Work on data before training: find copies, drop rubbish, mix sources, keep some out.

Near-duplicates are found as in most large corpora: a text becomes the set of its word n-grams
(shingles), MinHash squeezes the set into a few numbers whose agreement estimates how much two sets
overlap (Broder 1997), and bands of them bring likely pairs together without comparing all with all
(Leskovec et al., Mining of Massive Datasets, 3.4).
"""

import hashlib
import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

PRIME = 2**31 - 1  # hashes are numbers below this prime; products of two fit 64 bits
WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    return WORD.findall(text.casefold())


# Copies --------------------------------------------------------------------------------------


def fingerprint(text: str) -> bytes:
    """The same for texts that differ only in case, spaces and punctuation, else different."""
    words = " ".join(words_of(text)) or text  # a text without a word stands for itself
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def exact_duplicates(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Groups of two or more texts that are copies of each other, each by its places in order."""
    places = defaultdict(list)
    for i, text in enumerate(texts):
        places[fingerprint(text)].append(i)
    return [tuple(group) for group in places.values() if len(group) > 1]


def shingles(text: str, size: int = 3) -> set[int]:
    """The hashes of all runs of `size` words; of a shorter text, of all its words together."""
    words = words_of(text)
    runs = {" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}
    return {zlib.crc32(run.encode("utf-8", "surrogatepass")) % PRIME for run in runs}


def jaccard(first: set, second: set) -> float:
    """How much two sets overlap: what both have, out of what either has."""
    return len(first & second) / len(first | second) if first or second else 1.0


@dataclass(frozen=True)
class MinHash:
    """`bands` times `rows` hash functions; texts whose rows agree in some band are compared.

    Two texts with overlap s meet with probability 1 - (1 - s^rows)^bands: `meet` draws that curve.
    """

    bands: int = 16
    rows: int = 4
    size: int = 3
    seed: int = 0

    def __post_init__(self):
        if min(self.bands, self.rows, self.size) < 1:
            raise ValueError("MinHash needs at least one band, one row, and one word a shingle.")

    @property
    def multipliers(self):  # -> (2, bands * rows)
        rng = np.random.default_rng(self.seed)
        return rng.integers(1, PRIME, (2, self.bands * self.rows), dtype=np.int64)

    def signature(self, text: str):  # -> (bands * rows,)
        """For each hash function the least hash of the text's shingles."""
        a, b = self.multipliers
        sets = np.array(sorted(shingles(text, self.size)), np.int64)
        return ((sets[:, None] * a + b) % PRIME).min(0)

    def meet(self, overlap: float) -> float:
        return 1 - (1 - overlap**self.rows) ** self.bands


@dataclass(frozen=True)
class NearPair:
    """Two texts by their places, the overlap of their shingles, and what MinHash took it for."""

    first: int
    second: int
    overlap: float
    estimate: float


def near_duplicates(
    texts: Sequence[str], threshold: float = 0.7, hashing: MinHash | None = None
) -> list[NearPair]:
    """Pairs with an overlap of at least `threshold`, largest first, all of them checked exactly.

    In each band a text is compared with the first that has the same rows there, so a group of
    copies gives its pairs with the first one; a pair that never meets is missed.
    """
    hashing = hashing or MinHash()
    signatures = [hashing.signature(text) for text in texts]
    candidates = set()
    for band in range(hashing.bands):
        rows, places = slice(band * hashing.rows, (band + 1) * hashing.rows), defaultdict(list)
        for i, signature in enumerate(signatures):
            places[signature[rows].tobytes()].append(i)
        for group in places.values():
            candidates |= {(group[0], other) for other in group[1:]}
    found = []
    for i, j in candidates:
        overlap = jaccard(shingles(texts[i], hashing.size), shingles(texts[j], hashing.size))
        if overlap >= threshold:
            estimate = float((signatures[i] == signatures[j]).mean())
            found.append(NearPair(i, j, overlap, estimate))
    return sorted(found, key=lambda pair: (-pair.overlap, pair.first, pair.second))


def without_duplicates(
    texts: Sequence[str], threshold: float = 0.7, hashing: MinHash | None = None
) -> list[int]:
    """The places of the texts to keep: the first of each group of copies, exact or near."""
    dropped = {i for group in exact_duplicates(texts) for i in group[1:]}
    dropped |= {max(p.first, p.second) for p in near_duplicates(texts, threshold, hashing)}
    return [i for i in range(len(texts)) if i not in dropped]


# Filters -------------------------------------------------------------------------------------


def word_share(text: str) -> float:
    """The share of characters that are letters, digits or spaces."""
    return sum(c.isalnum() or c.isspace() for c in text) / len(text) if text else 0.0


def repetition(text: str) -> float:
    """The share of words that the text's most frequent three-word run takes up."""
    words = words_of(text)
    if len(words) < 6:
        return 0.0
    ((_, most),) = Counter(zip(words, words[1:], words[2:], strict=False)).most_common(1)
    return 3 * most / len(words) if most > 1 else 0.0


@dataclass(frozen=True)
class Filter:
    """A rule with a name and a sentence; `keeps(text)` says whether a text may stay."""

    name: str
    summary: str
    keeps: Callable[[str], bool]


FILTERS = (
    Filter("length", "at least 5 words and at most 2,000", lambda t: 5 <= len(words_of(t)) <= 2000),
    Filter("symbols", "at least 85 % letters, digits and spaces", lambda t: word_share(t) >= 0.85),
    Filter("repetition", "no three words over and over", lambda t: repetition(t) < 0.3),
    Filter("readable", "no control characters, nothing that failed to decode",
           lambda t: not re.search("[\x00-\x08\x0e-\x1f\x7f\ufffd]", t)),
)  # fmt: skip


def sift(texts: Iterable[str], filters=FILTERS) -> tuple[list[str], Counter]:
    """The texts that every filter keeps, and how many were lost to which: the first to object."""
    kept, lost = [], Counter()
    for text in texts:
        objection = next((f.name for f in filters if not f.keeps(text)), None)
        if objection is None:
            kept.append(text)
        else:
            lost[objection] += 1
    return kept, lost


# Mixtures and splits -------------------------------------------------------------------------


def mixture(sizes: dict[str, int], temperature: float = 1.0) -> dict[str, float]:
    """How often to draw from each source: its size to the power 1 / temperature, adding up to 1.

    1 follows the sizes; larger is more even, so that small sources are read more often than once
    (Devlin's multilingual BERT; Xue et al. 2021, section 3.2).
    """
    if not sizes or min(sizes.values()) < 0 or not sum(sizes.values()) or not temperature > 0:
        raise ValueError("A mixture needs sizes of 0 or more, one above 0, and a temperature > 0.")
    powers = {name: size ** (1 / temperature) if size else 0.0 for name, size in sizes.items()}
    total = math.fsum(powers.values())
    return {name: power / total for name, power in powers.items()}


def mixed(
    sources: dict[str, Sequence[str]], shares: dict[str, float], rng: np.random.Generator
) -> Iterator[tuple[str, str]]:
    """An endless row of (source, text); a source is read through, shuffled, before it repeats."""
    names = [name for name, share in shares.items() if share > 0]
    empty = [name for name in names if not sources.get(name)]
    if empty:
        raise ValueError(f"The mixture wants texts from {empty[0]!r}, which has none.")
    chances = np.array([shares[name] for name in names])
    waiting: dict[str, list[int]] = {name: [] for name in names}
    while True:
        name = names[int(rng.choice(len(names), p=chances / chances.sum()))]
        if not waiting[name]:
            waiting[name] = rng.permutation(len(sources[name])).tolist()
        yield name, sources[name][waiting[name].pop()]


def split(texts: Sequence[str], held_out: float = 0.1) -> tuple[list[int], list[int]]:
    """Places of the texts to train on and of those kept out, decided by each text's fingerprint.

    So a text never changes sides when others come or go, and copies are all on one side. A corpus
    of two different texts or more gets at least one on each side.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"The share kept out is {held_out}, but must lie between 0 and 1.")
    marks = [int.from_bytes(fingerprint(text)[:8]) / 2**64 for text in texts]
    limit = held_out
    if len(set(marks)) > 1:
        limit = min(max(limit, np.nextafter(min(marks), 1)), max(marks))
    train = [i for i, mark in enumerate(marks) if mark >= limit]
    return train, [i for i, mark in enumerate(marks) if mark < limit]
