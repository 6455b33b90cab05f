"""Sampling: from the model's scores to one drawn token.

The filters run in a fixed order, each on what the one before left:

1. repetition penalty, on the raw scores, because there its definition lives;
2. temperature, before every cut, because top-p and min-p look at probabilities: a hotter
   distribution is flatter, so more tokens pass;
3. top-k, the cheap cut by rank, so that
4. top-p adds up a list that is already short and already renormalized;
5. min-p, relative to the most likely token, which no cut removes;
6. the softmax of what is left, which renormalizes: the probabilities add up to 1 again.

A cut sets scores to -inf. No filter ever removes the most likely token, so at least one remains.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


def _check(name, value, allowed, fine):
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not fine(value):
        raise ValueError(f"{name} is {value!r}, but must be {allowed}.")


@dataclass(frozen=True)
class Sampling:
    """How to choose the next token. The defaults draw from the model's own distribution.

    `temperature` divides the scores (0: always the best token; below 1 sharper, above 1 flatter).
    `top_k` keeps the k best tokens (0: all). `top_p` keeps the fewest tokens that hold this much
    probability (1: all). `min_p` keeps tokens at least this likely relative to the best (0: all).
    `repetition_penalty` above 1 lowers the score of tokens that were already there (1: off).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self):
        whole = "a whole number from 0 (off) up"
        _check("temperature", self.temperature, "a number from 0 up", lambda t: t >= 0)
        _check("top_k", self.top_k, whole, lambda k: k >= 0 and k == int(k))
        _check("top_p", self.top_p, "above 0 and at most 1 (off)", lambda p: 0 < p <= 1)
        _check("min_p", self.min_p, "between 0 (off) and 1", lambda p: 0 <= p <= 1)
        penalty = self.repetition_penalty
        _check("repetition_penalty", penalty, "0.01 to 100 (1 is off)", lambda r: 0.01 <= r <= 100)


GREEDY = Sampling(temperature=0.0)


@dataclass(frozen=True)
class Stage:
    """The scores after one filter and the distribution they give; `active` if it was switched on.

    `logits` and `probabilities` are (V,) float64; a token that was cut has logit -inf.
    """

    name: str
    logits: np.ndarray
    probabilities: np.ndarray
    active: bool

    @property
    def kept(self) -> int:
        """How many tokens can still be drawn."""
        return int(np.isfinite(self.logits).sum())


def softmax(logits):  # (V,) -> (V,)
    """Probabilities in proportion to exp(logit); the peak is subtracted so that none overflows."""
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def penalize(logits, previous, penalty):  # (V,) -> (V,)
    """Make tokens that occurred before less likely (CTRL, Keskar et al. 2019, section 4.1).

    Positive scores are divided by the penalty and negative ones multiplied, so both fall.
    """
    seen = np.unique(np.asarray(previous, dtype=np.int64))
    out = logits.copy()
    out[seen] = np.where(out[seen] > 0, out[seen] / penalty, out[seen] * penalty)
    return out


def heat(logits, temperature):  # (V,) -> (V,)
    """Divide by the temperature; 0 leaves the best token alone, the lowest id of equal ones."""
    if temperature == 0:
        return only(logits, [np.argmax(logits)])
    with np.errstate(over="ignore"):
        scaled = logits / temperature
        if not np.isfinite(scaled.max()):  # a tiny temperature: shift first, which changes nothing
            scaled = (logits - logits.max()) / temperature
    return scaled


def only(logits, ids):  # (V,) -> (V,)
    """Cut every token but these."""
    out = np.full_like(logits, -np.inf)
    out[ids] = logits[ids]
    return out


def cut_top_k(logits, k):  # (V,) -> (V,)
    """Keep the k best (Fan et al. 2018); among equal scores at the edge the lowest ids."""
    if k >= len(logits):
        return logits
    edge = np.partition(logits, -k)[-k]
    above, equal = np.flatnonzero(logits > edge), np.flatnonzero(logits == edge)
    return only(logits, np.concatenate([above, equal[: k - len(above)]]))


def cut_top_p(logits, p):  # (V,) -> (V,)
    """Keep the fewest best tokens that together reach p (nucleus, Holtzman et al. 2020).

    The token that crosses p is kept, so at least one always is.
    """
    candidates = np.flatnonzero(np.isfinite(logits))
    ranked = candidates[np.argsort(-logits[candidates], kind="stable")]
    probabilities = softmax(logits[ranked])
    before = np.cumsum(probabilities) - probabilities  # held by the better ones
    before[0] = 0
    return only(logits, ranked[before < p])


def cut_min_p(logits, p):  # (V,) -> (V,)
    """Keep tokens at least p times as likely as the best (min-p, Nguyen et al. 2024)."""
    if p == 0:
        return logits
    return only(logits, np.flatnonzero(logits - logits.max() >= math.log(p)))


def filters(logits, sampling, previous=()) -> Iterator[tuple[str, np.ndarray, bool]]:
    """The scores after each filter in turn: (name, (V,) logits, whether it was switched on)."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 1 or np.isnan(logits).any() or not np.isfinite(logits.max(initial=-np.inf)):
        raise ValueError(
            "Sampling takes one row of scores, none of them nan or +inf and at least one above "
            f"-inf, but got shape {logits.shape} with maximum {logits.max(initial=-np.inf)}."
        )
    s = sampling
    yield "scores", logits, True
    penalized = s.repetition_penalty != 1 and len(previous) > 0
    if penalized:
        logits = penalize(logits, previous, s.repetition_penalty)
    yield "repetition penalty", logits, penalized
    if s.temperature != 1:
        logits = heat(logits, s.temperature)
    yield "temperature", logits, s.temperature != 1
    if s.top_k:
        logits = cut_top_k(logits, int(s.top_k))
    yield "top-k", logits, s.top_k > 0
    if s.top_p < 1:
        logits = cut_top_p(logits, s.top_p)
    yield "top-p", logits, s.top_p < 1
    logits = cut_min_p(logits, s.min_p)
    yield "min-p", logits, s.min_p > 0


def stages(logits, sampling, previous=()) -> list[Stage]:
    """Every filter's scores and renormalized probabilities, in order, for looking at.

    `previous` are the ids of the tokens so far, which the repetition penalty needs.
    """
    return [
        Stage(name, scores, softmax(scores), active)
        for name, scores, active in filters(logits, sampling, previous)
    ]


def distribution(logits, sampling, previous=()):  # (V,) -> (V,)
    """The probabilities that a token is drawn from: those of the last of the `stages`."""
    for _, scores, _ in filters(logits, sampling, previous):
        last = scores
    return softmax(last)


def draw(probabilities, rng: np.random.Generator) -> int:
    """Draw one id, using one uniform number: where it falls among the running sums."""
    sums = np.cumsum(probabilities)
    if not sums[-1] > 0:
        raise ValueError("Nothing can be drawn: the probabilities add up to nothing.")
    drawn = np.searchsorted(sums, rng.random() * sums[-1], side="right")
    return int(min(drawn, np.flatnonzero(probabilities)[-1]))  # rounding never leaves the list


def entropy(probabilities, unit: str = "bits") -> float:
    """The surprise to expect, -sum p log p: in "bits" (log 2) or "nats" (natural log)."""
    if unit not in ("bits", "nats"):
        raise ValueError(f'Entropy comes in "bits" or "nats", not {unit!r}.')
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0]
    nats = max(0.0, float(-(p * np.log(p)).sum()))
    return nats / math.log(2) if unit == "bits" else nats
