"""Export: items of ours to CSV, XLSX, ReqIF, needs.json or a Markdown table, by the suffix of the file.

    export_items(items.all(), Path("items.xlsx"))

What is written is read back by `import_file`: with ids mapped to themselves as origins, as the same items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from minivess.compliance.exchange.foreign_items import (
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    tidy,
    tidy_line,
    trimmed,
)
from minivess.compliance.exchange.formats.needs import write_needs
from minivess.compliance.exchange.formats.reqif_export import write_reqif
from minivess.compliance.exchange.tables.delimited import write_delimited
from minivess.compliance.exchange.tables.text_tables import write_markdown
from minivess.compliance.exchange.tables.workbook import write_workbook
from minivess.foundation.clock import Clock, timestamp, utc_now
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import write_atomic
from minivess.records.items.items import Item
from minivess.records.items.kinds import KINDS, link_fields, links_of

SUFFIXES = (".csv", ".tsv", ".xlsx", ".reqif", ".json", ".md")
_PREFIX = {kind.record: kind.prefix for kind in KINDS}


def export_items(items: Iterable[Item], path: Path, *, clock: Clock = utc_now) -> tuple[Remark, ...]:
    """Write items to a file of another tool.

    Args:
        items: in the order to write them.
        path: the file; `.csv`, `.tsv`, `.xlsx`, `.reqif`, `.json` (needs.json) or `.md` says which.
        clock: tells the time that XLSX, ReqIF and needs.json carry.

    Returns:
        A remark on each text that is written without the spaces at its ends.

    Raises:
        UsageError: the suffix names no format.
        InputError: a text holds a character, or is of a length, that the format cannot carry.
        CannotWriteError: the disk takes nothing more; what was there before is untouched.
    """
    listed = list(items)
    write_atomic(path, render_items([foreign_of(item) for item in listed], path, clock=clock))
    return tuple(remark for item in listed for remark in _ends(item))


def _ends(item: Item) -> Iterator[Remark]:
    """A remark on each text whose ends are left out."""
    place = Place(item.source.path, item.source.line)
    for name in type(item).model_fields:
        value = getattr(item, name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and text.strip("\r\n") != text.strip():
                message = f"`{name}` is written without the spaces at its ends"
                yield Remark("changed", place, message, item=item.id, field=name, value=text)


def render_items(items: Sequence[ForeignItem], path: Path, *, clock: Clock = utc_now) -> bytes:
    """The bytes of a file with these items.

    Args:
        items: in the order to write them.
        path: its suffix says the format, its name becomes a title.
        clock: tells the time that XLSX, ReqIF and needs.json carry.

    Raises:
        UsageError: the suffix names no format.
        InputError: a text holds a character, or is of a length, that the format cannot carry.
    """
    for item in items:
        _check(item)
    suffix, title = path.suffix.lower(), path.stem or "items"
    if suffix == ".csv":
        return b"\xef\xbb\xbf" + write_delimited(items).encode()
    if suffix == ".tsv":
        return write_delimited(items, separator="\t").encode()
    if suffix == ".xlsx":
        return write_workbook(items, created=clock())
    if suffix == ".reqif":
        return write_reqif(items, title=title, created=timestamp(clock())).encode()
    if suffix == ".json":
        return write_needs(items, project=title, version="1", created=timestamp(clock())).encode()
    if suffix == ".md":
        return write_markdown(items, title=title).encode()
    raise UsageError(f"`{path.suffix}` names no format", hint=f"known: {', '.join(SUFFIXES)}")


def foreign_of(item: Item) -> ForeignItem:
    """An item of ours in the neutral model."""
    record = type(item)
    attributes: dict[str, str] = {}
    for name in record.model_fields:
        if name not in {"id", "title", "statement", "source", *link_fields(record)}:
            _put(attributes, name, getattr(item, name))
    return ForeignItem(
        id=item.id,
        kind=_PREFIX[record],
        title=trimmed(item.title),
        text=trimmed(getattr(item, "statement", "")),
        attributes=attributes,
        links=tuple(ForeignLink(field, target) for field, target in links_of(item)),
        place=Place(item.source.path, item.source.line),
    )


def _put(attributes: dict[str, str], name: str, value: Any) -> None:
    """A field as text: lists one a line, estimates by their parts."""
    if value is None or value in ((), ""):
        return
    if isinstance(value, BaseModel):
        for part in type(value).model_fields:
            _put(attributes, f"{name}.{part}", getattr(value, part))
    elif isinstance(value, tuple) and any(isinstance(one, BaseModel) for one in value):
        attributes[name] = json.dumps([one.model_dump(mode="json") for one in value])
    elif isinstance(value, tuple):
        parts = [trimmed(str(one)) for one in value]
        simple = not any(one in part for part in parts for one in "\n;[")
        attributes[name] = "\n".join(parts) if simple else json.dumps(parts, ensure_ascii=False)
    elif isinstance(value, bool):
        attributes[name] = "true" if value else "false"
    else:
        attributes[name] = trimmed(str(value))


def _check(item: ForeignItem) -> None:
    """Refuse what would not come back the same: texts out of their normal form."""
    lines = [
        item.id,
        item.kind,
        *item.attributes,
        *(part for link in item.links for part in (link.relation, link.target)),
    ]
    texts = [item.title, item.text, *item.attributes.values()]
    for value in (
        *(line for line in lines if line != tidy_line(line)),
        *(text for text in texts if text != tidy(text)),
    ):
        message = f"{item.id}: {value[:60]!r} holds control characters, or spaces at its ends"
        raise InputError(message, path=item.place.file, line=item.place.line, hint="remove them")
