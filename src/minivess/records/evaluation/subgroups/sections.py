"""What reports show of subgroups, places of errors, readers and worst cases, from an evaluation and its registered plan."""

from __future__ import annotations

from collections.abc import Sequence

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText
from minivess.records.evaluation.counted.places import TABLES, FalsePlaces, Kind, MissedPlaces, Table
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.measures import DICE, name_in
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


class Sections(Record):
    """All of it. Each part is empty where the evaluation has nothing of it."""

    subgroups: tuple[SubgroupTable, ...] = ()
    """By each measure that a criterion limits, or by Dice where none does; of several classes each."""
    readers: tuple[ReaderFigure, ...] = ()
    """By the same measures."""
    further_readers: tuple[ReaderFigure, ...] = ()
    """By the other measures of the evaluation."""
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
    others = [(row.name, of_class) for row in record.measures if row.name not in measures for of_class in classes]
    places = [
        PlaceTable(kind=kind, table=table, of_class=of_class, rows=rows)
        for of_class in classes
        for kind, names in _KINDS.items()
        for table in TABLES
        if table in names and (rows := place_figures(record, kind, table, seed=plan.seed, of_class=of_class))
    ]
    return Sections(
        subgroups=subgroup_tables(record, plan),
        readers=_readers(record, plan, pairs),
        further_readers=_readers(record, plan, others),
        places=tuple(places),
        worst=worst_cases(record, measures[0], WORST),
    )


def subgroup_tables(record: EvaluationRecord, plan: AnalysisPlan) -> tuple[SubgroupTable, ...]:
    """The subgroups of `Sections`, without the other parts; empty for an evaluation of version 0.1.0.

    Args:
        record: an evaluation.
        plan: its registered plan, with criteria and seed.
    """
    if record.format is None:
        return ()
    pairs = ((measure, one) for measure in _measures(record, plan) for one in tuple(record.classes) or (None,))
    return tuple(subgroups(record, measure, seed=plan.seed, of_class=one) for measure, one in pairs)


def _measures(record: EvaluationRecord, plan: AnalysisPlan) -> list[str]:
    """The measures that criteria limit, in the order of reports; Dice where none does."""
    limited = {one.measure for one in plan.criteria}
    return [one.name for one in record.measures if one.name in limited] or [DICE]


def first_measure(record: EvaluationRecord, plan: AnalysisPlan) -> Sections:
    """Subgroups and readers by the first measure alone: what fits a terminal."""
    if record.format is None:
        return Sections()
    measure, classes = _measures(record, plan)[0], tuple(record.classes) or (None,)
    return Sections(
        subgroups=tuple(subgroups(record, measure, seed=plan.seed, of_class=one) for one in classes),
        readers=_readers(record, plan, [(measure, one) for one in classes]),
    )


def _readers(
    record: EvaluationRecord, plan: AnalysisPlan, wanted: Sequence[tuple[str, str | None]]
) -> tuple[ReaderFigure, ...]:
    """The readers by each measure and class that they were counted for."""
    found = (reader_figure(record, measure, seed=plan.seed, of_class=of_class) for measure, of_class in wanted)
    return tuple(one for one in found if one is not None)


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
