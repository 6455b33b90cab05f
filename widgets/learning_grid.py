"""Learning from reward: an agent finds its way through a grid that it does not know."""

import time
from dataclasses import dataclass
from itertools import islice

import numpy as np
import streamlit as st

from microgpt.basics import gridworld
from microgpt.basics.gridworld import Move, Settings, World
from widgets import chapter, components
from widgets.components import component, packed

MAP = (
    "S..#.....",
    ".#.#.###.",
    ".#...#...",
    ".####.#.~",
    "......#..",
    ".##~....G",
)
MOST = 8_000  # moves that are computed and sent
SEED = 1  # of the first life
KEY = "learning_grid"

_mount = component("learning_grid", states={"signs": "".join(MAP)})


@dataclass(frozen=True)
class Run:
    """A whole life: every move, and the best path known after each walk."""

    world: World
    moves: tuple[Move, ...]
    paths: tuple[tuple[int, ...], ...]
    shortest: tuple[int, ...] | None
    seconds: float

    @property
    def found(self) -> int | None:
        """The walk after which the best known path was first a shortest one; None if never."""
        for walk, path in enumerate(self.paths):
            if self.shortest and path[-1] == self.world.goal and len(path) == len(self.shortest):
                return walk
        return None


@st.cache_resource(max_entries=64, show_spinner=False)
def compute(rows: tuple[str, ...], settings: Settings, seed: int) -> Run:
    """Let the agent live in this map."""
    world = World(rows)
    began = time.perf_counter()
    life = gridworld.q_learning(world, settings, np.random.default_rng(seed))
    moves = tuple(islice(life, MOST))
    seconds = time.perf_counter() - began
    return Run(world, moves, _paths(world, moves), _shortest(world), seconds)


def _paths(world: World, moves) -> tuple[tuple[int, ...], ...]:
    """The greedy path after each walk."""
    values = np.zeros((len(world.signs), len(gridworld.MOVES)))
    paths = []
    for i, move in enumerate(moves):
        values[move.cell, move.action] = move.after
        if i + 1 == len(moves) or moves[i + 1].walk != move.walk:
            paths.append(tuple(gridworld.greedy_path(world, values)))
    return tuple(paths)


def _shortest(world: World) -> tuple[int, ...] | None:
    path = gridworld.shortest_path(world)
    return tuple(path) if path else None


def clean(signs) -> tuple[str, ...]:
    """The map as the browser sent it; nonsense becomes the map of the book."""
    width = len(MAP[0])
    if isinstance(signs, str) and len(signs) == width * len(MAP):
        rows = tuple(signs[i : i + width] for i in range(0, len(signs), width))
        try:
            World(rows)
        except ValueError:
            return MAP
        return rows
    return MAP


def view_of(run: Run, settings: Settings) -> dict:
    moves = run.moves
    places = [(m.walk, m.cell, m.action, m.arrived, m.ended + 2 * m.explored) for m in moves]
    numbers = [(m.reward, m.before, m.best_next, m.after) for m in moves]
    return {
        "width": run.world.width,
        "height": run.world.height,
        "signs": run.world.signs,
        "places": packed(np.array(places, dtype=np.uint8)),
        "numbers": packed(np.array(numbers, dtype=np.float32)),
        "paths": run.paths,
        "shortest": run.shortest,
        "names": gridworld.NAMES,
        "rate": settings.rate,
        "discount": settings.discount,
        "map": "".join(MAP),
    }


def in_words(run: Run) -> str:
    if run.shortest is None:
        return "There is no way from the start to the goal in this map, so no path can be learned."
    best = len(run.shortest) - 1
    lengths = np.bincount([m.walk for m in run.moves])
    early, late = lengths[:10].mean(), lengths[-10:].mean()
    end = (
        "It never found a path that short."
        if run.found is None
        else f"After walk {run.found + 1} it knows a path of {best} moves."
    )
    return (
        f"{len(lengths)} walks, {len(run.moves):,} moves. The first ten walks take "
        f"{early:.0f} moves on average, the last ten {late:.0f}; some of those are still made "
        f"by chance. The shortest way has {best} moves. {end}"
    )


@st.fragment
def grid() -> None:
    """Draw the widget."""
    columns = st.columns([1, 1, 1, 0.8], vertical_alignment="bottom")
    keep = {"persist_state": "session"}
    explore = columns[0].slider(
        "Moves by chance", 0.0, 0.9, 0.2, 0.05, key=f"{KEY}_explore", format="percent", **keep
    )
    rate = columns[1].slider("Learning rate", 0.05, 1.0, 0.5, 0.05, key=f"{KEY}_rate", **keep)
    discount = columns[2].slider("Discount", 0.5, 0.99, 0.95, 0.01, key=f"{KEY}_discount", **keep)
    columns[3].button("Another life", key=f"{KEY}_again", on_click=_again, width="stretch")
    seed = st.session_state.get(f"{KEY}:seed", SEED)
    settings = Settings(rate=rate, discount=discount, explore=explore)
    rows = clean(components.state_of(KEY, "signs", ""))
    run = compute(rows, settings, seed)
    _mount(view_of(run, settings) | {"run": f"{rows} {settings} {seed}"}, key=KEY)
    chapter.mark(
        "computed",
        by="microgpt.basics.gridworld",
        seconds=run.seconds,
        where=f"seed {seed}, {len(run.moves):,} moves",
    )
    chapter.text_twin(in_words(run))


def _again() -> None:
    st.session_state[f"{KEY}:seed"] = st.session_state.get(f"{KEY}:seed", SEED) + 1
