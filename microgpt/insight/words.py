"""Words that belong together, for looking at an embedding table from outside."""

from collections.abc import Iterable

import numpy as np

from microgpt.insight.embeddings import unit_rows
from microgpt.tokens.tokenizer import Tokenizer
from microgpt.world import lexicon

GROUPS = {
    "animals": lexicon.ANIMALS,
    "colors": lexicon.COLORS,
    "foods": lexicon.FOODS,
    "feelings": lexicon.FEELINGS,
    "places": tuple(lexicon.PLACES),
    "people": ("man", "woman", "boy", "girl", "king", "queen", *lexicon.JOBS),
    "names": lexicon.NAMES,
    "digits": tuple("0123456789"),
}
GENDER = (("king", "queen"), ("man", "woman"), ("boy", "girl"), ("he", "she"), ("his", "her"))
ROUND = 64  # questions answered in one product
OPPOSITES = tuple(lexicon.OPPOSITES.items())


def single_token(tokenizer: Tokenizer, word: str) -> int | None:
    """The id of a word that is one token, with a space before it if need be; None if it is not."""
    for text in (f" {word}", word):
        ids = tokenizer.encode(text)
        if len(ids) == 1:
            return ids[0]
    return None


def grouped_tokens(tokenizer: Tokenizer) -> list[tuple[int, str]]:
    """(id, group) of every word of `GROUPS` that is one token, each id once."""
    found = {}
    for group, words in GROUPS.items():
        for word in words:
            token = single_token(tokenizer, word)
            if token is not None:
                found.setdefault(token, group)
    return list(found.items())


def analogy_score(table, tokenizer: Tokenizer, pairs: Iterable[tuple[str, str]]):
    """How often b - a + c has d as its nearest row, over all two pairs a : b = c : d: (right,
    asked). As in `embeddings.analogy` a, b and c are passed over. Pairs with a word that is not
    one token are left out."""
    tokens = [tuple(single_token(tokenizer, word) for word in pair) for pair in pairs]
    tokens = [pair for pair in tokens if None not in pair]
    asked = [(a, b, c, d) for a, b in tokens for c, d in tokens if len({a, b, c, d}) == 4]
    units, right = unit_rows(table), 0
    for start in range(0, len(asked), ROUND):
        a, b, c, d = np.array(asked[start : start + ROUND]).T
        likeness = (table[b] - table[a] + table[c]) @ units.T  # (questions, N)
        for given in (a, b, c):
            likeness[np.arange(len(given)), given] = -np.inf
        right += int((likeness.argmax(1) == d).sum())
    return right, len(asked)
