"""The pictures of one case: three planes and three projections of a volume, or the image itself.

The planes are those with most wrong voxels. Where nothing is wrong, they are those with most of the reference.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.evaluation.drawings import CaseDrawing, Panel, Picture, ScaleBar
from minivess.ml.evaluation.evaluate import CaseArrays
from minivess.ml.evaluation.overlays import colour_of
from minivess.ml.evaluation.report.outlines import (
    BOTH,
    PREDICTION,
    REFERENCE,
    Mask,
    differences,
    outlines,
    painted,
    rgb,
)
from minivess.records.lengths import shown

_SIZE, _FLAT_SIZE, _THUMBNAIL = 320, 480, 96
"""Pixels of the longest side of the panels of a volume, of an image, and of the small picture."""
_QUALITY = 78
_COLOURS = 48
"""Colours of a picture of masks."""
_SAMPLED = 2_000_000
"""Voxels that percentiles are taken of."""
_BAR_LENGTHS = tuple(step * 10**power for power in range(-3, 7) for step in (1, 2, 5))
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "S": "I", "I": "S"}
_FLIPPED = frozenset("SAR")
"""Directions that are at the top or left edge of a picture: superior and anterior at the top, right at the left."""
_VIEWS = (("xy", 0), ("xz", 1), ("yz", 2))
"""The views of a volume, with the axis that is seen along; rows and columns are the other axes in order."""


@implements("REQ-400")
def draw_case(case: CaseArrays) -> CaseDrawing:
    """Draw a case. Volumes are (z, y, x), images (y, x), each with its channels last where there are several."""
    turned, case, flat = _turned_axes(case), _turned(case), case.reference.ndim == 2
    seen = differences(case.reference, case.prediction, 0)
    shape = _shape_of(case, _THUMBNAIL, 0)
    if flat:
        panels = [_panel(case, "", None, 0)]
    else:
        wrong = case.reference != case.prediction
        shown_by = wrong if wrong.any() else case.reference != 0
        planes = []
        for name, axis in _VIEWS:
            by_plane = np.count_nonzero(shown_by, axis=tuple({0, 1, 2} - {axis}))
            place = int(by_plane.argmax()) if by_plane.any() else by_plane.size // 2
            number = by_plane.size - 1 - place if axis in turned else place  # along the array, as it is in the file
            planes.append(_panel(case, f"{name} plane {number} of {by_plane.size}", place, axis))
        panels = [*planes, *(_panel(case, f"{name} projection", None, axis) for name, axis in _VIEWS)]
    return CaseDrawing(
        case=case.case,
        dice=case.dice,
        thumbnail=_png(_resized(seen, shape)),
        panels=tuple(panels),
        classes=tuple((one.name, colour) for one, colour in zip(case.classes, _colours(case), strict=False)),
    )


def _turned(case: CaseArrays) -> CaseArrays:
    """The case with axes that point to no direction of `_FLIPPED`, as radiologists see it, where its orientation is known."""
    turned = _turned_axes(case)
    if case.orientation is None or not turned:
        return case
    image, reference, prediction = (np.flip(one, turned) for one in (case.image, case.reference, case.prediction))
    orientation = "".join(_OPPOSITE[one] if one in _FLIPPED else one for one in case.orientation)
    return replace(case, image=image, reference=reference, prediction=prediction, orientation=orientation)


def _turned_axes(case: CaseArrays) -> tuple[int, ...]:
    known = "" if case.orientation is None or case.reference.ndim == 2 else case.orientation
    return tuple(axis for axis, towards in enumerate(known) if towards in _FLIPPED)


def _panel(case: CaseArrays, title: str, plane: int | None, axis: int) -> Panel:
    """A view of a case along an axis: one plane of it, or all (`plane` is None)."""
    flat = case.reference.ndim == 2
    rows, columns = (0, 1) if flat else tuple(sorted({0, 1, 2} - {axis}))
    shape = _shape_of(case, _FLAT_SIZE if flat else _SIZE, axis)
    image, reference, prediction = case.image, case.reference, case.prediction
    projection = not flat and plane is None
    if plane is not None:
        image, reference, prediction = (np.take(one, plane, axis=axis) for one in (case.image, reference, prediction))
    grey = _bytes_of(image.max(axis=axis) if projection else image)
    masks = (
        _png(_resized(differences(reference, prediction, axis), shape))
        if projection
        else _lines(outlines(reference, prediction, shape))
    )
    of_classes = None
    if colours := _colours(case):
        first, second = (_png(_resized(painted(one, colours, axis), shape)) for one in (reference, prediction))
        of_classes = first, second
    return Panel(
        title=title,
        projection=projection,
        image=_webp(_resized(grey, shape)),
        masks=masks,
        of_classes=of_classes,
        bar=_scale_bar(case, columns),
        edges=_edges(case, rows, columns),
    )


def _colours(case: CaseArrays) -> list[str]:
    """The colour of each of several classes; empty for one class."""
    classes = case.classes
    return [colour_of(classes, number) for number in range(len(classes))] if len(classes) > 1 else []


def _shape_of(case: CaseArrays, size: int, axis: int) -> tuple[int, int]:
    """Rows and columns of a picture along an axis. All pictures of a case have one scale, in lengths and not in voxels."""
    lengths = [count * step for count, step in zip(case.reference.shape, case.spacing, strict=True)]
    scale = size / max(lengths)
    kept = lengths if len(lengths) == 2 else [length for place, length in enumerate(lengths) if place != axis]
    rows, columns = (max(2, round(length * scale)) for length in kept)
    return rows, columns


def _bytes_of(image: NDArray[Any]) -> NDArray[np.uint8]:
    """A plane (rows, columns), with channels last where there are several, as bytes: grey, or red, green and blue.

    Colours stay as they are; other channels are shown by their maximum. Greys go from the 0.5th to the 99.8th percentile.
    NaN and infinities are black.
    """
    values = np.asarray(image, np.uint8) if image.dtype.kind == "b" else np.asarray(image)
    if values.ndim > 2 and values.shape[-1] != 3:
        values = values.max(axis=-1)
    finite = np.isfinite(values)
    known = values[finite]
    if not known.size:
        return np.zeros(values.shape, np.uint8)
    if values.ndim > 2 and known.min() >= 0 and known.max() <= 255:
        floating = np.issubdtype(values.dtype, np.floating) and known.max() <= 1
        low, high = 0.0, 1.0 if floating else 255.0
    else:
        sampled = known[:: max(1, known.size // _SAMPLED)]
        low, high = (float(value) for value in np.percentile(sampled, (0.5, 99.8)))
    if not high > low:
        low, high = float(known.min()), max(float(known.max()), float(known.min()) + 1e-6)
    stretched = np.clip((np.where(finite, values, low).astype(np.float32) - low) / (high - low), 0, 1)
    return np.asarray(255 * stretched, np.uint8)


def _resized(pixels: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Rows and columns of another number, each the mean of the area it stands for."""
    from PIL import Image

    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BOX))


def _webp(pixels: NDArray[np.uint8]) -> Picture:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=_QUALITY, method=4)
    return Picture("webp", stream.getvalue(), pixels.shape[1], pixels.shape[0])


def _png(pixels: NDArray[np.uint8]) -> Picture:
    """A picture of masks in few colours."""
    from PIL import Image

    stream = io.BytesIO()
    few = Image.fromarray(pixels).quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(stream, "PNG", optimize=True)
    return Picture("png", stream.getvalue(), pixels.shape[1], pixels.shape[0])


def _lines(lines: Mask) -> Picture:
    """Lines in their colours on nothing."""
    from PIL import Image

    picture = Image.fromarray(lines)
    picture.putpalette([part for colour in ("#000000", REFERENCE, PREDICTION, BOTH) for part in rgb(colour)])
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True, transparency=0)
    return Picture("png", stream.getvalue(), lines.shape[1], lines.shape[0])


def _scale_bar(case: CaseArrays, columns: int) -> ScaleBar:
    """The longest round length that is at most a third of the width."""
    whole = case.reference.shape[columns] * case.spacing[columns]
    fitting = [length for length in _BAR_LENGTHS if length <= whole / 3]
    length = fitting[-1] if fitting else whole / 3
    return ScaleBar(length / whole, shown(length, case.unit))


def _edges(case: CaseArrays, rows: int, columns: int) -> tuple[str, str, str, str]:
    """Anatomical directions at left, right, top and bottom where they are known, else the names of the axes."""
    if case.orientation is None or case.reference.ndim == 2:
        names = "yx" if case.reference.ndim == 2 else "zyx"
        return "", f"{names[columns]} →", "", f"{names[rows]} ↓"
    right, bottom = case.orientation[columns], case.orientation[rows]
    return _OPPOSITE[right], right, _OPPOSITE[bottom], bottom
