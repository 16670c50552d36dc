"""Curves of a measure over the levels of each perturbation, as SVG."""

from __future__ import annotations

import math

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from minivess.foundation.implements import implements
from minivess.ml.evaluation.style import BLUE, CLASS_COLOURS, GREY, INK, MARKERS, ORANGE, STYLE, margins, render
from minivess.records.evaluation.measures import Measure, measure_of
from minivess.records.evaluation.robustness import Curve, PerturbedLevel, RobustnessRecord
from minivess.records.evaluation.statistics.summaries import percent

_COLUMNS = 3
_WIDE, _TALL = 3.2, 2.3
"""Inches of a panel."""
_LINE, _IN_A_ROW = 0.18, 4
"""Inches of a row of the legend, and how much is in one."""


@implements("REQ-406")
def curves(record: RobustnessRecord, measure: str) -> bytes:
    """A panel for each perturbation: the mean of a measure with its interval at each level, SVG.

    A line for each class, the limits of criteria on this measure, and the level from which one fails. Below each level is the
    number of images that the intended use refuses, where there are any.

    Args:
        record: with figures.
        measure: the name of a measure that the record has.
    """
    row = measure_of(measure)
    assert row is not None  # noqa: S101  a record has measures of the table alone
    rows = math.ceil(len(record.curves) / _COLUMNS)
    legend = _legend(record)
    top, bottom = 0.3, 0.6 + _LINE * math.ceil(len(legend) / _IN_A_ROW)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_COLUMNS * _WIDE + 0.6, rows * _TALL + top + bottom))
        axes = figure.subplots(rows, _COLUMNS, squeeze=False)
        margins(figure, left=0.8, right=0.4, top=top, bottom=bottom, wspace=0.3, hspace=0.75)
        low, high = _range(record, row)
        for place, axis in enumerate(axes.flat):
            if place >= len(record.curves):
                axis.set_axis_off()
                continue
            curve = record.curves[place]
            _panel(axis, record, curve, row)
            axis.set_ylim(low, high)
            axis.set_title(curve.perturbation.title)
            axis.set_xlabel(curve.perturbation.unit, fontsize=8)
            if place % _COLUMNS == 0:
                axis.set_ylabel(row.short_heading(record.facts.conventions.within.unit))
        figure.legend(handles=legend, loc="lower center", ncols=_IN_A_ROW, fontsize=8)
        return render(figure, "svg")


def _range(record: RobustnessRecord, row: Measure) -> tuple[float, float]:
    """The same for all panels: what intervals and limits need, with a margin."""
    held = [
        value
        for level in _levels(record)
        for figures in level.classes.values()
        for one in (figures.aggregates.get(row.name),)
        if one is not None
        for value in (one.mean, one.lower, one.upper)
        if value is not None
    ]
    held += [
        limit
        for one in record.facts.criteria
        if one.measure == row.name
        for limit in (one.at_least, one.at_most)
        if limit is not None
    ]
    low, high = min(held, default=0.0), max(held, default=1.0)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _levels(record: RobustnessRecord) -> list[PerturbedLevel]:
    return [record.unchanged, *(level for curve in record.curves for level in curve.levels)]


def _panel(axis: Axes, record: RobustnessRecord, curve: Curve, row: Measure) -> None:
    levels = [record.unchanged, *curve.levels]
    places = [level.level for level in levels]
    for number, name in enumerate(record.facts.classes):
        colour = _colour(record, number)
        shown = [
            (place, one)
            for place, level in zip(places, levels, strict=True)
            if (one := level.classes[name].aggregates.get(row.name)) is not None
        ]
        xs, means = [place for place, _ in shown], [one.mean for _, one in shown]
        axis.plot(xs, means, color=colour, marker=MARKERS[number % len(MARKERS)], markersize=4.5, linewidth=1.2)
        bands = [
            (place, one.lower, one.upper) for place, one in shown if one.lower is not None and one.upper is not None
        ]
        if bands:
            axis.fill_between(
                [place for place, _, _ in bands],
                [low for _, low, _ in bands],
                [high for _, _, high in bands],
                color=colour,
                alpha=0.13,
                linewidth=0,
            )
    for criterion in record.facts.criteria:
        for limit in (criterion.at_least, criterion.at_most):
            if criterion.measure == row.name and limit is not None:
                axis.axhline(limit, color=INK, linewidth=0.9, linestyle="--")
    for found in record.breakpoints:
        here = found.perturbation == curve.perturbation.name and found.criterion.measure == row.name
        if here and found.at is not None:
            axis.axvline(found.at, color=ORANGE, linewidth=1.2, linestyle=":")
    axis.set_xticks(places, [_tick(level, place) for level, place in zip(levels, places, strict=True)], fontsize=8)


def _tick(level: PerturbedLevel, place: float) -> str:
    """A level; below it how many images the intended use refuses."""
    return f"{place:g}" if not level.refused else f"{place:g}\n{len(level.refused)} refused"


def _colour(record: RobustnessRecord, number: int) -> str:
    return BLUE if len(record.facts.classes) == 1 else CLASS_COLOURS[number % len(CLASS_COLOURS)]


def _legend(record: RobustnessRecord) -> list[Line2D | Patch]:
    several = len(record.facts.classes) > 1
    lines = [
        Line2D([], [], color=_colour(record, number), marker=MARKERS[number % len(MARKERS)], label=f"{name}, mean")
        for number, name in enumerate(record.facts.classes)
    ]
    band = Patch(color=GREY if several else BLUE, alpha=0.3, label=f"{percent(record.facts.level)} interval")
    limits = [
        Line2D([], [], color=INK, linestyle="--", label="limit of a criterion"),
        Line2D([], [], color=ORANGE, linestyle=":", label="a criterion fails from here"),
    ]
    return [*lines, band, *(limits if record.facts.criteria else [])]
