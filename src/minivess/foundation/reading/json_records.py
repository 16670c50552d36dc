"""JSON records: read from a file with a limit, and written as text. The first error of a record, in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.reading.problem_words import problem_in_words

_BRANCH = re.compile(r"[\[(]|^function-")
"""What pydantic calls one of several kinds that a field may have; a reader knows the field alone."""
RECORD_LIMIT = 64 << 20
"""The largest file that is read as one record, in bytes."""


def first_error(error: ValidationError, *, whole: str = "") -> str:
    """The first error of a record in one line, without the value that caused it.

    Args:
        error: what pydantic found.
        whole: what is named where the error is about the record as a whole and no field of it; empty: nothing.
    """
    first = error.errors(include_input=False, include_url=False, include_context=True)[0]
    places = [str(part) for part in first["loc"]]
    field = ".".join(place for place in places if not _BRANCH.search(place)) or whole
    words = problem_in_words(first)
    return f"{field}: {words}" if field else words


def parse_json_record[R: BaseModel](
    data: bytes | str, kind: type[R], *, path: Path | str | None = None, wrong: str = "", hint: str = ""
) -> R:
    """One record from JSON.

    Args:
        data: the JSON document, in UTF-8.
        kind: the record.
        path: the file it was read from, as the error names it.
        wrong: begins the error, for example "is no proposal"; the first error of the record follows.
        hint: which command or action corrects it.

    Raises:
        InputError: it is no JSON, or no such record.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        found = first_error(error)
        raise InputError(f"{wrong}: {found}" if wrong else found, path=path, hint=hint) from None


def read_json_record[R: BaseModel](
    path: Path,
    kind: type[R],
    *,
    shown: Path | str | None = None,
    wrong: str = "",
    hint: str = "",
    limit: int = RECORD_LIMIT,
) -> R:
    """One record from a JSON file.

    Args:
        path: the file.
        kind: the record.
        shown: the file as the error names it; by default `path`.
        wrong: as in `parse_json_record`.
        hint: which command or action corrects it.
        limit: the largest file, in bytes.

    Raises:
        InputError: the file is missing, is too large, is no JSON, or is no such record.
    """
    data = read_limited(path, limit=limit)
    return parse_json_record(data, kind, path=path if shown is None else shown, wrong=wrong, hint=hint)


def json_text(value: BaseModel | Mapping[str, Any]) -> str:
    """A record as the files of a workspace hold it: indented, keys in order, with a newline at its end."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
