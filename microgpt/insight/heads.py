"""What a head is for: scores that find the kinds of heads that many models have, and their worth.

A head is looked at while the model reads random words that come twice (`repeated_tokens`): where
nothing but copying can predict, a head that copies has nothing to hide behind.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microgpt.decoding.decoders import weights_of
from microgpt.decoding.evaluate import word_tokens
from microgpt.model.gpt import gpt
from microgpt.tokens.chat import begin_of

SEED = 4242  # of the random words: no training run uses it
CERTAIN = 0.7  # a score from which a head is named after its kind without a grain of salt


def previous_token(length: int):
    """Query and key positions of "one step back", everywhere."""
    queries = np.arange(1, 2 * length + 1)
    return queries, queries - 1


def first_token(length: int):
    """"All the way back to the first token", from the fourth token after it on."""
    queries = np.arange(4, 2 * length + 1)
    return queries, np.zeros_like(queries)


def duplicate_token(length: int):
    """"Where the same token stood before": N back, in the repetition."""
    queries = np.arange(length + 1, 2 * length + 1)
    return queries, queries - length


def induction(length: int):
    """"What came after the same token before": N - 1 back, in the repetition."""
    queries = np.arange(length + 1, 2 * length)
    return queries, queries - length + 1


KINDS: dict[str, Callable] = {  # after Elhage et al. 2021 and Olsson et al. 2022
    "previous token": previous_token,
    "first token": first_token,
    "duplicate token": duplicate_token,
    "induction": induction,
}


@dataclass(frozen=True)
class HeadScore:
    """How far one head is of one kind; layer and head count from 0.

    `score` is its mean weight on the place that the kind names, `spread` the standard deviation
    of that mean from one row of words to another, `first` the share of places where no other
    token got more.
    """

    layer: int
    head: int
    score: float
    spread: float
    first: float


def repeated_tokens(model, rng: np.random.Generator, rows: int = 16):  # -> (rows, 1 + 2 N)
    """<|begin|>, N random words, and the same N words again: nothing but copying predicts them.

    The words are those of the tiny world that are one token; for a tokenizer that has too few of
    them, any tokens that are not special.
    """
    tokenizer = model.tokenizer
    length = min(24, (model.config.context - 1) // 2)
    words = word_tokens(tokenizer, 2 * length)
    half = np.array([rng.choice(words, length, len(words) < length) for _ in range(rows)])
    begin = np.full((rows, 1), begin_of(tokenizer))
    return np.concatenate([begin, half, half], axis=1)


def attention_weights(model, tokens, edit=None):  # (B, T) -> (B, L, H, T, T), logits (B, T, V)
    """All attention weights of one pass, and its logits.

    Layers without attention, as a state space model has, count as layers that look nowhere.
    """
    tokens = np.asarray(tokens)
    config, (B, T) = model.config, tokens.shape
    found = np.zeros((B, config.layers, config.heads, T, T), np.float32)

    def record(name, value):
        if name.endswith("attention.weights"):
            found[:, int(name.split(".")[1])] = value

    logits = gpt(weights_of(model), tokens, config, record=record, edit=edit)
    return found, logits


def score_heads(model, seed: int = SEED, rows: int = 16) -> dict[str, list[HeadScore]]:
    """Every head's score as each kind, the best first."""
    tokens = repeated_tokens(model, np.random.default_rng(seed), rows)
    weights, _ = attention_weights(model, tokens)
    length = (tokens.shape[1] - 1) // 2
    return {kind: ranking(weights, *places(length)) for kind, places in KINDS.items()}


def ranking(weights, queries, keys) -> list[HeadScore]:  # (B, L, H, T, T)
    """Heads by their mean weight from each of `queries` (N,) to its one of `keys` (N,)."""
    looked = weights[:, :, :, queries]  # (B, L, H, N, T)
    on_target = looked[:, :, :, np.arange(len(keys)), keys]  # (B, L, H, N)
    rows = on_target.mean(3)
    first = (on_target >= looked.max(-1)).mean((0, 3))
    scores = [
        HeadScore(
            layer, head, float(rows[:, layer, head].mean()), float(rows[:, layer, head].std()),
            float(first[layer, head]),
        )
        for layer, head in np.ndindex(rows.shape[1:])
    ]  # fmt: skip
    return sorted(scores, key=lambda s: (-s.score, s.layer, s.head))


def copying(model, edit=None, seed: int = SEED) -> float:
    """How often the best guess in the repetition is right, from the third word on."""
    tokens = repeated_tokens(model, np.random.default_rng(seed))
    length = (tokens.shape[1] - 1) // 2
    logits = gpt(model.params, tokens, model.config, edit=edit)
    guesses = logits[:, length + 2 : -1].argmax(-1)
    return float((guesses == tokens[:, length + 3 :]).mean())


def summary(model, seed: int = SEED) -> dict:
    """What a card says: how well a model copies, its best previous-token and induction heads
    (None where no layer attends)."""
    report = {"copying": round(copying(model, seed=seed), 4)}
    scores = score_heads(model, seed)
    for kind in ("previous token", "induction"):
        best = scores[kind][0]
        attends = bool(model.config.layers_of("attention"))
        report[kind.replace(" ", "_")] = None if not attends else {
            "layer": best.layer, "head": best.head, "score": round(best.score, 4),
        }  # fmt: skip
    return report
