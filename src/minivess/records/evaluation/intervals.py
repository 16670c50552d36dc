"""Intervals by the percentile bootstrap, resampled by subject or group (Efron & Tibshirani 1993, chapters 8 and 13).

Cases of one subject resemble one another, so the subject is what is drawn: drawing cases would make intervals too narrow.

Only the standard library is used, so that every Python repeats an interval bit for bit: draws from
`random.Random(seed).random()` (Mersenne Twister, Matsumoto & Nishimura 1998), sums by `math.fsum` (correctly rounded, so
the order of the cases has no influence), and the closest ranks outward.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.evaluation import CONFIDENCE, Interval

_FEWEST = 2
"""Units below which there is nothing to resample."""


@implements("REQ-024", "REQ-215")
def mean_interval(
    values: Sequence[float], units: Sequence[str], *, resamples: int, seed: int, level: float = CONFIDENCE
) -> Interval:
    """The mean over cases with its percentile interval from a cluster bootstrap.

    Each resample draws as many units as there are, with replacement, and averages all cases of those drawn. Cases of a
    single unit get no interval.

    Args:
        values: one finite value a case.
        units: the subject or group of each case, in the same order.
        resamples: number of resamples.
        seed: of the draws; the same seed gives the same interval.
        level: of the interval, between 0 and 1.

    Raises:
        UsageError: there are no values, the lengths differ, or a value is not finite.
    """
    if not values or len(values) != len(units):
        raise UsageError(f"{len(values)} values for {len(units)} units cannot be resampled")
    if not all(map(math.isfinite, values)):
        raise UsageError("a value that is not finite has no place in a mean", hint="list undefined values apart")
    held: dict[str, list[float]] = {name: [] for name in sorted(set(units))}
    for value, name in zip(values, units, strict=True):
        held[name].append(value)
    mean, number = math.fsum(values) / len(values), len(values)
    if len(held) < _FEWEST:
        return Interval(mean=mean, lower=None, upper=None, n=number, level=level)
    means = _resampled([math.fsum(one) for one in held.values()], [len(one) for one in held.values()], resamples, seed)
    lower = means[math.floor((1 - level) / 2 * (resamples - 1))]
    upper = means[math.ceil((1 + level) / 2 * (resamples - 1))]
    return Interval(mean=mean, lower=lower, upper=upper, n=number, level=level)


def _resampled(sums: Sequence[float], sizes: Sequence[int], resamples: int, seed: int) -> list[float]:
    """The means of the resamples in ascending order, from the sum and the number of cases of each unit."""
    draw, count, fsum = random.Random(seed).random, len(sums), math.fsum  # noqa: S311  repeatable, nothing is secret
    span, means = range(count), []
    if len(set(sizes)) == 1:  # every resample has as many cases
        cases = count * sizes[0]
        means = [fsum([sums[int(draw() * count)] for _ in span]) / cases for _ in range(resamples)]
    else:
        for _ in range(resamples):
            picks = [int(draw() * count) for _ in span]
            means.append(fsum([sums[pick] for pick in picks]) / sum([sizes[pick] for pick in picks]))
    means.sort()
    return means
