"""Figures of an evaluation, as bytes that are the same for the same input.

No dates, no software names, fixed ids inside SVG, and no global plotting state. Colours are Okabe & Ito's (2008),
which stay apart for all common kinds of colour blindness; what a colour says is also said by shape or text.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.ml.evaluation.evaluate import CaseArrays, Pictures
from minivess.ml.uncertainty.reliability import BAND_VOXELS, Reliability
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counts import BINS
from minivess.records.evaluation.evaluation import METHODS, EvaluationRecord, Interval
from minivess.records.evaluation.measures import DICE, Measure
from minivess.records.lengths import LengthUnit, shown

_Case = CaseCounts | CaseMeasures

BLUE, ORANGE, GREY, AGREED, INK = "#0072B2", "#D55E00", "#BBBBBB", "#DDDDDD", "#222222"

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "minivess",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it would be put, without measuring every text of the figure once more
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "text.color": INK,
    "legend.frameon": False,
}
_THICKNESS = LinearSegmentedColormap.from_list("thickness", ["#FFFFFF", "#9A9A9A", "#1A1A1A"])
_BAR_LENGTHS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))


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
        "measures.svg": measures_by_case(record),
    }
    for name, data in drawn.items():
        write_atomic(folder / name, data)
    return tuple(folder / name for name in drawn)


def overlay(pictures: Pictures) -> bytes:
    """Best and worst case side by side, PNG: image, reference, prediction and their differences, seen along z.

    The image is a maximum projection; masks are shown by thickness (voxels along z), on one scale for both;
    differences show where foreground was missed (blue) and where it was added (orange), the stronger the more voxels
    along z.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 6.4), dpi=150)
        axes = figure.subplots(2, 4)
        _margins(figure, left=0.1, right=0.1, top=0.55, bottom=0.5, wspace=0.06, hspace=0.2)
        for row, (name, case) in zip(axes, (("Best", pictures.best), ("Worst", pictures.worst)), strict=True):
            _overlay_row(row, name, case)
        figure.legend(
            handles=[
                Patch(color=AGREED, label="agreed"),
                Patch(color=BLUE, label="missed"),
                Patch(color=ORANGE, label="added"),
            ],
            loc="lower right",
            ncols=3,
        )
        return _render(figure, "png")


def reliability(record: EvaluationRecord, pictures: Pictures) -> bytes:
    """Reliability diagrams over all voxels and in the band along the reference's border, SVG."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 5.2))
        axes = figure.subplots(2, 2, height_ratios=(3.2, 1), sharex=True)
        _margins(figure, left=0.8, right=0.15, top=0.6, bottom=0.5, wspace=0.2, hspace=0.12)
        titles = ("All voxels", f"Within {BAND_VOXELS} voxels of the reference's border")
        for column, (title, bins, ece) in enumerate(
            zip(titles, (pictures.everywhere, pictures.band), (record.ece, record.band_ece), strict=True)
        ):
            _reliability_panel(axes[0, column], bins, f"{title}\nexpected calibration error {ece:.3f}")
            _count_panel(axes[1, column], bins)
        axes[0, 0].set_ylabel("share that is vessel in the reference")
        axes[1, 0].set_ylabel("voxels")
        return _render(figure, "svg")


def measures_by_case(record: EvaluationRecord) -> bytes:
    """Every measure of every case, worst Dice at the bottom, with means and intervals, and the baseline's Dice, SVG."""
    cases = sorted(record.cases, key=lambda row: (row.dice, row.case))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, min(max(2.0 + 0.27 * len(cases), 3.2), 24)))
        axes = figure.subplots(1, len(record.measures), sharey=True, squeeze=False)[0]
        size = 8 if len(cases) <= 40 else 5
        names = max(len(_label(row)) for row in cases) * 0.62 * size / 72  # inches, of letters as wide as they come
        _margins(figure, left=0.25 + names, right=0.15, top=0.65, bottom=0.75, wspace=0.18, hspace=0)
        for axis, measure in zip(axes, record.measures, strict=True):
            _measure_panel(axis, cases, measure, record.aggregates.get(measure.name), record.unit)
            if measure.name == DICE:
                _baseline_marks(axis, cases, record.baseline)
        axes[0].set_yticks(range(len(cases)), [_label(row) for row in cases], fontsize=size)
        axes[0].set_ylim(-0.6, len(cases) - 0.4)
        figure.legend(handles=_case_legend(record), loc="lower center", ncols=3)
        return _render(figure, "svg")


def _overlay_row(axes: NDArray[Any], name: str, case: CaseArrays) -> None:
    deepest = max(int(case.reference.sum(axis=0).max()), int(case.prediction.sum(axis=0).max()), 1)
    low, high = np.percentile(case.image, (1, 99.8))
    aspect = case.spacing[-2] / case.spacing[-1]
    panels: tuple[tuple[str, NDArray[Any], dict[str, Any]], ...] = (
        ("image", case.image.max(axis=0), {"cmap": "gray", "vmin": low, "vmax": max(high, low + 1e-6)}),
        ("reference", case.reference.sum(axis=0), {"cmap": _THICKNESS, "vmin": 0, "vmax": deepest}),
        ("prediction", case.prediction.sum(axis=0), {"cmap": _THICKNESS, "vmin": 0, "vmax": deepest}),
        ("differences", _differences(case), {}),
    )
    for axis, (title, picture, options) in zip(axes, panels, strict=True):
        axis.imshow(picture, aspect=aspect, interpolation="nearest", **options)
        axis.set(xticks=[], yticks=[])
        axis.set_title(title)
        for spine in axis.spines.values():
            spine.set(visible=True, linewidth=0.6, color=GREY)
    axes[0].set_title(f"{name}, Dice {case.dice:.3f}\n{case.case}")
    _scale_bar(axes[0], picture_width=case.image.shape[-1], step=case.spacing[-1], unit=case.unit, colour="white")


def _differences(case: CaseArrays) -> NDArray[np.float64]:
    """An RGB picture (y, x, 3): agreement in grey, missed voxels in blue, added ones in orange, by their number."""
    picture = np.ones((*case.reference.shape[1:], 3))
    picture[(case.reference & case.prediction).any(axis=0)] = to_rgb(AGREED)
    missed = (case.reference & ~case.prediction).sum(axis=0)
    added = (case.prediction & ~case.reference).sum(axis=0)
    wrong = np.maximum(missed + added, 1)[..., None]
    hue = (missed[..., None] * np.array(to_rgb(BLUE)) + added[..., None] * np.array(to_rgb(ORANGE))) / wrong
    full = max(float(np.percentile(wrong[wrong > 1], 90)) if (wrong > 1).any() else 1.0, 1.0)
    strength = np.clip((missed + added)[..., None] / full, 0, 1)
    blended: NDArray[np.float64] = picture * (1 - strength) + hue * strength
    return blended


def _scale_bar(axis: Axes, *, picture_width: int, step: float, unit: LengthUnit, colour: str) -> None:
    fitting = [length for length in _BAR_LENGTHS if length <= picture_width * step / 3]
    length = fitting[-1] if fitting else 1
    bottom, top = axis.get_ylim()
    height = abs(bottom - top)
    left, base = picture_width * 0.05, height * 0.93
    axis.add_patch(Rectangle((left, base), length / step, height * 0.018, color=colour, linewidth=0))
    box = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
    axis.text(left, base - height * 0.03, shown(length, unit), color=colour, fontsize=8, va="bottom", bbox=box)


def _reliability_panel(axis: Axes, bins: Reliability, title: str) -> None:
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfect calibration")
    filled = bins.counts > 0
    confidence = bins.confidence[filled] / bins.counts[filled]
    frequency = bins.positives[filled] / bins.counts[filled]
    bottom, top = np.minimum(confidence, frequency), np.maximum(confidence, frequency)
    axis.vlines(confidence, bottom, top, color=ORANGE, linewidth=2)
    axis.plot(confidence, frequency, color=BLUE, marker="o", markersize=4.5, linewidth=1.2, label="measured")
    axis.plot([], [], color=ORANGE, linewidth=2, label="gap")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_title(title)
    axis.legend(loc="upper left", fontsize=8)


def _count_panel(axis: Axes, bins: Reliability) -> None:
    axis.bar((np.arange(BINS) + 0.5) / BINS, bins.counts, width=0.92 / BINS, color=GREY)
    axis.set_yscale("symlog", linthresh=1)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("predicted probability of vessel")


@implements("REQ-323")
def _measure_panel(
    axis: Axes, cases: list[_Case], measure: Measure, interval: Interval | None, unit: LengthUnit
) -> None:
    values = [row.values.get(measure.name) for row in cases]
    defined = [(value, place) for place, value in enumerate(values) if value is not None]
    heading, digits = measure.short_heading(unit), measure.digits_in(unit)
    if interval is not None:
        if interval.lower is not None and interval.upper is not None:
            axis.axvspan(interval.lower, interval.upper, color=BLUE, alpha=0.13, linewidth=0)
        axis.axvline(interval.mean, color=BLUE, linewidth=1)
        heading += f"\n{interval.mean:.{digits}f} ({interval.words(digits)})"
        if interval.n < len(cases):
            heading += f", {interval.n} of {len(cases)}"
    axis.set_title(heading)
    numbers, places = [value for value, _ in defined], [place for _, place in defined]
    if defined:
        axis.plot(numbers, places, "o", color=BLUE, markersize=5, zorder=3, clip_on=False)
    for place, value in enumerate(values):
        if value is None:
            middle = axis.get_yaxis_transform()
            axis.text(0.5, place, "undefined", color=ORANGE, ha="center", va="center", transform=middle)
    axis.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    if measure.largest is None:
        axis.set_xlim(0, 1.08 * max((value for value, _ in defined), default=1.0) or 1.0)
    else:
        axis.set_xlim(right=measure.largest)


def _baseline_marks(axis: Axes, cases: list[_Case], baseline: Interval) -> None:
    places = list(range(len(cases)))
    rival = [row.baseline_dice for row in cases]
    axis.hlines(places, rival, [row.dice for row in cases], color=GREY, linewidth=1, zorder=2)
    axis.plot(rival, places, "D", markerfacecolor="white", markeredgecolor=ORANGE, markersize=4.5, zorder=3)
    axis.axvline(baseline.mean, color=ORANGE, linewidth=1, linestyle="--")
    axis.set_xlim(min(*rival, *(row.dice for row in cases)) - 0.03, 1)


def _case_legend(record: EvaluationRecord) -> list[Any]:
    dice = record.aggregates[DICE]
    made = f"{record.certainty} interval, {METHODS[dice.method]} over {len(record.groups)} groups"
    return [
        Line2D([], [], color=BLUE, marker="o", linewidth=1, label="network, mean"),
        Patch(color=BLUE, alpha=0.13, label=made),
        Line2D(
            [],
            [],
            color=ORANGE,
            marker="D",
            markerfacecolor="white",
            linestyle="--",
            label="best tuned intensity threshold, mean",
        ),
    ]


def _label(row: _Case) -> str:
    return row.case if row.case == row.subject else f"{row.case} ({row.subject})"


def _margins(figure: Figure, *, left: float, right: float, top: float, bottom: float, **between: float) -> None:
    """Margins in inches, fixed: a layout that measures every text draws the figure twice.

    Args:
        figure: to be changed.
        left: as the others, in inches.
        right: see left.
        top: see left.
        bottom: see left.
        between: `wspace` and `hspace`, in shares of an axis.
    """
    width, height = figure.get_size_inches()
    left = min(left, width / 3)
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, top=1 - top / height, bottom=bottom / height, **between
    )


def _render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
