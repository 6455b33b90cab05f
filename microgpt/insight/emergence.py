"""Copying out of the context, measured four ways at once: is a jump in the model or in the measure?

A hard measure can jump where a soft one creeps: if a token is right with probability p, then eight
in a row are with about p to the eighth (Schaeffer et al. 2023). So all are taken from one and the
same pass over random words that come twice (`heads.repeated_tokens`).
"""

from dataclasses import dataclass

import numpy as np

from microgpt.autograd.ops import softmax
from microgpt.insight.heads import SEED, repeated_tokens
from microgpt.model.gpt import gpt

ROW = 8  # words in a row, for the hardest measure


@dataclass(frozen=True)
class Copying:
    """`surprise` is the mean loss in nats on the repeated words, `chance` the mean probability of
    the right one, `right` how often it is the best guess, `in_a_row` how often that is so for
    eight words one after another. `first` is the surprise at the first reading, where nothing can
    be known: what the model has learned besides.
    """

    surprise: float
    chance: float
    right: float
    in_a_row: float
    first: float


def copying(model, rows: int = 32, seed: int = SEED) -> Copying:
    tokens = repeated_tokens(model, np.random.default_rng(seed), rows)
    length = (tokens.shape[1] - 1) // 2
    chances = softmax(gpt(model.params, tokens, model.config)[:, :-1].astype(np.float64))
    of_next = np.take_along_axis(chances, tokens[:, 1:, None], -1)[..., 0]  # (rows, 2 N)
    again = of_next[:, length + 2 :]
    right = chances[:, length + 2 :].argmax(-1) == tokens[:, length + 3 :]
    runs = np.lib.stride_tricks.sliding_window_view(right, ROW, axis=1).all(-1)
    return Copying(
        float(-np.log(again).mean()), float(again.mean()), float(right.mean()),
        float(runs.mean()), float(-np.log(of_next[:, :length]).mean()),
    )  # fmt: skip


def steepest(values) -> int:
    """The place i whose step from i - 1 to i moves most; values are in the order of training."""
    return 1 + int(np.abs(np.diff(np.asarray(values, float))).argmax())


def share_in_one_step(values) -> float:
    """How much of the whole way from least to most is gone in the largest single step."""
    values = np.asarray(values, float)
    way = values.max() - values.min()
    return float(np.abs(np.diff(values)).max() / way) if way > 0 else 0.0
