"""XLSX, through openpyxl: unpacked only after its archive and XML were measured; formulas count by their last value.

Texts are read from the archive itself: openpyxl leaves out the marks of rich text when it reads row by row, and takes an
escaped underscore for none.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import unescape as unescape_entities
from typing import Any

from minivess.compliance.exchange.foreign_items import Foreign, ForeignItem, Place, Remark, check_count, short
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.cell_rows import Cells, Grid, filled_down, own_table, read_grid
from minivess.compliance.exchange.tables.cell_text import CellTexts, escape, rich_strings, shared_strings
from minivess.compliance.exchange.untrusted.xml_tree import guard_xml, parse_xml
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.zip_guard import read_zip

MAX_CELL = 32_767
"""Characters Excel allows in a cell."""
_MAX_COLUMNS = 500
_RANGE = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')
_HYPERLINK = re.compile(rb"<(?:\w+:)?hyperlink\s([^>]*)>")
_ATTRIBUTE = re.compile(r"([\w:]+)=\"([^\"]*)\"")
_MODIFIED = re.compile(rb"(<dcterms:modified\b[^>]*>)[^<]*(</dcterms:modified>)")
_HIDDEN = re.compile(rb'<(?:\w+:)?(row|col)\s[^>]*?\bhidden="(?:1|true)"')


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
    shared = next(
        (shared_strings(content) for name, content in parts.items() if name.endswith("/sharedStrings.xml")), []
    )
    for sheet, written in zip(values.worksheets, texts.worksheets, strict=True):
        name = str(sheet.title)
        place = Place(file, None, name)
        if mapping.sheets and name not in mapping.sheets:
            foreign.remarks.append(Remark("lost", place, "the sheet is left out, as the mapping says", value=name))
            continue
        if sheet.sheet_state != "visible":
            foreign.remarks.append(Remark("note", place, "the sheet is hidden; it is read like the others"))
        content = parts.get(_path(sheet), b"")
        if len(shared) == len(sheet._shared_strings):
            sheet._shared_strings = shared
        reading = CellTexts(place, foreign.remarks, rich_strings(content))
        cells = list(_cells(sheet, written, reading))
        reading.tell()
        merged = _merged(content)
        _tell_of_sheet(parts, sheet, place, foreign.remarks, merged)
        read_grid(Grid(file, name, filled_down(cells, merged)), mapping, foreign)
    return foreign


@implements("REQ-627")
def write_workbook(items: Sequence[ForeignItem], *, created: datetime) -> bytes:
    """An XLSX file that `read_workbook` takes back without loss and that holds no formula.

    The same items and the same time give the same bytes: its parts are stored, not compressed, in order and without times.

    Args:
        items: a row each.
        created: what its properties state.

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
            cell.value = escape(value) if value else None
            if value:
                cell.data_type = "s"
            if not at:
                cell.font = bold
            cells.append(cell)
        sheet.append(cells)
    workbook.properties.created = created.astimezone(UTC).replace(tzinfo=None)
    stream = io.BytesIO()
    workbook.save(stream)
    return _with_time(stream.getvalue(), created)


def _with_time(workbook: bytes, time: datetime) -> bytes:
    """A workbook whose properties and archive state no other time; openpyxl writes that of the machine."""
    out = io.BytesIO()
    stated = f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}".encode("ascii")
    with zipfile.ZipFile(io.BytesIO(workbook)) as known, zipfile.ZipFile(out, "w") as made:
        for name in sorted(known.namelist()):
            part = known.read(name)
            if name == "docProps/core.xml":
                part = _MODIFIED.sub(rb"\g<1>" + stated + rb"\g<2>", part)
            made.writestr(zipfile.ZipInfo(name), part)
    return out.getvalue()


def _open(data: bytes, file: str, *, values: bool) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(f"is no workbook that can be read: {type(error).__name__}: {error}", path=file) from None


def _cells(sheet: Any, written: Any, reading: CellTexts) -> Iterator[Cells]:
    place, remarks = reading.place, reading.remarks
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
                yield line, [reading.of(cell, formula, here) for cell, formula in pairs]
    except InputError:
        raise
    except Exception as error:  # as above, while rows are read
        raise InputError(f"a sheet cannot be read: {type(error).__name__}: {error}", path=place.file) from None


def _path(sheet: Any) -> str:
    """The part of the archive that is the sheet."""
    return str(getattr(sheet, "_worksheet_path", "")).lstrip("/")


def _merged(content: bytes) -> list[tuple[int, int, int, int]]:
    """The merged ranges of a sheet (openpyxl does not tell them when it reads row by row)."""
    return [
        (int(top), _column(left), int(bottom), _column(right)) for left, top, right, bottom in _RANGE.findall(content)
    ]


def _tell_of_sheet(
    parts: Mapping[str, bytes],
    sheet: Any,
    place: Place,
    remarks: list[Remark],
    merged: Sequence[tuple[int, int, int, int]],
) -> None:
    """What a sheet has besides its cells: merged and hidden ones, and links."""
    down = sum(bottom > top for top, _, bottom, _ in merged)
    if down:
        message = f"{down} merged cell(s) go over several rows; their value is taken in each of these rows"
        remarks.append(Remark("changed", place, message))
    content = parts.get(_path(sheet), b"")
    hidden = sorted({found.decode() for found in _HIDDEN.findall(content)})
    if hidden:
        said = " and ".join({"row": "rows", "col": "columns"}[one] for one in hidden)
        remarks.append(Remark("note", place, f"{said} are hidden; they are read like the others"))
    folder, _, name = _path(sheet).rpartition("/")
    targets = {}
    rels = f"{folder}/_rels/{name}.rels"
    if rels in parts:
        for relation in parse_xml(parts[rels], rels).children:
            targets[relation.attributes.get("Id", "")] = relation.attributes.get("Target", "")
    for found in _HYPERLINK.findall(content):
        named = {key.rpartition(":")[2]: unescape_entities(value) for key, value in _ATTRIBUTE.findall(found.decode())}
        target = "#".join(filter(None, (targets.get(named.get("id", ""), ""), named.get("location", ""))))
        where = f"cell {named.get('ref', '?')}"
        message = f"{where} leads to {short(target)}, which is not taken"
        remarks.append(Remark("lost", place, message, field=where, value=target))


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
        elif re.fullmatch(r"xl/drawings/drawing[0-9]*\.xml", name):
            texts = (one.text for one in parse_xml(content, f"{file}#{name}").all() if one.tag == "t")
            said = " ".join(filter(None, (text.strip() for text in texts)))
            if said:
                message = f"text of a drawing is not taken: {short(said)}"
                remarks.append(Remark("lost", Place(file, None, name), message, value=said))
        elif name.startswith("xl/media/") or name.endswith("vbaProject.bin"):
            remarks.append(Remark("lost", Place(file, None, name), "pictures and macros are not taken", value=name))
