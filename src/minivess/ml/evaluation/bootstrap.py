"""Intervals by the percentile bootstrap, resampled by subject (Efron & Tibshirani 1993, chapters 8 and 13).

Cases of one subject resemble one another, so the subject is what is drawn: drawing cases would make intervals too
narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.evaluation import CONFIDENCE, Interval

_FEWEST = 2
"""Subjects below which an interval would claim what nobody knows."""


@implements("REQ-024")
def bootstrap_mean(
    values: Sequence[float], subjects: Sequence[str], *, resamples: int, seed: int, level: float = CONFIDENCE
) -> Interval:
    """The mean over cases with its percentile interval from a cluster bootstrap.

    Each resample draws as many subjects as there are, with replacement, and averages all cases of those drawn. Cases of
    a single subject get no interval.

    Args:
        values: one finite value a case.
        subjects: the subject of each case, in the same order.
        resamples: number of resamples.
        seed: of the draws; the same seed gives the same interval.
        level: of the interval, between 0 and 1.

    Raises:
        UsageError: there are no values, the lengths differ, or a value is not finite.
    """
    if not values or len(values) != len(subjects):
        raise UsageError(f"{len(values)} values for {len(subjects)} subjects cannot be resampled")
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        raise UsageError("a value that is not finite has no place in a mean", hint="list undefined values apart")
    mean = float(data.mean())
    names, group = np.unique(np.asarray(subjects), return_inverse=True)
    if len(names) < _FEWEST:
        return Interval(mean=mean, lower=None, upper=None, n=len(values), level=level)
    sums = np.bincount(group, weights=data, minlength=len(names))
    counts = np.bincount(group, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(len(names), size=(resamples, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    lower, upper = np.percentile(means, (50 * (1 - level), 50 * (1 + level)))
    return Interval(mean=mean, lower=float(lower), upper=float(upper), n=len(values), level=level)
