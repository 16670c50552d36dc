"""XLSX, through openpyxl: unpacked only after its archive and XML were measured; formulas count by their last value."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from minivess.compliance.exchange.foreign_items import Foreign, ForeignItem, Place, Remark, check_count, short
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.cell_rows import Cells, Grid, filled_down, own_table, read_grid
from minivess.compliance.exchange.untrusted.xml_tree import guard_xml, parse_xml
from minivess.compliance.exchange.untrusted.zip_guard import read_zip
from minivess.foundation.errors import InputError

MAX_CELL = 32_767
"""Characters Excel allows in a cell."""
_MAX_COLUMNS = 500
_RANGE = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_ERRORS = frozenset({"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!"})


def read_workbook(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    """Read all sheets of a workbook, or those the mapping names.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what its columns mean.

    Raises:
        InputError: the archive or its XML is refused, or it is no workbook.
    """
    parts = read_zip(data, file)
    for name, content in parts.items():
        if name.endswith((".xml", ".rels")):
            guard_xml(content, f"{file}#{name}")
    foreign = Foreign()
    _tell_what_stays(parts, file, foreign.remarks)
    formulas = any(b"<f" in content for name, content in parts.items() if name.startswith("xl/worksheets/"))
    values = _open(data, file, values=True)
    texts = _open(data, file, values=False) if formulas else values
    for sheet, written in zip(values.worksheets, texts.worksheets, strict=True):
        name = str(sheet.title)
        place = Place(file, None, name)
        if mapping.sheets and name not in mapping.sheets:
            foreign.remarks.append(Remark("lost", place, "the sheet is left out, as the mapping says", value=name))
            continue
        if sheet.sheet_state != "visible":
            foreign.remarks.append(Remark("note", place, "the sheet is hidden; it is read like the others"))
        cells = list(_cells(sheet, written, place, foreign.remarks))
        merged = _merged(parts, sheet)
        read_grid(Grid(file, name, filled_down(cells, merged)), mapping, foreign)
    return foreign


def write_workbook(items: Sequence[ForeignItem]) -> bytes:
    """An XLSX file that `read_workbook` takes back without loss and that holds no formula.

    Raises:
        InputError: a text is longer than a cell can hold.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]

    table = own_table(items)
    for row in table:
        longest = max(map(len, row))
        if longest > MAX_CELL:
            raise InputError(f"{row[0]}: a text of {longest} characters does not fit a cell ({MAX_CELL})")
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("Items")
    sheet.freeze_panes = "A2"
    bold = Font(bold=True)
    for at, row in enumerate(table):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet, value=None)
            cell.value = _escape(value) if value else None
            if value:
                cell.data_type = "s"
            if not at:
                cell.font = bold
            cells.append(cell)
        sheet.append(cells)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _open(data: bytes, file: str, *, values: bool) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(f"is no workbook that can be read: {type(error).__name__}: {error}", path=file) from None


def _cells(sheet: Any, written: Any, place: Place, remarks: list[Remark]) -> Iterator[Cells]:
    try:
        sheet.reset_dimensions()
        written.reset_dimensions()
        both = (
            ((row, row) for row in sheet.iter_rows())
            if written is sheet
            else zip(sheet.iter_rows(), written.iter_rows(), strict=True)
        )
        filled = 0
        for row, raw in both:
            line = next((cell.row for cell in row if cell.value is not None), None)
            if line is not None:
                check_count(filled, place.file)
                filled += 1
                here = Place(place.file, line, place.within)
                wide = row[:_MAX_COLUMNS]
                if any(cell.value is not None for cell in row[_MAX_COLUMNS:]):
                    remarks.append(Remark("lost", here, f"columns after the {_MAX_COLUMNS}th are not taken"))
                pairs = zip(wide, raw[:_MAX_COLUMNS], strict=True)
                yield line, [_text(cell, formula, here, remarks) for cell, formula in pairs]
    except InputError:
        raise
    except Exception as error:  # as above, while rows are read
        raise InputError(f"a sheet cannot be read: {type(error).__name__}: {error}", path=place.file) from None


def _text(cell: Any, written: Any, place: Place, remarks: list[Remark]) -> str:
    value, formula = cell.value, written.value
    if getattr(written, "data_type", "") == "f":
        shown = str(getattr(formula, "text", formula))
        where = f"cell {written.coordinate}"
        if value is None:
            message = f"{where} holds a formula without a computed value: {short(shown)}"
            remarks.append(Remark("lost", place, message, field=where, value=shown))
        else:
            message = f"{where} holds a formula; its last value is taken: {short(shown)}"
            remarks.append(Remark("changed", place, message, field=where, value=shown))
    if isinstance(value, str) and value in _ERRORS:
        remarks.append(Remark("note", place, f"cell {cell.coordinate} holds the error {value}", value=value))
    return _shown(value)


def _shown(value: object) -> str:
    """A value as text: whole numbers without a point, dates as ISO 8601 writes them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return _unescape(str(value))


def _escape(value: str) -> str:
    """What looks like an escape of the format is escaped itself (ECMA-376 part 1, 22.9.2.19)."""
    return _ESCAPED.sub(lambda found: f"_x005F_x{found.group(1)}_", value)


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), value)


def _merged(parts: Mapping[str, bytes], sheet: Any) -> list[tuple[int, int, int, int]]:
    """The merged ranges of a sheet (openpyxl does not tell them when it reads row by row)."""
    path = str(getattr(sheet, "_worksheet_path", "")).lstrip("/")
    return [
        (int(top), _column(left), int(bottom), _column(right))
        for left, top, right, bottom in _RANGE.findall(parts.get(path, b""))
    ]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _tell_what_stays(parts: Mapping[str, bytes], file: str, remarks: list[Remark]) -> None:
    """Comments, pictures and macros are not taken."""
    for name, content in parts.items():
        if re.fullmatch(r"xl/(threadedComments/|comments/)?(comments?|threadedComment)[0-9]*\.xml", name):
            for comment in parse_xml(content, f"{file}#{name}").all():
                if comment.tag in {"comment", "threadedComment"}:
                    said = "".join(piece.text for piece in comment.all())
                    where = f"cell {comment.attributes.get('ref', '?')}"
                    message = f"the comment at {where} is not taken: {short(said)}"
                    remarks.append(Remark("lost", Place(file, None, name), message, field=where, value=said))
        elif name.startswith("xl/media/") or name.endswith("vbaProject.bin"):
            remarks.append(Remark("lost", Place(file, None, name), "pictures and macros are not taken", value=name))
