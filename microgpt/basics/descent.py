"""Gradient descent as steps: balls that feel the slope under them and move against it.

The optimizers and schedules are those that train the GPT. To them a ball on a map is a matrix of
parameters like any other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from microgpt.autograd import optim

OPTIMIZERS = {
    "SGD": optim.SGD,
    "Momentum": optim.Momentum,
    "RMSProp": optim.RMSProp,
    "Adam": partial(optim.AdamW, decay=0.0),
    "AdamW": optim.AdamW,
}
RATES = (
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0,
)  # fmt: skip
GONE = 1e30  # a height at which nothing is left to see


@dataclass(frozen=True)
class Step:
    """Where the balls are after `number` steps, and what they feel there."""

    number: int
    points: np.ndarray  # (B, 2)
    heights: np.ndarray  # (B)
    gradients: np.ndarray  # (B, 2), uphill


def descend(
    landscape,
    starts,  # (B, 2)
    optimizer,
    rate: Callable[[int], float | np.ndarray],
    steps: int,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Iterator[Step]:
    """Let balls roll for a number of steps; yields before the first and after every step.

    `rate(n)` is the learning rate of step n, one for all balls or one for each, (B, 1). With
    `noise` every step feels the gradient plus normal noise of that size from `rng`, the same
    for all balls: what a small batch does to the gradient. Ends early when every ball is gone.
    """
    points = np.array(starts, np.float64)
    for number in range(steps + 1):
        with np.errstate(all="ignore"):
            heights, gradients = landscape.measure(points)
        yield Step(number, points.copy(), heights, gradients)
        here = np.isfinite(heights) & (np.abs(heights) < GONE)
        if number == steps or not here.any():
            return
        felt = gradients + noise * rng.standard_normal(2) if noise else gradients
        with np.errstate(all="ignore"):
            optimizer.update({"points": points}, {"points": felt}, rate(number))


def constant(peak, steps: int) -> Callable:
    """The same learning rate at every step."""
    return partial(optim.constant, peak=peak)


def warmup_cosine(peak, steps: int) -> Callable:
    """Up in a line for a tenth of the run, then down along half a cosine to a hundredth."""
    return partial(
        optim.warmup_cosine, peak=peak, total=steps, warmup=max(1, steps // 10), floor=0.01
    )


SCHEDULES = {"Constant": constant, "Warm-up and cosine": warmup_cosine}


@dataclass(frozen=True)
class Run:
    """One ball's way down: N steps and the place where it started."""

    points: np.ndarray  # (N + 1, 2)
    heights: np.ndarray  # (N + 1)
    gradients: np.ndarray  # (N + 1, 2)

    @property
    def gone(self) -> bool:
        """Whether the ball left for good: its last height is no number, or absurd."""
        return not abs(self.heights[-1]) < GONE


def run(landscape, start, optimizer, rate, steps, noise=0.0, rng=None) -> Run:
    """One ball, all its steps at once."""
    walked = list(descend(landscape, [start], optimizer, rate, steps, noise, rng))
    parts = ([getattr(step, name)[0] for step in walked] for name in
             ("points", "heights", "gradients"))  # fmt: skip
    return Run(*map(np.array, parts))


def arrivals(points, minima, near):  # (N, ..., 2), [(x, y)], float -> (...)
    """The step from which on a ball stays within `near` of a minimum; -1 if it never does."""
    with np.errstate(all="ignore"):
        to_each = np.stack([np.hypot(*np.moveaxis(points - np.array(m), -1, 0)) for m in minima])
        inside = to_each.min(axis=0) <= near  # NaN counts as outside
    stays = np.logical_and.accumulate(inside[::-1], axis=0)[::-1]
    return np.where(stays.any(axis=0), stays.argmax(axis=0), -1)


# --- The race --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Racer:
    """One optimizer, its learning rate, its way down, and the step from which on it stays near
    a minimum; None if it does not get there."""

    name: str
    rate: float
    run: Run
    arrived: int | None


def ring(landscape, count=12):  # -> (count, 2)
    """Starting points all around the map, on which rates are tried out."""
    angles = 2 * np.pi * (np.arange(count) + 0.5) / count
    return 0.8 * landscape.half * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def best_rate(landscape, name, steps, near, schedule=constant, noise=0.0, seed=0) -> float:
    """The one of `RATES` that suits an optimizer best on a landscape.

    Every rate is tried from every point of the `ring`, all at once. Best is the rate with which
    the most balls arrive, and of those the one that takes the fewest steps; where no ball
    arrives, the one that ends lowest.
    """
    starts, rates = ring(landscape), np.array(RATES)
    balls = np.tile(starts, (len(rates), 1))
    rate = schedule(np.repeat(rates, len(starts))[:, None], steps)
    optimizer, rng = OPTIMIZERS[name](), np.random.default_rng(seed)
    walked = list(descend(landscape, balls, optimizer, rate, steps, noise, rng))
    points = np.stack([step.points for step in walked])
    arrived = arrivals(points, landscape.minima, near).reshape(len(rates), -1)
    last = np.where(np.isfinite(walked[-1].heights), walked[-1].heights, np.inf)
    ends = last.reshape(len(rates), -1).mean(axis=1)
    taken = np.where(arrived >= 0, arrived, 0).sum(axis=1) / np.maximum(1, (arrived >= 0).sum(1))
    order = np.lexsort((ends, taken, -(arrived >= 0).sum(axis=1)))
    return RATES[order[0]]


def race(landscape, start, rates, steps, near, schedule=constant, noise=0.0, seed=0):
    """Every optimizer from one start, each at its rate in `rates`: a list of `Racer`s.

    With noise all feel the same noise.
    """
    racers = []
    for name, make in OPTIMIZERS.items():
        rng = np.random.default_rng(seed)
        way = run(landscape, start, make(), schedule(rates[name], steps), steps, noise, rng)
        arrived = int(arrivals(way.points, landscape.minima, near))
        racers.append(Racer(name, rates[name], way, arrived if arrived >= 0 else None))
    return racers
