"""Which files make which case: from the project's list, from a table, or by pairing files by name.

With a list for refusals, every line, name and file at fault is kept in it, and the other cases are found. Without one,
the first fault is raised.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.ml.reading.attribute_table import with_attributes
from minivess.ml.reading.file_names import Ids, stem, subject_of
from minivess.records.data.source import CaseSource, Data, Pairs

TABLE_BYTES, TABLE_ROWS, MOST_FILES = 16 << 20, 100_000, 100_000
_FORMER = ("spacing_z_um", "spacing_y_um", "spacing_x_um")
"""Columns of micrometres, in place of `spacing`."""
COLUMNS = (*CaseSource.model_fields, *_FORMER)
"""Columns a table may have."""
_REQUIRED = ("id", "image", "label", "subject")
_NAMED = 5


class _Refusals:
    """Faults of single files and lines: kept in a list, or raised where there is none."""

    def __init__(self, kept: list[InputError] | None) -> None:
        self._kept = kept

    @property
    def all_wanted(self) -> bool:
        """Whether faults are kept."""
        return self._kept is not None

    @contextmanager
    def each(self) -> Iterator[None]:
        """Keep the fault of one file or line, and go on after the block."""
        try:
            yield
        except InputError as error:
            if self._kept is None:
                raise
            self._kept.append(error)


@implements("REQ-080", "REQ-300")
def case_sources(data: Data, base: Path, *, refused: list[InputError] | None = None) -> tuple[CaseSource, ...]:
    """Every case of a project that comes from files.

    Args:
        data: what the project says.
        base: folder of the project file; without `data.root` it is the folder of the data.
        refused: takes the faults of single files and lines.

    Raises:
        InputError: a folder or a table is missing or malformed as a whole; without `refused` also: a line is malformed,
            files are left without a partner, or a name makes no id.
    """
    root, refusals = base / (data.root or "."), _Refusals(refused)
    if not root.is_dir():
        raise InputError(
            "no such folder", path=data.root, hint="data.root is relative to minivess.yaml", rule="file-missing"
        )
    found = _listed(data, base, root, refusals)
    if data.attributes is not None:
        with refusals.each():
            found = with_attributes(found, base / data.attributes, shown=data.attributes.name)
    return found


def _listed(data: Data, base: Path, root: Path, refusals: _Refusals) -> tuple[CaseSource, ...]:
    """The cases as the project lists, tabulates or pairs them."""
    if data.pairs is not None:
        return _pair(data.pairs, root, data.subject_from, refusals)
    if data.table is not None:
        found = _read_table(base / data.table, data.table.name, data.subject_from, refusals)
    else:
        found = data.cases
        if data.subject_from is not None:
            subjects = Ids("subject")
            for case in data.cases:
                with refusals.each():
                    subject_of(data.subject_from, case.image, subjects, stated=case.subject)
    below = []
    for case in found:
        with refusals.each():
            below.append(_below(case, root))
    return tuple(below)


_PATHS = ("image", "label", "second_label", "metadata")


@implements("REQ-303")
def _below(case: CaseSource, root: Path) -> CaseSource:
    """A case with paths relative to the folder of the data, where they were stated absolutely.

    Raises:
        InputError: an absolute path is not below the folder.
    """
    changed = {}
    for field in _PATHS:
        path = getattr(case, field)
        if path is None or not path.is_absolute():
            continue
        above = next((one for one in (root.absolute(), root.resolve()) if Path(path).is_relative_to(one)), None)
        if above is None:
            raise InputError(
                f"the {field.replace('_', ' ')} of case {case.id} is not below the folder of the data",
                path=path.name,
                hint="move the file there, or set data.root to a folder that contains it",
                rule="path-outside",
            )
        changed[field] = PurePosixPath(Path(path).relative_to(above).as_posix())
    return case.model_copy(update=changed) if changed else case


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
    return _read_table(path, shown, subject_from, _Refusals(None))


def _read_table(path: Path, shown: str, subject_from: str | None, refusals: _Refusals) -> tuple[CaseSource, ...]:
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
        subjects = Ids("subject")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(found) >= TABLE_ROWS:
                raise InputError(f"more than {TABLE_ROWS} cases", path=shown, line=rows.line_num, rule="limits")
            with refusals.each():
                cells = _cells(header, row, shown, rows.line_num)
                if subject_from is not None and "image" in cells:
                    image = PurePosixPath(cells["image"])
                    cells["subject"] = subject_of(subject_from, image, subjects, stated=cells.get("subject"))
                case = _case(cells, shown, rows.line_num)
                if case.id in found:
                    raise InputError(
                        f"two cases are called {case.id}", path=shown, line=rows.line_num, rule="id-unique"
                    )
                found[case.id] = case
    except csv.Error:
        raise InputError(
            "malformed CSV: a cell is not closed or too long",
            path=shown,
            line=rows.line_num,
            hint="quote cells with commas",
        ) from None
    if not found and not refusals.all_wanted:
        raise InputError("a table without cases", path=shown, hint=f"columns: {', '.join(_REQUIRED)}")
    return tuple(found.values())


def pair(plan: Pairs, root: Path, *, subject_from: str | None = None) -> tuple[CaseSource, ...]:
    """Pair the files of a folder by name; `subject_from` is the pattern of subjects.

    Raises:
        InputError: no image, files without partner (named), two files of one name, or a name that makes no id or
            does not fit `subject_from`.
    """
    return _pair(plan, root, subject_from, _Refusals(None))


def _pair(plan: Pairs, root: Path, subject_from: str | None, refusals: _Refusals) -> tuple[CaseSource, ...]:
    images, labels = _by_key(plan, plan.images, root, refusals), _by_key(plan, plan.labels, root, refusals)
    if not images:
        raise InputError(
            "no file is called so",
            path=plan.images,
            hint="check data.pairs.images and data.root",
            rule="file-missing",
        )
    _all_paired(images, labels, plan.labels, refusals)
    others = {}
    for field, pattern in (("second_label", plan.second_labels), ("metadata", plan.metadata)):
        others[field] = _by_key(plan, pattern, root, refusals) if pattern else {}
        for key in sorted(set(others[field]) - set(images)):
            with refusals.each():
                raise InputError(
                    "belongs to no image",
                    path=str(others[field][key][0]),
                    hint=f"its name was read as {key!r}",
                    rule="pair-missing",
                )
    cases = []
    ids, subjects, acquisitions = Ids("case"), Ids("subject"), Ids("acquisition")
    for key, (image, groups) in sorted(images.items()):
        if key not in labels:
            continue
        with refusals.each():
            fields: dict[str, Any] = {"id": ids.of(key, image), "image": image, "label": labels[key][0]}
            fields |= {field: found[key][0] for field, found in others.items() if key in found}
            if subject_from is not None:
                fields["subject"] = subject_of(subject_from, image, subjects)
            else:
                fields["subject"] = subjects.of(groups.get("subject") or key, image)
            if groups.get("acquisition"):
                fields["acquisition"] = acquisitions.of(str(groups["acquisition"]), image)
            fields |= {name: getattr(plan, name) for name in ("spacing", "site", "scanner")}
            cases.append(CaseSource.model_validate(fields))
    return tuple(cases)


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
        raise InputError(
            f"{len(row)} cells where the header has {len(header)}", path=shown, line=line, rule="case-list"
        )
    return {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}


@implements("REQ-322")
def _case(cells: dict[str, str], shown: str, line: int) -> CaseSource:
    steps = {name: cells.pop(name) for name in _FORMER if name in cells}
    if steps and "spacing" in cells:
        raise InputError(
            f"`spacing` and `{min(steps)}` are both stated",
            path=shown,
            line=line,
            hint="keep `spacing`",
            rule="case-list",
        )
    if steps and tuple(steps) not in {_FORMER, _FORMER[1:]}:  # the step of another axis would be taken for that of y
        raise InputError(
            f"{' and '.join(steps)} alone",
            path=shown,
            line=line,
            hint=f"fill in {', '.join(_FORMER)}",
            rule="case-list",
        )
    fields: dict[str, Any] = dict(cells) | ({"spacing": [f"{step} um" for step in steps.values()]} if steps else {})
    try:
        return CaseSource.model_validate(fields)
    except ValidationError as error:
        raise InputError(first_error(error), path=shown, line=line, hint="correct the cell", rule="case-list") from None


def _by_key(
    plan: Pairs, pattern: str, root: Path, refusals: _Refusals
) -> dict[str, tuple[PurePosixPath, dict[str, str | None]]]:
    """Files that fit a pattern by what they share with their partners, with the groups of their name."""
    found: dict[str, tuple[PurePosixPath, dict[str, str | None]]] = {}
    for path in sorted(_matches(pattern, root)):
        with refusals.each():
            key, groups = _key_of(plan, path)
            if key in found:
                raise InputError(
                    f"reads as {key!r}, and so does {found[key][0]}",
                    path=str(path),
                    hint="narrow the pattern, or data.pairs.name",
                    rule="name-pattern",
                )
            found[key] = (path, groups)
    return found


def _key_of(plan: Pairs, path: PurePosixPath) -> tuple[str, dict[str, str | None]]:
    """What a file shares with its partners, and the groups of its name.

    Raises:
        InputError: its name does not fit `data.pairs.name`.
    """
    name = unicodedata.normalize("NFC", stem(path.name))  # files of one case may come from different systems
    if plan.name is None:
        return name, {}
    match = re.search(plan.name, name)
    if match is None:
        raise InputError(
            "its name does not fit data.pairs.name",
            path=str(path),
            hint=f"the expression is {plan.name}",
            rule="name-pattern",
        )
    groups = match.groupdict()
    return groups.get("case") or name, groups


def _matches(pattern: str, root: Path) -> Iterator[PurePosixPath]:
    try:
        for number, path in enumerate(islice(_visible(root.glob(pattern), root), MOST_FILES + 1)):
            if number == MOST_FILES:
                raise InputError(f"more than {MOST_FILES} files", path=pattern, hint="narrow the pattern")
            yield PurePosixPath(path.relative_to(root).as_posix())
    except (ValueError, NotImplementedError, OSError):
        raise InputError(
            "no usable pattern", path=pattern, hint="for example images/*.png; ** stands for whole folders only"
        ) from None


def _visible(paths: Iterable[Path], root: Path) -> Iterator[Path]:
    return (path for path in paths if not any(part.startswith(".") for part in path.relative_to(root).parts))


def _all_paired(
    images: dict[str, tuple[PurePosixPath, dict[str, str | None]]],
    labels: dict[str, tuple[PurePosixPath, dict[str, str | None]]],
    pattern: str,
    refusals: _Refusals,
) -> None:
    hint = "files are paired by their names without suffix, or by the group `case` of data.pairs.name"
    without = [str(images[key][0]) for key in sorted(set(images) - set(labels))]
    stray = [str(labels[key][0]) for key in sorted(set(labels) - set(images))]
    for alone, what, one in (
        (without, "images without a mask", "an image without a mask"),
        (stray, "masks without an image", "a mask without an image"),
    ):
        if alone and not refusals.all_wanted:
            more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
            message = f"{len(alone)} {what}: {', '.join(alone[:_NAMED])}{more}"
            raise InputError(message, path=pattern, hint=hint, rule="pair-missing")
        for path in alone:
            with refusals.each():
                raise InputError(one, path=path, hint=hint, rule="pair-missing")
