"""The noncentral t and the chi-squared distribution, as sample sizes need them. Standard library only.

Sample sizes are plans, not evidence, so double precision is enough: the results agree with SciPy to 1e-8.
"""

from __future__ import annotations

import math
from functools import lru_cache

from minivess.foundation.errors import UsageError

_POINTS = 2_000
"""Intervals of Simpson's rule."""
_WIDTH = 12.0
"""Standard deviations to each side of the mode that are integrated."""


@lru_cache(maxsize=512)
def upper_tail(t: float, freedom: int, shift: float) -> float:
    """P(T > t) of a noncentral t (Johnson, Kotz & Balakrishnan 1995, section 31.3).

    T = (Z + shift) / U with Z normal and U the square root of chi-squared by its degrees of freedom; the integral over U is
    taken by Simpson's rule.

    Args:
        t: the limit.
        freedom: degrees of freedom, at least 1.
        shift: the noncentrality.

    Raises:
        UsageError: there are no degrees of freedom.
    """
    if freedom < 1:
        raise UsageError(f"a t distribution has at least 1 degree of freedom, not {freedom}")
    spread = 1 / math.sqrt(2 * freedom)
    low, high = max(0.0, 1 - _WIDTH * spread), 1 + _WIDTH * spread
    step = (high - low) / _POINTS
    weights = [1, *(4 if place % 2 else 2 for place in range(1, _POINTS)), 1]
    terms = (
        weight * _density(low + place * step, freedom) * _normal(shift - t * (low + place * step))
        for place, weight in enumerate(weights)
    )
    return min(1.0, max(0.0, math.fsum(terms) * step / 3))


def chi_squared_quantile(share: float, freedom: int) -> float:
    """The value below which a chi-squared variable is with probability `share`.

    Args:
        share: between 0 and 1.
        freedom: degrees of freedom, at least 1.

    Raises:
        UsageError: share or degrees of freedom are out of range.
    """
    if not 0 < share < 1 or freedom < 1:
        raise UsageError(f"chi-squared has no quantile of {share} with {freedom} degrees of freedom")
    low, high = 0.0, float(freedom)
    while _chi_squared(high, freedom) < share:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _chi_squared(middle, freedom) < share else (low, middle)
    return high


def _normal(value: float) -> float:
    """The normal distribution function."""
    return math.erfc(-value / math.sqrt(2)) / 2


def _density(u: float, freedom: int) -> float:
    """The density of the square root of chi-squared by its degrees of freedom."""
    if u <= 0:
        return math.sqrt(2 / math.pi) if freedom == 1 else 0.0
    half = freedom / 2
    logarithm = math.log(2) + half * math.log(half) - math.lgamma(half) + (freedom - 1) * math.log(u) - half * u * u
    return math.exp(logarithm)


def _chi_squared(value: float, freedom: int) -> float:
    """The distribution function, by the series of the incomplete gamma function (Abramowitz & Stegun 6.5.29)."""
    half, x = freedom / 2, value / 2
    if x <= 0:
        return 0.0
    term = total = 1 / half
    order = half
    while term > total * 1e-16:
        order += 1
        term *= x / order
        total += term
    return math.exp(half * math.log(x) - x - math.lgamma(half)) * total
