"""Pictures of a case beside its reference and its prediction: volumes as projections along z, planes as they are."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.evaluation.evaluate import CaseArrays, Pictures
from minivess.ml.evaluation.style import (
    AGREED,
    BLUE,
    CLASS_COLOURS,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    STYLE,
    margins,
    render,
)
from minivess.records.data.dataset import LabelClass
from minivess.records.lengths import shown

_BAR_LENGTHS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))


@implements("REQ-338")
def overlay(pictures: Pictures) -> bytes:
    """Best and worst case side by side, PNG: image, reference, prediction and their differences.

    A volume is seen along z: the image as a maximum projection, masks by thickness (voxels along z), on one scale for both.
    A plane is shown as it is, in colour where the image has colours. Each of several classes has its colour. Differences show
    where a class was missed (blue), where one was added (orange) and where one was taken for another (purple), the stronger
    the more voxels along z.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 6.4), dpi=150)
        axes = figure.subplots(2, 4)
        margins(figure, left=0.1, right=0.1, top=0.55, bottom=0.5, wspace=0.06, hspace=0.2)
        for row, (name, case) in zip(axes, (("Best", pictures.best), ("Worst", pictures.worst)), strict=True):
            _row(row, name, case)
        classes = pictures.best.classes
        kinds = [(AGREED, "agreed"), (BLUE, "missed"), (ORANGE, "added")]
        if len(classes) > 1:
            kinds.append((PURPLE, "another class"))
            named = [Patch(color=colour_of(classes, number), label=one.name) for number, one in enumerate(classes)]
            figure.legend(handles=named, loc="lower left", ncols=min(len(named), 6))
        figure.legend(handles=[Patch(color=colour, label=label) for colour, label in kinds], loc="lower right", ncols=4)
        return render(figure, "png")


def colour_of(classes: tuple[LabelClass, ...], number: int) -> str:
    """The colour of a class, counted from 0: the stated one, else the next of those that all eyes tell apart."""
    return classes[number].colour or CLASS_COLOURS[number % len(CLASS_COLOURS)]


def _row(axes: NDArray[Any], name: str, case: CaseArrays) -> None:
    deepest = max(int(_along_z(mask != 0).max()) for mask in (case.reference, case.prediction)) or 1
    panels = (
        ("image", image_of(case)),
        ("reference", painted(case, case.reference, deepest)),
        ("prediction", painted(case, case.prediction, deepest)),
        ("differences", differences(case)),
    )
    for axis, (title, picture) in zip(axes, panels, strict=True):
        axis.imshow(picture, aspect=case.spacing[-2] / case.spacing[-1], interpolation="nearest")
        axis.set(xticks=[], yticks=[])
        axis.set_title(title)
        for spine in axis.spines.values():
            spine.set(visible=True, linewidth=0.6, color=GREY)
    axes[0].set_title(f"{name}, Dice {case.dice:.3f}\n{case.case}")
    _scale_bar(axes[0], case)


def image_of(case: CaseArrays) -> NDArray[np.float64]:
    """The image (y, x, 3) from 0 to 1: colours as they are, other channels by their maximum, stretched to percentiles."""
    image = np.asarray(case.image)
    channels = image.ndim > case.reference.ndim
    flat = image.max(axis=0) if case.reference.ndim == 3 else image
    if channels and flat.shape[-1] == 3:
        largest = 1.0 if np.issubdtype(flat.dtype, np.floating) and flat.max() <= 1 else 255.0
        low, high = (
            (0.0, largest) if flat.min() >= 0 and flat.max() <= largest else (float(flat.min()), float(flat.max()))
        )
    else:
        flat = flat.max(axis=-1) if channels else flat
        low, high = (float(value) for value in np.percentile(flat, (1, 99.8)))
        flat = flat[..., np.newaxis].repeat(3, axis=-1)
    shown: NDArray[np.float64] = np.clip((flat - low) / max(high - low, 1e-6), 0, 1)
    return shown


def painted(case: CaseArrays, mask: NDArray[np.uint8], deepest: int) -> NDArray[np.float64]:
    """A mask (y, x, 3) on white: one class dark, each of several in its colour, the stronger the thicker.

    Args:
        case: with the classes.
        mask: numbers of classes from 1, 0 for background.
        deepest: the largest thickness, which is shown at full strength.
    """
    colours = [INK] if len(case.classes) == 1 else [colour_of(case.classes, n) for n in range(len(case.classes))]
    thick = [_along_z(mask == number) for number in range(1, len(colours) + 1)]
    whole = np.maximum(np.sum(thick, axis=0), 1)[..., np.newaxis]
    hue = (
        np.sum([one[..., np.newaxis] * to_rgb(colour) for one, colour in zip(thick, colours, strict=True)], axis=0)
        / whole
    )
    depth = _along_z(mask != 0)[..., np.newaxis] / deepest
    strength = np.where(depth > 0, 0.35 + 0.65 * depth, 0)
    painted: NDArray[np.float64] = (1 - strength) + strength * hue
    return np.clip(painted, 0, 1)


def differences(case: CaseArrays) -> NDArray[np.float64]:
    """A picture (y, x, 3): agreement in grey, wrong voxels in the colour of their kind, by their number."""
    reference, prediction = case.reference, case.prediction
    picture = np.ones((*reference.shape[-2:], 3))
    picture[_along_z((reference == prediction) & (reference != 0)) > 0] = to_rgb(AGREED)
    kinds = (
        (BLUE, (reference != 0) & (prediction == 0)),
        (ORANGE, (reference == 0) & (prediction != 0)),
        (PURPLE, (reference != prediction) & (reference != 0) & (prediction != 0)),
    )
    counts = [_along_z(wrong)[..., np.newaxis] for _, wrong in kinds]
    total = np.sum(counts, axis=0)
    hue = np.sum([count * np.array(to_rgb(colour)) for count, (colour, _) in zip(counts, kinds, strict=True)], axis=0)
    several = total[total > 1]
    full = max(float(np.percentile(several, 90)) if several.size else 1.0, 1.0)
    strength = np.clip(total / full, 0, 1)
    blended: NDArray[np.float64] = picture * (1 - strength) + hue / np.maximum(total, 1) * strength
    return np.clip(blended, 0, 1)


def _along_z(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Voxels along z (y, x) of a volume, or 0 and 1 of a plane."""
    return np.asarray(mask.sum(axis=0) if mask.ndim == 3 else mask, np.int64)


def _scale_bar(axis: Axes, case: CaseArrays) -> None:
    step, width = case.spacing[-1], case.reference.shape[-1]
    fitting = [length for length in _BAR_LENGTHS if length <= width * step / 3]
    length = fitting[-1] if fitting else 1
    bottom, top = axis.get_ylim()
    height = abs(bottom - top)
    left, base = width * 0.05, height * 0.93
    axis.add_patch(Rectangle((left, base), length / step, height * 0.018, color="white", linewidth=0))
    box = {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5}
    axis.text(left, base - height * 0.03, shown(length, case.unit), color="white", fontsize=8, va="bottom", bbox=box)
