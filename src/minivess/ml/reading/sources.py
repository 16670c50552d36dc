"""Which files make which case: from the project's list, from a table, or by pairing files by name."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.data.source import CaseSource, Data, Pairs

TABLE_BYTES, TABLE_ROWS, MOST_FILES = 16 << 20, 100_000, 100_000
_SPACING = ("spacing_z_um", "spacing_y_um", "spacing_x_um")
COLUMNS = tuple(name for name in CaseSource.model_fields if name != "spacing_um") + _SPACING
"""Columns a table may have."""
_REQUIRED = ("id", "image", "label", "subject")
_DOUBLE = (".nii.gz", ".hdr.gz", ".img.gz", ".ome.tif", ".ome.tiff", ".seg.nrrd", ".xml.txt")
_NAMED = 5


@implements("REQ-080")
def case_sources(data: Data, base: Path) -> tuple[CaseSource, ...]:
    """Every case of a project that comes from files.

    Args:
        data: what the project says.
        base: folder of the project file.

    Raises:
        InputError: a folder or a table is missing or malformed, files are left without a partner, or a name makes no id.
    """
    root = base / (data.root or ".")
    if not root.is_dir():
        raise InputError("no such folder", path=data.root, hint="data.root is relative to minivess.yaml")
    if data.table is not None:
        return read_table(base / data.table, shown=data.table.name, subject_from=data.subject_from)
    if data.pairs is not None:
        return pair(data.pairs, root, subject_from=data.subject_from)
    if data.subject_from is not None:
        subjects = _Ids("subject")
        for case in data.cases:
            _subject(data.subject_from, case.image, subjects, stated=case.subject)
    return data.cases


def read_table(path: Path, *, shown: str, subject_from: str | None = None) -> tuple[CaseSource, ...]:
    """Read a table of cases (RFC 4180, UTF-8): a header of known names, then a line a case. Empty cells say nothing.

    Args:
        path: the CSV file.
        shown: its name in messages.
        subject_from: the pattern of subjects; with it, the column `subject` is not needed.

    Raises:
        InputError: missing, too large, not UTF-8, unknown, doubled or missing columns, ragged or malformed lines,
            two cases of one id, or a subject that is not that of the pattern.
    """
    try:
        content = read_limited(path, limit=TABLE_BYTES)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", path=shown, hint="save the table as CSV in UTF-8") from None
    except InputError as error:
        raise InputError(error.message.removeprefix(f"{path}: "), path=shown, hint="check data.table") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(
            header, shown, _REQUIRED if subject_from is None else tuple(one for one in _REQUIRED if one != "subject")
        )
        found: dict[str, CaseSource] = {}
        subjects = _Ids("subject")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            cells = _cells(header, row, shown, rows.line_num)
            if subject_from is not None and "image" in cells:
                image = PurePosixPath(cells["image"])
                cells["subject"] = _subject(subject_from, image, subjects, stated=cells.get("subject"))
            case = _case(cells, shown, rows.line_num)
            if case.id in found:
                raise InputError(f"two cases are called {case.id}", path=shown, line=rows.line_num)
            if len(found) >= TABLE_ROWS:
                raise InputError(f"more than {TABLE_ROWS} cases", path=shown, line=rows.line_num)
            found[case.id] = case
    except csv.Error as error:
        raise InputError(
            f"malformed CSV: {error}", path=shown, line=rows.line_num, hint="quote cells with commas"
        ) from None
    if not found:
        raise InputError("a table without cases", path=shown, hint=f"columns: {', '.join(_REQUIRED)}")
    return tuple(found.values())


def pair(plan: Pairs, root: Path, *, subject_from: str | None = None) -> tuple[CaseSource, ...]:
    """Pair the files of a folder by name; `subject_from` is the pattern of subjects.

    Raises:
        InputError: no image, files without partner (named), two files of one name, or a name that makes no id or
            does not fit `subject_from`.
    """
    images, labels = _by_key(plan, plan.images, root), _by_key(plan, plan.labels, root)
    if not images:
        raise InputError("no file is called so", path=plan.images, hint="check data.pairs.images and data.root")
    _all_paired(images, labels, plan.labels)
    others = {}
    for field, pattern in (("second_label", plan.second_labels), ("metadata", plan.metadata)):
        others[field] = _by_key(plan, pattern, root) if pattern else {}
        if alone := sorted(set(others[field]) - set(images)):
            path = others[field][alone[0]][0]
            raise InputError("belongs to no image", path=str(path), hint=f"its name was read as {alone[0]!r}")
    cases = []
    ids, subjects, acquisitions = _Ids("case"), _Ids("subject"), _Ids("acquisition")
    for key, (image, groups) in sorted(images.items()):
        fields: dict[str, Any] = {"id": ids.of(key, image), "image": image, "label": labels[key][0]}
        fields |= {field: found[key][0] for field, found in others.items() if key in found}
        if subject_from is not None:
            fields["subject"] = _subject(subject_from, image, subjects)
        else:
            fields["subject"] = subjects.of(groups.get("subject") or key, image)
        if groups.get("acquisition"):
            fields["acquisition"] = acquisitions.of(str(groups["acquisition"]), image)
        fields |= plan.model_dump(include={"spacing_um", "site", "scanner"})
        cases.append(CaseSource.model_validate(fields))
    return tuple(cases)


@implements("REQ-278")
def _subject(pattern: str, image: PurePosixPath, ids: _Ids, *, stated: str | None = None) -> str:
    """The subject of an image by the project's pattern.

    Raises:
        InputError: the pattern does not fit, or another subject is stated.
    """
    text = image.as_posix() if "/" in pattern else _stem(image.name)
    match = re.search(pattern, unicodedata.normalize("NFC", text))
    if match is None or not match[1]:
        raise InputError("does not fit data.subject_from", path=str(image), hint=f"the expression is {pattern}")
    subject = ids.of(match[1], image)
    if stated not in (None, subject):
        raise InputError(
            f"its subject is stated as {stated!r}, and data.subject_from makes it {subject!r}",
            path=str(image),
            hint="correct the one that is wrong",
        )
    return subject


def _check_header(header: list[str], shown: str, required: tuple[str, ...]) -> None:
    if strange := [name for name in header if name not in COLUMNS]:
        raise InputError(
            f"unknown column {strange[0][:40]!r}", path=shown, line=1, hint=f"columns: {', '.join(COLUMNS)}"
        )
    if twice := [name for name in header if header.count(name) > 1]:
        raise InputError(f"two columns are called {twice[0]}", path=shown, line=1)
    if missing := [name for name in required if name not in header]:
        raise InputError(f"no column {missing[0]}", path=shown, line=1, hint=f"every case needs {', '.join(required)}")


def _cells(header: list[str], row: list[str], shown: str, line: int) -> dict[str, str]:
    """The cells of a line that hold something, by column."""
    if len(row) != len(header):
        raise InputError(f"{len(row)} cells where the header has {len(header)}", path=shown, line=line)
    return {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}


def _case(cells: dict[str, str], shown: str, line: int) -> CaseSource:
    steps = [cells.pop(name) for name in _SPACING if name in cells]
    fields: dict[str, Any] = dict(cells) | ({"spacing_um": steps} if steps else {})
    try:
        return CaseSource.model_validate(fields)
    except ValidationError as error:
        raise InputError(first_error(error), path=shown, line=line, hint="correct the cell") from None


def _by_key(plan: Pairs, pattern: str, root: Path) -> dict[str, tuple[PurePosixPath, dict[str, str | None]]]:
    """Files that fit a pattern by what they share with their partners, with the groups of their name."""
    found: dict[str, tuple[PurePosixPath, dict[str, str | None]]] = {}
    for path in sorted(_matches(pattern, root)):
        stem = unicodedata.normalize("NFC", _stem(path.name))  # files of one case may come from different systems
        groups: dict[str, str | None] = {}
        if plan.name is not None:
            match = re.search(plan.name, stem)
            if match is None:
                raise InputError(
                    "its name does not fit data.pairs.name", path=str(path), hint=f"the expression is {plan.name}"
                )
            groups = match.groupdict()
        key = groups.get("case") or stem
        if key in found:
            raise InputError(
                f"reads as {key!r}, and so does {found[key][0]}",
                path=str(path),
                hint="narrow the pattern, or data.pairs.name",
            )
        found[key] = (path, groups)
    return found


def _matches(pattern: str, root: Path) -> Iterator[PurePosixPath]:
    try:
        for number, path in enumerate(islice(_visible(root.glob(pattern), root), MOST_FILES + 1)):
            if number == MOST_FILES:
                raise InputError(f"more than {MOST_FILES} files", path=pattern, hint="narrow the pattern")
            yield PurePosixPath(path.relative_to(root).as_posix())
    except (ValueError, NotImplementedError, OSError) as error:
        raise InputError(f"no usable pattern: {error}"[:120], path=pattern, hint="for example images/*.png") from None


def _visible(paths: Iterable[Path], root: Path) -> Iterator[Path]:
    return (path for path in paths if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _all_paired(
    images: dict[str, tuple[PurePosixPath, dict[str, str | None]]],
    labels: dict[str, tuple[PurePosixPath, dict[str, str | None]]],
    pattern: str,
) -> None:
    without = [str(images[key][0]) for key in sorted(set(images) - set(labels))]
    stray = [str(labels[key][0]) for key in sorted(set(labels) - set(images))]
    for alone, what in ((without, "images without a mask"), (stray, "masks without an image")):
        if alone:
            more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
            raise InputError(
                f"{len(alone)} {what}: {', '.join(alone[:_NAMED])}{more}",
                path=pattern,
                hint="files are paired by their names without suffix, or by the group `case` of data.pairs.name",
            )


def _stem(name: str) -> str:
    for suffix in _DOUBLE:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return PurePosixPath(name).stem


class _Ids:
    """The ids that names of files make; no id stands for two different names.

    Args:
        what: is named, for the error.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._names: dict[str, str] = {}

    @implements("REQ-252")
    def of(self, text: str, path: PurePosixPath) -> str:
        """The id of a name.

        Raises:
            InputError: the name makes no id, or the id of another name.
        """
        made = _slug(text, path)
        other = self._names.setdefault(made, text)
        if other != text:
            raise InputError(
                f"the {self._what} names {other!r} and {text!r} both make the id {made!r}",
                path=str(path),
                hint="rename one of them, or list the cases in a table (data.table) with ids of your own",
            )
        return made


def _slug(text: str, path: PurePosixPath) -> str:
    """A name as an identifier: what may not stand in one becomes a hyphen."""
    made = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not made or len(made) > 64:
        raise InputError(
            f"its name makes no id of 1 to 64 characters: {made[:64]!r}", path=str(path), hint="name a group `case`"
        )
    return made
