"""Training data out of any text: pieces, their tokens in one long row, and windows of that row.

A text of one's own has no documents. It is cut into pieces at blank lines, and a long paragraph at
spaces, so that copies can be found and some pieces can be kept out. `<|begin|>` and `<|end|>` stand
round each piece.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

from microgpt.tokens.chat import BEGIN, END
from microgpt.training.data import Batch

LARGEST = 5_000_000  # bytes
LEAST = 400  # characters
PIECE = 2_000  # characters of a piece, at most
PIECES = 20  # as many a text is to have at least, if it can be cut so
ODD = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


def read_text(data: bytes, name: str = "The text") -> str:
    """The text in a file of UTF-8. ValueError, a sentence, for what is none or is too much."""
    if len(data) > LARGEST:
        raise ValueError(
            f"{name} has {len(data):,} bytes; at most {LARGEST:,} are taken. Cut it, or choose a "
            "smaller one."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is no text in UTF-8: byte number {error.start:,} fits no character. Save it "
            "as plain text first."
        ) from None
    return check_text(text, name)


def check_text(text: str, name: str = "The text") -> str:
    """The same text. ValueError, a sentence, where nothing could be learned from it."""
    size = len(text.encode("utf-8", "replace"))
    if size > LARGEST:
        raise ValueError(f"{name} has {size:,} bytes; at most {LARGEST:,} are taken.")
    if len(ODD.findall(text)) > len(text) / 100:
        raise ValueError(f"{name} is full of control characters: it is no text.")
    if len(text.strip()) < LEAST:
        raise ValueError(
            f"{name} has {len(text.strip()):,} characters; a model needs at least {LEAST} to learn "
            "anything from, and some 100,000 to learn words."
        )
    return text


def pieces(text: str) -> list[str]:
    """The text cut at blank lines; what is too long for a piece is cut again, at a space if it has
    one. A short text gets shorter pieces, so that some can be kept out."""
    most = min(PIECE, max(80, len(text) // PIECES))
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n"))
    return [piece for paragraph in paragraphs for piece in cut(paragraph.strip(), most)]


def cut(text: str, most: int) -> Iterator[str]:
    start = 0
    while len(text) - start > most:
        space = text.rfind(" ", start + most // 2, start + most)
        end = space + 1 if space >= 0 else start + most
        yield text[start:end].rstrip()
        start = end
    if text[start:]:
        yield text[start:]


def row_of_tokens(texts: Sequence[str], tokenizer):  # -> (N,) uint16 or int32
    """All texts in one row of tokens, each between `<|begin|>` and `<|end|>`."""
    ids, offsets = tokenizer.encode_documents(texts)
    marks = np.tile([tokenizer.specials[BEGIN], tokenizer.specials[END]], len(texts))
    row = np.insert(ids, np.repeat(offsets, 2)[1:-1], marks)
    return row.astype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.int32)


def windows(row, context: int, batch: int, seed: int, start: int = 0) -> Iterator[Batch]:
    """Endless batches number `start`, ... of windows that begin anywhere in the row.

    ValueError where the row has no window of context + 1 tokens.
    """
    if len(row) <= context:
        raise ValueError(
            f"{len(row):,} tokens hold no window of {context} and the one that follows it."
        )
    for number in count(start):
        rng = np.random.default_rng([seed, number])
        yield batch_of(row, rng.integers(0, len(row) - context, batch), context)


def side_by_side(row, context: int, batch: int, most: int) -> list[Batch]:
    """At most `most` batches of windows that don't overlap, spread over the whole row: for
    measuring. A short row gives one batch with fewer windows."""
    starts = np.arange(0, len(row) - context, context)
    if len(starts) > most * batch:
        starts = starts[np.linspace(0, len(starts) - 1, most * batch).astype(int)]
    return [
        batch_of(row, starts[i : i + batch], context)
        for i in range(0, max(1, len(starts) - batch + 1), batch)
    ]


def batch_of(row, starts, context: int) -> Batch:
    rows = row[np.asarray(starts)[:, None] + np.arange(context + 1)].astype(np.int32)
    weights = np.full((len(starts), context), 1 / (len(starts) * context), np.float32)
    return Batch(rows[:, :-1], rows[:, 1:], weights)
