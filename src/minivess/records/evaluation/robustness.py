"""How an evaluation changes when images are worse than usual: counts at each level of each perturbation, and what follows.

Everything but the counts is computed from them (`robustness_of`), so that a reader can compute it again (`recomputed`). The
figures are of cases that were not sealed: no gate and no criterion of a release is judged by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.evaluation.cases import CountsByName
from minivess.records.evaluation.counted.counts import Count, OverlapCounts
from minivess.records.evaluation.evaluation import Conventions, Criterion
from minivess.records.evaluation.measures import DICE, FAILURES, following_from, measures_of, range_of
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.evaluation.statistics.intervals import failure_share, group_interval
from minivess.records.evaluation.statistics.summaries import CONFIDENCE, Interval

FORMAT: Literal["minivess-robustness/1"] = "minivess-robustness/1"
Outcome = Literal["never", "at", "unchanged", "unknown"]
"""How a criterion comes out along a curve: it holds at all levels, fails from a level on, fails without any change, or its
measure was not counted."""


class PerturbedRow(Record):
    """What was counted of one class of one case at one level."""

    case: Slug
    of_class: ShortText
    """The class that was counted against everything else."""
    subject: Slug
    group: Slug
    """The independent group of the case."""
    voxels: Count
    """Of the image."""
    counts: CountsByName

    @property
    def values(self) -> Mapping[str, float | None]:
        """The value of each measure that follows from the counts; None where it is undefined."""
        return {row.name: row.value(self.counts[row.counted_as], self.voxels) for row in following_from(self.counts)}

    @property
    def dice(self) -> float:
        """The Dice, which every row has."""
        found = self.counts[DICE]
        assert isinstance(found, OverlapCounts)  # noqa: S101  `CountsByName` requires it
        return found.measure


class LevelFigures(Record):
    """The figures of one class at one level."""

    aggregates: dict[str, Interval]
    """Mean of each measure over the groups, and `failures`, the share of groups that failed."""
    changes: Annotated[dict[str, Interval], Field(exclude_if=lambda held: not held)] = Field(default={})
    """Mean over the groups of each measure minus its value in the unchanged image of the same case."""


class Counted(Record):
    """The counts at one level."""

    level: Annotated[float, Field(ge=0)]
    """0: the images are unchanged."""
    rows: Annotated[tuple[PerturbedRow, ...], Field(min_length=1)]
    refused: Annotated[tuple[Slug, ...] | None, Field(exclude_if=lambda value: value is None)] = None
    """The cases whose changed image the bounds of the intended use refuse, so that the service would not answer; None where
    no bounds are known."""

    @property
    def places(self) -> set[tuple[str, str]]:
        """Case and class of each row."""
        return {(row.case, row.of_class) for row in self.rows}


class PerturbedLevel(Counted):
    """The counts at one level, and the figures of each class that follow."""

    classes: dict[ShortText, LevelFigures]


class Perturbed(Record):
    """What a perturbation does, for people."""

    name: Slug
    title: ShortText
    unit: ShortText
    """Of its levels."""
    effect: Statement
    """What is done to image and mask."""


class CountedCurve(Record):
    """The counts of a perturbation."""

    perturbation: Perturbed
    levels: Annotated[tuple[Counted, ...], Field(min_length=1)]
    """Ascending; the unchanged images are not among them."""


class Curve(Record):
    """A perturbation at its levels, with figures."""

    perturbation: Perturbed
    levels: Annotated[tuple[PerturbedLevel, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        levels = [one.level for one in self.levels]
        if levels != sorted(set(levels)) or levels[0] <= 0:
            raise ValueError(f"levels of {self.perturbation.name} are not above 0 and ascending")
        return self


class Breakpoint(Record):
    """Where a criterion fails along a curve."""

    criterion: Criterion
    perturbation: Slug
    outcome: Outcome
    of_class: ShortText | None = None
    """The class that fails first."""
    at: float | None = None
    """The level: interpolated linearly between the last level where the criterion holds and the first where it fails; the
    latter where a value is undefined."""
    between: tuple[float, float] | None = None
    """Those two levels."""


class RobustnessFacts(Record):
    """What robustness is measured of, and how."""

    model: Digest
    data: Digest
    """Root of the split."""
    part: EvaluatedPart
    threshold: float
    """Of the mask of one class."""
    conventions: Conventions
    measures: tuple[Slug, ...]
    classes: tuple[ShortText, ...]
    criteria: tuple[Criterion, ...] = ()
    seed: int
    """Of the changes, and of the bootstrap."""
    level: Annotated[float, Field(gt=0, lt=1)] = CONFIDENCE
    """Of each interval. No correction is made for their number."""


class RobustnessRecord(Record):
    """Robustness of a model: figures without a change, along curves, and where criteria fail."""

    format: Literal["minivess-robustness/1"]
    facts: RobustnessFacts
    unchanged: PerturbedLevel
    curves: tuple[Curve, ...]
    breakpoints: tuple[Breakpoint, ...]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        names = [one.perturbation.name for one in self.curves]
        if len(set(names)) < len(names):
            raise ValueError("a perturbation occurs twice")
        wanted = self.unchanged.places
        for level in (self.unchanged, *(one for curve in self.curves for one in curve.levels)):
            if level.places != wanted or len(level.rows) != len(wanted):
                raise ValueError(f"level {level.level:g} has other cases or classes than the unchanged images")
        if self.unchanged.level != 0:
            raise ValueError("the unchanged images have the level 0")
        return self

    @property
    def groups(self) -> int:
        """The number of independent groups."""
        return len({row.group for row in self.unchanged.rows})

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases in order."""
        return tuple(dict.fromkeys(row.case for row in self.unchanged.rows))


@implements("REQ-405")
def robustness_of(facts: RobustnessFacts, unchanged: Counted, curves: Iterable[CountedCurve]) -> RobustnessRecord:
    """The record: figures of each level, changes against the unchanged images, and where each criterion fails.

    Raises:
        UsageError: there are no curves.
        ValueError: a level lacks a case or class.
    """
    held = tuple(curves)
    if not held:
        raise UsageError("there is no perturbation to measure robustness against")
    before = _level(facts, unchanged, None)
    made = tuple(
        Curve(perturbation=one.perturbation, levels=tuple(_level(facts, level, unchanged) for level in one.levels))
        for one in held
    )
    found = tuple(breakpoint_of(facts, before, curve, criterion) for criterion in facts.criteria for curve in made)
    return RobustnessRecord(format=FORMAT, facts=facts, unchanged=before, curves=made, breakpoints=found)


def recomputed(record: RobustnessRecord) -> RobustnessRecord:
    """The record, computed again from its counts."""

    def counted(level: PerturbedLevel) -> Counted:
        return Counted(level=level.level, rows=level.rows, refused=level.refused)

    curves = [
        CountedCurve(perturbation=one.perturbation, levels=tuple(map(counted, one.levels))) for one in record.curves
    ]
    return robustness_of(record.facts, counted(record.unchanged), curves)


def _level(facts: RobustnessFacts, counted: Counted, before: Counted | None) -> PerturbedLevel:
    earlier = {} if before is None else {(row.case, row.of_class): row.values for row in before.rows}
    return PerturbedLevel(
        level=counted.level,
        rows=counted.rows,
        refused=counted.refused,
        classes={
            name: _figures(facts, [row for row in counted.rows if row.of_class == name], earlier)
            for name in facts.classes
        },
    )


def _figures(
    facts: RobustnessFacts, rows: Sequence[PerturbedRow], before: Mapping[tuple[str, str], Mapping[str, float | None]]
) -> LevelFigures:
    aggregates: dict[str, Interval] = {}
    changes: dict[str, Interval] = {}
    for row in measures_of(facts.measures):
        values = [(one.group, one.values.get(row.name)) for one in rows]
        if (made := _interval(facts, values, within=range_of(row.name))) is not None:
            aggregates[row.name] = made
        pairs = [
            (one.group, _minus(one.values.get(row.name), before[one.case, one.of_class].get(row.name)))
            for one in rows
            if (one.case, one.of_class) in before
        ]
        if (made := _interval(facts, pairs)) is not None:
            changes[row.name] = made
    limit = facts.conventions.failure_dice
    if limit is not None and rows:
        failed = [one.dice < limit for one in rows]
        aggregates[FAILURES] = failure_share(failed, [one.group for one in rows], level=facts.level)
    return LevelFigures(aggregates=aggregates, changes=changes)


def _minus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _interval(
    facts: RobustnessFacts,
    pairs: Sequence[tuple[str, float | None]],
    within: tuple[float, float] = (float("-inf"), float("inf")),
) -> Interval | None:
    """The mean over groups, where anything is defined."""
    defined = [(group, value) for group, value in pairs if value is not None]
    if not defined:
        return None
    return group_interval(
        [value for _, value in defined],
        [group for group, _ in defined],
        resamples=facts.conventions.bootstrap,
        seed=facts.seed,
        level=facts.level,
        within=within,
    )


@implements("REQ-405")
def breakpoint_of(facts: RobustnessFacts, unchanged: PerturbedLevel, curve: Curve, criterion: Criterion) -> Breakpoint:
    """Where a criterion fails along a curve: of all classes that it is about, the one that fails first.

    A figure that is undefined for any case meets no criterion, as in an evaluation.
    """
    levels = (unchanged, *curve.levels)
    bound = Bound(criterion.at_least, criterion.at_most)
    made: list[Breakpoint] = []
    for name in facts.classes:
        if criterion.of_class not in {None, name}:
            continue
        if criterion.measure not in unchanged.classes[name].aggregates:
            continue
        made.append(_first_failure(levels, name, bound, criterion, curve.perturbation.name))
    if not made:
        return Breakpoint(criterion=criterion, perturbation=curve.perturbation.name, outcome="unknown")
    return min(made, key=lambda one: float("inf") if one.at is None else one.at)


def _first_failure(
    levels: Sequence[PerturbedLevel], name: str, bound: Bound, criterion: Criterion, perturbation: str
) -> Breakpoint:
    values = [_statistic(level, name, criterion) for level in levels]
    verdicts = [bound.judge(value) for value in values]
    place = next((number for number, one in enumerate(verdicts) if not one.met), None)
    if place is None:
        return Breakpoint(criterion=criterion, perturbation=perturbation, outcome="never")
    if place == 0:
        return Breakpoint(criterion=criterion, perturbation=perturbation, outcome="unchanged", of_class=name, at=0.0)
    low, high = levels[place - 1].level, levels[place].level
    before, after = verdicts[place - 1].margin, verdicts[place].margin
    at = high if before is None or after is None else low + (high - low) * before / (before - after)
    return Breakpoint(
        criterion=criterion, perturbation=perturbation, outcome="at", of_class=name, at=at, between=(low, high)
    )


def _statistic(level: PerturbedLevel, name: str, criterion: Criterion) -> float | None:
    interval = level.classes[name].aggregates.get(criterion.measure)
    if interval is None or interval.n < len({row.case for row in level.rows}):
        return None
    return {"mean": interval.mean, "lower": interval.lower, "upper": interval.upper}[criterion.statistic]
