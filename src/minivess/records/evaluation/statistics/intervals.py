"""Intervals over independent groups: Student's t, percentile bootstrap, and an exact bound of a share of failures.

Cases of one group resemble one another, so the group is what is counted: counting cases would make intervals too narrow. The
value of a group is the mean of its cases, and each group weighs the same (`group_interval`). With few groups a percentile
bootstrap (Efron & Tibshirani 1993, chapter 13) covers less than it says: over 6 groups about 85 % for 95 %. So below 20 groups
the interval is Student's t. How often each covers is simulated from the groups themselves and stated (iterated bootstrap: Hall
1986; Loh 1987). `mean_interval` is what plans of before ask for.

Only the standard library is used, so that every Python repeats an interval bit for bit: draws from
`random.Random(seed).random()` (Mersenne Twister, Matsumoto & Nishimura 1998), sums by `math.fsum` (correctly rounded, so
the order of the cases has no influence), and the closest ranks outward.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.statistics.distributions import binomial_upper, student_t
from minivess.records.evaluation.statistics.summaries import (
    CONFIDENCE,
    FEW_GROUPS,
    FEWEST_SIMULATED,
    Interval,
    Limits,
    Method,
)

_FEWEST = 2
"""Units below which there is nothing to resample."""
_SAMPLES, _DRAWS = 400, 40_000
"""Of a simulated coverage: a fifth as many samples as there are resamples, at most 400, with at most 40,000 group means."""
_INNER = 119
"""Resamples of each such sample: the limits of the levels 0.95 and 0.9833 then are at whole ranks of 120."""


@implements("REQ-242", "REQ-244", "RC-105")
def group_interval(
    values: Sequence[float],
    groups: Sequence[str],
    *,
    resamples: int,
    seed: int,
    level: float = CONFIDENCE,
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """The mean over groups of the mean of their cases, with its interval and how often such intervals cover.

    Below 20 groups the interval is Student's t over the group means, and the percentile bootstrap is beside it; from 20 groups on
    it is the other way round. One group gets no interval.

    The coverage is the share of samples whose interval contains the mean, where each sample draws as many group means as there
    are, with replacement. It is itself uncertain with few groups: the project's own spread is all that is known. From fewer than
    4 groups nothing is simulated.

    Args:
        values: one finite value a case.
        groups: the independent group of each case, in the same order.
        resamples: number of resamples.
        seed: of the draws; the same seed gives the same interval.
        level: of the interval, between 0 and 1.
        within: the smallest and the largest possible value; a limit of Student's t beyond them is set to them.

    Raises:
        UsageError: there are no values, the lengths differ, or a value is not finite.
    """
    held = _held(values, groups)
    means = array("d", [math.fsum(one) / len(one) for one in held.values()])
    return _interval(means.tobytes(), len(values), resamples=resamples, seed=seed, level=level, within=within)


@lru_cache(maxsize=2048)
def _interval(
    group_means: bytes, cases: int, *, resamples: int, seed: int, level: float, within: tuple[float, float]
) -> Interval:
    """As `group_interval`, from the means of the groups as doubles. A release needs the same intervals several times."""
    means = array("d", group_means).tolist()
    number, mean = len(means), math.fsum(means) / len(means)
    first: Method = "student-t" if number < FEW_GROUPS else "percentile"
    if number < _FEWEST:
        return Interval(mean=mean, lower=None, upper=None, n=cases, level=level, method=first, groups=number)
    draw = random.Random(seed).random  # noqa: S311  repeatable, nothing is secret
    drawn = _resampled(means, [1] * number, resamples, draw)
    low, high = _ranks(resamples, level)
    times = student_t(level, number - 1)
    half = times * _standard_error(means, mean)
    coverage = _coverage(means, mean, times, level=level, resamples=resamples, draw=draw)
    lower, upper = max(within[0], mean - half), min(within[1], mean + half)
    made: dict[Method, Limits] = {
        "student-t": Limits(method="student-t", lower=lower, upper=upper, coverage=coverage[0]),
        "percentile": Limits(method="percentile", lower=drawn[low], upper=drawn[high], coverage=coverage[1]),
    }
    used, other = made.pop(first), made.popitem()[1]
    return Interval(
        mean=mean,
        lower=used.lower,
        upper=used.upper,
        n=cases,
        level=level,
        method=first,
        groups=number,
        coverage=used.coverage,
        beside=other,
    )


@implements("REQ-245")
def failure_share(failed: Sequence[bool], groups: Sequence[str], *, level: float = CONFIDENCE) -> Interval:
    """The share of groups in which a case failed, with its exact upper bound. The lower limit is 0.

    Args:
        failed: whether each case failed.
        groups: the independent group of each case, in the same order.
        level: of the bound, one-sided, between 0 and 1.

    Raises:
        UsageError: there are no cases, or the lengths differ.
    """
    worst = [max(one) for one in _held([float(one) for one in failed], groups).values()]
    number, count = len(worst), round(sum(worst))
    return Interval(
        mean=count / number,
        lower=0.0,
        upper=binomial_upper(count, number, level),
        n=len(failed),
        level=level,
        method="clopper-pearson",
        groups=number,
    )


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
    held = _held(values, units)
    mean, number = math.fsum(values) / len(values), len(values)
    if len(held) < _FEWEST:
        return Interval(mean=mean, lower=None, upper=None, n=number, level=level)
    draw = random.Random(seed).random  # noqa: S311  repeatable, nothing is secret
    sums, sizes = [math.fsum(one) for one in held.values()], [len(one) for one in held.values()]
    means = _resampled(sums, sizes, resamples, draw)
    low, high = _ranks(resamples, level)
    return Interval(mean=mean, lower=means[low], upper=means[high], n=number, level=level)


def _held(values: Sequence[float], units: Sequence[str]) -> dict[str, list[float]]:
    """The values of each unit, in order of its name."""
    if not values or len(values) != len(units):
        raise UsageError(f"{len(values)} values for {len(units)} units cannot be resampled")
    if not all(map(math.isfinite, values)):
        raise UsageError("a value that is not finite has no place in a mean", hint="list undefined values apart")
    held: dict[str, list[float]] = {name: [] for name in sorted(set(units))}
    for value, name in zip(values, units, strict=True):
        held[name].append(value)
    return held


def _ranks(resamples: int, level: float) -> tuple[int, int]:
    """The ranks of the limits among so many means in ascending order, outward."""
    return math.floor((1 - level) / 2 * (resamples - 1)), math.ceil((1 + level) / 2 * (resamples - 1))


def _standard_error(means: Sequence[float], mean: float) -> float:
    count = len(means)
    return math.sqrt(math.fsum([(one - mean) * (one - mean) for one in means]) / (count * (count - 1)))


def _coverage(
    means: Sequence[float], mean: float, times: float, *, level: float, resamples: int, draw: Callable[[], float]
) -> tuple[float | None, float | None]:
    """How often intervals by Student's t and by percentile contain the mean of the group means, over samples of them.

    Whether the interval of a sample contains the mean follows from the ranks of its limits: enough resampled means are at most,
    and enough are at least as large. So the draws of a sample end as soon as both are sure.
    """
    count, fsum = len(means), math.fsum
    if count < FEWEST_SIMULATED:
        return None, None
    samples = max(1, min(_SAMPLES, resamples // 5, _DRAWS // count))
    span, (low, high) = range(count), _ranks(_INNER, level)
    by_t = by_percentile = 0
    for _ in range(samples):
        sample = [means[int(draw() * count)] for _ in span]
        middle = fsum(sample) / count
        by_t += abs(middle - mean) <= times * _standard_error(sample, middle)
        below, above = low + 1, _INNER - high
        for _ in range(_INNER):
            one = fsum([sample[int(draw() * count)] for _ in span]) / count
            below -= one <= mean
            above -= one >= mean
            if below <= 0 and above <= 0:
                by_percentile += 1
                break
    return by_t / samples, by_percentile / samples


def _resampled(sums: Sequence[float], sizes: Sequence[int], resamples: int, draw: Callable[[], float]) -> list[float]:
    """The means of the resamples in ascending order, from the sum and the number of cases of each unit."""
    count, fsum = len(sums), math.fsum
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
