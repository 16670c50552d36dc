"""From a file, or an image with its mask, to arrays in (z, y, x) with known spacing in micrometres.

Three sources may state the spacing: the image (or mask) file, OME-XML beside it, and the project file. At least one
must, and all that do must agree within 1 %. Masks become binary by one rule, `binarise`, and the values met are
reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.datasets.reading.nifti import read_nifti
from minivess.ml.datasets.reading.ome import read_ome_spacing
from minivess.ml.datasets.reading.tiff import read_tiff
from minivess.ml.datasets.reading.volume import (
    LIMITS,
    Limits,
    Spacing,
    Volume,
    check_dtype,
    check_shape,
    file_size,
    first_line,
)
from minivess.records.data_source import CaseSource

_AGREEMENT = 0.01
_MOST_CLASSES = 8
_MOST_GREYS = 256


@dataclass(frozen=True)
class Case:
    """An image with its mask.

    Attributes:
        image: float32 (z, y, x), finite, in the units of the source.
        label: uint8 (z, y, x), 0 or 1.
        spacing_um: voxel size (z, y, x) in micrometres.
        modality: how the image was taken.
        source_dtype: type of the voxels in the image's file.
        label_values: values met in the mask before it was made binary.
    """

    image: npt.NDArray[np.float32]
    label: npt.NDArray[np.uint8]
    spacing_um: Spacing
    modality: str
    source_dtype: str
    label_values: tuple[int, ...]


@implements("REQ-011", "REQ-012", "RC-10")
def read_volume(path: Path, *, limits: Limits = LIMITS) -> Volume:
    """Read a NIfTI (`.nii`, `.nii.gz`), TIFF or OME-TIFF (`.tif`, `.tiff`) or NumPy (`.npy`) volume.

    Raises:
        InputError: an unknown kind of file, or one that is malformed, truncated or beyond the limits.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return read_nifti(path, limits)
    if name.endswith((".tif", ".tiff")):
        return read_tiff(path, limits)
    if name.endswith(".npy"):
        return read_npy(path, limits)
    raise InputError("an unknown kind of volume", path=path, hint="NIfTI, TIFF and .npy are read")


def read_npy(path: Path, limits: Limits = LIMITS) -> Volume:
    """Read a three-dimensional `.npy` array (NumPy format 1 to 3); pickled objects are refused.

    Raises:
        InputError: malformed, truncated, not three-dimensional, no grey values, or beyond the limits.
    """
    from numpy.lib import format as npy

    size = file_size(path, limits)
    try:
        with path.open("rb") as stream:
            version = npy.read_magic(stream)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(stream)
            shape = check_shape(shape, path, limits)
            check_dtype(dtype, path)
            needed = math.prod(shape) * dtype.itemsize
            if size - stream.tell() < needed:
                raise InputError("truncated", path=path, hint="copy the file again")
            data = np.frombuffer(stream.read(needed), dtype=dtype)
    except InputError:
        raise
    except Exception as error:
        # the header is Python source, and a damaged one fails in the tokenizer, the parser or the type system
        raise InputError(f"malformed .npy file: {first_line(error)}", path=path, hint="save the array again") from None
    return Volume(data.reshape(shape, order="F" if fortran else "C"), None, dtype.name)


@implements("REQ-011", "REQ-012", "RC-15")
def read_case(source: CaseSource, root: Path, modality: str, *, limits: Limits = LIMITS) -> Case:
    """Read the image and the mask of one case.

    Args:
        source: paths, relative to `root`, and the stated spacing.
        root: folder of the data; paths that leave it are refused.
        modality: how the image was taken.
        limits: how much is taken in.

    Raises:
        InputError: a file is malformed; shapes, orientations or spacings disagree; no spacing is known; the image is
            not finite; or the mask is not one of classes.
    """
    try:
        return _read_case(source, root, modality, limits)
    except InputError as error:
        if error.path is None or not error.path.is_relative_to(root):
            raise
        # what is said may end in the log, where the folders of this machine have no place
        message = error.message.removeprefix(f"{error.path}{f':{error.line}' if error.line else ''}: ")
        raise InputError(message, path=error.path.relative_to(root), line=error.line, hint=error.hint) from None


def binarise(array: npt.NDArray[Any], path: Path) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    """Make a mask binary by one stated rule.

    1. Negative, broken or infinite values are refused.
    2. With at most two distinct values, or with classes (at most eight distinct values, none above eight), every
       voxel above 0 is foreground.
    3. Any other mask must be grey from lossy compression: at most 256 distinct values, and at least 99 % of voxels
       within a tenth of the range from 0 or from the largest value. Its foreground is what lies above half the
       largest value.

    Returns:
        The mask (uint8, 0 or 1) and the values met.

    Raises:
        InputError: none of these holds.
    """
    values = np.unique(array)
    if not np.isfinite(values.astype(np.float64)).all() or (values.astype(np.float64) % 1 != 0).any() or values[0] < 0:
        raise InputError(
            "the mask holds negative, broken or infinite values", path=path, hint="0 is background, 1 vessel"
        )
    if len(values) > _MOST_GREYS:
        raise InputError(
            f"{len(values)} distinct values are no mask", path=path, hint="is this the image? Masks hold 0 and 1"
        )
    met = tuple(int(value) for value in values)
    if len(met) <= 2 or (len(met) <= _MOST_CLASSES and met[-1] <= _MOST_CLASSES):
        return np.ascontiguousarray(array > 0, dtype=np.uint8), met
    tenth = met[-1] / 10
    clear = float(np.mean((array <= tenth) | (array >= met[-1] - tenth)))
    if clear < 0.99:
        raise InputError(
            f"{len(met)} grey values, and {100 * (1 - clear):.1f} % of voxels lie between black and white",
            path=path,
            hint="threshold the mask to 0 and 1 before ingest",
        )
    return np.ascontiguousarray(array > met[-1] / 2, dtype=np.uint8), met


def _read_case(source: CaseSource, root: Path, modality: str, limits: Limits) -> Case:
    image_path, label_path = _inside(root, source.image.as_posix()), _inside(root, source.label.as_posix())
    image, label = read_volume(image_path, limits=limits), read_volume(label_path, limits=limits)
    if image.array.shape != label.array.shape:
        raise InputError(
            f"the mask's shape {label.array.shape} is not the image's {image.array.shape}",
            path=label_path,
            hint="image and mask must lie on one grid",
        )
    _check_orientation(image, label, label_path)
    stated = [(image_path, image.spacing_um), (label_path, label.spacing_um)]
    if source.metadata is not None:
        metadata = _inside(root, source.metadata.as_posix())
        stated.insert(1, (metadata, read_ome_spacing(metadata, limits=limits)))
    spacing = _agree(source, image_path, stated)
    with np.errstate(all="ignore"):
        grey = np.ascontiguousarray(image.array, dtype="<f4")
    if not np.isfinite(grey).all():
        raise InputError("the image holds NaN or infinite voxels", path=image_path, hint="replace them before ingest")
    mask, values = binarise(label.array, label_path)
    return Case(grey, mask, spacing, modality, image.dtype, values)


def _inside(root: Path, relative: str) -> Path:
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        raise InputError("a path that leaves the data folder", path=relative, hint="put the file below data.root")
    return path


def _check_orientation(image: Volume, label: Volume, label_path: Path) -> None:
    if image.affine is None or label.affine is None:
        return
    voxel = float(np.abs(image.affine[:3, :3]).max())
    if float(np.abs(image.affine - label.affine).max()) > 0.05 * max(voxel, 1e-9):
        raise InputError(
            "the mask's orientation or origin is not the image's",
            path=label_path,
            hint="resample the mask to the image",
        )


def _agree(source: CaseSource, image_path: Path, stated: list[tuple[Path, Spacing | None]]) -> Spacing:
    known: list[tuple[str, Path, Spacing]] = [(p.name, p, s) for p, s in stated if s is not None]
    if source.spacing_um is not None:
        if not all(math.isfinite(value) and value > 0 for value in source.spacing_um):
            raise InputError(f"case {source.id}: spacing_um must be three positive numbers (z, y, x)")
        known.append(("minivess.yaml", image_path, source.spacing_um))
    if not known:
        raise InputError(
            "the voxel size is unknown", path=image_path, hint=f"state spacing_um: [z, y, x] in µm for case {source.id}"
        )
    first, _, spacing = known[0]
    for name, path, other in known[1:]:
        if any(abs(a - b) > _AGREEMENT * max(a, b) for a, b in zip(spacing, other, strict=True)):
            raise InputError(
                f"{first} says {_words(spacing)} and {name} says {_words(other)}",
                path=path,
                hint="mend the one that is wrong; spacings may differ by 1 % at most",
            )
    return spacing


def _words(spacing: Spacing) -> str:
    return " × ".join(f"{value:g}" for value in spacing) + " µm"
