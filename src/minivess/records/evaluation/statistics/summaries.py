"""Figures over the cases of an evaluation: a mean with its interval, and all figures of one class."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record

Method = Literal["student-t", "percentile", "clopper-pearson"]
METHODS: dict[str | None, str] = {
    None: "percentile bootstrap",
    "percentile": "percentile bootstrap",
    "student-t": "Student's t",
    "clopper-pearson": "Clopper-Pearson",
}
"""The name of a method for people. None: records that name no method."""
LEAST_COVERAGE = {2: 0.91, 3: 0.88}
"""How often Student's t of level 95 % over 2 and 3 groups contained the mean: the least of four distributions, normal,
beta (18, 3), beta (30, 1) and lognormal (`benchmarks/interval_coverage.py`). So few groups cannot be drawn from."""
CONFIDENCE = 0.95
"""That the intervals of all looks at one test set are held to together."""
FEW_GROUPS = 20
"""Below this number of groups the interval is Student's t, from it on the percentile bootstrap."""
FEWEST_SIMULATED = 4
"""Groups below which no coverage is simulated: too many samples of them would be one group drawn again and again."""


def percent(level: float) -> str:
    """A level for people: `95 %`, `97.5 %`."""
    return f"{100 * level:.4g} %"


def _missing(value: object) -> bool:
    return value is None


class Limits(Record):
    """The limits of an interval by one method."""

    method: Method
    lower: float
    upper: float
    coverage: Annotated[float | None, Field(ge=0, le=1, exclude_if=_missing)] = None
    """How often intervals by this method contained the mean in samples drawn from the groups themselves; None where there are
    too few groups for that."""

    def words(self, digits: int = 3) -> str:
        """Method, limits and coverage for people."""
        shown = f"{METHODS[self.method]} {self.lower:.{digits}f} to {self.upper:.{digits}f}"
        return shown if self.coverage is None else f"{shown}, simulated coverage {percent(self.coverage)}"


class Interval(Record):
    """A mean with an interval of a stated level, over `n` cases of `groups` independent groups.

    With fewer than two groups there is no spread to judge by, so there is no interval: `lower` and `upper` are None, and
    whatever asks for a bound is not met. A share of failed groups has an upper bound alone, and its `lower` is 0.
    """

    mean: float
    lower: float | None
    upper: float | None
    n: int
    level: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """How often such intervals shall contain the true mean: 0.95, and more when several looks are allowed."""
    method: Annotated[Method | None, Field(exclude_if=_missing)] = None
    """None: a percentile bootstrap of the mean over cases."""
    groups: Annotated[int | None, Field(ge=1, exclude_if=_missing)] = None
    """Independent groups; None: the record does not say."""
    coverage: Annotated[float | None, Field(ge=0, le=1, exclude_if=_missing)] = None
    """How often intervals by this method contained the mean in samples drawn from the groups themselves; None for an exact
    bound, where there is no interval, and where there are too few groups to draw from."""
    beside: Annotated[Limits | None, Field(exclude_if=_missing)] = None
    """The limits by the other method."""

    def words(self, digits: int = 3) -> str:
        """The interval for people, without the mean."""
        if self.method == "clopper-pearson" and self.upper is not None and self.groups is not None:
            return f"{round(self.mean * self.groups)} of {self.groups} failed: up to {100 * self.upper:.0f} % may"
        if self.lower is None or self.upper is None:
            return "no interval: one group"
        return f"{self.lower:.{digits}f} to {self.upper:.{digits}f}"

    @property
    def basis(self) -> str:
        """Method, number of groups and cases, nominal and simulated coverage, for people."""
        cases = f"{self.n} {'case' if self.n == 1 else 'cases'}"
        counted = (
            cases if self.groups is None else f"{self.groups} {'group' if self.groups == 1 else 'groups'}, {cases}"
        )
        if self.upper is None:
            return counted
        nominal = f"{METHODS[self.method]}, {counted}, nominal coverage {percent(self.level)}"
        if self.method == "clopper-pearson":
            return f"{nominal}, one-sided and exact"
        if self.coverage is not None:
            return f"{nominal}, simulated {percent(self.coverage)}"
        if self.groups in LEAST_COVERAGE:
            least = percent(LEAST_COVERAGE[self.groups])
            why = f"the least of four distributions: {self.groups} groups are too few to draw from"
            return f"{nominal}, at level {percent(CONFIDENCE)} simulated {least} ({why})"
        return f"{nominal}, not simulated"

    def beside_in_words(self, digits: int = 3) -> str:
        """The limits by the other method, for people; empty where there are none."""
        return "" if self.beside is None else self.beside.words(digits)


class ClassFigures(Record):
    """The figures of one class against everything else, over its cases."""

    aggregates: dict[str, Interval]
    """Each measure, and the others of `records.evaluation.measures.AggregateName`."""
    baseline: Interval
    """Dice of the best single intensity threshold."""
    conformal_recall: Interval | None
    """Recall of the conformal mask; None without such a mask."""
    ece: float
    """The expected calibration error of the probability of the class over all voxels."""
    band_ece: float
    """The same along the border of the class in the reference."""
