"""A law through the points of the ladder: what the next size will reach, and how sure that is.

L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, eq. 2): E is what no model can know,
the second term what the model is too small for, the third what it had too little text for. For
given exponents the rest is a straight least-squares problem; the exponents are searched on a grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microgpt.training.scaling import Point

EXPONENTS = np.linspace(0.05, 1.5, 59)
RESAMPLES = 200


@dataclass(frozen=True)
class Law:
    """The five numbers of the law; losses are in nats a token."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, N, D):
        return self.E + self.A / np.power(N, self.alpha) + self.B / np.power(D, self.beta)

    def best_size(self, compute):
        """The N that spends C = 6 N D best, where the two shortfalls fall equally fast (eq. 4)."""
        share = 1 / (self.alpha + self.beta)
        factor = (self.alpha * self.A / (self.beta * self.B)) ** share
        return factor * (np.asarray(compute) / 6) ** (self.beta * share)


@dataclass(frozen=True)
class Fit:
    """The law, its exponents' 90 % intervals over resampled residuals, and the typical error of a
    point, relative to its loss. Points of one run go up and down together, so the intervals are
    rather too narrow than too wide."""

    law: Law
    alpha: tuple[float, float]
    beta: tuple[float, float]
    error: float
    resampled: tuple[Law, ...]


@dataclass(frozen=True)
class Forecast:
    """What the law says about a run, the 90 % interval, and what came out."""

    point: Point
    predicted: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        return self.low <= self.point.loss <= self.high


@dataclass(frozen=True, eq=False)
class Grid:
    """What fitting these sizes and lengths again and again can share: for every pair of exponents
    the three columns of the least-squares problem, and their products with each other."""

    alpha: np.ndarray  # (G,)
    beta: np.ndarray  # (G,)
    columns: np.ndarray  # (G, 3, points)
    products: np.ndarray  # (G, 3, 3, points)
    middle: tuple[float, float]


def grid_of(N, D) -> Grid:
    alpha, beta = (grid.ravel() for grid in np.meshgrid(EXPONENTS, EXPONENTS))
    # Sizes are measured from their middle, so that no column is a million times another.
    middle = float(np.exp(np.log(N).mean())), float(np.exp(np.log(D).mean()))
    columns = np.stack([
        np.ones((len(alpha), len(N))), (N / middle[0]) ** -alpha[:, None],
        (D / middle[1]) ** -beta[:, None],
    ], axis=1)  # fmt: skip
    return Grid(alpha, beta, columns, columns[:, :, None] * columns[:, None], middle)


def fit_losses(grid: Grid, losses) -> Law:
    """Least squares of the relative error over E, A, B >= 0 and a grid of exponents."""
    gram = grid.products @ losses**-2  # (G, 3, 3)
    wanted = grid.columns @ (1 / losses)  # (G, 3): relative losses are all 1
    factors = np.linalg.solve(gram + 1e-9 * np.eye(3), wanted[..., None])[..., 0]
    error = ((gram @ factors[..., None])[..., 0] * factors).sum(1) - 2 * (wanted * factors).sum(1)
    allowed = (factors >= 0).all(1)
    if not allowed.any():
        raise ValueError("No law with positive terms fits these losses: do they fall at all?")
    best = int(np.where(allowed, error, np.inf).argmin())
    E, A, B = factors[best]
    a, b = float(grid.alpha[best]), float(grid.beta[best])
    return Law(float(E), float(A * grid.middle[0] ** a), float(B * grid.middle[1] ** b), a, b)


def fit(points: Sequence[Point], rng: np.random.Generator, resamples: int = RESAMPLES) -> Fit:
    """The law through these points, and how much it moves when their residuals are shuffled.

    ValueError with fewer than three sizes or three lengths: five numbers need that much.
    """
    N, D = (np.array([getattr(p, name) for p in points], float) for name in "ND")
    losses = np.array([p.loss for p in points])
    if len(set(N)) < 3 or len(set(D)) < 3:
        raise ValueError(
            f"A law needs points of at least three sizes and three lengths, "
            f"but there are {len(set(N))} and {len(set(D))}."
        )
    grid = grid_of(N, D)
    law = fit_losses(grid, losses)
    fitted = law.loss(N, D)
    # Five numbers were fitted to them, so residuals are smaller than the noise was.
    residuals = 1 + (losses / fitted - 1) * np.sqrt(len(losses) / max(1, len(losses) - 5))
    resampled = tuple(
        fit_losses(grid, fitted * rng.choice(residuals, len(residuals))) for _ in range(resamples)
    )

    def interval(name):
        low, high = np.quantile([getattr(other, name) for other in resampled], [0.05, 0.95])
        return float(low), float(high)

    error = float(np.sqrt(((residuals - 1) ** 2).mean()))
    return Fit(law, interval("alpha"), interval("beta"), error, resampled)


def foretell(fitted: Fit, point: Point, rng: np.random.Generator) -> Forecast:
    """What the law says about a run that it has not seen, with the noise of a single run in it."""
    losses = np.array([law.loss(point.N, point.D) for law in fitted.resampled])
    noise = 1 + fitted.error * rng.standard_normal((20, len(losses)))
    low, high = np.quantile(losses * noise, [0.05, 0.95])
    return Forecast(point, float(fitted.law.loss(point.N, point.D)), float(low), float(high))


@dataclass(frozen=True)
class Optimum:
    """For one amount of compute, in floating-point operations: the best of the sizes that were
    run, its tokens and its loss."""

    compute: float
    name: str
    N: int
    D: float
    loss: float


def frontier(points: Sequence[Point], count: int = 24) -> list[Optimum]:
    """The best size for each of `count` amounts of compute that at least two sizes have seen.

    Between two marks of a run the loss is read off the line through them on a logarithmic scale.
    """
    runs = {}
    for point in sorted(points, key=lambda p: p.D):
        runs.setdefault(point.name, []).append(point)
    ends = sorted((run[0].compute, run[-1].compute) for run in runs.values())
    low, high = sorted(start for start, _ in ends)[1], sorted(end for _, end in ends)[-2]
    best = []
    for compute in np.geomspace(low, high, count):
        candidates = []
        for name, run in runs.items():
            spent = np.log([p.compute for p in run])
            if spent[0] - 1e-9 <= np.log(compute) <= spent[-1] + 1e-9:
                loss = np.exp(np.interp(np.log(compute), spent, np.log([p.loss for p in run])))
                N = run[0].N
                candidates.append(Optimum(float(compute), name, N, compute / (6 * N), float(loss)))
        if candidates:
            best.append(min(candidates, key=lambda optimum: optimum.loss))
    return best
