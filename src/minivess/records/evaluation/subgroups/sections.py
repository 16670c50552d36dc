"""What reports show of subgroups, places of errors, readers and worst cases, from an evaluation and its registered plan."""

from __future__ import annotations

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText
from minivess.records.evaluation.counted.places import TABLES, FalsePlaces, Kind, MissedPlaces, Table
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.measures import DICE, heading_of, name_in
from minivess.records.evaluation.subgroups.figures import (
    PlaceFigure,
    SubgroupTable,
    WorstCase,
    place_figures,
    subgroups,
    worst_cases,
)
from minivess.records.evaluation.subgroups.readers import ReaderFigure, reader_figure

WORST = 10
"""Worst cases that are listed."""
_KINDS: dict[Kind, tuple[str, ...]] = {
    "missed": tuple(MissedPlaces.model_fields),
    "false": tuple(FalsePlaces.model_fields),
}


class PlaceTable(Record):
    """The share of missed or of false voxels in the bins of one table."""

    kind: Kind
    table: Table
    of_class: ShortText | None
    """The class whose rows these are; None: one class."""
    rows: tuple[PlaceFigure, ...]

    @property
    def heading(self) -> str:
        """For people: `missed by radius of the vessel`."""
        place = "" if self.of_class is None else f" of {self.of_class}"
        return f"{self.kind}{place} by {TABLES[self.table]}"


class StratumRow(Record):
    """One line of a table or of a forest plot: a subgroup of the cases, or the voxels of a place."""

    attribute: ShortText
    """What was told apart: `site`, `missed voxels by radius of the vessel`."""
    stratum: ShortText
    """Which of its values."""
    of_class: ShortText | None = None
    measure: ShortText
    """For people: the title of a measure, or `share missed`."""
    groups: int
    cases: int
    mean: float | None
    """None where the measure is undefined in every case."""
    lower: float | None = None
    """None where there are too few groups."""
    upper: float | None = None
    note: str = ""


class Sections(Record):
    """All of it. Each part is empty where the evaluation has nothing of it."""

    subgroups: tuple[SubgroupTable, ...] = ()
    """By each measure that a criterion limits, or by Dice where none does; of several classes each."""
    readers: tuple[ReaderFigure, ...] = ()
    """By the same measures."""
    places: tuple[PlaceTable, ...] = ()
    worst: tuple[WorstCase, ...] = ()
    """By the first of these measures; the rows of all classes."""


@implements("REQ-415", "REQ-416", "REQ-417", "REQ-418")
def sections_of(record: EvaluationRecord, plan: AnalysisPlan) -> Sections:
    """What reports show; empty for an evaluation of version 0.1.0, which has no counts.

    Args:
        record: an evaluation.
        plan: its registered plan, with criteria and seed.
    """
    if record.format is None:
        return Sections()
    measures, classes = _measures(record, plan), tuple(record.classes) or (None,)
    pairs = [(measure, of_class) for measure in measures for of_class in classes]
    figures = [reader_figure(record, measure, seed=plan.seed, of_class=one) for measure, one in pairs]
    places = [
        PlaceTable(kind=kind, table=table, of_class=of_class, rows=rows)
        for of_class in classes
        for kind, names in _KINDS.items()
        for table in TABLES
        if table in names and (rows := place_figures(record, kind, table, seed=plan.seed, of_class=of_class))
    ]
    return Sections(
        subgroups=tuple(subgroups(record, measure, seed=plan.seed, of_class=one) for measure, one in pairs),
        readers=tuple(one for one in figures if one is not None),
        places=tuple(places),
        worst=worst_cases(record, measures[0], WORST),
    )


def _measures(record: EvaluationRecord, plan: AnalysisPlan) -> list[str]:
    """The measures that criteria limit, in the order of reports; Dice where none does."""
    limited = {one.measure for one in plan.criteria}
    return [one.name for one in record.measures if one.name in limited] or [DICE]


def first_measure(record: EvaluationRecord, plan: AnalysisPlan) -> Sections:
    """Subgroups and readers by the first measure alone: what fits a terminal."""
    if record.format is None:
        return Sections()
    measure, classes = _measures(record, plan)[0], tuple(record.classes) or (None,)
    figures = [reader_figure(record, measure, seed=plan.seed, of_class=one) for one in classes]
    return Sections(
        subgroups=tuple(subgroups(record, measure, seed=plan.seed, of_class=one) for one in classes),
        readers=tuple(one for one in figures if one is not None),
    )


@implements("REQ-415", "REQ-417")
def stratum_rows(sections: Sections, record: EvaluationRecord) -> tuple[StratumRow, ...]:
    """Subgroups and places as lines of one kind, in the order of the sections: worst subgroups first, places by their bins.

    Args:
        sections: of the record.
        record: states the unit of distances.
    """
    made = []
    for table in sections.subgroups:
        for one in table.rows:
            gap = "" if one.rest is None else f"gap to the rest {one.rest.words()}"
            if one.rest is not None and one.rest.adjusted is not None:
                gap += f", P {one.rest.adjusted:.3f} (Holm)"
            made.append(
                StratumRow(
                    attribute=one.attribute,
                    stratum=one.value,
                    of_class=table.of_class,
                    measure=heading_of(table.measure, record.unit),
                    groups=one.groups,
                    cases=one.cases,
                    mean=one.mean,
                    lower=None if one.interval is None else one.interval.lower,
                    upper=None if one.interval is None else one.interval.upper,
                    note="; ".join(said for said in (one.note, gap) if said),
                )
            )
    for places in sections.places:
        counted = "components" if places.table == "components" else "voxels"
        made += [
            StratumRow(
                attribute=f"{places.kind} {counted} by {TABLES[places.table]}",
                stratum=one.place,
                of_class=places.of_class,
                measure=f"share {places.kind}",
                groups=one.groups,
                cases=one.cases,
                mean=one.share,
                lower=None if one.interval is None else one.interval.lower,
                upper=None if one.interval is None else one.interval.upper,
                note=f"{one.wrong} of {one.whole} {counted}",
            )
            for one in places.rows
        ]
    return tuple(made)


def cells_of(table: SubgroupTable, record: EvaluationRecord, digits: int = 3) -> list[tuple[str, ...]]:
    """A table of subgroups as text, with its header first.

    Args:
        table: the subgroups.
        record: the evaluation, which states unit and level.
        digits: after the decimal point.
    """
    name = name_in(table.measure, record.unit)
    heading = f"{name} by subgroup" if table.of_class is None else f"{name} of {table.of_class} by subgroup"
    rows: list[tuple[str, ...]] = [
        (heading, "groups", "mean", f"{record.certainty} interval", "gap to the rest", "P (Holm)")
    ]
    for one in table.rows:
        gap = one.rest
        rows.append(
            (
                f"{one.attribute}: {one.value}",
                f"{one.groups}",
                "–" if one.mean is None else f"{one.mean:.{digits}f}",
                "too few groups" if one.interval is None else one.interval.words(digits),
                "–" if gap is None else gap.words(digits),
                "–" if gap is None or gap.adjusted is None else f"{gap.adjusted:.3f}",
            )
        )
    return rows
