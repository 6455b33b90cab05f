"""Points in the plane, each with one of two labels: drawn from a rule, or read from text.

Every set fits about the square from -1 to 1, where a small network learns fastest.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

LONGEST = 200_000  # characters of text that are read
MOST = 1_000  # points that are kept
_SEPARATORS = re.compile(r"[;\t]")


@dataclass(frozen=True)
class Points:
    """`x` (N, 2) float64 and `label` (N,) with 0 or 1."""

    x: np.ndarray
    label: np.ndarray

    def __len__(self):
        return len(self.label)

    def __getitem__(self, index) -> "Points":
        return Points(self.x[index], self.label[index])


def moons(count: int, noise: float, rng: np.random.Generator) -> Points:
    """Two half circles, each reaching into the other."""
    label = _halves(count)
    angle = rng.uniform(0, math.pi, count)
    side = np.where(label == 0, 1.0, -1.0)
    x = np.stack([side * np.cos(angle) - side / 2, side * np.sin(angle) - side / 4], axis=1)
    return _noisy(x / 1.5, label, noise, rng)


def circles(count: int, noise: float, rng: np.random.Generator) -> Points:
    """A disc inside a ring."""
    label = _halves(count)
    angle = rng.uniform(0, 2 * math.pi, count)
    # The root spreads the points of the disc evenly over its area.
    disc = 0.45 * np.sqrt(rng.uniform(0, 1, count))
    radius = np.where(label == 0, disc, rng.uniform(0.75, 1, count))
    return _noisy(_polar(radius, angle), label, noise, rng)


def spiral(count: int, noise: float, rng: np.random.Generator) -> Points:
    """Two arms that wind one and a quarter times round each other."""
    label = _halves(count)
    along = np.sqrt(rng.uniform(0.01, 1, count))
    angle = 2.5 * math.pi * along + math.pi * label
    return _noisy(_polar(along, angle), label, noise, rng)


def xor(count: int, noise: float, rng: np.random.Generator) -> Points:
    """Four squares; those across from each other have the same label."""
    label = _halves(count)
    size = rng.uniform(0.1, 1, (count, 2))
    right = rng.integers(0, 2, count) * 2 - 1
    upper = np.where(label == 0, right, -right)
    return _noisy(size * np.stack([right, upper], axis=1), label, noise, rng)


def clouds(count: int, noise: float, rng: np.random.Generator) -> Points:
    """Two round clouds that a straight line can part, as long as there is little noise."""
    label = _halves(count)
    centers = np.array([[-0.4, -0.25], [0.4, 0.3]])
    return _noisy(centers[label] + rng.normal(0, 0.15, (count, 2)), label, noise, rng)


SETS = {"moons": moons, "circles": circles, "spiral": spiral, "xor": xor}


def make(name: str, count: int, noise: float, rng: np.random.Generator) -> Points:
    """A set by its name, its points in random order. ValueError for a name there is not."""
    if name not in SETS:
        raise ValueError(f"There is no set {name!r}; choose one of {', '.join(SETS)}.")
    points = SETS[name](count, noise, rng)
    return points[rng.permutation(len(points))]


def split(points: Points, share: float, rng: np.random.Generator) -> tuple[Points, Points]:
    """Points to learn from, and points held back to test with; `share` of all are learned from.

    Each side gets at least one point as long as there are two.
    """
    order = rng.permutation(len(points))
    cut = min(max(round(share * len(points)), 1), max(len(points) - 1, 1))
    return points[order[:cut]], points[order[cut:]]


def blobs(count: int, centers, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Points without labels, shared out evenly among round clouds: (N, 2)."""
    centers = np.asarray(centers, dtype=float)
    return centers[np.arange(count) % len(centers)] + rng.normal(0, spread, (count, 2))


@dataclass(frozen=True)
class Reading:
    """What was found in a text: the points, what the labels were called, what was left out."""

    points: Points
    names: tuple[str, ...]
    skipped: tuple[str, ...]  # a sentence for each row that could not be used


def read_points(text: str) -> Reading:
    """Two numbers and a label a line, parted by commas, semicolons, tabs or spaces.

    At most `MOST` points are kept, and there are two labels, whatever they are called. Rows that
    can't be used are named by their number and skipped. ValueError when nothing is left, when
    all labels are the same, and for more than `LONGEST` characters.
    """
    if len(text) > LONGEST:
        raise ValueError(
            f"The text has {len(text):,} characters and at most {LONGEST:,} are read; "
            "give fewer rows."
        )
    rows, names, skipped = [], [], []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        try:
            x, y, name = _row(line, names)
        except ValueError as problem:
            skipped.append(f"Row {number}: {problem}")
            continue
        if len(rows) == MOST:
            skipped.append(f"Row {number} and all after it: only {MOST:,} points are kept.")
            break
        if name not in names:
            names.append(name)
        rows.append((x, y, name))
    if len(names) < 2:
        _complain(rows, names, skipped)
    ordered = sorted(names)
    label = np.array([ordered.index(name) for _, _, name in rows])
    points = Points(np.array([(x, y) for x, y, _ in rows]), label)
    return Reading(points, tuple(ordered), tuple(skipped))


def fit(x: np.ndarray) -> np.ndarray:  # (N, 2) -> (N, 2)
    """Each coordinate shifted and scaled to run from -1 to 1; one that never changes gives 0."""
    low, high = x.min(axis=0), x.max(axis=0)
    half = (high - low) / 2
    return (x - low - half) / np.where(half > 0, half, 1)


def _row(line: str, names: list[str]) -> tuple[float, float, str]:
    """The two numbers and the label of one line; ValueError says what is wrong with it."""
    if _SEPARATORS.search(line):  # then a comma is a decimal comma
        cells = [cell.strip().replace(",", ".") for cell in _SEPARATORS.split(line)]
    else:
        cells = line.replace(",", " ").split()
    if len(cells) != 3 or not all(cells):
        raise ValueError(f"it needs two numbers and a label, but it has {_parts(cells)}.")
    numbers = []
    for cell in cells[:2]:
        try:
            number = float(cell)
        except ValueError:
            raise ValueError(f"{shortened(cell)} is not a number.") from None
        if not abs(number) <= 1e9:
            raise ValueError(f"{shortened(cell)} is not between -1e9 and 1e9.")
        numbers.append(number)
    name = cells[2].strip("\"'")[:20]
    if name not in names and len(names) == 2:
        known = " and ".join(shortened(label) for label in names)
        raise ValueError(f"there are two labels, {known}; {shortened(name)} is a third.")
    return numbers[0], numbers[1], name


def _complain(rows: list, names: list[str], skipped: list[str]) -> None:
    if rows:
        raise ValueError(
            f"All {len(rows)} points have the label {shortened(names[0])}; "
            "to learn a boundary there must be two labels."
        )
    first = f" {skipped[0]}" if skipped else ""
    raise ValueError(f"No row has two numbers and a label, such as 0.5, -1.2, cat.{first}")


def _parts(cells: list[str]) -> str:
    count = sum(bool(cell) for cell in cells)
    return "1 part" if count == 1 else f"{count} parts"


def shortened(text: str, most: int = 20) -> str:
    """What somebody typed, fit to stand in a sentence."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return f"“{text[:most]}…”" if len(text) > most else f"“{text}”"


def _halves(count: int) -> np.ndarray:
    return np.arange(count) % 2


def _polar(radius, angle) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _noisy(x, label, noise: float, rng: np.random.Generator) -> Points:
    return Points(x + noise * rng.normal(0, 1, x.shape), label)
