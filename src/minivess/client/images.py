"""An image as it is sent: bytes of a file and a spacing in words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.lengths import parse_spacing, spacing_text

type ImageSource = Path | str | bytes | NDArray[np.generic]
"""A file, a folder with the files of a DICOM series, the bytes of a file, or an array (z, y, x) or (y, x), channels last."""

_LARGEST_FILE, _MOST_FILES = 4 << 30, 10_000
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SentImage:
    """The bytes of a file, and its spacing where the caller states one."""

    data: bytes
    spacing: str | None


@implements("REQ-485")
def image_to_send(image: ImageSource, spacing: str | Sequence[str] | None) -> SentImage:
    """An image as it is sent. Neither the name of the file nor those of a series are sent.

    Args:
        image: a path, bytes or an array.
        spacing: in the order of the axes with its unit: `5 x 1 x 1 um`, or `("5 um", "1 um", "1 um")`.

    Raises:
        InputError: there is no such file, or it is too large.
        UsageError: the array has values that are no numbers, or the spacing has no unit.
    """
    if isinstance(image, np.ndarray):
        data = _npy(image)
    elif isinstance(image, bytes | bytearray | memoryview):
        data = bytes(image)
    else:
        path = Path(image)
        data = _zipped(path) if path.is_dir() else read_limited(path, limit=_LARGEST_FILE)
    try:
        words = None if spacing is None else spacing_text(parse_spacing(spacing)).replace("µ", "u")
    except ValueError as error:
        raise UsageError(f"the spacing {error}") from None
    return SentImage(data, words)


def _npy(array: NDArray[np.generic]) -> bytes:
    if array.dtype.kind not in "iufb":
        raise UsageError(
            f"an array of {array.dtype} is no image", hint="pass whole or real numbers, for example float32"
        )
    stream = io.BytesIO()
    values = array.astype(np.uint8) if array.dtype.kind == "b" else array
    np.lib.format.write_array(stream, values, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _zipped(folder: Path) -> bytes:
    """The files of a folder as a zip archive, under numbers."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not files or len(files) > _MOST_FILES:
        raise InputError(
            "the folder has no files, or too many",
            path=folder.name,
            hint="pass the folder of one DICOM series",
        )
    stream, left = io.BytesIO(), _LARGEST_FILE
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, path in enumerate(files):
            data = read_limited(path, limit=left)
            left -= len(data)
            info = zipfile.ZipInfo(f"{number:06}.dcm", _ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return stream.getvalue()
