"""Figures of an evaluation. Where there are several classes, each has its colour and its mark, and its figures in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.ml.evaluation.evaluate import Pictures
from minivess.ml.evaluation.overlays import colour_of, overlay
from minivess.ml.evaluation.style import BLUE, GREY, MARKERS, ORANGE, STYLE, margins, render
from minivess.ml.uncertainty.reliability import BAND_VOXELS, Reliability
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counted.counts import BINS
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import DICE, MEASURES, Measure
from minivess.records.evaluation.statistics.summaries import METHODS, ClassFigures, percent

_Case = CaseCounts | CaseMeasures
_LINE = 0.17
"""Inches of a line of a heading."""
_ACROSS = 4
"""Panels of measures in a row of the figure; more are below."""
_TICKS = 0.35
"""Inches for the numbers below a panel."""


def write_figures(
    record: EvaluationRecord, pictures: Pictures, folder: Path, *, cases: bool = True
) -> tuple[Path, ...]:
    """Write `overlay.png`, `reliability.svg` and `measures.svg` into a folder, each whole or not at all.

    Args:
        record: the measures.
        pictures: what is drawn.
        folder: where to.
        cases: whether to draw images of test cases (`overlay.png`); a custodian gives out measures alone.

    Raises:
        CouldNotCheckError: the folder cannot be written.
    """
    drawn = {
        **({"overlay.png": overlay(pictures)} if cases else {}),
        "reliability.svg": reliability(record, pictures),
        "measures.svg": measures_by_case(record, pictures),
    }
    for name, data in drawn.items():
        write_atomic(folder / name, data)
    return tuple(folder / name for name in drawn)


@implements("REQ-338")
def reliability(record: EvaluationRecord, pictures: Pictures) -> bytes:
    """Reliability diagrams over all voxels and in the band along the reference's border, a line for each class, SVG."""
    looks = looks_of(record, pictures)
    voxels = "voxels" if len(pictures.best.spacing) == 3 else "pixels"
    named = next(iter(pictures.reliability)) if len(looks) == 1 else "the class"
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 5.2))
        axes = figure.subplots(2, 2, height_ratios=(3.2, 1), sharex=True)
        margins(figure, left=0.8, right=0.15, top=0.6, bottom=0.5, wspace=0.2, hspace=0.12)
        titles = (f"All {voxels}", f"Within {BAND_VOXELS} {voxels} of the reference's border")
        for column, (title, field, error) in enumerate(
            zip(titles, ("everywhere", "band"), ("ece", "band_ece"), strict=True)
        ):
            several = "" if len(looks) == 1 else " over all classes"
            axes[0, column].set_title(f"{title}\nexpected calibration error {getattr(record, error):.3f}{several}")
            axes[0, column].plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect calibration")
            for one, bins in zip(looks, pictures.reliability.values(), strict=True):
                label = "measured" if one.name is None else f"{one.name} {getattr(one.figures, error):.3f}"
                _reliability_line(axes[0, column], getattr(bins, field), one, label)
                _counts(axes[1, column], getattr(bins, field), one)
            axes[0, column].legend(loc="upper left", fontsize=8)
            axes[0, column].set(xlim=(0, 1), ylim=(0, 1))
            axes[1, column].set_yscale("symlog", linthresh=1)
            axes[1, column].set_ylim(bottom=0)
            axes[1, column].set_xlabel(f"predicted probability of {named}")
        axes[0, 0].set_ylabel(f"share that is {named} in the reference")
        axes[1, 0].set_ylabel(voxels)
        return render(figure, "svg")


@implements("REQ-338")
def measures_by_case(record: EvaluationRecord, pictures: Pictures) -> bytes:
    """Every measure of every case and class, worst Dice at the bottom, with means, intervals and the baseline's Dice, SVG."""
    looks, rows = looks_of(record, pictures), _rows(record)
    with mpl.rc_context(STYLE):
        top = 0.3 + _LINE * (1 + len(looks))
        bands = math.ceil(len(record.measures) / _ACROSS)
        height = top + 0.95 + 0.27 * len(rows) * (1 + 0.35 * (len(looks) - 1))
        height, between = min(max(height, 3.2), 24), top + _TICKS
        figure = Figure(figsize=(11, height + (bands - 1) * (height - 0.95 + _TICKS)))
        across = min(_ACROSS, len(record.measures))
        axes = list(figure.subplots(bands, across, sharey=True, squeeze=False).flat)
        size = 8 if len(rows) <= 40 else 5
        labels = [_label(next(iter(row.values()))) for row in rows]
        names = max(map(len, labels)) * 0.62 * size / 72  # inches, of letters as wide as they come
        bottom = 0.75 if len(looks) == 1 else 0.95
        panel = (figure.get_figheight() - top - bottom - (bands - 1) * between) / bands
        margins(figure, left=0.25 + names, right=0.15, top=top, bottom=bottom, wspace=0.18, hspace=between / panel)
        for axis in axes[len(record.measures) :]:
            axis.set_visible(False)
        for axis, measure in zip(axes, record.measures, strict=False):
            axis.set_title(
                "\n".join([measure.short_heading(record.unit), *(heading(one, measure, record) for one in looks)])
            )
            for one in looks:
                _measure_marks(axis, rows, measure, one)
                if measure.name == DICE:
                    _baseline_marks(axis, rows, one)
            _frame(axis, rows, measure)
        axes[0].set_yticks(range(len(rows)), labels, fontsize=size)
        axes[0].set_ylim(-0.6, len(rows) - 0.4)
        figure.legend(handles=_legend(record, looks), loc="lower center", ncols=3 if len(looks) == 1 else 4)
        return render(figure, "svg")


class _ClassLook:
    """How a class is drawn, and its figures.

    Args:
        name: of the class; None where there is one.
        figures: of the class.
        number: of the class, from 0.
        count: of all classes.
        colour: of the class.
    """

    def __init__(self, name: str | None, figures: ClassFigures, *, number: int, count: int, colour: str) -> None:
        self.name, self.figures, self.colour = name, figures, colour
        self.marker = MARKERS[number % len(MARKERS)]
        self.shift = 0.0 if count == 1 else 0.7 * (0.5 - (number + 0.5) / count)
        """How far above the middle of its case."""


def looks_of(record: EvaluationRecord, pictures: Pictures) -> list[_ClassLook]:
    """How each class is drawn, in order of value; one class alone has no name and is blue."""
    classes, several = pictures.best.classes, len(record.by_class) > 1
    return [
        _ClassLook(
            name,
            figures,
            number=number,
            count=len(record.by_class),
            colour=colour_of(classes, number) if several else BLUE,
        )
        for number, (name, figures) in enumerate(record.by_class.items())
    ]


def _rows(record: EvaluationRecord) -> list[dict[str | None, _Case]]:
    """The rows of each case by class, worst mean Dice first."""
    held: dict[str, dict[str | None, _Case]] = {}
    for row in record.cases:
        held.setdefault(row.case, {})[row.of_class] = row
    mean = {name: math.fsum(row.dice for row in rows.values()) / len(rows) for name, rows in held.items()}
    return [held[name] for name in sorted(held, key=lambda name: (mean[name], name))]


def _reliability_line(axis: Axes, bins: Reliability, look: _ClassLook, label: str) -> None:
    filled = bins.counts > 0
    confidence = bins.confidence[filled] / bins.counts[filled]
    frequency = bins.positives[filled] / bins.counts[filled]
    if look.name is None:
        bottom, top = np.minimum(confidence, frequency), np.maximum(confidence, frequency)
        axis.vlines(confidence, bottom, top, color=ORANGE, linewidth=2)
        axis.plot([], [], color=ORANGE, linewidth=2, label="gap")
    axis.plot(confidence, frequency, color=look.colour, marker=look.marker, markersize=4.5, linewidth=1.2, label=label)


def _counts(axis: Axes, bins: Reliability, look: _ClassLook) -> None:
    middles = (np.arange(BINS) + 0.5) / BINS
    if look.name is None:
        axis.bar(middles, bins.counts, width=0.92 / BINS, color=GREY)
    else:
        axis.step(middles, bins.counts, where="mid", color=look.colour, linewidth=1.2)


@implements("REQ-323")
def heading(look: _ClassLook, measure: Measure, record: EvaluationRecord) -> str:
    """Mean and interval of a class, for the heading of a panel."""
    digits, cases = measure.digits_in(record.unit), len(record.tested)
    interval = look.figures.aggregates.get(measure.name)
    name = "" if look.name is None else f"{look.name} "
    if interval is None:
        return f"{name}undefined"
    words = f"{name}{interval.mean:.{digits}f} ({interval.words(digits)})"
    return words if interval.n == cases else f"{words}, {interval.n} of {cases}"


def _measure_marks(axis: Axes, rows: list[dict[str | None, _Case]], measure: Measure, look: _ClassLook) -> None:
    interval = look.figures.aggregates.get(measure.name)
    if interval is not None:
        if interval.lower is not None and interval.upper is not None:
            axis.axvspan(interval.lower, interval.upper, color=look.colour, alpha=0.13, linewidth=0)
        axis.axvline(interval.mean, color=look.colour, linewidth=1)
    for place, row in enumerate(rows):
        value = row[look.name].values.get(measure.name)
        height = place + look.shift
        if value is None:
            middle = axis.get_yaxis_transform()
            words = "undefined" if look.name is None else f"{look.name} undefined"
            axis.text(0.5, height, words, color=ORANGE, ha="center", va="center", transform=middle)
        else:
            axis.plot(value, height, look.marker, color=look.colour, markersize=5, zorder=3, clip_on=False)


def _baseline_marks(axis: Axes, rows: list[dict[str | None, _Case]], look: _ClassLook) -> None:
    places = [place + look.shift for place in range(len(rows))]
    rival = [row[look.name].baseline_dice for row in rows]
    axis.hlines(places, rival, [row[look.name].dice for row in rows], color=GREY, linewidth=1, zorder=2)
    colour = ORANGE if look.name is None else look.colour
    axis.plot(rival, places, "D", markerfacecolor="white", markeredgecolor=colour, markersize=4.5, zorder=3)
    axis.axvline(look.figures.baseline.mean, color=colour, linewidth=1, linestyle="--")


def _frame(axis: Axes, rows: list[dict[str | None, _Case]], measure: Measure) -> None:
    axis.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    every = [one for row in rows for one in row.values()]
    if measure.name == DICE:
        axis.set_xlim(min(min(one.baseline_dice, one.dice) for one in every) - 0.03, 1)
    elif measure.largest is None:
        values = [value for one in every if (value := one.values.get(measure.name)) is not None]
        axis.set_xlim(0, 1.08 * max(values, default=1.0) or 1.0)
    else:
        axis.set_xlim(right=measure.largest)


def _coverage(looks: list[_ClassLook]) -> str:
    """The simulated coverage of the intervals that are drawn: from the lowest to the highest; empty where there is none."""
    found = {
        interval.coverage
        for look in looks
        for name, interval in look.figures.aggregates.items()
        if name in MEASURES and interval.coverage is not None
    }
    if not found:
        return ""
    low, high = percent(min(found)), percent(max(found))
    return f", simulated coverage {low if low == high else f'{low} to {high}'}"


def _legend(record: EvaluationRecord, looks: list[_ClassLook]) -> list[Any]:
    method = METHODS[record.aggregates[DICE].method]
    made = f"{record.certainty} interval, {method} over {len(record.groups)} groups{_coverage(looks)}"
    baseline = Line2D(
        [],
        [],
        color=ORANGE if len(looks) == 1 else GREY,
        marker="D",
        markerfacecolor="white",
        linestyle="--",
        label="best tuned intensity threshold, mean",
    )
    networks = [
        Line2D([], [], color=one.colour, marker=one.marker, linewidth=1, label=f"{one.name or 'network'}, mean")
        for one in looks
    ]
    return [*networks, Patch(color=looks[0].colour if len(looks) == 1 else GREY, alpha=0.13, label=made), baseline]


def _label(row: _Case) -> str:
    return row.case if row.case == row.subject else f"{row.case} ({row.subject})"
