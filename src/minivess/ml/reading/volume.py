"""What every reader answers, and the limits every reader keeps."""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import Axes, Doubt, LabelClass

Spacing = tuple[float, ...]
"""Distance between neighbours along each spatial axis, in the order of the array's axes."""

_SMALL = 1 << 20
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,39}")
_TAG = re.compile(r"\([0-9A-Fa-f]{4}, ?[0-9A-Fa-f]{4}\)")
_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((zlib.error, EOFError, gzip.BadGzipFile), "its compressed data are damaged or end early"),
    ((MemoryError,), "it needs more memory than there is"),
    ((RecursionError,), "it is nested too deeply"),
    ((OverflowError,), "a number in it is too large"),
    ((UnicodeError,), "a text in it is not in the stated encoding"),
    ((OSError,), "its data are damaged or end early"),
)
"""What errors mean that libraries raise for damaged files. Theirs are also ValueError, TypeError, IndexError and others."""


@dataclass(frozen=True)
class Limits:
    """How much of somebody else's file is taken in.

    Attributes:
        file_bytes: largest file, or all files of one series together.
        voxels: largest volume (colours counted), checked before memory is taken.
        pages: most pages of a TIFF stack, frames or files of a series.
        text_bytes: largest metadata text.
        ratio: largest ratio of unpacked to packed bytes. Deflate reaches 1032, LZW 1300: beyond lies a bomb or a lie.
        coded_ratio: the same for frames of the decoder process. Zstandard reaches 32,768, and empty frames of JPEG-LS and
            JPEG 2000 come near.
    """

    file_bytes: int = 4 * 1024**3
    voxels: int = 512 * 1024**2
    pages: int = 8192
    text_bytes: int = 16 * 1024**2
    ratio: int = 2000
    coded_ratio: int = 70_000


LIMITS = Limits()


@dataclass(frozen=True)
class Facts:
    """What a file says of how it was made, without a word about who is in it.

    Attributes:
        modality: DICOM's code, for example `CT`.
        scanner: maker and model.
        origin: the file or study it came from; cases of one origin show one subject.
        acquisition: which acquisition it is, as a slug.
        frame: digest of the frame of reference of its positions.
        sex: `female`, `male` or `other`.
        age: the band of ten years of the age, and not the age.
    """

    modality: str | None = None
    scanner: str | None = None
    origin: str | None = None
    acquisition: str | None = None
    frame: str | None = None
    sex: str | None = None
    age: str | None = None


@dataclass(frozen=True)
class Volume:
    """A picture or a volume as found in a file.

    Attributes:
        array: in the order of `axes`; may be mapped from the disk, and in the byte order of the file.
        axes: names of the axes; `c` is red, green, blue, or the channels where `channels` names them.
        dtype: type of the stored values, for example `uint8`.
        format: name of the format.
        spacing: in micrometres along the spatial axes, or along the last of them where the file says no more; None
            where it does not say.
        unitless: spacing in a unit the file does not name.
        affine: from indices (z, y, x, 1) to right-anterior-superior in micrometres (in the unnamed unit where
            `spacing` is None); None: the file does not say.
        frame: the same in a space whose axes the file does not name; None where it says nothing or `affine`.
        facts: how it was made.
        palette: colours (n, 3) of which `array` holds the indices.
        lossy: whether the values went through lossy compression.
        placed: whether the array covers a part of its image's grid only, and is to be laid on it by position.
        classes: what the values mean, where the file says.
        identifiers: where the file may say who is in it; never what it says there.
        notes: what was changed, in words.
        doubts: what makes the file doubtful, under rules of data validation.
        channels: names of the channels along `c`, where there are several; empty: grey or colours.
    """

    array: npt.NDArray[np.generic]
    axes: Axes
    dtype: str
    format: str
    spacing: Spacing | None = None
    unitless: Spacing | None = None
    affine: npt.NDArray[np.float64] | None = None
    frame: npt.NDArray[np.float64] | None = None
    facts: Facts = field(default_factory=Facts)
    palette: npt.NDArray[np.uint8] | None = None
    lossy: bool = False
    placed: bool = False
    classes: tuple[LabelClass, ...] = ()
    identifiers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    channels: tuple[str, ...] = ()

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes along the spatial axes."""
        return self.array.shape[: len(self.axes.removesuffix("c"))]


def channel_names(stated: Sequence[str | None], count: int) -> tuple[str, ...]:
    """Names of channels: those that are stated where each has its own, else `channel 1` and so on."""
    named = [name for name in stated if name]
    if len(named) == count == len(set(named)):
        return tuple(named)
    return tuple(f"channel {number}" for number in range(1, count + 1))


def file_size(path: Path, limits: Limits) -> int:
    """Size of a plain file that is within the limits.

    Raises:
        InputError: missing, not a plain file, empty or too large.
    """
    try:
        if not path.is_file():
            raise InputError("no such file", path=path, hint="check the path in minivess.yaml", rule="file-missing")
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path, rule="file-unreadable") from error
    if size == 0:
        raise InputError("the file is empty", path=path, rule="file-truncated")
    if size > limits.file_bytes:
        raise InputError(f"{size} bytes is more than the {limits.file_bytes} allowed", path=path, rule="limits")
    return size


def check_shape(shape: tuple[int, ...], path: Path, limits: Limits, *, colours: int = 1) -> tuple[int, ...]:
    """The spatial shape: two or three positive sizes within the limits; further axes of 1 must be gone by now.

    Args:
        shape: sizes along the spatial axes.
        path: the file at fault.
        limits: how much is taken in.
        colours: values in each voxel.

    Raises:
        InputError: another number of axes, an empty axis, or too many voxels.
    """
    if len(shape) not in (2, 3):
        raise InputError(
            f"{len(shape)} axes {shape[:9]} where two or three are needed",
            path=path,
            hint="save one channel and one time point",
            rule="axes-order",
        )
    count = colours
    for size in shape:
        if size < 1:
            raise InputError(f"the shape {shape} has an empty axis", path=path, rule="file-malformed")
        count *= size
    if count > limits.voxels:
        raise InputError(f"{count} voxels {shape} are more than the {limits.voxels} allowed", path=path, rule="limits")
    return shape


def check_dtype(dtype: np.dtype[np.generic], path: Path) -> None:
    """Voxels must be whole or real numbers.

    Raises:
        InputError: complex numbers, text or objects.
    """
    if dtype.kind not in "uifb" or dtype.itemsize > 8:
        kind = "a mixed type" if dtype.names else f"type {dtype}"
        raise InputError(
            f"voxels of {kind} are no single grey value",
            path=path,
            hint="save as uint8 or float32",
            rule="format-unsupported",
        )


def check_ratio(unpacked: int, packed: int, path: Path, limits: Limits, *, coded: bool = False) -> None:
    """What is announced must be possible from the bytes that are there, before memory is taken for it.

    Args:
        unpacked: bytes that are announced.
        packed: bytes that are there.
        path: the file at fault.
        limits: how much is taken in.
        coded: whether the decoder process decodes them.

    Raises:
        InputError: no honest compression packs so well.
    """
    most = limits.coded_ratio if coded else limits.ratio
    if unpacked > _SMALL and unpacked > packed * most:
        raise InputError(
            f"{unpacked} bytes of voxels are announced and {packed} are there: more than the ratio {most} allowed",
            path=path,
            hint="the file is damaged, or made to fill the memory",
            rule="limits",
        )


def check_spacing(spacing: Spacing, path: Path) -> Spacing:
    """Spacing must be finite and positive.

    Raises:
        InputError: it is not.
    """
    if not all(math.isfinite(value) and 0 < value < 1e9 for value in spacing):
        raise InputError(
            f"a spacing of {_sizes(spacing)} micrometres is impossible",
            path=path,
            hint="correct the file's header",
            rule="transform-impossible",
        )
    return spacing


def _sizes(spacing: Spacing) -> str:
    return " × ".join(f"{value:g}" if math.isfinite(value) else "no number" for value in spacing)


def mapped(
    path: Path, dtype: np.dtype[np.generic], offset: int, shape: tuple[int, ...], *, fortran: bool = False
) -> npt.NDArray[np.generic]:
    """An array as it lies in a file, read-only and read when it is looked at; the size was checked before."""
    if fortran:
        return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape[::-1]).T
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


@implements("REQ-308")
def fault_in_words(error: BaseException) -> str:
    """What an error of a library means for the file, as one short line.

    The library's own words are left out: they name its parts, and often addresses or values of the file. A missing field
    and the tag of a DICOM element are kept, because they say where to look.
    """
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return " ".join(error.strerror.split())[:120]
    if isinstance(error, KeyError) and error.args and _FIELD.fullmatch(str(error.args[0])):
        return f"the field {error.args[0]} is missing"
    for kinds, words in _MEANINGS:
        if isinstance(error, kinds):
            return words
    tag = _TAG.search(str(error))
    return f"the element {tag[0].replace(' ', '')} is malformed" if tag else "a value in it cannot be interpreted"
