"""What the tiny world is written on: a document is a row of pieces.

The text of a piece may hold the special strings of the chat template, for the world is trusted.
`<|begin|>` is left to whoever packs the documents; the closing `<|end|>` is already there.
"""

import re
from typing import NamedTuple

END = "<|end|>"
SYSTEM, USER, ASSISTANT, TOOL = "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"
CALCULATE = "<|calculate|>"

_TOKENLIKE = re.compile(r"<\|\w+\|>| ?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+|\s")


class Piece(NamedTuple):
    """A stretch of text; the training loss is taken on it only where `learn` is True."""

    text: str
    learn: bool = True


class Document(NamedTuple):
    """One text of the corpus: its kind (a key of the mix) and its pieces."""

    kind: str
    pieces: tuple[Piece, ...]

    @property
    def text(self):
        return "".join(piece.text for piece in self.pieces)


def given(text):
    """Random content nobody could predict (a list, a problem): read, but not learned."""
    return Piece(text, False)


def plain(text):  # str -> tuple of one piece that ends the document
    return (Piece(text + END),)


def message(role, text):
    return f"{role}{text}{END}"


def estimated_tokens(text):
    """Tokens of `text`, if every word, digit and run of punctuation is one (before any BPE)."""
    return len(_TOKENLIKE.findall(text))
