"""The picture of an explanation: the image with the predicted mask, and each attribution over it, along each axis."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.evaluation.style import BLUE, GREY, INK, ORANGE, STYLE, margins, render
from minivess.ml.explain.explanation import Explanation
from minivess.records.evaluation.explanations import TITLES, Attribution, ExplanationRecord

_SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, "#FFFFFF", ORANGE])
_WIDE = 3.4
_PLANES = {3: ("along z", "along y", "along x"), 2: ("",)}


@implements("REQ-412")
def picture(record: ExplanationRecord, found: Explanation, spacing: Sequence[float]) -> bytes:
    """Image and attributions of a patch, PNG. Volumes are shown in the three planes where the mask is largest.

    Attributions of an explanation that failed its sanity check are marked so.

    Args:
        record: what was explained.
        found: its maps.
        spacing: of the grid that the network gets, along each axis.
    """
    mask = found.chosen.mask
    planes = range(mask.ndim) if mask.ndim == 3 else (None,)
    with mpl.rc_context(STYLE):
        columns = 1 + len(record.attributions)
        heights = [_height(mask.shape, axis, spacing) for axis in planes]
        figure = Figure(figsize=(columns * _WIDE, sum(heights) * _WIDE + 1.35), dpi=130)
        axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
        margins(figure, left=0.1, right=0.1, top=0.85, bottom=0.45, wspace=0.05, hspace=0.12)
        for row, axis in zip(axes, planes, strict=True):
            _row(row, record, found, axis=axis, spacing=spacing)
        figure.suptitle(
            f"{record.case}, {record.of_class}: what member {record.member} answers to", x=0.01, ha="left", fontsize=11
        )
        figure.legend(handles=_legend(), loc="lower left", ncols=4, fontsize=8)
        return render(figure, "png")


def _row(
    row: NDArray[np.object_],
    record: ExplanationRecord,
    found: Explanation,
    *,
    axis: int | None,
    spacing: Sequence[float],
) -> None:
    image, mask = found.chosen.values.max(axis=0), found.chosen.mask
    place = 0 if axis is None else int(mask.sum(axis=tuple(n for n in range(3) if n != axis)).argmax())
    name = _PLANES[mask.ndim][axis or 0]
    rest = [step for number, step in enumerate(spacing) if number != axis]
    low, high = (float(value) for value in np.percentile(image, (1, 99.8)))
    shown = [_cut(one, axis, place) for one in (image, mask)]
    for number, cell in enumerate(row):
        _frame(cell)
        if number == 0:
            cell.imshow(shown[0], cmap="gray", vmin=low, vmax=high, aspect=rest[0] / rest[1])
            cell.set_title(f"Image {name}".strip())
        else:
            one = record.attributions[number - 1]
            _attribution(cell, _cut(found.maps[one.method], axis, place), found.maps[one.method], one, rest)
            if not axis:
                _verdict(cell, one)
        if shown[1].any() and not shown[1].all():
            cell.contour(shown[1], levels=[0.5], colors=["#00D2E6" if number == 0 else INK], linewidths=0.9)


def _attribution(
    cell: Axes, values: NDArray[np.float32], whole: NDArray[np.float32], one: Attribution, rest: Sequence[float]
) -> None:
    most = float(np.percentile(np.abs(whole), 99.7)) or 1.0
    signed = bool(one.check.absolute)
    cell.imshow(
        values,
        cmap=_SIGNED if signed else "Greys",
        vmin=-most if signed else 0,
        vmax=most,
        aspect=rest[0] / rest[1],
    )


def _verdict(cell: Axes, one: Attribution) -> None:
    """The title of the first panel of a method."""
    verdict = "depends on the network" if one.check.passed else "CHECK FAILED: do not use it"
    cell.set_title(
        f"{TITLES[one.method]}: {verdict}\nrank correlation with random weights {one.check.correlation:.2f}",
        fontsize=8.5,
        color=INK if one.check.passed else ORANGE,
    )


def _cut[Value: np.generic](values: NDArray[Value], axis: int | None, place: int) -> NDArray[Value]:
    return values if axis is None else np.moveaxis(values, axis, 0)[place]


def _height(shape: Sequence[int], axis: int | None, spacing: Sequence[float]) -> float:
    """The height of a panel over its width, of a plane of a volume with room for its title."""
    rows, columns = (
        side * step for number, (side, step) in enumerate(zip(shape, spacing, strict=True)) if number != axis
    )
    return min(max(rows / columns, 0.25), 1.6) + (0.0 if axis is None else 0.1)


def _frame(cell: Axes) -> None:
    cell.set(xticks=[], yticks=[])
    for spine in cell.spines.values():
        spine.set(visible=True, linewidth=0.6)


def _legend() -> list[Line2D]:
    return [
        Line2D([], [], color="#00D2E6", label="predicted mask"),
        Line2D([], [], color=ORANGE, linewidth=5, label="raises the score"),
        Line2D([], [], color=BLUE, linewidth=5, label="lowers the score"),
        Line2D([], [], color=GREY, linewidth=5, label="Grad-CAM++: the darker, the more"),
    ]
