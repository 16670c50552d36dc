"""The text of a cell of a workbook, as a person sees it; what text cannot carry is counted and named.

Superscripts and struck-out words are written as `marks` says, in the runs of a text and in the whole cell. Numbers keep the
zeros and decimals that their format shows (0012, 1.10); dates are written as ISO 8601 writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

from minivess.compliance.exchange.foreign_items import Place, Remark, short
from minivess.compliance.exchange.tables.marks import Mark, marked

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_TO_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_RICH_INLINE = re.compile(rb"<(?:\w+:)?is>\s*<(?:\w+:)?r[ >]")
_ZEROS = re.compile(r"(0+)(?:\.(0+))?(%?)")
_ERRORS = frozenset({"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"})
_DATES = "hold dates or times, written as ISO 8601 writes them"
_PLAIN_FORMATS = frozenset({None, "General", "@", ""})


class StoredString(str):
    """A text of a workbook with its escapes undone and its marks written out."""

    __slots__ = ("changes",)
    changes: tuple[str, ...]


def shared_strings(data: bytes) -> list[str]:
    """The texts that cells share, by their number (ECMA-376 part 1, 18.4.9), of XML that was guarded."""
    return [_stored(node) for node in _each(data, "si")]


def rich_strings(data: bytes) -> dict[str, str]:
    """The texts with marks that a sheet holds itself, by cell, of XML that was guarded."""
    if not _RICH_INLINE.search(data):
        return {}
    found: dict[str, str] = {}
    for cell in _each(data, "c"):
        inside = next((one for one in cell if _name(one) == "is"), None)
        if inside is not None:
            found[str(cell.get("r"))] = _stored(inside)
    return found


def escape(value: str) -> str:
    """What looks like an escape of the format is escaped itself (ECMA-376 part 1, 22.9.2.19)."""
    return _TO_ESCAPE.sub("_x005F_", value)


def unescape(value: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), value)


@dataclass(slots=True)
class CellTexts:
    """The texts of the cells of one sheet."""

    place: Place
    remarks: list[Remark]
    rich: dict[str, str] = field(default_factory=dict)
    _told: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By column and what is otherwise: the cells."""

    def of(self, cell: Any, written: Any, here: Place) -> str:
        """The text of a cell.

        Args:
            cell: with its value.
            written: the same cell with its formula.
            here: its row.
        """
        if getattr(written, "data_type", "") == "f":
            self._tell_formula(cell, written, here)
        value = cell.value
        if value is None:
            return ""
        if isinstance(value, str):
            return self._text(cell, self.rich.get(cell.coordinate, value) if self.rich else value, here)
        shown, otherwise = _shown(value, cell.number_format)
        if otherwise:
            self._told.setdefault((cell.column_letter, otherwise), []).append(f"{cell.coordinate}: {shown}")
        return self._struck(cell, shown, here)

    def tell(self) -> None:
        """Name what was counted."""
        for (column, otherwise), cells in self._told.items():
            message = f"{len(cells)} cell(s) of column {column} {otherwise} ({cells[0]})"
            self.remarks.append(Remark("changed", self.place, message, value=", ".join(cells)))

    def _text(self, cell: Any, value: str, here: Place) -> str:
        if value in _ERRORS:
            self.remarks.append(Remark("note", here, f"cell {cell.coordinate} holds the error {value}", value=value))
        if isinstance(value, StoredString):
            if value.changes:
                self._tell_marks(cell, value.changes, value, here)
            return self._struck(cell, str(value), here)
        return self._struck(cell, unescape(value), here)

    def _struck(self, cell: Any, text: str, here: Place) -> str:
        """A text with the marks of its whole cell."""
        font = cell.font
        marks = _marks(font.vertAlign, font.strike) if font is not None else ()
        changes: dict[str, None] = {}
        for mark in marks:
            text = marked(text, mark, changes)
        if changes:
            self._tell_marks(cell, tuple(changes), text, here)
        return text

    def _tell_marks(self, cell: Any, changes: tuple[str, ...], text: str, here: Place) -> None:
        where = f"cell {cell.coordinate}"
        message = f"{where} has {', '.join(changes)}, taken so: {short(text)}"
        self.remarks.append(Remark("changed", here, message, field=where, value=str(text)))

    def _tell_formula(self, cell: Any, written: Any, here: Place) -> None:
        shown = str(getattr(written.value, "text", written.value))
        where = f"cell {written.coordinate}"
        if cell.value is None:
            message = f"{where} holds a formula without a computed value: {short(shown)}"
            self.remarks.append(Remark("lost", here, message, field=where, value=shown))
        else:
            message = f"{where} holds a formula; its last value is taken: {short(shown)}"
            self.remarks.append(Remark("changed", here, message, field=where, value=shown))


def _shown(value: object, form: str | None) -> tuple[str, str]:
    """A value that is no text, and what of it is otherwise than shown."""
    if isinstance(value, bool):
        return ("true" if value else "false"), "hold truth values, written in English"
    if isinstance(value, datetime) and value.time() != time():
        return value.isoformat(sep=" "), _DATES
    if isinstance(value, date | time):
        return (value.date() if isinstance(value, datetime) else value).isoformat(), _DATES
    if not isinstance(value, int | float):
        return str(value), "hold durations, written in days, hours, minutes and seconds"
    plain = _number(value)
    if form in _PLAIN_FORMATS:
        return plain, ""
    formed = _formed(value, str(form))
    return (formed, "") if formed else (plain, f"have the number format `{form}`, and are taken without it")


def _number(value: float) -> str:
    """A number with the 15 digits that a spreadsheet shows; whole numbers without a point."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"


def _formed(value: float, form: str) -> str:
    """A number as its format shows it; empty where that is not known, or would round it."""
    found = _ZEROS.fullmatch(form)
    if found is None or abs(value) >= 1e15:
        return ""
    whole, decimals, percent = found.groups(default="")
    places = len(decimals)
    shown = value * 100 if percent else value
    width = len(whole) + (places + 1 if places else 0) + (value < 0)
    text = f"{shown:0{width}.{places}f}"
    return f"{text}{percent}" if abs(float(text) - shown) <= 1e-12 * max(1.0, abs(shown)) else ""


def _stored(node: Any) -> str:
    changes: dict[str, None] = {}
    pieces: list[str] = []
    for child in node:
        name = _name(child)
        if name == "t":
            pieces.append(unescape(child.text or ""))
        elif name == "r":
            parts = {_name(one): one for one in child}
            text = unescape((parts["t"].text if "t" in parts else None) or "")
            looks = {_name(one): str(one.get("val", "true")) for one in parts.get("rPr", ())}
            for mark in _marks(looks.get("vertAlign"), looks.get("strike", "false") not in {"0", "false"}):
                text = marked(text, mark, changes)
            pieces.append(text)
    found = StoredString("".join(pieces))
    found.changes = tuple(changes)
    return found


def _marks(align: str | None, strike: bool | None) -> Iterator[Mark]:
    if align in {"superscript", "subscript"}:
        yield Mark.SUPERSCRIPT if align == "superscript" else Mark.SUBSCRIPT
    if strike:
        yield Mark.STRUCK


def _each(data: bytes, name: str) -> Iterator[Any]:
    """The elements of a name, one after the other, each let go when the next is read."""
    from lxml import etree  # type: ignore[import-untyped]

    found = etree.iterparse(
        BytesIO(data), events=("end",), tag=f"{{*}}{name}", resolve_entities=False, no_network=True, load_dtd=False
    )
    for _, node in found:
        yield node
        node.clear()


def _name(node: Any) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
