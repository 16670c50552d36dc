"""Subgroups, places of errors and readers of an evaluation, as a report shows them: one line for each."""

from __future__ import annotations

from dataclasses import dataclass

from minivess.foundation.implements import implements
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.measures import heading_of, measure_of
from minivess.records.evaluation.subgroups.figures import Subgroup, SubgroupTable
from minivess.records.evaluation.subgroups.readers import ReaderFigure
from minivess.records.evaluation.subgroups.sections import PlaceTable, Sections, sections_of


@dataclass(frozen=True)
class StratumFigure:
    """A measure of the cases that have something in common, or the share of errors in a kind of place."""

    attribute: str
    """What was told apart: `scanner`, `missed by radius of the vessel`."""
    stratum: str
    """Which of its values."""
    of_class: str | None
    """The class, where there are several."""
    measure: str
    """The name of the measure; empty for a share of errors."""
    title: str
    """The measure for people."""
    groups: int
    cases: int
    mean: float | None
    """None where nothing could be measured."""
    lower: float | None
    upper: float | None
    note: str


@dataclass(frozen=True)
class Strata:
    """All of it. Each part is empty where the record has nothing of it."""

    figures: tuple[StratumFigure, ...]
    """In the order in which they are shown: attributes with their worst subgroup first, then places of errors."""
    basis: tuple[str, ...]
    """What intervals and P values are, and which attributes have one value."""
    readers: tuple[ReaderFigure, ...]
    """By the measures that criteria limit."""
    further_readers: tuple[ReaderFigure, ...] = ()
    """By the other measures of the evaluation."""


@implements("REQ-399")
def strata_of_report(record: EvaluationRecord, plan: AnalysisPlan) -> Strata:
    """What the record has of subgroups, places and readers."""
    found: Sections = sections_of(record, plan)
    figures = [_of_subgroup(record, table, one) for table in found.subgroups for one in table.rows]
    figures += [one for table in found.places for one in _of_places(table)]
    tables = [one for one in found.subgroups if one.rows]
    alike = {name: value for table in found.subgroups for name, value in table.alike.items()}
    said = [tables[0].basis] if tables else []
    if alike:
        same = ", ".join(f"{name} {value}" for name, value in sorted(alike.items()))
        said.append(f"The same in all cases, so without subgroups: {same}.")
    return Strata(tuple(figures), tuple(said), found.readers, found.further_readers)


def _of_subgroup(record: EvaluationRecord, table: SubgroupTable, one: Subgroup) -> StratumFigure:
    row, gap = measure_of(table.measure), one.rest
    digits = 3 if row is None else row.digits_in(record.unit)
    said = [one.note] if one.note else []
    if gap is not None:
        adjusted = "" if gap.adjusted is None else f", P {gap.adjusted:.3f}"
        said.append(f"gap to the rest {gap.words(digits)}{adjusted}")
    return StratumFigure(
        attribute=one.attribute.replace("_", " "),
        stratum=one.value,
        of_class=table.of_class,
        measure=table.measure,
        title=heading_of(table.measure, record.unit),
        groups=one.groups,
        cases=one.cases,
        mean=one.mean,
        lower=None if one.interval is None else one.interval.lower,
        upper=None if one.interval is None else one.interval.upper,
        note="; ".join(said),
    )


def _of_places(table: PlaceTable) -> list[StratumFigure]:
    of = "components" if table.table == "components" else "voxels"
    return [
        StratumFigure(
            attribute=table.heading,
            stratum=one.place,
            of_class=None,
            measure="",
            title=f"share of {of} that are {table.kind}",
            groups=one.groups,
            cases=one.cases,
            mean=one.share,
            lower=None if one.interval is None else one.interval.lower,
            upper=None if one.interval is None else one.interval.upper,
            note=f"{one.wrong} of {one.whole}" + ("" if one.interval else "; too few groups for an interval"),
        )
        for one in table.rows
    ]
