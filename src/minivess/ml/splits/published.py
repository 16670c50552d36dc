"""Published splits: read from CSV or JSON, and held against the data set.

CSV has a header with `case`, `part` and, where there are folds, `fold`. JSON is a list of such objects, an object from
case to part, or an object from part to a list of cases. Parts go by their usual names: train or training; calibration,
val, valid, validation or dev; test or testing.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.split import Part

_LARGEST = 16 * 1024**2
_NAMED = 8
_NAMES = {
    "train": Part.TRAIN,
    "training": Part.TRAIN,
    "calibration": Part.CALIBRATION,
    "val": Part.CALIBRATION,
    "valid": Part.CALIBRATION,
    "validation": Part.CALIBRATION,
    "dev": Part.CALIBRATION,
    "test": Part.TEST,
    "testing": Part.TEST,
}


@dataclass(frozen=True)
class Published:
    """A split that somebody else made.

    Attributes:
        parts: part of every case.
        folds: fold (from 1) of every training case, or nothing.
        digest: of the file.
    """

    parts: dict[str, Part]
    folds: dict[str, int]
    digest: Digest


@implements("REQ-088")
def read_published(base: Path, name: PurePosixPath, manifest: DatasetManifest) -> Published:
    """Read a published split and hold it against the data set.

    Args:
        base: the project folder.
        name: the file, relative to it.
        manifest: the data set.

    Raises:
        InputError: the file is missing, is neither CSV nor JSON, or a row is malformed.
        RefusedError: cases are unknown, missing or named twice; all of them are said.
    """
    if not (base / name).is_file():
        raise InputError("no such file", path=str(name), hint="split.published is relative to minivess.yaml")
    data = read_limited(base / name, limit=_LARGEST)
    try:
        rows = list(_rows(data.decode("utf-8-sig"), name))
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", path=str(name), hint="save it as UTF-8") from None
    _audit([case for _, case, _, _ in rows], {case.id for case in manifest.cases})
    folds: dict[str, int] = {}
    for line, case, part, fold in rows:
        if fold is not None and part is Part.TRAIN:
            folds[case] = _number(fold, line, name)
    parts = {case: part for _, case, part, _ in rows}
    bare = [case for case, part in parts.items() if part is Part.TRAIN and case not in folds]
    if folds and bare:
        raise RefusedError(
            f"the published split gives no fold for {_some(bare)}", hint="give every training case a fold, or none"
        )
    if set(folds.values()) != set(range(1, len(set(folds.values())) + 1)):
        raise RefusedError("the folds of the published split are not numbered 1, 2, 3 …")
    return Published(parts, folds, digest_bytes(data))


def _audit(cases: list[str], known: set[str]) -> None:
    twice = sorted(case for case, count in Counter(cases).items() if count > 1)
    faults = {
        "it names cases that are not in the data": sorted(set(cases) - known),
        "it does not name": sorted(known - set(cases)),
        "it names twice": twice,
    }
    said = [f"{fault}: {_some(names)}" for fault, names in faults.items() if names]
    if said:
        raise RefusedError(
            f"the published split does not fit the data: {'; '.join(said)}",
            hint="give every case of minivess.yaml exactly once, by its id",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _rows(text: str, name: PurePosixPath) -> Iterator[tuple[int | None, str, Part, Any]]:
    """Line, case, part and fold as written."""
    if name.suffix.lower() == ".json":
        yield from _json_rows(text, name)
        return
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not {"case", "part"} <= set(reader.fieldnames or ()):
        raise InputError("no columns `case` and `part`", path=str(name), line=1, hint="case,part or case,part,fold")
    try:
        for row in reader:
            case, part = (row["case"] or "").strip(), row["part"]
            yield reader.line_num, case, _part(part, reader.line_num, name), (row.get("fold") or "").strip() or None
    except csv.Error as error:
        raise InputError(str(error), path=str(name), line=reader.line_num) from None


def _json_rows(text: str, name: PurePosixPath) -> Iterator[tuple[int | None, str, Part, Any]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("not JSON", path=str(name)) from None
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        for row in content:
            yield None, str(row.get("case", "")), _part(row.get("part"), None, name), row.get("fold")
    elif isinstance(content, dict) and all(isinstance(value, list) for value in content.values()):
        for part, cases in content.items():
            for case in cases:
                yield None, str(case), _part(part, None, name), None
    elif isinstance(content, dict):
        for case, part in content.items():
            yield None, str(case), _part(part, None, name), None
    else:
        raise InputError("not a list of cases, cases by part, or parts by case", path=str(name))


def _part(value: Any, line: int | None, name: PurePosixPath) -> Part:
    part = _NAMES.get(value.strip().lower()) if isinstance(value, str) else None
    if part is None:
        raise InputError(
            f"{str(value)[:40]!r} is no part", path=str(name), line=line, hint="train, calibration or test"
        )
    return part


def _number(value: Any, line: int | None, name: PurePosixPath) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 50 and len(text) < 9):
        raise InputError(f"{text[:40]!r} is no fold", path=str(name), line=line, hint="1 to 50")
    return int(text)
