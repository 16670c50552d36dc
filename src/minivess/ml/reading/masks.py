"""What the values of a mask become: declared classes keep their values, and any other mask becomes binary by one rule.

A mask with several classes, with a value for each object, or in colours is recognised and named, and never merged.
"""

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
_FEW_VALUES = 8
"""A picture that was compressed or resampled has more values than this."""
_FLAT = 0.1
"""Least share of voxels between black and white that have equal neighbours on all sides in their plane. Edges that
compression or resampling made grey have hardly any; areas of a class or of an object have."""
_OBJECTS = 3
_LOOKED_AT = 64
_NAMED = 6
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


@implements("REQ-011", "REQ-077", "REQ-306", "REQ-307")
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
    grey, notes = _grey(volume, path, declared)
    _same_terms(declared, volume.classes, path)
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
            "the mask holds negative, broken or infinite values",
            path=path,
            hint="0 is background, 1 vessel",
            rule="mask-values",
        )
    if len(values) > _MOST_GREYS:
        if (objects := _objects(array, values)) is not None:
            raise objects_refused(objects, path)
        raise InputError(
            f"{len(values)} distinct values are no mask",
            path=path,
            hint="is this the image? Masks hold 0 and 1",
            rule="mask-values",
        )
    met = tuple(int(value) for value in values)
    if len(met) <= 1 or (len(met) == 2 and met[0] == 0):
        return np.ascontiguousarray(array > 0, dtype=np.uint8), met
    top = met[-1]
    between = (array != 0) & (array != top)
    if len(met) > _FEW_VALUES:
        between &= (array > top / 10) & (array < top - top / 10)
    if (not lossy and top < _WHITE) or _flat(array, between):
        if (objects := _objects(array, values)) is not None:
            raise objects_refused(objects, path)
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
            rule="mask-values",
        )
    return np.ascontiguousarray(array > met[-1] / 2, dtype=np.uint8), met


def objects_refused(count: int, path: Path) -> InputError:
    """The error of a mask of instances."""
    return contradiction(
        "mask-instances",
        f"the mask has a value for each of {count} objects (instances), and classes were expected",
        path,
        "set all objects of a class to the value of the class; instances are not segmented yet",
    )


def _objects(array: npt.NDArray[Any], values: npt.NDArray[Any]) -> int | None:
    """The number of values above 0 where nearly each one marks one connected object; None for other masks.

    Of at most 64 values, nine in ten must have at least 4 voxels, of which nine in ten are in one piece (faces, edges
    and corners touch).
    """
    marked = values[values > 0]
    if len(marked) < _OBJECTS:
        return None
    from scipy import ndimage

    looked_at = marked[:: max(1, len(marked) // _LOOKED_AT)][:_LOOKED_AT]
    single = 0
    for value in looked_at:
        inside = array == value
        places = tuple(
            slice(int(hit[0]), int(hit[-1]) + 1)
            for axis in range(array.ndim)
            if (hit := np.flatnonzero(inside.any(axis=tuple(a for a in range(array.ndim) if a != axis)))).size
        )
        pieces, _ = ndimage.label(inside[places], np.ones((3,) * array.ndim))
        sizes = np.bincount(pieces[pieces > 0])
        single += int(sizes.sum() >= 4 and sizes.max() >= 0.9 * sizes.sum())
    return len(marked) if single >= 0.9 * len(looked_at) else None


def _flat(array: npt.NDArray[Any], between: npt.NDArray[np.bool_]) -> bool:
    """Whether voxels between black and white lie in areas of one value, as classes and objects do."""
    count = int(np.count_nonzero(between))
    if count == 0 or array.ndim < 2 or min(array.shape[-2:]) < 3:
        return False
    middle = array[..., 1:-1, 1:-1]
    same = between[..., 1:-1, 1:-1].copy()
    for neighbour in (array[..., :-2, 1:-1], array[..., 2:, 1:-1], array[..., 1:-1, :-2], array[..., 1:-1, 2:]):
        same &= middle == neighbour
    return int(np.count_nonzero(same)) >= _FLAT * count


def _same_terms(declared: tuple[LabelClass, ...], stated: tuple[LabelClass, ...], path: Path) -> None:
    """Check that project and file give a class the same coded term, where both give one."""
    terms = {one.value: one.code for one in stated}
    for one in declared:
        code = terms.get(one.value)
        if one.code is not None and code is not None and (one.code.scheme, one.code.value) != (code.scheme, code.value):
            raise contradiction(
                "mask-term",
                f"the file codes class {one.value} as {code}, and data.classes as {one.code}",
                path,
                "correct data.classes, or the file where its term is wrong",
            )


def _values(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Distinct values in rising order."""
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return np.flatnonzero(np.bincount(np.ravel(array)))
    return np.unique(array)


def _grey(volume: Volume, path: Path, declared: tuple[LabelClass, ...]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """One value a voxel: by declared colours, a palette's indices where it stands for classes, or the grey of a picture."""
    array, notes = volume.array, volume.notes
    if volume.palette is not None:
        colours = volume.palette[: int(array.max()) + 1]
        used = _values(array)
        if int(used[-1]) >= len(volume.palette):
            raise InputError(
                "an index beyond the palette", path=path, hint="save the mask again", rule="file-malformed"
            )
        if (colours == colours[:, :1]).all():
            return volume.palette[:, 0][array], (*notes, "the palette of greys was resolved")
        if colours[0].any():
            raise InputError(
                "a palette whose first colour is not black",
                path=path,
                hint="save the mask as grey, 0 as background",
                rule="mask-values",
            )
        return array, (*notes, "the indices of the palette were taken as values")
    if not volume.axes.endswith("c"):
        return array, notes
    spread = float(np.max(np.ptp(array.astype(np.float64), axis=-1)))
    if spread > (_NEARLY_GREY if volume.lossy else 0):
        return _by_colour(array, path, declared, lossy=volume.lossy), (
            *notes,
            "colours were taken as the classes they are declared for",
        )
    return np.ascontiguousarray(array[..., 1]), (*notes, "one of three equal colours was taken")


def _by_colour(
    array: npt.NDArray[Any], path: Path, declared: tuple[LabelClass, ...], *, lossy: bool
) -> npt.NDArray[np.uint8]:
    """The classes of a mask that is drawn in colours (last axis: red, green, blue); black is background.

    Raises:
        InputError: a colour is declared for no class, or lossy compression changed the colours.
    """
    if array.min() < 0 or array.max() > 255:
        raise contradiction(
            "mask-colours", "the mask is drawn in colours of more than 8 bits", path, "save classes as values"
        )
    bytes_of = np.asarray(array, dtype=np.uint32)
    codes = (bytes_of[..., 0] << 16) | (bytes_of[..., 1] << 8) | bytes_of[..., 2]
    found = [f"#{code:06x}" for code in np.unique(codes) if code]
    values = {one.colour: one.value for one in declared if one.colour is not None}
    strange = [colour for colour in found if colour not in values]
    if lossy or strange:
        named = ", ".join(strange[:_NAMED]) + (", …" if len(strange) > _NAMED else "")
        what = "a lossy picture" if lossy else f"{len(strange)} that no class in data.classes is declared for: {named}"
        raise contradiction(
            "mask-colours",
            f"the mask is drawn in {len(found)} colours: {what}",
            path,
            "save classes as values, or state `colour` for every class in data.classes; a colour for where two classes "
            "overlap cannot be read",
        )
    made = np.zeros(codes.shape, np.uint8)
    for colour, value in values.items():
        made[codes == int(colour[1:], 16)] = value
    return made
