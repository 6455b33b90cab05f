"""Do the drawn tokens fit the distribution? Pearson's chi-square test, worked out by hand."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ChiSquare:
    """`statistic` = sum (counted - expected)^2 / expected over the cells.

    `p_value` is how often draws from the true distribution would stray at least this far.
    """

    statistic: float
    degrees: int
    p_value: float


def chi_square(counts, probabilities, least: float = 5.0) -> ChiSquare:
    """Compare counted draws (V,) with the distribution (V,) they should come from (Pearson 1900).

    Cells expected fewer than `least` times are pooled, since the approximation fails there
    (Cochran 1954). A token counted though it has probability 0 makes the p-value 0.
    Raises ValueError where the shapes differ or nothing was counted.
    """
    counts = np.asarray(counts, dtype=np.float64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if counts.shape != probabilities.shape or counts.ndim != 1 or not counts.sum() > 0:
        raise ValueError(
            "The test needs at least one draw, and one count for each probability; got "
            f"{counts.sum():g} draws, {counts.shape} counts and {probabilities.shape}."
        )
    if (counts[probabilities == 0] > 0).any():
        return ChiSquare(math.inf, int((probabilities > 0).sum()), 0.0)
    expected = counts.sum() * probabilities / probabilities.sum()
    order = np.argsort(expected)
    counts, expected = counts[order], expected[order]
    small = int((expected < least).sum())
    while 0 < small < len(expected) and expected[:small].sum() < least:
        small += 1  # the pool itself must be large enough
    if small:
        counts = np.append(counts[small:], counts[:small].sum())
        expected = np.append(expected[small:], expected[:small].sum())
    statistic = float(((counts - expected) ** 2 / expected).sum())
    degrees = len(expected) - 1
    p_value = upper_gamma(degrees / 2, statistic / 2) if degrees else 1.0
    return ChiSquare(statistic, degrees, p_value)


def upper_gamma(a: float, x: float) -> float:
    """The regularized upper incomplete gamma function Q(a, x), to about 1e-14.

    1 - the power series where x is small, a continued fraction by Lentz's method otherwise
    (Abramowitz & Stegun 6.5.29 and 6.5.31).
    """
    if a <= 0 or x < 0 or math.isnan(x):
        raise ValueError(f"Q(a, x) needs a > 0 and x >= 0, not a = {a}, x = {x}.")
    if x == 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-16:
            n += 1
            term *= x / n
            total += term
        return 1 - front * total
    b = x + 1 - a
    c, d = math.inf, 1 / b
    fraction = d
    for i in range(1, 10_000):
        numerator = -i * (i - a)
        b += 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction
