"""The tables of a report: measures with their intervals, and every case, worst first."""

from __future__ import annotations

from dataclasses import dataclass

from minivess.foundation.implements import implements
from minivess.ml.evaluation.drawings import Album, CaseDrawing, Picture, drawing_order
from minivess.ml.evaluation.report.charts import Strip, strip_of
from minivess.ml.evaluation.report.counted import Row, mean_dice
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.scores import SCORES, Score
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import Measure, heading_of, measure_of
from minivess.records.evaluation.statistics.summaries import Interval

MOST_THUMBNAILS = 400
"""Cases with a small picture in the table, worst first; further cases are listed without one."""


@dataclass(frozen=True)
class MeasureRow:
    """A measure or aggregate of a class."""

    name: str
    heading: str
    direction: str
    value: str
    bounds: str
    how: str
    interval: Interval
    strip: Strip | None
    undefined: int
    """Cases without a value."""


@dataclass(frozen=True)
class Cell:
    """A figure of a case: what is shown, and what rows are sorted by."""

    text: str
    value: float | None


@dataclass(frozen=True)
class CaseLine:
    """A row of the table of cases."""

    case: str
    of_class: str | None
    group: str
    dice: float
    """The mean over the classes of the case."""
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    thumbnail: Picture | None


@dataclass(frozen=True)
class ShownCase:
    """A case with large pictures, and why it is shown."""

    why: str
    case: str
    dice: float
    drawing: CaseDrawing


@implements("REQ-399")
def measure_rows(record: EvaluationRecord, of_class: str | None, facts: ReportFacts) -> list[MeasureRow]:
    """The rows of a class: its measures in the order of reports, then the other aggregates and the baseline."""
    figures, criteria = record.by_class[of_class], facts.plan.criteria if record.part is None else ()
    planned = [one.name for one in record.measures if one.name in figures.aggregates]
    names = [*planned, *(name for name in figures.aggregates if name not in planned)]
    pairs = [(name, heading_of(name, record.unit), figures.aggregates[name]) for name in names]
    pairs.append(("baseline", "Dice of the best single intensity threshold", figures.baseline))
    if figures.conformal_recall is not None:
        pairs.append(("conformal_recall", "Recall of the conformal mask", figures.conformal_recall))
    found = []
    for name, heading, interval in pairs:
        measure, score = measure_of(name), SCORES.get(name)
        digits = 3 if score is None else score.digits
        digits = digits if measure is None else measure.digits_in(record.unit)
        beside = interval.beside_in_words(digits)
        found.append(
            MeasureRow(
                name=name,
                heading=heading,
                direction=_direction(measure, score),
                value=f"{interval.mean:.{digits}f}",
                bounds=interval.words(digits),
                how=f"{interval.basis}. Beside it: {beside}" if beside else interval.basis,
                interval=interval,
                strip=None if measure is None else strip_of(record, of_class, measure, criteria),
                undefined=0 if measure is None and score is None else len(record.tested) - interval.n,
            )
        )
    return found


def _direction(measure: Measure | None, score: Score | None) -> str:
    if measure is not None:
        return measure.direction
    return "" if score is None else "higher is better" if score.higher_is_better else "lower is better"


@implements("REQ-399")
def case_lines(record: EvaluationRecord, album: Album) -> list[CaseLine]:
    """A line for each case and class, the case with the lowest mean Dice first; cells follow `record.measures`."""
    held: dict[str, list[Row]] = {}
    for row in record.cases:
        held.setdefault(row.case, []).append(row)
    found: list[CaseLine] = []
    for place, (case, dice) in enumerate(mean_dice(record).items()):
        drawing = album.get(case) if place < MOST_THUMBNAILS else None
        for number, row in enumerate(held[case]):
            cells = []
            for measure in record.measures:
                value = row.values.get(measure.name)
                text = "undefined" if value is None else f"{value:.{max(measure.digits_in(record.unit), 2)}f}"
                cells.append(Cell(text, value))
            found.append(
                CaseLine(
                    case=case,
                    of_class=row.of_class,
                    group=row.group,
                    dice=dice,
                    cells=(*cells, Cell(f"{row.baseline_dice:.3f}", row.baseline_dice)),
                    notes=tuple(_notes(record, row)),
                    thumbnail=None if drawing is None or number else drawing.thumbnail,
                )
            )
    return found


def _notes(record: EvaluationRecord, row: Row) -> list[str]:
    said, limit = [], record.conventions.failure_dice
    if limit is not None and row.dice < limit:
        said.append("failed")
    if isinstance(row, CaseCounts):
        predicted = row.overlap.tp + row.overlap.fp
        if row.overlap.reference and not predicted:
            said.append("empty mask")
        elif not row.overlap.reference:
            said.append("empty reference" if predicted else "both empty")
    if row.dice < row.baseline_dice:
        said.append("below the threshold")
    return said


@implements("REQ-400", "RC-160")
def shown_cases(record: EvaluationRecord, album: Album, seed: int) -> list[ShownCase]:
    """The best, the median and the worst case and two random ones, by the record and the seed alone.

    The median is the lower middle of an even number; where the album has no large pictures of it, the nearest case that has.
    """
    dices = mean_dice(record)
    detailed = [case for case in dices if (drawing := album.get(case)) is not None and drawing.panels]
    if not detailed:
        return []
    order = list(dices)
    middle = (len(order) - 1) // 2
    median = min(detailed, key=lambda case: (abs(order.index(case) - middle), case))
    named = {"Worst": record.worst, "Median": median, "Best": record.best}
    reasons: dict[str, list[str]] = {}
    for why, case in named.items():
        reasons.setdefault(case, []).append(why if not reasons.get(case) else why.lower())
    for case in [one for one in drawing_order(dices, seed) if one not in reasons and one in detailed][:2]:
        reasons[case] = ["Random"]
    return [
        ShownCase(" and ".join(why), case, dices[case], drawing)
        for case, why in reasons.items()
        if (drawing := album.get(case)) is not None and drawing.panels
    ]
