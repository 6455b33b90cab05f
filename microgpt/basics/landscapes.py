"""Landscapes to walk down: heights, exact slopes, curvature, and where the ground is flat.

A `Landscape` is a formula of x and y, read by `expressions` and differentiated by autograd. A
`Measured` landscape is a grid of heights (the loss of a real model) with a smooth surface
through them. Both answer `measure(points)` with heights and gradients.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgpt.basics import expressions
from microgpt.basics.expressions import Expression

Point = tuple[float, float]


@dataclass(frozen=True)
class Landscape:
    """A surface over x and y, with its lowest points. `quadratic`: its curvature is the same
    everywhere, so that what is true near the minimum is true on the whole surface."""

    name: str
    formula: str
    half: float  # the map shows -half ... half in both directions
    start: Point
    minima: tuple[Point, ...]
    quadratic: bool = False

    @cached_property
    def expression(self) -> Expression:
        return expressions.parse(self.formula)

    def measure(self, points):  # (..., 2) -> (...), (..., 2)
        """Heights at many points and the exact gradient there, by one backward pass."""
        points = np.asarray(points, np.float64)
        heights, slopes = expressions.slopes(self.expression, x=points[..., 0], y=points[..., 1])
        return heights, np.stack([slopes["x"], slopes["y"]], axis=-1)


LANDSCAPES = {
    landscape.name: landscape
    for landscape in (
        Landscape("Bowl", "x**2 + y**2", 3.0, (-2.4, 1.8), ((0.0, 0.0),), quadratic=True),
        Landscape("Ravine", "0.1*x**2 + 2*y**2", 3.0, (-2.6, 1.4), ((0.0, 0.0),), quadratic=True),
        Landscape("Saddle", "0.5*x**2 + 0.25*y**4 - 0.5*y**2", 2.0, (-1.7, 0.0),
                  ((0.0, -1.0), (0.0, 1.0))),
        Landscape("Rosenbrock", "(1 - x)**2 + 10*(y - x**2)**2", 2.0, (-1.4, 1.6), ((1.0, 1.0),)),
        Landscape("Two valleys", "0.1*x**4 - x**2 + 0.4*x + 0.5*y**2", 3.5, (2.9, 2.2),
                  ((-2.3300587395679822, 0.0), (2.1284190638445772, 0.0))),
        Landscape("Plateau", "1 - exp(-0.5*(x**2 + y**2))", 4.0, (-2.7, 2.2), ((0.0, 0.0),)),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """A smooth surface through heights measured on an even grid (rows are y, columns are x).

    A bicubic spline (de Boor 1978): it meets every measured height, and neither its slope nor
    its curvature jumps. Outside the grid nothing was measured: NaN.
    """

    name: str
    heights: np.ndarray  # (N, N), N at least 3
    half: float  # the grid runs from -half to half in both directions
    start: Point
    quadratic: bool = False

    @cached_property
    def weights(self):  # (N + 2, N + 2)
        """How much of each spline bump stands at each node, and one node beyond on each side.

        A bump reaches its neighbors: a height is (before + 4 here + after) / 6. At the edge the
        surface is taken to go straight on.
        """
        n = len(self.heights)
        bumps = (np.eye(n, k=-1) + 4 * np.eye(n) + np.eye(n, k=1)) / 6
        bumps[[0, -1]] = np.eye(n)[[0, -1]]
        grid = np.asarray(self.heights, np.float64)
        for _ in range(2):  # down the columns, then along the rows
            inner = np.linalg.solve(bumps, grid)
            before, after = 2 * inner[0] - inner[1], 2 * inner[-1] - inner[-2]
            grid = np.vstack([before, inner, after]).T
        return grid

    @cached_property
    def minima(self) -> tuple[Point, ...]:
        """The lowest point of the surface, found from the lowest measured one."""
        row, column = divmod(int(np.argmin(self.heights)), len(self.heights))
        cell = 2 * self.half / (len(self.heights) - 1)
        return (settle(self, (column * cell - self.half, row * cell - self.half)),)

    def measure(self, points):  # (..., 2) -> (...), (..., 2)
        """Heights between the measured ones, and the gradient of the surface through them."""
        points = np.asarray(points, np.float64)
        last = len(self.heights) - 1
        cell = 2 * self.half / last
        place = (points + self.half) / cell
        inside = np.all((place >= 0) & (place <= last), axis=-1)
        place = np.where(inside[..., None], place, 0.0)
        left = np.minimum(place.astype(int), last - 1)
        (wx, wy), (dx, dy) = (np.moveaxis(w, -2, 0) for w in _bump(place - left))
        rows, columns = (left[..., i, None] + np.arange(4) for i in (1, 0))
        patch = self.weights[rows[..., :, None], columns[..., None, :]]  # (..., 4, 4)
        blank = np.where(inside, 0.0, np.nan)
        height, by_x, by_y = (
            np.einsum("...i,...ij,...j->...", down, patch, across) + blank
            for down, across in ((wy, wx), (wy, dx), (dy, wx))
        )
        return height, np.stack([by_x, by_y], axis=-1) / cell


def _bump(t):  # (...) in 0 ... 1 -> (..., 4), (..., 4)
    """How much each of four neighboring spline bumps counts between the middle two, and how
    that changes with t."""
    s = 1 - t
    counts = [s**3, 4 - 6 * t**2 + 3 * t**3, 4 - 6 * s**2 + 3 * s**3, t**3]
    changes = [-3 * s**2, 9 * t**2 - 12 * t, 12 * s - 9 * s**2, 3 * t**2]
    return np.stack(counts, -1) / 6, np.stack(changes, -1) / 6


# --- Curvature -------------------------------------------------------------------------------


def hessian(landscape, points, nudge=1e-4):  # (..., 2) -> (..., 2, 2)
    """All second derivatives: how the exact gradient changes when x or y is nudged."""
    nudge *= landscape.half
    steps = np.array([[nudge, 0], [-nudge, 0], [0, nudge], [0, -nudge]])
    _, gradients = landscape.measure(np.asarray(points, np.float64)[..., None, :] + steps)
    second = (gradients[..., 0::2, :] - gradients[..., 1::2, :]) / (2 * nudge)
    return (second + np.swapaxes(second, -1, -2)) / 2


def curvatures(landscape, point) -> tuple[float, float]:
    """The least and the greatest curvature there: the eigenvalues of the Hessian."""
    least, greatest = np.linalg.eigvalsh(hessian(landscape, point))
    return float(least), float(greatest)


def greatest_curvature(landscape, count=61) -> float:
    """The greatest curvature anywhere on the map, looked for in count x count places.

    With a learning rate below 2 / this every step of plain gradient descent that stays on the
    map goes down (the descent lemma, Nesterov 2004), wherever it starts.
    """
    line = np.linspace(-landscape.half, landscape.half, count) * (1 - 2e-4)
    places = np.stack(np.meshgrid(line, line), axis=-1)
    return float(np.linalg.eigvalsh(hessian(landscape, places))[..., 1].max())


def largest_rate(curvature: float, momentum: float = 0.0) -> float:
    """The learning rate above which a ball can't stay in a valley of this curvature.

    One step turns the distance d into (1 - rate * curvature) d, which grows beyond
    rate = 2 / curvature; with momentum (v = beta v + g) beyond 2 (1 + beta) / curvature
    (Polyak 1964). No rate is too large where the ground does not curve up: infinity.
    """
    return 2 * (1 + momentum) / curvature if curvature > 0 else np.inf


def settle(landscape, point, steps=50) -> Point:
    """The bottom of the valley near a point, by Newton's method where the ground curves up."""
    point = np.asarray(point, np.float64)
    for _ in range(steps):
        _, gradient = landscape.measure(point)
        second = hessian(landscape, point)
        if not np.isfinite(second).all() or np.linalg.eigvalsh(second)[0] <= 0:
            break
        step = np.linalg.solve(second, gradient)
        if not np.isfinite(landscape.measure(point - step)[0]):
            break
        point = point - step
        if np.abs(step).max() < 1e-12 * landscape.half:
            break
    return float(point[0]), float(point[1])


# --- Where a curve is flat -------------------------------------------------------------------


@dataclass(frozen=True)
class FlatPoint:
    """A place where the slope of a curve is 0. A flat stretch reaches from `x` to `until`."""

    x: float
    height: float
    kind: str  # "minimum", "maximum" or "flat"
    until: float


def flat_points(expression: Expression, low: float, high: float, count=1201) -> list[FlatPoint]:
    """Minima, maxima and other places without slope between two x, from left to right.

    The exact slope is looked at in `count` places; where it changes its sign in between, the
    place is narrowed down by halving. A pole or a jump is not flat.
    """
    x = np.linspace(low, high, count)
    _, slopes = expressions.slopes(expression, x=x)
    signs = np.where(np.isfinite(slopes["x"]), np.sign(slopes["x"]), np.nan)
    found, i = [], 0
    while i < count - 1:
        until = i
        while until < count - 1 and signs[i] == 0 and signs[until + 1] == 0:
            until += 1
        if signs[i] == 0:
            before, after = signs[i - 1] if i else 0, signs[until + 1] if until < count - 1 else 0
            found.append(_flat(expression, x[i], x[until], before, after))
        elif signs[i] * signs[i + 1] < 0:
            place = _zero_slope(expression, x[i], x[i + 1])
            if place is not None:
                found.append(_flat(expression, place, place, signs[i], signs[i + 1]))
        elif i and signs[i - 1] == signs[i] == signs[i + 1]:
            place = _touched(expression, x[i - 1 : i + 2], np.abs(slopes["x"][i - 1 : i + 2]))
            if place is not None:
                found.append(_flat(expression, place, place, signs[i], signs[i]))
        i = until + 1
    return [point for point in found if np.isfinite(point.height)]


def _flat(expression, x, until, before, after) -> FlatPoint:
    kind = {(-1, 1): "minimum", (1, -1): "maximum"}.get((int(before), int(after)), "flat")
    height = float(expressions.evaluate(expression, x=np.float64(x)))
    return FlatPoint(float(x), height, kind, float(until))


def _zero_slope(expression, low, high) -> float | None:
    """Where the slope is 0 between two places with slopes of opposite sign; None for a jump."""
    steepest = max(abs(expressions.slope(expression, x=x)[1]["x"]) for x in (low, high))
    sign = np.sign(expressions.slope(expression, x=low)[1]["x"])
    for _ in range(60):
        middle = (low + high) / 2
        here = expressions.slope(expression, x=middle)[1]["x"]
        low, high = (middle, high) if np.sign(here) == sign else (low, middle)
    return float(middle) if abs(here) <= 1e-6 * steepest else None


def _touched(expression, around, steepness) -> float | None:
    """Where a slope that does not change its sign comes down to 0 between three places."""
    if not steepness[1] < min(steepness[0], steepness[2]):
        return None
    low, high = float(around[0]), float(around[2])
    for _ in range(60):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        steep_a, steep_b = (abs(expressions.slope(expression, x=x)[1]["x"]) for x in (a, b))
        low, high = (low, b) if steep_a < steep_b else (a, high)
    return (low + high) / 2 if min(steep_a, steep_b) <= 1e-9 * max(steepness) else None
