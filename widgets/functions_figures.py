"""Numbers on their way to the reader: exact to the browser, in few digits to the eye."""

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from widgets.components import packed

_RAISED = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ ")


def doubles(array: np.ndarray) -> dict:
    """float64 numbers for the browser without losing a bit; NaN may be among them."""
    return packed(np.ascontiguousarray(array, np.float64).view(np.int32))


def figure(number: float, digits: int = 4) -> str:
    """A number in few letters, as the components write it: four decimals, or a power of ten."""
    number = float(number)
    if not math.isfinite(number):
        return "no value"
    if number and not 1e-4 <= abs(number) < 1e5:
        head, power = f"{number:.3e}".split("e")
        return f"{head} · 10{str(int(power)).translate(_RAISED)}".replace("-", "−")
    return decimals(number, digits)


def short(number: float) -> str:
    """A positive number of one digit, such as a step h, as the components write it."""
    if number >= 0.0005:
        return f"{number:g}"
    head, power = f"{number:.0e}".split("e")
    return f"{head} · 10{str(int(power)).translate(_RAISED)}"


def decimals(number: float, digits: int = 2) -> str:
    """With so many decimals; a half goes up, as in JavaScript, and zero has no sign."""
    rounded = Decimal(float(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{rounded or abs(rounded):.{digits}f}".replace("-", "−")


def coordinate(number: float) -> str:
    """A place on a curve: two decimals, or the four that were typed."""
    return decimals(number, 2 if abs(number - round(number, 2)) < 5e-7 else 4)


def finite_or_none(number: float) -> float | None:
    """A number as JSON can hold it."""
    return float(number) if math.isfinite(number) else None


def in_range(value, default: float, low: float, high: float) -> float:
    """A number as the browser sent it, forced into its range; nonsense becomes the default."""
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(min(high, max(low, value))) if usable else default
