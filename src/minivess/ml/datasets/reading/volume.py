"""What every reader answers, and the limits every reader keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Limits:
    """How much of somebody else's file is taken in.

    Attributes:
        file_bytes: largest file on disk.
        voxels: largest volume, checked before memory is taken.
        pages: most pages of a TIFF stack.
        text_bytes: largest metadata text.
    """

    file_bytes: int = 4 * 1024**3
    voxels: int = 512 * 1024**2
    pages: int = 8192
    text_bytes: int = 16 * 1024**2


LIMITS = Limits()


@dataclass(frozen=True)
class Volume:
    """A volume as found in a file.

    Attributes:
        array: (z, y, x).
        spacing_um: voxel size (z, y, x) in micrometres, or None where the file does not say.
        dtype: type of the stored voxels, for example `uint8`.
        affine: 4 by 4 matrix from voxel (x, y, z) to the file's world, where it has one (NIfTI).
    """

    array: npt.NDArray[np.generic]
    spacing_um: Spacing | None
    dtype: str
    affine: npt.NDArray[np.float64] | None = None


def file_size(path: Path, limits: Limits) -> int:
    """Size of a plain file that is within the limits.

    Raises:
        InputError: missing, not a plain file, empty or too large.
    """
    try:
        if not path.is_file():
            raise InputError("no such file", path=path, hint="check the path in minivess.yaml")
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error
    if size == 0:
        raise InputError("the file is empty", path=path)
    if size > limits.file_bytes:
        raise InputError(f"{size} bytes is more than the {limits.file_bytes} allowed", path=path)
    return size


def check_shape(shape: tuple[int, ...], path: Path, limits: Limits) -> tuple[int, int, int]:
    """The shape as three positive sizes within the limits; sizes of 1 beyond the third axis must be gone by now.

    Raises:
        InputError: not three axes, an empty axis, or too many voxels.
    """
    if len(shape) != 3:
        raise InputError(
            f"{len(shape)} axes {shape} where three are needed", path=path, hint="save one channel and one time point"
        )
    count = 1
    for size in shape:
        if size < 1:
            raise InputError(f"the shape {shape} has an empty axis", path=path)
        count *= size
    if count > limits.voxels:
        raise InputError(f"{count} voxels {shape} are more than the {limits.voxels} allowed", path=path)
    return shape[0], shape[1], shape[2]


def check_dtype(dtype: np.dtype[np.generic], path: Path) -> None:
    """Voxels must be whole or real numbers.

    Raises:
        InputError: colour, complex numbers, text or objects.
    """
    if dtype.kind not in "uifb" or dtype.itemsize > 8:
        raise InputError(f"voxels of type {dtype} are no single grey value", path=path, hint="save as uint8 or float32")


def check_spacing(spacing: Spacing, path: Path) -> Spacing:
    """Spacing must be finite and positive.

    Raises:
        InputError: it is not.
    """
    if not all(np.isfinite(value) and 0 < value < 1e9 for value in spacing):
        raise InputError(f"a spacing of {spacing} micrometres is impossible", path=path, hint="mend the file's header")
    return spacing


def first_line(error: Exception) -> str:
    """What an error of a library says, as one short line without the folders of this machine."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text.splitlines()[0][:120]
