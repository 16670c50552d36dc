"""What the values of a mask become: declared classes keep their values, and any other mask becomes binary by one rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.volume import Volume
from minivess.records.data.dataset import LabelClass

FOREGROUND = (LabelClass(value=1, name="foreground"),)
_WHITE = 200
"""Least largest value of a mask of greys that lossy compression made of 0 and 255."""
_MOST_GREYS = 256
_NEARLY_GREY = 24
"""Red, green and blue of a grey JPEG differ by at most this much (of 255) after chroma was stored coarsely."""


@dataclass(frozen=True)
class Mask:
    """A mask in its normal form.

    Attributes:
        array: uint8; 0 is background, other values are those of `classes`.
        values: values met before.
        classes: what the values mean.
        notes: what was changed, in words.
    """

    array: npt.NDArray[np.uint8]
    values: tuple[int, ...]
    classes: tuple[LabelClass, ...]
    notes: tuple[str, ...]


@implements("REQ-011", "REQ-077")
def normalise(volume: Volume, path: Path, declared: tuple[LabelClass, ...]) -> Mask:
    """Bring a mask into its normal form.

    Several classes, declared by the project or by the file, must account for every value. One class may be written with
    its own value, or in any way `binarise` understands.

    Args:
        volume: the mask as read.
        path: its file.
        declared: the project's classes; wins over what the file declares.

    Raises:
        InputError: colours, values that were not declared, or values that are no mask.
    """
    grey, notes = _grey(volume, path)
    classes = declared or volume.classes
    values = _values(grey)
    allowed = {one.value for one in classes}
    whole = len(values) <= _MOST_GREYS and all(float(value).is_integer() for value in values)
    if classes and whole and {int(value) for value in values} <= {0, *allowed}:
        met = tuple(int(value) for value in values)
        return Mask(np.ascontiguousarray(grey, dtype=np.uint8), met, classes, notes)
    if len(classes) > 1:
        strange = [f"{value:g}" for value in values if value not in {0, *allowed}][:6]
        raise contradiction(
            "mask-undeclared",
            f"the mask holds {', '.join(strange)}, which no class declares",
            path,
            "declare every value in data.classes; 0 is background"
            + ("; a lossy picture cannot hold classes" if volume.lossy else ""),
        )
    mask, met = _binarise(grey, values, path, lossy=volume.lossy)
    if volume.lossy and len(met) > 2:
        notes = (*notes, "the lossy mask was cut at half its largest value")
    one = classes[0] if classes else FOREGROUND[0]
    return Mask(mask * np.uint8(one.value), met, (one,), notes)


def binarise(array: npt.NDArray[Any], path: Path) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    """Make a mask binary by one stated rule.

    1. Negative, broken or infinite values are refused.
    2. With at most two distinct values, every voxel above 0 is foreground.
    3. Any other mask must be grey: from lossy compression, or with a largest value of 200 or more, as compression has
       left it in a file without loss; at most 256 distinct values, and at least 99 % of voxels
       within a tenth of the range from 0 or from the largest value. Its foreground is what lies above half the
       largest value. Other masks hold several classes, which are not merged.

    Returns:
        The mask (uint8, 0 or 1) and the values met.

    Raises:
        InputError: none of these holds.
    """
    return _binarise(array, _values(array), path)


def dice(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Dice coefficient of two masks' foregrounds (Dice 1945); 1 where both are empty."""
    one, other = first > 0, second > 0
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 1.0 if both == 0 else 2 * int(np.count_nonzero(one & other)) / both


def _binarise(
    array: npt.NDArray[Any], values: npt.NDArray[Any], path: Path, *, lossy: bool = False
) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    plain = values.astype(np.float64)
    if not np.isfinite(plain).all() or (plain % 1 != 0).any() or plain[0] < 0:
        raise InputError(
            "the mask holds negative, broken or infinite values", path=path, hint="0 is background, 1 vessel"
        )
    if len(values) > _MOST_GREYS:
        raise InputError(
            f"{len(values)} distinct values are no mask", path=path, hint="is this the image? Masks hold 0 and 1"
        )
    met = tuple(int(value) for value in values)
    if len(met) <= 1 or (len(met) == 2 and met[0] == 0):
        return np.ascontiguousarray(array > 0, dtype=np.uint8), met
    if not lossy and met[-1] < _WHITE:
        named = ", ".join(map(str, met[:8])) + (", …" if len(met) > 8 else "")
        raise contradiction(
            "mask-undeclared",
            f"the mask holds {named}: several classes or objects, and no class is declared for them",
            path,
            "declare every value in data.classes, or set all that is marked to 1",
        )
    tenth = met[-1] / 10
    clear = float(np.mean((array <= tenth) | (array >= met[-1] - tenth)))
    if clear < 0.99:
        raise InputError(
            f"{len(met)} grey values, and {100 * (1 - clear):.1f} % of voxels are between black and white",
            path=path,
            hint="threshold the mask to 0 and 1 before ingest, or declare its values in data.classes",
        )
    return np.ascontiguousarray(array > met[-1] / 2, dtype=np.uint8), met


def _values(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Distinct values in rising order."""
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return np.flatnonzero(np.bincount(np.ravel(array)))
    return np.unique(array)


def _grey(volume: Volume, path: Path) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """One value a voxel: a palette's indices where it stands for classes, and the grey of a colour picture."""
    array, notes = volume.array, volume.notes
    if volume.palette is not None:
        colours = volume.palette[: int(array.max()) + 1]
        used = _values(array)
        if int(used[-1]) >= len(volume.palette):
            raise InputError("an index beyond the palette", path=path, hint="save the mask again")
        if (colours == colours[:, :1]).all():
            return volume.palette[:, 0][array], (*notes, "the palette of greys was resolved")
        if colours[0].any():
            raise InputError(
                "a palette whose first colour is not black", path=path, hint="save the mask as grey, 0 as background"
            )
        return array, (*notes, "the indices of the palette were taken as values")
    if not volume.axes.endswith("c"):
        return array, notes
    spread = float(np.max(np.ptp(array.astype(np.float64), axis=-1)))
    if spread > (_NEARLY_GREY if volume.lossy else 0):
        raise InputError("a mask in colours", path=path, hint="save it as grey: 0 is background, 1 vessel")
    return np.ascontiguousarray(array[..., 1]), (*notes, "one of three equal colours was taken")
