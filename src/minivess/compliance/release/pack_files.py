"""Reading the files of a pack strictly: UTF-8, whole lines, and JSON that has one meaning."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from minivess.compliance.proofs.canonical import parse_json
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.models.exports.export import ExportRecord

EXPORT = "data/models/export.json"
"""What a release states about its exported model."""
LIMIT = 256 << 20
"""Bytes of one file of JSON or of text."""


def bytes_of(files: Mapping[str, bytes], name: str) -> bytes:
    """The content of a file.

    Raises:
        VerificationError: the pack does not have it.
    """
    if name not in files:
        raise VerificationError(f"{name} is missing")
    return files[name]


def text_of(files: Mapping[str, bytes], name: str, *, limit: int = LIMIT) -> str:
    """The text of a file.

    Raises:
        VerificationError: the file is missing, has more than `limit` bytes, or is not UTF-8.
    """
    data = bytes_of(files, name)
    if len(data) > limit:
        raise VerificationError(f"{name} has {len(data)} bytes, and {limit} are allowed")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError(f"{name} is not UTF-8 text") from None


def lines_of(files: Mapping[str, bytes], name: str) -> list[bytes]:
    """The lines of a file, each without its newline.

    Raises:
        VerificationError: the file is missing, or its last line has no newline.
    """
    lines = bytes_of(files, name).split(b"\n")
    if lines.pop() != b"":
        raise VerificationError(f"{name} is cut off: its last line has no end")
    return lines


@implements("REQ-222", "RC-94")
def json_of(files: Mapping[str, bytes], name: str, *, limit: int = LIMIT) -> Any:
    """The JSON value in a file.

    Raises:
        VerificationError: the file is missing, larger than `limit` bytes, not UTF-8, not JSON, nested too deep, or an
            object in it has a field twice.
    """
    return json_value(bytes_of(files, name), name, limit=limit)


@implements("REQ-222", "RC-94")
def json_value(data: bytes, where: str, *, limit: int = LIMIT) -> Any:
    """As `json_of`, for bytes that are a part of a file; `where` says which part."""
    try:
        return parse_json(data, limit=limit)
    except InputError as error:
        raise VerificationError(f"{where}: {error.message}") from None


@implements("REQ-222", "RC-94")
def record_of[R: BaseModel](files: Mapping[str, bytes], name: str, kind: type[R], *, limit: int = LIMIT) -> R:
    """The record in a file of a format of this project.

    Raises:
        VerificationError: as `json_of`; or a field is unknown, is missing, or has another type or value than the record
            declares. The message names the first such field.
    """
    json_of(files, name, limit=limit)
    try:
        return kind.model_validate_json(files[name], strict=True)
    except ValidationError as error:
        raise VerificationError(f"{name}: {first_error(error, whole='the file')}") from None


@implements("REQ-222")
def export_of(files: Mapping[str, bytes]) -> ExportRecord:
    """The record of the export. Several checks read it; the same bytes are parsed once.

    Raises:
        VerificationError: as `record_of`.
    """
    return _export(bytes_of(files, EXPORT))


@lru_cache(maxsize=2)
def _export(data: bytes) -> ExportRecord:
    return record_of({EXPORT: data}, EXPORT, ExportRecord)
