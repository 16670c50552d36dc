"""One image without a mask, from the bytes of a file or of a packed DICOM series, as a service gets it.

It is read by the readers of `ml.reading.case`, and refused for the same reasons in the same words. Names that a client chose are
never used: the format follows from the first bytes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.zip_guard import read_zip
from minivess.ml.reading.agreement import CaseFile, Statement, agree
from minivess.ml.reading.case import FORMATS, check_channels, finite, in_colours, named_below, read_image
from minivess.ml.reading.geometry import Affine
from minivess.ml.reading.volume import LIMITS, Limits, Spacing
from minivess.records.data.dataset import Axes

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  a folder of its own is made in it, for this user alone
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_NIFTI_SIZES = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
"""The first four bytes of NIfTI-1 (348) and NIfTI-2 (540), in both byte orders."""
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x93NUMPY", ".npy"),
    (b"NRRD", ".nrrd"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    *((start, ".tif") for start in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    *((start, ".nii") for start in _NIFTI_SIZES),
    (_ZIP, ".zip"),
)
_DICOM_AT = 128


@dataclass(frozen=True)
class SingleImage:
    """An image and where it is.

    Attributes:
        array: float32 in the order of `axes`, finite.
        axes: names of its axes; `c`, the last, is colours or channels.
        format: name of the format.
        spacing: micrometres along each spatial axis; None: a picture of no known size.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where the file states it.
    """

    array: npt.NDArray[np.float32]
    axes: Axes
    format: str
    spacing: Spacing | None
    affine: Affine | None


def suffix_of(data: bytes) -> str | None:
    """The suffix of the format that a file begins like; None: of no format that is read."""
    for start, suffix in _BEGINNINGS:
        if data.startswith(start):
            return suffix
    if data[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return ".dcm"
    if data.startswith(_GZIP):
        with contextlib.suppress(zlib.error):
            head = zlib.decompressobj(wbits=31).decompress(data[:4096], 4)
            return ".nii.gz" if head in _NIFTI_SIZES else None
    return None


@implements("REQ-426", "REQ-427", "REQ-460", "RC-171")
def read_single(data: bytes, *, spacing: Spacing | None = None, limits: Limits = LIMITS) -> SingleImage:
    """Read one image.

    Args:
        data: a file of any format of `ml.reading.case`, or a zip archive with the files of one DICOM series.
        spacing: what is stated beside the file, in micrometres along the spatial axes.
        limits: how much is taken in.

    Raises:
        InputError: of no known format, malformed, beyond the limits, not finite, or its spacing is unknown or contradicts what
            is stated.
    """
    suffix = suffix_of(data)
    if suffix is None:
        raise InputError("an unknown kind of image", hint=f"{FORMATS} are read", rule="format-unknown")
    with _private_folder() as folder, named_below(folder):
        path = _written(folder, data, suffix, limits)
        image = in_colours(read_image(path, limits=limits), path)
        one = CaseFile("the image", path, image)
        check_channels(one)
        stated = [] if spacing is None else [Statement("the request", path, spacing)]
        agreed = agree("of the request", [one], stated)
        placed = agreed.volumes[0]
        return SingleImage(
            finite(placed, path),
            placed.axes,
            placed.format,
            agreed.spacing,
            None if placed.spacing is None else placed.affine,
        )


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that only this user reads, in memory where the system has such a place, removed afterwards."""
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="minivess-", dir=shared) as folder:
        yield Path(folder)


def _written(folder: Path, data: bytes, suffix: str, limits: Limits) -> Path:
    """The image as a file, or as a folder of the files of a series under names of our own."""
    if suffix != ".zip":
        path = folder / f"image{suffix}"
        path.write_bytes(data)
        return path
    series = folder / "series"
    series.mkdir()
    try:
        files = read_zip(data, "the archive", most=limits.file_bytes)
    except InputError:
        raise InputError(
            "the archive is damaged, encrypted or unpacks to too much",
            hint="send the files of one DICOM series",
            rule="limits",
        ) from None
    if len(files) > limits.pages:
        raise InputError(f"{len(files)} files are more than the {limits.pages} allowed", rule="limits")
    for number, (name, content) in enumerate(sorted(files.items())):
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
            raise InputError(
                "the archive names a file outside itself", hint="pack the files of one folder", rule="path-outside"
            )
        if content:
            (series / f"{number:06d}").write_bytes(content)
    return series
