"""Figures by subgroup, by place, and of the worst cases: pure functions of an evaluation. Standard library only.

As everywhere, the independent group is counted: the value of a group is the mean of its cases. A subgroup of fewer than
`FEWEST_GROUPS` groups has a mean and no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.attributes import NOT_STATED
from minivess.records.base import Record, ShortText, Slug
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.places import Kind, Table, words_of
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import measure_of, range_of
from minivess.records.evaluation.statistics.intervals import group_interval
from minivess.records.evaluation.statistics.summaries import Interval, percent
from minivess.records.evaluation.subgroups.gaps import FEWEST_GROUPS, Gap, gap_between, holm_of_known
from minivess.records.evaluation.subgroups.strata import strata_of


class Subgroup(Record):
    """The figures of the cases that have one value of an attribute."""

    attribute: Slug
    value: ShortText
    """`not stated`: the cases without the attribute."""
    groups: int
    cases: int
    undefined: int = 0
    """Cases in which the measure is undefined; they are in no mean."""
    mean: float | None
    """None where the measure is undefined in every case."""
    interval: Interval | None
    """None where there are too few groups."""
    rest: Gap | None
    """To all other cases."""
    best: Gap | None
    """To the best subgroup of the attribute that has enough groups; None for this one."""
    note: str = ""
    """What a reader must know of it; empty where there is nothing."""


class SubgroupTable(Record):
    """The subgroups of an evaluation by one measure."""

    measure: ShortText
    of_class: ShortText | None
    """The class whose rows these are; None: the rows of all classes."""
    level: float
    comparisons: int
    """Different divisions of the cases into a subgroup and the rest for which a P value was computed."""
    rows: tuple[Subgroup, ...]
    """Attributes in order of their worst subgroup, subgroups with the worst mean first."""
    alike: dict[Slug, str]
    """Attributes with one value in all cases."""

    @property
    def basis(self) -> str:
        """What the intervals and P values are, for people."""
        adjusted = (
            f" P values of the gap to the rest are adjusted by Holm for {self.comparisons} comparisons."
            if self.comparisons
            else ""
        )
        return (
            f"Intervals of level {percent(self.level)}, not adjusted for the number of subgroups.{adjusted} Below "
            f"{FEWEST_GROUPS} groups there is no interval. "
            "The best subgroup is chosen by its result, so the gap to it is too large on average."
        )


class PlaceFigure(Record):
    """The share of errors in one bin of a table of places."""

    place: ShortText
    groups: int
    cases: int
    """Cases that have voxels there."""
    whole: int
    """Voxels, or components, of all these cases."""
    wrong: int
    share: float
    """The mean over groups of the mean of their cases; each case is a share of its own."""
    interval: Interval | None
    """None where there are too few groups."""


class WorstCase(Record):
    """One of the worst cases by a measure."""

    case: Slug
    group: Slug
    of_class: ShortText | None
    value: float | None
    """None: the measure is undefined. Such a case comes first."""
    attributes: dict[str, str]


class _Values(NamedTuple):
    """The cases of a subgroup: the values of each group, and how many have none."""

    held: dict[str, list[float]]
    undefined: int
    groups: int

    @property
    def means(self) -> dict[str, float]:
        return {group: math.fsum(values) / len(values) for group, values in sorted(self.held.items())}

    @property
    def mean(self) -> float | None:
        means = self.means
        return math.fsum(means.values()) / len(means) if means else None


def _values(rows: Sequence[CaseCounts], measure: str) -> _Values:
    held: dict[str, list[float]] = {}
    undefined = 0
    for row in rows:
        value = row.values[measure]
        if value is None:
            undefined += 1
        else:
            held.setdefault(row.group, []).append(value)
    return _Values(held, undefined, len({row.group for row in rows}))


@implements("REQ-415", "REQ-416", "RC-164")
def subgroups(record: EvaluationRecord, measure: str, *, seed: int, of_class: str | None = None) -> SubgroupTable:
    """The figures of each subgroup by a measure, worst first.

    Args:
        record: with counts; one of version 0.1.0 has no subgroups.
        measure: a measure that its cases have.
        seed: of the plan; the same seed gives the same intervals.
        of_class: one of several classes. None: the rows of all of them.

    Raises:
        UsageError: its cases do not have the measure, or it has no such class.
    """
    rows, strata = _rows(record, measure, of_class), strata_of(record)
    names = sorted({name for held in strata.values() for name in held})
    alike: dict[str, str] = {}
    made: list[list[Subgroup]] = []
    divisions: list[frozenset[str]] = []
    for name in names:
        parts: dict[str, list[CaseCounts]] = {}
        for row in rows:
            parts.setdefault(strata[row.case].get(name, NOT_STATED), []).append(row)
        if len(parts) == 1:
            alike[name] = next(iter(parts))
            continue
        made.append(_of_attribute(record, name, parts, measure, seed))
        cases = frozenset(row.case for row in rows)
        for one in made[-1]:
            inside = frozenset(row.case for row in parts[one.value])
            divisions.append(min(inside, cases - inside, key=sorted))
    table = [one for held in made for one in held]
    table, comparisons = _adjusted(table, divisions)
    worst: dict[str, int] = {}
    for place in sorted(range(len(table)), key=lambda place: (_badness(table[place], measure), place)):
        worst.setdefault(table[place].attribute, len(worst))
    ordered = sorted(table, key=lambda one: (worst[one.attribute], _badness(one, measure), one.value))
    return SubgroupTable(
        measure=measure,
        of_class=of_class,
        level=record.level,
        comparisons=comparisons,
        rows=tuple(ordered),
        alike=alike,
    )


def _rows(record: EvaluationRecord, measure: str, of_class: str | None) -> list[CaseCounts]:
    counted = [row for row in record.cases if isinstance(row, CaseCounts)]
    if of_class is not None and of_class not in record.classes:
        raise UsageError(f"the evaluation has no class {of_class}", hint=f"classes: {', '.join(record.classes)}")
    if any(measure not in row.values for row in counted):
        known = ", ".join(one.name for one in record.measures)
        raise UsageError(f"the cases of the evaluation have no {measure}", hint=f"measures: {known}")
    return [row for row in counted if of_class in {None, row.of_class}]


def _badness(one: Subgroup, measure: str) -> float:
    """Ascending from the worst; a subgroup in which the measure is undefined is the worst."""
    row = measure_of(measure)
    if one.mean is None:
        return -math.inf
    return one.mean if row is None or row.higher_is_better else -one.mean


def _of_attribute(
    record: EvaluationRecord, name: str, parts: dict[str, list[CaseCounts]], measure: str, seed: int
) -> list[Subgroup]:
    """The subgroups of an attribute, in order of value."""
    found = {value: _values(rows, measure) for value, rows in sorted(parts.items())}
    row = measure_of(measure)
    sign = 1.0 if row is None or row.higher_is_better else -1.0
    enough = {value: one for value, one in found.items() if len(one.held) >= FEWEST_GROUPS and value != NOT_STATED}
    best = max(enough, key=lambda value: sign * (enough[value].mean or 0.0), default=None)
    made = []
    for value, one in found.items():
        others = _values([row for other, rows in parts.items() if other != value for row in rows], measure)
        against = enough[best] if best not in {None, value} and best is not None else None
        few = _few(one.held)
        made.append(
            Subgroup(
                attribute=name,
                value=value,
                groups=one.groups,
                cases=len({row.case for row in parts[value]}),
                undefined=one.undefined,
                mean=one.mean,
                interval=None if few else _interval(record, one.held, range_of(measure), seed),
                rest=_gap(one, others, record.level, seed),
                best=None if against is None else _gap(one, against, record.level, seed),
                note=_note(one, few=few),
            )
        )
    return made


def _gap(one: _Values, other: _Values, level: float, seed: int) -> Gap | None:
    return gap_between(one.means, other.means, level=level, seed=seed) if one.held and other.held else None


@implements("REQ-416", "RC-165")
def _few(held: dict[str, list[float]]) -> bool:
    """Whether there are too few groups for an interval."""
    return len(held) < FEWEST_GROUPS


def _interval(
    record: EvaluationRecord, held: dict[str, list[float]], within: tuple[float, float], seed: int
) -> Interval:
    pairs = [(group, value) for group, values in held.items() for value in values]
    return group_interval(
        [value for _, value in pairs],
        [group for group, _ in pairs],
        resamples=record.conventions.bootstrap,
        seed=seed,
        level=record.level,
        within=within,
    )


def _note(one: _Values, *, few: bool) -> str:
    said = []
    if few:
        number = len(one.held)
        said.append(f"too few groups for an interval: {number}, and {FEWEST_GROUPS} are needed")
    if one.undefined:
        said.append(f"undefined in {one.undefined}")
    return "; ".join(said)


def _adjusted(table: list[Subgroup], divisions: list[frozenset[str]]) -> tuple[list[Subgroup], int]:
    """The rows with P values adjusted for all different divisions of the cases, and the number of these."""
    values: dict[frozenset[str], float] = {}
    for one, division in zip(table, divisions, strict=True):
        if one.rest is not None and one.rest.p is not None:
            values.setdefault(division, one.rest.p)
    adjusted = dict(zip(values, holm_of_known(list(values.values())), strict=True))
    made = []
    for one, division in zip(table, divisions, strict=True):
        rest = one.rest
        if rest is not None and rest.p is not None:
            rest = rest.model_copy(update={"adjusted": adjusted[division]})
        made.append(one.model_copy(update={"rest": rest}))
    return made, len(values)


@implements("REQ-417")
def place_figures(
    record: EvaluationRecord, kind: Kind, table: Table, *, seed: int, of_class: str | None = None
) -> tuple[PlaceFigure, ...]:
    """The share of missed or false voxels in each bin of a table, in order of the bins; empty where nothing was counted.

    The share is computed for each case that has voxels there, and not over the voxels of all cases.

    Args:
        record: an evaluation.
        kind: `missed` (of the reference) or `false` (of the prediction).
        table: the table, a field of `MissedPlaces` or `FalsePlaces`.
        seed: of the plan.
        of_class: one of several classes. None: the rows of all of them.

    Raises:
        UsageError: the record has no such class.
    """
    if of_class is not None and of_class not in record.classes:
        raise UsageError(f"the evaluation has no class {of_class}", hint=f"classes: {', '.join(record.classes)}")
    bins: dict[int, list[tuple[CaseCounts, int, int]]] = {}
    for row in record.cases:
        if isinstance(row, CaseCounts) and row.errors is not None and of_class in {None, row.of_class}:
            for one in row.errors.table(kind, table):
                bins.setdefault(one.bin, []).append((row, one.whole, one.wrong))
    made = []
    for number, found in sorted(bins.items()):
        held: dict[str, list[float]] = {}
        for row, whole, wrong in found:
            held.setdefault(row.group, []).append(wrong / whole)
        found_of = mean_of_groups(record, held, "share", seed=seed)
        made.append(
            PlaceFigure(
                place=words_of(table, number, record.unit),
                groups=len(held),
                cases=len({row.case for row, _, _ in found}),
                whole=sum(whole for _, whole, _ in found),
                wrong=sum(wrong for _, _, wrong in found),
                share=found_of.mean,
                interval=found_of.interval,
            )
        )
    return tuple(made)


class GroupMeans(NamedTuple):
    """The means of groups, their mean, and its interval; None where there are too few groups."""

    means: dict[str, float]
    mean: float
    interval: Interval | None


def mean_of_groups(record: EvaluationRecord, held: dict[str, list[float]], measure: str, *, seed: int) -> GroupMeans:
    """The mean over groups of the values of their cases, with its interval.

    Args:
        record: says level and resamples.
        held: the values of each group; at least one group.
        measure: of which they are values; another name is that of a share, from 0 to 1.
        seed: of the plan.
    """
    means = {group: math.fsum(values) / len(values) for group, values in sorted(held.items())}
    interval = None if _few(held) else _interval(record, held, range_of(measure), seed)
    return GroupMeans(means, math.fsum(means.values()) / len(means), interval)


@implements("REQ-416")
def worst_cases(
    record: EvaluationRecord, measure: str, number: int = 10, *, of_class: str | None = None
) -> tuple[WorstCase, ...]:
    """The cases with the worst values of a measure, worst first; of equal ones in order of name.

    Raises:
        UsageError: the cases do not have the measure, or there is no such class.
    """
    row = measure_of(measure)
    sign = 1.0 if row is None or row.higher_is_better else -1.0

    def rank(one: CaseCounts) -> tuple[float, str, str]:
        value = one.values[measure]
        return (-math.inf if value is None else sign * value), one.case, one.of_class or ""

    rows = sorted(_rows(record, measure, of_class), key=rank)[:number]
    strata = strata_of(record)
    return tuple(
        WorstCase(
            case=one.case,
            group=one.group,
            of_class=one.of_class,
            value=one.values[measure],
            attributes=strata[one.case],
        )
        for one in rows
    )
