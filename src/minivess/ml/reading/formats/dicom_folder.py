"""The series in a folder of DICOM files (PS3.10), as a scanner or an archive exports a study.

Files belong together by their Series Instance UID (PS3.3 C.7.3.1), wherever they are below the folder. Links are not
followed. Names of files decide nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.formats.dicom_file import is_dicom, read_dataset, reading
from minivess.ml.reading.volume import Limits

_LONGEST_UID = 64


@dataclass(frozen=True)
class Series:
    """The files of one series, in order of their paths."""

    uid: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class SeriesInFolder:
    """What a folder holds.

    Attributes:
        series: in the order in which their first files come.
        unreadable: DICOM files of no known series, each with the reason.
        others: how many files are no DICOM images or documents.
    """

    series: tuple[Series, ...]
    unreadable: tuple[tuple[Path, str], ...]
    others: int


@implements("REQ-475")
def series_in(folder: Path, limits: Limits) -> SeriesInFolder:
    """Find the series below a folder.

    Args:
        folder: is walked through; links are passed over.
        limits: `pages` bounds the files, `file_bytes` each of them.

    Raises:
        InputError: it is no folder, or has too many files.
    """
    if not folder.is_dir():
        raise InputError("is no folder", path=folder, hint="name a folder with DICOM files")
    found: dict[str, list[Path]] = {}
    unreadable: list[tuple[Path, str]] = []
    others = 0
    for path in _files(folder, limits):
        if path.name == "DICOMDIR" or not is_dicom(path):
            others += 1
            continue
        try:
            uid = uid_of(path, limits)
        except InputError as error:
            unreadable.append((path, error.message))
        else:
            found.setdefault(uid, []).append(path)
    return SeriesInFolder(tuple(Series(uid, tuple(files)) for uid, files in found.items()), tuple(unreadable), others)


def uid_of(path: Path, limits: Limits) -> str:
    """The Series Instance UID of a file.

    Raises:
        InputError: the file is malformed or states none.
    """
    dataset = read_dataset(path, limits)
    with reading(path):
        uid = str(dataset.get("SeriesInstanceUID", "") or "").strip()
    if not 0 < len(uid) <= _LONGEST_UID:
        raise InputError("states no Series Instance UID", path=path, hint="export it again")
    return uid


def _files(folder: Path, limits: Limits) -> list[Path]:
    """The regular files below a folder, in order of their paths.

    Raises:
        InputError: there are too many.
    """
    found: list[Path] = []
    for place, names, files in os.walk(folder, followlinks=False):
        names.sort()
        found += [path for name in sorted(files) if (path := Path(place, name)).is_file() and not path.is_symlink()]
        if len(found) > limits.pages:
            raise InputError(f"more than {limits.pages} files", path=folder, hint="one study a folder", rule="limits")
    return sorted(found)
