"""Quantiles of Student's t and exact bounds of the binomial distribution. Standard library only.

Computed with `decimal` in a fixed context of 50 digits, whose operations are defined to the last digit, so that every Python
gives the same bits. `templates/verify/verify.py` has the same in its own writing.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

_DIGITS = decimal.Context(prec=50, rounding=decimal.ROUND_HALF_EVEN)
_HALVINGS = 70
"""Steps of a bisection: far below the resolution of a double."""


@implements("REQ-244")
@lru_cache(maxsize=256)
def student_t(level: float, freedom: int) -> float:
    """The t with P(|T| <= t) = level (Student 1908; Abramowitz & Stegun 26.7.3 and 26.7.4).

    Args:
        level: two-sided, between 0 and 1.
        freedom: degrees of freedom, a whole number from 1 on.

    Raises:
        UsageError: level or degrees of freedom are out of range.
    """
    if not 0 < level < 1 or freedom < 1:
        raise UsageError(f"Student's t has no quantile of level {level} with {freedom} degrees of freedom")
    with decimal.localcontext(_DIGITS):
        high = Decimal(1)
        while _within(high, freedom) < Decimal(level):
            high *= 2
        return _bisected(lambda t: _within(t, freedom) < Decimal(level), high)


@implements("REQ-415")
def two_sided(t: float, freedom: int) -> float:
    """P(|T| > t) of Student's T, to 15 digits.

    Args:
        t: from 0 on.
        freedom: degrees of freedom, a whole number from 1 on.

    Raises:
        UsageError: t or the degrees of freedom are out of range.
    """
    if not 0 <= t < float("inf") or freedom < 1:
        raise UsageError(f"Student's t has no probability beyond {t} with {freedom} degrees of freedom")
    with decimal.localcontext(_DIGITS):
        return float(max(Decimal(0), 1 - _within(Decimal(t), freedom)))


@implements("REQ-245")
@lru_cache(maxsize=256)
def binomial_upper(failed: int, number: int, level: float) -> float:
    """The one-sided upper bound of a share (Clopper & Pearson 1934): the p with P(X <= failed) = 1 - level.

    It covers every true share with at least the level. 0 of 6 with 95 %: 0.393.

    Args:
        failed: how many of the independent trials failed.
        number: of trials, at least 1.
        level: one-sided, between 0 and 1.

    Raises:
        UsageError: level or counts are out of range.
    """
    if not 0 < level < 1 or not 0 <= failed <= number or number < 1:
        raise UsageError(f"a share of {failed} in {number} has no bound of level {level}")
    if failed == number:
        return 1.0
    with decimal.localcontext(_DIGITS):
        return _bisected(lambda p: _at_most(failed, number, p) > 1 - Decimal(level), Decimal(1))


@implements("REQ-246")
def lower_rank(number: int, quantile: float, confidence: float) -> int:
    """The rank (from 1) of the value that is a lower bound of a quantile; 0 when there are too few values.

    Of `number` independent values in ascending order, the one of rank r is at most the quantile with probability
    P(X >= r), X binomial (David & Nagaraja 2003, section 7.1). The largest r with at least the confidence is taken. The rank
    of an upper bound is `number + 1 - lower_rank(number, 1 - quantile, confidence)`.

    Args:
        number: of independent values.
        quantile: between 0 and 1; 0.5 is the median.
        confidence: one-sided, between 0 and 1.
    """
    with decimal.localcontext(_DIGITS):
        share, asked = Decimal(repr(quantile)), Decimal(repr(confidence))
        rank = 0
        while rank < number and 1 - _at_most(rank, number, share) >= asked:
            rank += 1
        return rank


def fewest_values(quantile: float, confidence: float) -> int:
    """The smallest number of independent values that bound a quantile from below."""
    number = 1
    while lower_rank(number, quantile, confidence) == 0:
        number += 1
    return number


def _bisected(below: Callable[[Decimal], bool], high: Decimal) -> float:
    """Where `below` changes from true to false between 0 and `high`."""
    low = Decimal(0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return float(high)


def _at_most(count: int, number: int, share: Decimal) -> Decimal:
    """P(X <= count) of a binomial X; the share is between 0 and 1."""
    if share in {0, 1}:
        return Decimal(int(share == 0 or count >= number))
    term = total = (1 - share) ** number
    for k in range(count):
        term *= (number - k) * share / ((k + 1) * (1 - share))
        total += term
    return total


def _within(t: Decimal, freedom: int) -> Decimal:
    """P(|T| <= t), by the finite series for whole degrees of freedom."""
    cosine = freedom / (freedom + t * t)
    sine = (1 - cosine).sqrt()
    term = total = Decimal(1)
    for k in range(2 - (freedom + 1) % 2, freedom - 1, 2):
        term *= cosine * k / (k + 1)
        total += term
    if freedom % 2 == 0:
        return sine * total
    more = sine * cosine.sqrt() * total if freedom > 1 else 0
    return (_arctangent(t / Decimal(freedom).sqrt()) + more) / (2 * _arctangent(Decimal(1)))


def _arctangent(x: Decimal) -> Decimal:
    """The angle is halved ten times; then the series of Gregory converges fast."""
    for _ in range(10):
        x /= 1 + (1 + x * x).sqrt()
    return 1024 * sum(((-1) ** k * x ** (2 * k + 1) / (2 * k + 1) for k in range(12)), Decimal(0))
