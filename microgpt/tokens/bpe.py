"""Byte-pair encoding (Sennrich et al. 2016), on bytes (Radford et al. 2019), step by step.

Training: start from the 256 bytes; find the pair of neighbors seen most often; make it a new
token; repeat. Encoding: take the bytes of a word and apply the same merges, the oldest first.
`train_steps` and `encode_steps` do just that and show every step; `train` and `Tokenizer.encode`
do the same in Numba and come to the same merges and ids.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

from microgpt.tokens import kernels
from microgpt.tokens.learning import learn
from microgpt.tokens.patterns import split
from microgpt.tokens.tokenizer import MOST_IDS, StreamDecoder, Tokenizer, cut_words, to_bytes

__all__ = [
    "SPECIALS", "EncodeStep", "Merge", "StreamDecoder", "Tokenizer", "count_pairs", "encode",
    "encode_steps", "merge_pair", "train", "train_steps",
]  # fmt: skip

Pair = tuple[int, int]

SPECIALS = (
    "<|begin|>", "<|end|>", "<|pad|>", "<|system|>",
    "<|user|>", "<|assistant|>", "<|tool|>", "<|calculate|>",
)  # fmt: skip

LARGEST_TEXT = 2**31 // 3  # bytes: `learn` counts places, at most three a byte, in 32 bits


@dataclass(frozen=True)
class Merge:
    """One step of training: the pair that won, and what the step did."""

    rank: int  # 0 for the first merge
    pair: Pair  # the two ids that become one
    token: int  # the new id
    token_bytes: bytes
    count: int  # how often the pair stood in the text
    candidates: tuple[tuple[Pair, int], ...]  # the most frequent pairs, best first
    changed: tuple[tuple[tuple[int, ...], tuple[int, ...], int], ...]  # word before, after, count
    tokens: int  # length of the text in tokens after the step


@dataclass(frozen=True)
class EncodeStep:
    """One step of encoding a word: the merge applied, and the ids after it."""

    rank: int
    pair: Pair
    token: int
    position: int  # where in the word, in tokens
    ids: tuple[int, ...]


def train_steps(
    text: str | Iterable[str],
    vocab_size: int,
    pattern: str = "digits",
    specials: Sequence[str] = SPECIALS,
    candidates: int = 10,
) -> Iterator[Merge]:
    """Learn byte-pair merges from a text, or several, step by step; `train` gives the same merges.

    The pair with the highest count wins; among equals the one with the smallest first id, then
    the smallest second id. Every pair of neighbors counts, also where two overlap ("aaa" has
    "aa" twice), but merging goes from left to right ("aaa" becomes "aa", "a"). What reads like a
    special token is left out, since no merge will ever meet it. Ends at `vocab_size` (256 bytes +
    merges + specials), or sooner when no word has two tokens left. ValueError if there is no room.
    """
    merges = merges_wanted(vocab_size, specials)
    words = Counter(
        tuple(word.encode())
        for part in plain_parts(text, specials)
        for word in split(part, pattern)
    )
    vocabulary = {byte: bytes([byte]) for byte in range(256)}
    for rank in range(merges):
        pairs = count_pairs(words)
        if not pairs:
            return
        ranking = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
        pair, count = ranking[0]
        token = 256 + rank
        vocabulary[token] = vocabulary[pair[0]] + vocabulary[pair[1]]
        merged, changed = Counter(), []
        for word, times in words.items():
            new_word = merge_pair(word, pair, token)
            merged[new_word] += times
            if new_word != word:
                changed.append((word, new_word, times))
        words = merged
        yield Merge(
            rank, pair, token, vocabulary[token], count, tuple(ranking[:candidates]),
            tuple(changed), sum(len(word) * times for word, times in words.items()),
        )  # fmt: skip


def plain_parts(text: str | Iterable[str], specials: Sequence[str]) -> Iterator[str]:
    """The texts, cut at whatever reads like a special token."""
    longest_first = sorted(specials, key=len, reverse=True)
    special = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
    for one in [text] if isinstance(text, str) else text:
        yield from special.split(to_bytes(one).decode())


def count_pairs(words: Mapping[tuple[int, ...], int]) -> Counter[Pair]:
    """How often each pair of neighboring ids stands in the words, each word counted its times."""
    pairs = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            pairs[pair] += times
    return pairs


def merge_pair(word: Sequence[int], pair: Pair, token: int) -> tuple[int, ...]:
    """Write `token` for every `pair` in `word`, from left to right."""
    merged, i = [], 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            merged.append(token)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)


def encode_steps(word: str, tokenizer: Tokenizer) -> Iterator[EncodeStep]:
    """Encode one word (no cuts are made) merge by merge: the lowest rank first, left to right."""
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(tokenizer.merges)}
    ids = [tokenizer.byte_ids[byte] for byte in to_bytes(word)]  # -1 for a byte without an id
    while True:
        known = [(ranks[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in ranks]
        if not known:
            return
        rank, i = min(known)
        pair, token = (ids[i], ids[i + 1]), tokenizer.merges[rank][2]
        ids[i : i + 2] = [token]
        yield EncodeStep(rank, pair, token, i, tuple(ids))


def encode(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a plain text, word by word: the readable twin of `Tokenizer.encode`, which needs
    no compiler. Every byte must have an id, as in the vocabularies trained here."""
    ids = []
    for word in split(to_bytes(text).decode(), tokenizer.pattern):
        word_ids = [tokenizer.byte_ids[byte] for byte in to_bytes(word)]
        for step in encode_steps(word, tokenizer):
            word_ids = step.ids
        ids.extend(word_ids)
    return ids


def merges_wanted(vocab_size: int, specials: Sequence[str]) -> int:
    """How many merges fit into a vocabulary beside the bytes and the specials."""
    if not all(isinstance(name, str) and name for name in specials):
        raise ValueError("A special token must be a text, and not empty.")
    if len(set(specials)) < len(specials):
        raise ValueError("Two special tokens have the same text; each must differ.")
    least, most = 256 + len(specials), MOST_IDS
    if not isinstance(vocab_size, Integral) or not least <= vocab_size <= most:
        raise ValueError(
            f"A vocabulary of {vocab_size} does not work: 256 bytes and {len(specials)} special "
            f"tokens need at least {least}, and {most} is the most there can be."
        )
    return int(vocab_size) - least


def train(
    text: str | Iterable[str],
    vocab_size: int,
    pattern: str = "digits",
    specials: Sequence[str] = SPECIALS,
) -> Tokenizer:
    """A tokenizer trained on a text, or several: the merges of `train_steps`, found by Numba.

    Merges get the ids from 256 on, then come the specials in their order. `vocab_size` is not
    reached where the text has too few pairs to merge. ValueError if it is too small.
    """
    wanted = merges_wanted(vocab_size, specials)
    texts = [text] if isinstance(text, str) else text
    words = cut_words(texts, pattern, dict.fromkeys(specials, 0))
    if len(words.data) > LARGEST_TEXT:
        raise ValueError(f"A text to train on has at most {LARGEST_TEXT} bytes: take a sample.")
    counted = kernels.count_words(words.eights, words.segments, words.ends)
    pairs = learn(words.data, counted, wanted).tolist()
    merges = [(left, right, 256 + rank) for rank, (left, right) in enumerate(pairs)]
    first = 256 + len(merges)
    return Tokenizer(merges, pattern, {name: first + i for i, name in enumerate(specials)})
