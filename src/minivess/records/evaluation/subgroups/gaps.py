"""The gap between the means of two sets of groups, with its interval. Standard library only.

Groups can be in both sets, for example animals that were imaged on two scanners. With a and b the means of the na and nb
groups, the gap is the mean of a minus the mean of b. Its variance is the sum over all groups of (u - v)^2, where u = (a -
mean of a) / sqrt(na (na - 1)) for a group of the first set, else 0, and v likewise. Without common groups that is the variance of
Welch (Biometrika 34, 1947), and where all groups are common that of paired differences. Student's t has min(na, nb) - 1
degrees of freedom: never more than Welch's (Scheffe, The Analysis of Variance, 1959), so the interval is never narrower.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.comparison.permutation import holm
from minivess.records.evaluation.statistics.distributions import student_t, two_sided
from minivess.records.evaluation.statistics.summaries import CONFIDENCE, percent

FEWEST_GROUPS = 5
"""Groups below which a subgroup gets no interval. With 4 groups, Student's t is 3.2 for 95 %, and no coverage can be shown."""
_SAMPLES, _DRAWS = 400, 40_000
"""Of a simulated coverage: at most 400 samples, with at most 40,000 group means."""


class Gap(Record):
    """The mean of a subgroup minus that of others."""

    value: float
    lower: float | None
    """None where one side has too few groups for an interval."""
    upper: float | None
    level: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """Of the interval, not adjusted for the number of subgroups."""
    groups: tuple[int, int]
    """Of the subgroup, and of the others."""
    shared: int = 0
    """Groups that are in both."""
    coverage: float | None = None
    """How often such intervals contained the gap in samples drawn from the groups themselves."""
    p: float | None = None
    """Of no gap, by Student's t, two-sided."""
    adjusted: float | None = None
    """The same, adjusted by Holm (Scandinavian Journal of Statistics 6, 1979) for all gaps to the rest of one table."""

    def words(self, digits: int = 3) -> str:
        """The gap for people, with its interval where there is one."""
        if self.lower is None or self.upper is None:
            return f"{self.value:+.{digits}f}"
        return f"{self.value:+.{digits}f} ({self.lower:+.{digits}f} to {self.upper:+.{digits}f})"

    @property
    def basis(self) -> str:
        """How the interval is made, for people."""
        counted = f"{self.groups[0]} against {self.groups[1]} groups"
        if self.shared:
            counted += f", {self.shared} of them in both"
        if self.lower is None:
            return counted
        said = f"Student's t of two means, {counted}, nominal coverage {percent(self.level)}"
        return said if self.coverage is None else f"{said}, simulated {percent(self.coverage)}"


class _Spread(NamedTuple):
    value: float
    error: float
    """The standard error; 0 where all groups of each side are alike."""


@implements("REQ-415")
def gap_between(first: Mapping[str, float], second: Mapping[str, float], *, level: float, seed: int) -> Gap:
    """The mean of the first groups minus that of the second, with Student's t interval and its simulated coverage.

    Args:
        first: the mean of each group by its name; at least one.
        second: the same of the others.
        level: of the interval, between 0 and 1.
        seed: of the simulation.
    """
    counts = len(first), len(second)
    shared = len(first.keys() & second.keys())
    if min(counts) < FEWEST_GROUPS:
        value = math.fsum(first.values()) / counts[0] - math.fsum(second.values()) / counts[1]
        return Gap(value=value, lower=None, upper=None, level=level, groups=counts, shared=shared)
    freedom = min(counts) - 1
    found, times = _spread(first, second), student_t(level, freedom)
    half = times * found.error
    return Gap(
        value=found.value,
        lower=found.value - half,
        upper=found.value + half,
        level=level,
        groups=counts,
        shared=shared,
        coverage=_coverage(first, second, found.value, times, seed),
        p=two_sided(abs(found.value) / found.error, freedom) if found.error else None,
    )


def _spread(first: Mapping[str, float], second: Mapping[str, float]) -> _Spread:
    parts: dict[str, list[float]] = {}
    means = []
    for sign, held in ((1, first), (-1, second)):
        count = len(held)
        mean = math.fsum(held.values()) / count
        means.append(mean)
        scale = sign / math.sqrt(count * (count - 1))
        for name, value in held.items():
            parts.setdefault(name, []).append(scale * (value - mean))
    return _Spread(means[0] - means[1], math.sqrt(math.fsum(math.fsum(one) ** 2 for one in parts.values())))


def _coverage(
    first: Mapping[str, float], second: Mapping[str, float], value: float, times: float, seed: int
) -> float | None:
    """The share of samples whose interval contains the gap. A sample draws as many groups of each kind as there are: of the
    first set alone, of the second alone, and of both. A sample without two groups on a side is none."""
    names = sorted(first.keys() | second.keys())
    kinds: dict[tuple[bool, bool], list[str]] = {}
    for name in names:
        kinds.setdefault((name in first, name in second), []).append(name)
    draw = random.Random(seed).random  # noqa: S311  repeatable, nothing is secret
    samples = min(_SAMPLES, max(1, _DRAWS // len(names)))
    covering = 0
    for _ in range(samples):
        one: dict[str, float] = {}
        other: dict[str, float] = {}
        for members in kinds.values():
            for place in range(len(members)):
                name = members[int(draw() * len(members))]
                key = f"{place} of {members[0]}"
                if name in first:
                    one[key] = first[name]
                if name in second:
                    other[key] = second[name]
        found = _spread(one, other)
        covering += abs(found.value - value) <= times * found.error + 1e-12
    return covering / samples


@implements("REQ-415")
def holm_of_known(values: Sequence[float | None]) -> list[float | None]:
    """P values adjusted by Holm, in the same order: the family-wise error is at most the level. None stays None."""
    adjusted = iter(holm([value for value in values if value is not None]))
    return [None if value is None else next(adjusted) for value in values]
