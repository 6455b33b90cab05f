"""Finding groups in points that nobody has labeled: k-means (Lloyd 1957, printed 1982)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Step:
    """One half of a round: the points chose their centers, or the centers moved.

    `centers` (K, 2), `nearest` (N,) the center of each point, `changed` how many points changed
    their center in this step, `cost` the sum of squared distances to the own center.
    """

    kind: str  # "choose" or "move"
    centers: np.ndarray
    nearest: np.ndarray
    changed: int
    cost: float


def squared_distances(points, centers):  # (N, 2), (K, 2) -> (N, K)
    return ((points[:, None] - centers[None]) ** 2).sum(axis=2)


def cost(points, centers, nearest) -> float:
    """The sum of squared distances from each point to its center."""
    return float(((points - centers[nearest]) ** 2).sum())


def kmeans(points, centers, most: int = 100) -> Iterator[Step]:  # (N, 2), (K, 2)
    """Steps of k-means from the given centers until no point changes its center.

    Neither half can raise the cost: the nearest center costs a point least, and the mean is
    where a group's squared distances add up to least. A center without points stays.
    """
    centers = np.array(centers, dtype=float)
    nearest = np.full(len(points), -1)
    for _ in range(most):
        before = nearest
        nearest = squared_distances(points, centers).argmin(axis=1)
        changed = int((nearest != before).sum())
        yield Step("choose", centers.copy(), nearest, changed, cost(points, centers, nearest))
        if not changed:
            return
        for group in range(len(centers)):
            mine = points[nearest == group]
            if len(mine):
                centers[group] = mine.mean(axis=0)
        yield Step("move", centers.copy(), nearest, 0, cost(points, centers, nearest))


def random_start(points, groups: int, rng: np.random.Generator):  # -> (K, 2)
    """Different points of the set as first centers."""
    return points[rng.choice(len(points), size=groups, replace=False)].astype(float)


def spread_start(points, groups: int, rng: np.random.Generator):  # -> (K, 2)
    """k-means++ (Arthur & Vassilvitskii 2007): far points are likelier to be a first center."""
    centers = [points[rng.integers(len(points))]]
    while len(centers) < groups:
        far = squared_distances(points, np.array(centers)).min(axis=1)
        centers.append(points[rng.choice(len(points), p=far / far.sum())])
    return np.array(centers, dtype=float)
