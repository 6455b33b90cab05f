"""What the prose of chapter 4 says about its own runs: computed, and kept for all readers."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from microgpt.basics import clusters, gridworld
from widgets import learning_boundary, learning_clusters, learning_grid

STARTS = 24  # random starts that are compared


@dataclass(frozen=True)
class Tour:
    """The numbers of the default runs of the three widgets."""

    points: int
    line_right: float
    ring_right: float
    ring_best: float
    steps: int
    weight: np.ndarray
    centers: np.ndarray
    nearest: np.ndarray
    starts: int
    best_cost: float
    worst_cost: float
    stuck: int
    moons_wrong: float
    noise_steps: int
    noise_sizes: str
    first_walk: int
    found: int
    shortest: int
    values: np.ndarray
    here: dict[str, str]


@st.cache_resource(max_entries=1, show_spinner=False)
def tour() -> Tour:
    """Run what the widgets show when the page opens, and note what came out."""
    line = learning_boundary.compute("clouds", (), 1.0)
    ring = learning_boundary.compute("circles", (), 1.0)
    ring_best = max(
        step.accuracy
        for rate in learning_boundary.RATES
        for step in learning_boundary.compute("circles", (), rate).steps
    )
    groups = learning_clusters.compute("three", 3, learning_clusters.SEED, None).steps[-1]
    noise = learning_clusters.compute("none", 3, learning_clusters.SEED, None)
    life = learning_grid.compute(learning_grid.MAP, gridworld.Settings(), learning_grid.SEED)
    costs = [_final_cost("three", 3, seed) for seed in range(STARTS)]
    sizes = sorted(np.bincount(noise.steps[-1].nearest, minlength=3), reverse=True)
    return Tour(
        points=len(line.points),
        line_right=line.steps[-1].accuracy,
        ring_right=ring.steps[-1].accuracy,
        ring_best=ring_best,
        steps=learning_boundary.STEPS,
        weight=line.steps[-1].weight,
        centers=groups.centers,
        nearest=groups.nearest,
        starts=STARTS,
        best_cost=min(costs),
        worst_cost=max(costs),
        stuck=sum(cost > 1.01 * min(costs) for cost in costs),
        moons_wrong=_mixed_moons(),
        noise_steps=len(noise.steps),
        noise_sizes=f"{sizes[0]}, {sizes[1]} and {sizes[2]}",
        first_walk=sum(move.walk == 0 for move in life.moves),
        found=life.found + 1,
        shortest=len(life.shortest) - 1,
        values=gridworld.values_after(life.world, life.moves),
        here=_here(line, life),
    )


def _here(line: learning_boundary.Run, life: learning_grid.Run) -> dict[str, str]:
    """The nine words, as they were met on the page."""
    last = line.steps[-1]
    return {
        "parameter": "the line has 3, the centers 6, the agent "
        f"{4 * len(life.world.signs)}: one for each move in each cell.",
        "weight": f"the line ends with {last.weight[0]:.2f} for x "
        f"and {last.weight[1]:.2f} for y.".replace("-", "−"),
        "bias": f"the line ends with {last.bias:.2f}.".replace("-", "−"),
        "training": f"{last.number} steps of the line, {len(life.moves):,} moves of the agent.",
        "loss": f"of the line from {line.steps[0].loss:.3f} to {last.loss:.3f}; "
        f"{line.steps[0].loss:.3f} is ln 2, a pure guess.",
        "epoch": f"every step of the line looks at all {len(line.points)} points, so "
        f"{last.number} steps are {last.number} epochs.",
        "batch size": f"{len(line.points)} for the line, "
        "1 for the agent: it learns from each move.",
        "inference": "asking on which side of the line a new point lies. Nothing changes by it.",
        "token": "there are none on this page; a language model has little else.",
    }


def _final_cost(name: str, groups: int, seed: int) -> float:
    points = learning_clusters.points_of(name)
    start = clusters.random_start(points, groups, np.random.default_rng(seed))
    return list(clusters.kmeans(points, start))[-1].cost


def _mixed_moons() -> float:
    """The share of points that k-means with two groups puts with the other moon."""
    nearest = learning_clusters.compute("moons", 2, learning_clusters.SEED, None).steps[-1].nearest
    moon = np.arange(len(nearest)) % 2  # how the points are made, in turn
    wrong = float((nearest != moon).mean())
    return min(wrong, 1 - wrong)


def kmeans_cost() -> float:
    """The answer to the question about two centers, from the engine."""
    points, centers = np.array([(1, 0), (3, 0), (4, 1)]), np.array([(0, 0), (4, 0)])
    nearest = clusters.squared_distances(points, centers).argmin(axis=1)
    return clusters.cost(points, centers, nearest)


def grid_answer() -> float:
    """The answer to the question about one move, from the engine."""
    settings = gridworld.Settings(rate=0.5, discount=0.95)
    return gridworld.updated(0.0, gridworld.STEP, 0.4, settings)
