"""The door for foreign files: finds out what a file is and reads it into the neutral model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from minivess.compliance.exchange.foreign_items import MAX_FILE, Foreign
from minivess.compliance.exchange.formats.doorstop import is_tree, read_item_file, read_tree
from minivess.compliance.exchange.formats.needs import read_needs
from minivess.compliance.exchange.formats.reqif_file import read_reqif
from minivess.compliance.exchange.formats.strictdoc import read_strictdoc
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.delimited import read_delimited
from minivess.compliance.exchange.tables.text_tables import read_text_tables
from minivess.compliance.exchange.tables.workbook import read_workbook
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements

_Read = Callable[[bytes, str, ForeignMapping], Foreign]


def _markdown(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    return read_text_tables(data, file, mapping, rst=False)


def _rst(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    return read_text_tables(data, file, mapping, rst=True)


_BY_FORMAT: dict[str, _Read] = {
    "csv": read_delimited,
    "xlsx": read_workbook,
    "reqif": read_reqif,
    "needs": read_needs,
    "strictdoc": read_strictdoc,
    "markdown": _markdown,
    "rst": _rst,
}
_BY_SUFFIX = {
    **dict.fromkeys((".csv", ".tsv", ".tab"), "csv"),
    **dict.fromkeys((".xlsx", ".xlsm"), "xlsx"),
    **dict.fromkeys((".reqif", ".reqifz"), "reqif"),
    ".json": "needs",
    **dict.fromkeys((".sdoc", ".sgra"), "strictdoc"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".rst", ".rest"), "rst"),
    **dict.fromkeys((".yml", ".yaml"), "doorstop"),
}


@implements("REQ-259")
def read_foreign(path: Path, mapping: ForeignMapping) -> Foreign:
    """Read a file of another tool.

    Args:
        path: the file, or a folder of Doorstop or jamb.
        mapping: what its kinds, fields and links mean; its `format` decides where the name does not.

    Raises:
        InputError: it is missing, too large, malformed or refused; with its line where there is one.
        UsageError: nothing tells what it is, or it holds test results.
    """
    if path.is_dir():
        if not is_tree(path):
            raise UsageError(f"{path} is a folder without .doorstop.yml or .jamb.yml", hint="name a file")
        return read_tree(path, mapping)
    stated = mapping.format if mapping.format != "fmea" else None
    name = stated or _BY_SUFFIX.get(path.suffix.lower())
    if name in {"doorstop", "jamb"}:
        return read_item_file(path, mapping)
    data = read_limited(path, limit=MAX_FILE)
    if not data.strip(b"\x00\xef\xbb\xbf\xff\xfe \t\r\n"):
        raise InputError("is empty", path=path.name)
    if name is None:
        name = _by_content(data)
    if name is None:
        raise UsageError(
            f"{path.name}: its format is not known from its name or its beginning",
            hint=f"state `format:` in a mapping file: {', '.join((*_BY_FORMAT, 'doorstop', 'jamb'))}",
        )
    return _BY_FORMAT[name](data, path.name, mapping)


def _by_content(data: bytes) -> str | None:
    """What a file is whose name does not say it."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"[DOCUMENT]"):
        return "strictdoc"
    if b"<REQ-IF" in head:
        return "reqif"
    if b"<testsuite" in head or b"<testcase" in head:
        raise UsageError("this is JUnit XML: test results, not items", hint="hand it in where test results are read")
    if head.startswith(b"PK\x03\x04"):
        return "xlsx" if b"xl/" in data[-65536:] else "reqif"
    if head.startswith(b"{"):
        return "needs"
    return None
