"""The paired permutation test over independent groups, and Holm's correction. Standard library only.

Two models that are equally good differ in a group as often in one direction as in the other: the sign of each difference is then
as if drawn by a coin (Fisher 1935; Good 2005, chapter 3). p is the share of all signs under which the mean difference is at
least as large as the one that was measured, in either direction.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

EXACT_UP_TO = 30
"""Groups up to which all 2^n signs are counted; above, signs are drawn."""
DRAWS = 9_999
"""Signs that are drawn above that number. p is then (1 + at least as large) / (1 + drawn) (Phipson & Smyth 2010)."""
_STEP = 10**9
"""Differences are compared as whole numbers of 1e-9, so that rounding of a double makes no two equal sums differ."""


class Permutation(NamedTuple):
    """The outcome of a permutation test."""

    p: float
    """Two-sided."""
    exact: bool
    """Whether all signs were counted, rather than some drawn."""
    smallest: float
    """The smallest p that so many groups can give, whatever was measured."""


@implements("REQ-390")
def sign_flips(differences: Sequence[float], *, seed: int, draws: int = DRAWS) -> Permutation:
    """The two-sided p of the mean of paired differences being other than 0, where the sign of each is exchangeable.

    Args:
        differences: one finite number a group.
        seed: of the signs that are drawn above 30 groups.
        draws: how many are drawn.

    Raises:
        UsageError: there are no differences.
    """
    if not differences:
        raise UsageError("there are no differences to test")
    steps = [round(one * _STEP) for one in differences]
    count, measured = len(steps), abs(sum(steps))
    if count <= EXACT_UP_TO:
        return Permutation(_at_least(steps, measured) / 2**count, exact=True, smallest=min(1.0, 2 / 2**count))
    draw, extreme, total = random.Random(seed).random, 0, sum(steps)  # noqa: S311  repeatable, nothing is secret
    for _ in range(draws):
        extreme += abs(total - 2 * sum(one for one in steps if draw() < 0.5)) >= measured
    return Permutation((1 + extreme) / (1 + draws), exact=False, smallest=1 / (1 + draws))


@implements("REQ-391")
def holm(ps: Sequence[float]) -> list[float]:
    """The p of each of several tests, corrected so that all together are wrong with at most the level (Holm 1979).

    Args:
        ps: uncorrected, in any order.

    Returns:
        Corrected, in the same order; each at most 1.
    """
    corrected, largest = [0.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda one: ps[one])):
        largest = max(largest, min(1.0, (len(ps) - place) * ps[index]))
        corrected[index] = largest
    return corrected


def _at_least(steps: Sequence[int], measured: int) -> int:
    """How many of all signs give a sum of at least `measured` in size: both halves apart, then in pairs."""
    if measured == 0:
        return int(2 ** len(steps))
    middle = len(steps) // 2
    first, second = _sums(steps[:middle]), sorted(_sums(steps[middle:]))
    return 2 * sum(len(second) - bisect_left(second, measured - one) for one in first)


def _sums(steps: Sequence[int]) -> list[int]:
    """The sums under all signs."""
    sums = [0]
    for one in steps:
        sums = [total + signed for total in sums for signed in (one, -one)]
    return sums
