"""The paired difference of two models over independent groups, with its interval and its test. Standard library only.

Both models were measured on the same cases. The difference of a group is the mean over its cases of second minus first, and each
group weighs the same, as in `records.evaluation.statistics.intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.comparison.permutation import sign_flips
from minivess.records.evaluation.statistics.intervals import group_interval
from minivess.records.evaluation.statistics.summaries import CONFIDENCE, Interval, percent

Share = Annotated[float, Field(ge=0, le=1)]
Verdict = Literal["non-inferior", "not shown", "inferior"]


class PairedDifference(Record):
    """Second minus first, over the groups in which both have values."""

    first: float
    """The mean over group means of the first."""
    second: float
    difference: Interval
    """Of second minus first."""
    higher: int
    """Groups in which the second has the higher mean."""
    lower: int
    """Groups in which it has the lower one; in the others both are equal."""
    p: Share
    """Two-sided, by permutation of signs."""
    exact: bool
    """Whether all signs were counted; else some were drawn."""
    smallest_p: Share
    """The smallest p that so many groups can give."""


class NonInferiority(Record):
    """Whether the second is worse than the first by less than a margin."""

    margin: Annotated[float, Field(gt=0)]
    verdict: Verdict
    """`non-inferior`: the whole interval is above the margin of loss. `inferior`: the whole interval is below it."""
    why: str
    """The limit that was compared, or what is lacking."""
    registered: Annotated[int | None, Field(ge=0, exclude_if=lambda entry: entry is None)] = None
    """The entry of the log that registered this margin before the later of the two looks; None: none did."""


@implements("REQ-390")
def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[str],
    *,
    resamples: int,
    seed: int,
    level: float = CONFIDENCE,
    width: float = math.inf,
) -> PairedDifference:
    """Compare two lists of values of the same cases.

    Args:
        first: one finite value a case.
        second: those of the other model, of the same cases in the same order.
        groups: the independent group of each case, in the same order.
        resamples: of the bootstrap.
        seed: of all draws.
        level: of the interval, between 0 and 1.
        width: the largest possible difference; a limit of Student's t beyond it is set to it.

    Raises:
        UsageError: there are no values, the lengths differ, or a value is not finite.
    """
    if not len(first) == len(second) == len(groups):
        raise UsageError(f"{len(first)} and {len(second)} values of {len(groups)} cases are no pairs")
    away = [two - one for one, two in zip(first, second, strict=True)]
    interval = group_interval(away, groups, resamples=resamples, seed=seed, level=level, within=(-width, width))
    means = list(means_by_group(away, groups).values())
    tested = sign_flips(means, seed=seed)
    return PairedDifference(
        first=_mean(list(means_by_group(first, groups).values())),
        second=_mean(list(means_by_group(second, groups).values())),
        difference=interval,
        higher=sum(one > 0 for one in means),
        lower=sum(one < 0 for one in means),
        p=tested.p,
        exact=tested.exact,
        smallest_p=tested.smallest,
    )


@implements("REQ-392", "RC-157")
def non_inferiority(
    found: PairedDifference | None,
    margin: float,
    *,
    higher_is_better: bool,
    left_out: Sequence[str] = (),
    digits: int = 4,
) -> NonInferiority:
    """Whether the interval of the difference excludes a loss of the margin.

    The two-sided interval of level L is compared, so that the error of a wrong claim is (1 - L) / 2 (ICH E9, section 3.3.2).

    Args:
        found: the difference; None where no case has values of both.
        margin: the largest loss that does not matter, above 0, in the unit of the measure.
        higher_is_better: of the measure.
        left_out: cases without a value of one of the models. A missing value can be the worst one, so nothing is shown then.
        digits: of the numbers in words.

    Raises:
        UsageError: the margin is not above 0.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise UsageError(f"a margin of {margin:g} allows no loss", hint="state a margin above 0")
    if found is None or left_out:
        cases = f"{len(left_out)} case{'' if len(left_out) == 1 else 's'}"
        why = f"undefined in {cases}: {', '.join(left_out[:5])}{', …' if len(left_out) > 5 else ''}"
        return NonInferiority(margin=margin, verdict="not shown", why=why)
    interval = found.difference
    if interval.lower is None or interval.upper is None:
        return NonInferiority(margin=margin, verdict="not shown", why="one group, so there is no interval")
    low, high = (interval.lower, interval.upper) if higher_is_better else (-interval.upper, -interval.lower)
    verdict: Verdict = "non-inferior" if low > -margin else "inferior" if high < -margin else "not shown"
    shown = high if verdict == "inferior" else low
    at = "a gain" if shown > 0 else "a loss"
    end = "best" if verdict == "inferior" else "worst"
    why = f"the {end} end of the {percent(interval.level)} interval is {at} of {abs(shown):.{digits}f}"
    return NonInferiority(margin=margin, verdict=verdict, why=why)


def means_by_group(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    """The mean over the cases of each group, in order of its name."""
    held: dict[str, list[float]] = {}
    for name, value in zip(groups, values, strict=True):
        held.setdefault(name, []).append(value)
    return {name: _mean(held[name]) for name in sorted(held)}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
