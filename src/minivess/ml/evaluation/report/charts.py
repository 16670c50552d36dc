"""Charts of a report, laid out for drawing: every place is in units of the drawing, every label in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from minivess.ml.evaluation.report.counted import (
    PrecisionRecall,
    bin_points,
    counted_rows,
    precision_recall,
    rows_of_class,
)
from minivess.ml.evaluation.report.strata import StratumFigure
from minivess.records.evaluation.counted.counts import BINS
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.measures import DICE, Measure, measure_of, range_of

STRIP_WIDTH = 600
"""Of a strip of dots."""
SQUARE = 220
"""Sides of a diagram whose axes go from 0 to 1."""
_BARS = 44
"""Height of the bars under a reliability diagram."""
FOREST_WIDTH = 400


@dataclass(frozen=True)
class Mark:
    """A place along an axis, in words."""

    x: float
    text: str


@dataclass(frozen=True)
class Strip:
    """A measure of every case along one axis, with the mean, its interval and the limits of criteria."""

    dots: tuple[Mark, ...]
    mean: float
    span: tuple[float, float] | None
    limits: tuple[Mark, ...]
    baseline: Mark | None
    low: str
    high: str


@dataclass(frozen=True)
class Point:
    """A point of a diagram, in words."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A bar from the bottom of its drawing."""

    x: float
    width: float
    height: float


@dataclass(frozen=True)
class Diagram:
    """A diagram with both axes from 0 to 1; y grows downwards."""

    points: tuple[Point, ...]
    bars: tuple[Bar, ...] = ()
    mark: Point | None = None

    @property
    def line(self) -> str:
        """The points as an SVG path."""
        return "M" + "L".join(f"{one.x} {one.y}" for one in self.points) if self.points else ""


@dataclass(frozen=True)
class ForestRow:
    """A line of a forest plot: places are None where nothing was measured."""

    figure: StratumFigure
    mean: float | None
    span: tuple[float, float] | None


@dataclass(frozen=True)
class Forest:
    """The figures of one attribute on one axis."""

    attribute: str
    measure: str
    digits: int
    """After the decimal point."""
    rows: tuple[ForestRow, ...]
    whole: float | None
    """The mean over all cases, where the axis is that of a measure of the record."""
    low: str
    high: str


def strip_of(record: EvaluationRecord, of_class: str | None, measure: Measure, criteria: Sequence[Criterion]) -> Strip:
    """The strip of a measure that has a mean."""
    figures = record.by_class[of_class]
    interval, digits = figures.aggregates[measure.name], measure.digits_in(record.unit)
    rows = rows_of_class(record, of_class)
    values = [(row.case, value) for row in rows if (value := row.values.get(measure.name)) is not None]
    limits = [
        limit
        for one in criteria
        if one.measure == measure.name and one.of_class in {None, of_class}
        for limit in (one.at_least, one.at_most)
        if limit is not None
    ]
    rival = figures.baseline.mean if measure.name == DICE else None
    known = (
        [value for _, value in values]
        + limits
        + [one for one in (rival, interval.lower, interval.upper) if one is not None]
    )
    lowest, highest = min(known), max(known)
    room = max(0.04 * (highest - lowest), 0.01 if measure.largest is not None else 0.1)
    low = max(0.0, lowest - room)
    high = highest + room if measure.largest is None else min(measure.largest, highest + room)

    def place(value: float) -> float:
        return round(STRIP_WIDTH * (min(max(value, low), high) - low) / (high - low), 1)

    span = None
    if interval.lower is not None and interval.upper is not None:
        span = place(interval.lower), place(interval.upper)
    return Strip(
        dots=tuple(Mark(place(value), f"{case}: {value:.{digits}f}") for case, value in values),
        mean=place(interval.mean),
        span=span,
        limits=tuple(Mark(place(limit), f"limit {limit:g}") for limit in dict.fromkeys(limits)),
        baseline=None if rival is None else Mark(place(rival), f"tuned threshold {rival:.{digits}f}"),
        low=f"{low:.{digits}f}",
        high=f"{high:.{digits}f}",
    )


def reliability_of(record: EvaluationRecord, of_class: str | None, *, border: bool) -> Diagram | None:
    """The reliability diagram of a class; None where the record has no bins, or no voxel is in them."""
    rows = counted_rows(rows_of_class(record, of_class))
    points = bin_points(record, rows, border=border)
    if not points:
        return None
    return Diagram(
        points=tuple(
            Point(
                _across(one.confidence),
                _up(one.frequency),
                f"probability {one.confidence:.3f}, share {one.frequency:.3f}, {100 * one.share:.3g} % of the voxels",
            )
            for one in points
        ),
        bars=tuple(
            Bar(
                round(SQUARE * one.place / BINS + 1, 1),
                round(SQUARE / BINS - 2, 1),
                round(_BARS * math.sqrt(one.share), 1),
            )
            for one in points
        ),
    )


def precision_recall_of(record: EvaluationRecord, of_class: str | None) -> Diagram | None:
    """Precision over recall of a class; None where nothing follows from the record."""
    found = precision_recall(record, counted_rows(rows_of_class(record, of_class)))
    if not found:
        return None
    curve = [_point(one) for one in found if one.threshold is not None]
    mask = [_point(one) for one in found if one.threshold is None]
    return Diagram(points=tuple(curve), mark=mask[0] if mask else None)


def forests_of(record: EvaluationRecord, figures: Sequence[StratumFigure]) -> list[Forest]:
    """A forest plot for each attribute, measure and class, in the order in which they come."""
    held: dict[tuple[str, str, str | None], list[StratumFigure]] = {}
    for one in figures:
        held.setdefault((one.attribute, one.measure, one.of_class), []).append(one)
    return [_forest(record, rows) for rows in held.values()]


def _forest(record: EvaluationRecord, figures: Sequence[StratumFigure]) -> Forest:
    first = figures[0]
    known = [value for one in figures for value in (one.mean, one.lower, one.upper) if value is not None]
    overall = record.by_class.get(first.of_class, record).aggregates.get(first.measure)
    whole = None if overall is None else overall.mean
    if whole is not None:
        known.append(whole)
    smallest, largest = range_of(first.measure)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = max(0.05 * (high - low), 0.01)
    low, high = max(smallest, low - room), min(largest, high + room)

    def place(value: float) -> float:
        return round(FOREST_WIDTH * (value - low) / (high - low), 1)

    rows = [
        ForestRow(
            one,
            None if one.mean is None else place(one.mean),
            None if one.lower is None or one.upper is None else (place(one.lower), place(one.upper)),
        )
        for one in figures
    ]
    title = first.title if first.of_class is None else f"{first.title}, {first.of_class}"
    row = measure_of(first.measure)
    digits = 3 if row is None else row.digits_in(record.unit)
    return Forest(
        attribute=first.attribute,
        measure=title,
        digits=digits,
        rows=tuple(rows),
        whole=None if whole is None else place(whole),
        low=f"{low:.{digits}f}",
        high=f"{high:.{digits}f}",
    )


def _point(one: PrecisionRecall) -> Point:
    where = "mask" if one.threshold is None else f"probability of at least {one.threshold:.3f}"
    return Point(
        _across(one.recall), _up(one.precision), f"{where}: recall {one.recall:.3f}, precision {one.precision:.3f}"
    )


def _across(value: float) -> float:
    return round(SQUARE * value, 1)


def _up(value: float) -> float:
    return round(SQUARE * (1 - value), 1)
