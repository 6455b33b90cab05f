"""Tiny pictures of cats and dogs, drawn by rule, and the three numbers that are read off them."""

import numpy as np

from microgpt.basics.datasets import Points

SIZE = 12  # pixels a side
KINDS = ("cat", "dog")


def _regions() -> dict[str, np.ndarray]:
    """Where each number looks: a mask of the picture, (12, 12) of True and False."""
    row, column = np.indices((SIZE, SIZE))
    outside = (column <= 1) | (column >= SIZE - 2)
    return {
        "ears up": (row <= 2) & (column >= 1) & (column <= 10) & ((column <= 4) | (column >= 7)),
        "ears down": outside & (row >= 4) & (row <= 9),
        "muzzle": (row >= 10) & (column >= 4) & (column <= 7),
    }


REGIONS = _regions()


def features(picture):  # (12, 12) of 0 and 1 -> (3,)
    """How much of each region is ink: three numbers from 0 to 1."""
    picture = np.asarray(picture, dtype=float)
    return np.array([picture[region].mean() for region in REGIONS.values()])


def draw(kind: str, rng: np.random.Generator) -> np.ndarray:  # -> (12, 12) of 0 and 1
    """One animal's head. Some cats' ears are folded, some dogs' ears stand: as in life."""
    if kind not in KINDS:
        raise ValueError(f"There is no {kind!r} to draw; ask for {' or '.join(KINDS)}.")
    row, column = np.indices((SIZE, SIZE)).astype(float)
    across = np.abs(column - 5.5)
    down, wide = rng.uniform(6.3, 7.0), rng.uniform(3.3, 4.2)
    head = ((row - down) / rng.uniform(3.0, 3.6)) ** 2 + (across / wide) ** 2
    picture = head <= 1
    is_dog = kind == "dog"
    if rng.random() < (0.1 if is_dog else 0.94):
        tip, foot = rng.uniform(-0.5, 1.2), rng.uniform(2.6, 3.4)
        picture |= (row >= tip) & (row <= 4.5) & (np.abs(across - foot) <= (row - tip) * 0.6 + 0.3)
    else:
        end = rng.uniform(7.5, 9.5) if is_dog else rng.uniform(4.5, 6)
        picture |= (across >= 3.6) & (across <= rng.uniform(4.6, 5.6)) & (row >= 3.6) & (row <= end)
    if rng.random() < (0.95 if is_dog else 0.04):
        longest = rng.uniform(10, 11.4)
        picture |= (across <= rng.uniform(1.5, 2.6)) & (row >= down) & (row <= longest)
    eyes = (np.abs(across - 1.5) < 0.6) & (np.round(row) == round(down - 0.8))
    picture = (picture & ~eyes).astype(np.uint8)
    flips = rng.random((SIZE, SIZE)) < 0.008
    return picture ^ flips.astype(np.uint8)


def album(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and labels, cats (0) and dogs (1) in turn: (N, 12, 12) and (N,)."""
    label = np.arange(count) % 2
    return np.array([draw(KINDS[kind], rng) for kind in label]), label


def as_points(pictures, label) -> Points:
    """What the network is given: three numbers for each picture."""
    return Points(np.array([features(picture) for picture in pictures]), np.asarray(label))
