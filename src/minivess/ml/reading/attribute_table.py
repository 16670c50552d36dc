"""Attributes of cases from a table beside the images, for example `participants.tsv` of BIDS (Gorgolewski et al. 2016)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.data.source import CaseSource

TABLE_BYTES = 16 << 20
KEYS = ("case", "subject", "participant_id")
"""The first column: what a line is about. A `participant_id` is a subject, with `sub-` before it or without."""
_FIELDS = ("disease", "sex", "age", "site", "scanner")
_SEXES = {"f": "female", "m": "male", "o": "other"}
"""Abbreviations that BIDS recommends."""
_NOTHING = {"", "n/a"}
Line = tuple[int, dict[str, str]]


@implements("REQ-421")
def with_attributes(cases: Sequence[CaseSource], path: Path, *, shown: str) -> tuple[CaseSource, ...]:
    """The cases with the attributes that a table states of them. Cases that the table does not name stay as they are.

    Args:
        cases: of the project.
        path: CSV, or `.tsv` with tabulators. The first column is one of `KEYS`. The columns disease, sex, age, site and scanner
            are fields of a case, each other column is an attribute. An empty cell and `n/a` state nothing.
        shown: its name in messages.

    Raises:
        InputError: it is missing, malformed, names a case twice or none of the project, states something else than the
            project, or states what can identify a person; with its line.
    """
    key, lines = _read(path, shown)
    field = "id" if key == "case" else "subject"
    made, used = [], set()
    for one in cases:
        name = getattr(one, field)
        if name not in lines:
            made.append(one)
            continue
        used.add(name)
        number, cells = lines[name]
        made.append(_stated(one, cells, shown, number))
    if not used:
        raise InputError(
            f"names no {key} of the project",
            path=shown,
            hint=f"the first column is one of {', '.join(KEYS)}",
            rule="case-list",
        )
    return tuple(made)


def _stated(case: CaseSource, cells: dict[str, str], shown: str, line: int) -> CaseSource:
    fields: dict[str, Any] = {name: value for name, value in cells.items() if name in _FIELDS}
    further = {name: value for name, value in cells.items() if name not in _FIELDS}
    if "sex" in fields:
        fields["sex"] = _SEXES.get(fields["sex"].lower(), fields["sex"].lower())
    before = case.model_dump(mode="json", include={*_FIELDS, "attributes"})
    try:
        found = CaseSource.model_validate({**dict(case), **fields, "attributes": {**case.attributes, **further}})
    except ValidationError as error:
        raise InputError(first_error(error), path=shown, line=line, hint="correct the cell", rule="case-list") from None
    for name, value in {**before, **before.get("attributes", {})}.items():
        now = getattr(found, name) if name in _FIELDS else found.attributes.get(name, value)
        if value is not None and name != "attributes" and now != value:
            raise InputError(
                f"case {case.id} has another {name} in the project",
                path=shown,
                line=line,
                hint="state it once",
                rule="case-list",
            )
    return found


def _read(path: Path, shown: str) -> tuple[str, dict[str, Line]]:
    """The first column, and line number and cells of each line by what it is about."""
    try:
        text = read_limited(path, limit=TABLE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", path=shown, hint="save the table in UTF-8") from None
    except InputError as error:
        raise InputError(error.message.removeprefix(f"{path}: "), path=shown, hint="check data.attributes") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter="\t" if path.suffix == ".tsv" else ",")
    try:
        header = [name.strip() for name in next(rows, [])]
        if not header or header[0] not in KEYS or len(set(header)) < len(header):
            raise InputError(
                f"the first column is one of {', '.join(KEYS)}, and no column is there twice",
                path=shown,
                line=1,
                rule="case-list",
            )
        return header[0], dict(_lines(rows, header, shown))
    except csv.Error as error:
        raise InputError(f"malformed CSV: {error}", path=shown, line=rows.line_num, rule="case-list") from None


def _lines(rows: Any, header: list[str], shown: str) -> Iterator[tuple[str, Line]]:
    seen: set[str] = set()
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        line = rows.line_num
        if len(row) != len(header):
            raise InputError(
                f"{len(row)} cells where the header has {len(header)}", path=shown, line=line, rule="case-list"
            )
        name, *cells = (cell.strip() for cell in row)
        if header[0] == "participant_id":
            name = name.removeprefix("sub-")
        if name in seen:
            raise InputError("names a case or subject twice", path=shown, line=line, rule="id-unique")
        seen.add(name)
        stated = zip(header[1:], cells, strict=True)
        yield name, (line, {key: value for key, value in stated if value.lower() not in _NOTHING})
