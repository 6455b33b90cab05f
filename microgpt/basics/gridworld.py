"""An agent that finds its way by trial and reward: Q-learning on a grid (Watkins 1989).

A map is written in text: S start, G goal, # wall, ~ pit, and a dot for a free cell.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
NAMES = ("up", "right", "down", "left")
REWARDS = {"G": 1.0, "~": -1.0}  # both end the walk
STEP = -0.02  # what any other move costs
LONGEST = 200  # moves of one walk


class World:
    """The grid. Cells are numbered row by row from 0."""

    def __init__(self, rows):
        rows = tuple(rows)
        width = len(rows[0]) if rows else 0
        signs = "".join(rows)
        if not width or any(len(row) != width for row in rows) or set(signs) - set("SG#~."):
            raise ValueError("A map is rows of equal length made of S, G, #, ~ and dots.")
        if signs.count("S") != 1 or signs.count("G") != 1:
            raise ValueError("A map has one S, where walks start, and one G, the goal.")
        self.signs, self.width, self.height = signs, width, len(rows)
        self.start, self.goal = signs.index("S"), signs.index("G")

    def move(self, cell: int, action: int) -> tuple[int, float, bool]:
        """Where a move leads, what it earns, and whether the walk ends. Walls don't let pass."""
        row, column = divmod(cell, self.width)
        row, column = row + MOVES[action][0], column + MOVES[action][1]
        inside = 0 <= row < self.height and 0 <= column < self.width
        after = row * self.width + column if inside else cell
        if self.signs[after] == "#":
            after = cell
        sign = self.signs[after]
        return after, REWARDS.get(sign, STEP), sign in REWARDS


@dataclass(frozen=True)
class Settings:
    rate: float = 0.5  # how far an estimate moves toward its target
    discount: float = 0.95  # what a reward is worth one move later
    explore: float = 0.2  # the share of moves made at random
    walks: int = 150


@dataclass(frozen=True)
class Move:
    """One move and what was learned from it: `values[cell, action]` went from before to after."""

    walk: int
    cell: int
    action: int
    reward: float
    arrived: int
    ended: bool
    explored: bool
    before: float
    best_next: float
    after: float


def q_learning(world: World, settings: Settings, rng: np.random.Generator) -> Iterator[Move]:
    """Walk and learn; a generator of moves. The agent knows neither the map nor the goal."""
    values = np.zeros((len(world.signs), len(MOVES)))
    for walk in range(settings.walks):
        cell, ended, length = world.start, False, 0
        while not ended and length < LONGEST:
            explored = bool(rng.random() < settings.explore)
            action = int(rng.integers(4)) if explored else _best(values[cell], rng)
            arrived, reward, ended = world.move(cell, action)
            best_next = 0.0 if ended else float(values[arrived].max())
            before = float(values[cell, action])
            after = values[cell, action] = updated(before, reward, best_next, settings)
            yield Move(
                walk, cell, action, reward, arrived, ended, explored, before, best_next, after
            )
            cell, length = arrived, length + 1


def updated(before: float, reward: float, best_next: float, settings: Settings) -> float:
    """An estimate moves toward its target: the reward, and what the next cell promises.

    Q(s, a) += rate * (reward + discount * max Q(s', .) - Q(s, a)).
    """
    target = reward + settings.discount * best_next
    return before + settings.rate * (target - before)


def values_after(world: World, moves) -> np.ndarray:  # -> (cells, 4)
    """The table of estimates once these moves have been made."""
    values = np.zeros((len(world.signs), len(MOVES)))
    for move in moves:
        values[move.cell, move.action] = move.after
    return values


def greedy_path(world: World, values) -> list[int]:
    """The cells of a walk that always takes the best-looking move; it ends where it would loop."""
    path = [world.start]
    ended = False
    while not ended:
        arrived, _, ended = world.move(path[-1], int(np.argmax(values[path[-1]])))
        if arrived in path:
            break
        path.append(arrived)
    return path


def shortest_path(world: World) -> list[int] | None:
    """By breadth-first search, which knows the map: the yardstick. None when there is no way."""
    before, waiting = {world.start: world.start}, deque([world.start])
    while waiting:
        cell = waiting.popleft()
        if cell == world.goal:
            path = [cell]
            while path[-1] != world.start:
                path.append(before[path[-1]])
            return path[::-1]
        for action in range(len(MOVES)):
            arrived, _, _ = world.move(cell, action)
            if arrived not in before and world.signs[arrived] != "~":
                before[arrived] = cell
                waiting.append(arrived)
    return None


def _best(row, rng: np.random.Generator) -> int:
    """The best action; among equals any."""
    best = np.flatnonzero(row == row.max())
    return int(best[0] if len(best) == 1 else rng.choice(best))
