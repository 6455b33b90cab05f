"""Training data: documents packed into rows of tokens, with a mark on what is to be learned."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from microgpt.tokens.chat import BEGIN, END, PAD


class Batch(NamedTuple):
    """Inputs and targets (B, T); `weights` (B, T) sum to 1 over what is learned."""

    tokens: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def encode_documents(documents, tokenizer) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tokens of each document, `<|begin|>` first, and whether each is to be learned."""
    documents = list(documents)
    pieces = [piece for document in documents for piece in document.pieces]
    ids, offsets = tokenizer.encode_documents([p.text for p in pieces], allow_special=True)
    learn = np.repeat([p.learn for p in pieces], np.diff(offsets))
    ends = offsets[np.cumsum([0] + [len(d.pieces) for d in documents])]
    begin = tokenizer.specials[BEGIN]
    return [
        (np.append(begin, ids[a:b]), np.append(False, learn[a:b]))
        for a, b in pairwise(ends)
    ]


def replies_only(tokens, learn, tokenizer):
    """Learn only what the assistant says: after its role token, up to and with its end token."""
    marks = {tokenizer.specials[f"<|{role}|>"] for role in ("system", "user", "tool")}
    assistant, end = tokenizer.specials["<|assistant|>"], tokenizer.specials[END]
    speaking, mask = False, np.zeros(len(tokens), bool)
    for i, token in enumerate(tokens):
        mask[i] = speaking and learn[i]
        if token == assistant:
            speaking = True
        elif token == end or token in marks:
            speaking = False
    return tokens, mask


def pack(examples: Iterator, context: int, rows: int, pad: int, waiting=64):
    """Whole documents side by side in `rows` rows of `context` + 1 tokens: tokens, learn masks.

    Of the documents waiting, the longest that still fits comes next; what stays empty is padding.
    A document that is longer than a row is cut.
    """
    tokens = np.full((rows, context + 1), pad, np.int32)
    learn = np.zeros((rows, context + 1), bool)
    pool = sorted(islice(examples, waiting), key=lambda example: len(example[0]))
    for row in range(rows):
        filled = 0
        while filled <= context and pool:
            room = context + 1 - filled
            fits = sum(len(example[0]) <= room for example in pool)
            if not fits and filled:
                break
            ids, mask = pool.pop(fits - 1 if fits else 0)
            tokens[row, filled : filled + room][: len(ids)] = ids[:room]
            learn[row, filled : filled + room][: len(mask)] = mask[:room]
            filled += len(ids)
            for example in islice(examples, 1):
                place = sum(len(other[0]) < len(example[0]) for other in pool)
                pool.insert(place, example)
    return tokens, learn


def _examples(documents, tokenizer, only_replies):
    while chunk := list(islice(documents, 256)):
        for document, example in zip(chunk, encode_documents(chunk, tokenizer), strict=True):
            chat = only_replies and document.kind == "chat"
            yield replies_only(*example, tokenizer) if chat else example


def batches(
    write: Callable[[str], Iterable],
    tokenizer,
    context: int,
    batch: int,
    seed: str,
    start: int = 0,
    only_replies: bool = False,
    chunk: int = 32,
) -> Iterator[Batch]:
    """Batches `start`, `start` + 1, ... of an endless corpus.

    `write(seed)` gives documents; of chats, with `only_replies`, only what the assistant says is
    learned. Every `chunk` batches are drawn from a seed of their own, so a run that is resumed at
    any batch reads exactly what it would have read.
    """
    pad = tokenizer.specials[PAD]
    for number in range(start // chunk, 2**62):
        documents = iter(write(f"{seed}/{number}"))
        examples = _examples(documents, tokenizer, only_replies)
        tokens, learn = pack(examples, context, batch * chunk, pad)
        rng = np.random.default_rng(number)
        order = rng.permutation(batch * chunk)
        tokens, learn = tokens[order], learn[order]
        first = start - number * chunk if number == start // chunk else 0
        for i in range(first, chunk):
            rows = slice(i * batch, (i + 1) * batch)
            weights = learn[rows, 1:].astype(np.float32)
            weights /= max(1, weights.sum())
            yield Batch(tokens[rows, :-1], tokens[rows, 1:], weights)
