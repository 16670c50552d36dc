"""Tables in reStructuredText: grid and simple tables, `list-table`, `csv-table`, `table`.

They are read by `docutils`, which includes no file and passes nothing on raw. A directive that it does not know (those of
Sphinx and its extensions) is read as its content.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from minivess.compliance.exchange.foreign_items import MAX_FILE
from minivess.compliance.exchange.tables.cell_rows import Cells, TextTable
from minivess.compliance.exchange.tables.rst_cells import cell_text, rows_of
from minivess.foundation.errors import InputError

if TYPE_CHECKING:
    from docutils import nodes

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 5,
    "line_length_limit": MAX_FILE,
    "raw_enabled": False,
    "report_level": 5,
    "syntax_highlight": "none",
}
"""Nothing is read from elsewhere, nothing printed, and a mistake ends nothing but its own block."""
_SIMPLE = re.compile(r"^\s*=+(?:\s+=+)+\s*$")
_CSV_TABLE = re.compile(r"^\s*\.\.\s+csv-table::")
_OPTION = re.compile(r"^\s*:([\w-]+):\s*(.*)$")
_DEEPEST = 8
_LINE_ENDS = "\x1c\x1d\x1e\x85\u2028\u2029"


def rst_tables(lines: Sequence[str], file: str) -> list[TextTable]:
    """The tables of a reStructuredText file, each with its title or the heading above it.

    Args:
        lines: of the file.
        file: how errors call it.

    Raises:
        InputError: docutils fails at it (nested too deeply, an option without a value).
    """
    kept = _stand_ins("".join(lines))
    try:
        tables = list(_tables([line.translate(kept) for line in lines], 0, 0))
    except Exception as error:  # docutils lets errors of all kinds through for odd input
        raise InputError(
            f"cannot be read as reStructuredText ({type(error).__name__})",
            path=file,
            hint="`docutils` or Sphinx shows where; or export the table as CSV",
        ) from None
    back = {ord(stand_in): chr(char) for char, stand_in in kept.items()}
    for table in tables:
        table.cells[:] = [(line, [cell.translate(back) for cell in row]) for line, row in table.cells]
    return sorted(
        (replace(table, heading=table.heading.translate(back)) for table in tables), key=lambda table: table.lines.start
    )


def _stand_ins(text: str) -> dict[int, str]:
    """Characters that docutils would end a line at, each with one of private use that the text does not have."""
    free = (chr(code) for code in range(0xF0000, 0xFFFFE) if chr(code) not in text)
    return {ord(char): next(free) for char in _LINE_ENDS if char in text}


def _tables(lines: list[str], offset: int, depth: int) -> Iterator[TextTable]:
    """The tables in a stretch of lines; `offset` lines are before it."""
    from docutils import nodes

    document = _parsed(lines)
    for table in document.findall(nodes.table):
        if not any(isinstance(above, nodes.entry) for above in _ancestors(table)):
            yield _table(table, lines, offset)
    for message in document.findall(nodes.system_message):
        start, block = message.get("line"), next(iter(message.findall(nodes.literal_block)), None)
        if block is None or start is None or depth == _DEEPEST or "Unknown directive" not in message.astext():
            continue
        end = _end_of_directive(lines, start)
        inner = lines[start:end]
        indent = min((_indent(line) for line in inner if line.strip()), default=0)
        yield from _tables([line[indent:] for line in inner], offset + start, depth + 1)


def _parsed(lines: Sequence[str]) -> nodes.document:
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    settings = get_default_settings(Parser)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    document = new_document("", settings)
    Parser().parse("\n".join(lines), document)
    return document


def _ancestors(node: Any) -> Iterator[Any]:
    while node.parent is not None:
        node = node.parent
        yield node


def _table(table: Any, lines: Sequence[str], offset: int) -> TextTable:
    from docutils import nodes

    start, heading, headed = table.line, "", range(0)
    title = next((child for child in table.children if isinstance(child, nodes.title)), None)
    if title is not None:
        heading = title.astext()
    else:
        section = next((node for node in _ancestors(table) if isinstance(node, nodes.section)), None)
        if section is not None:
            heading, headed = section[0].astext(), _heading_lines(section[0].astext(), lines, start, offset)
    if _CSV_TABLE.match(lines[start - 1]):
        end = _end_of_directive(lines, start)
        cells = _separated(lines, start, end)
    else:
        cells = _rows(table, start)
        end = _end_of_table(lines, start, max((line for line, _ in cells), default=start))
    return TextTable(
        heading, [(line + offset, row) for line, row in cells], range(start + offset, end + offset + 1), headed
    )


def _heading_lines(title: str, lines: Sequence[str], before: int, offset: int) -> range:
    """The last two lines above a table that are a title and what underlines it."""
    for number in range(before - 1, 0, -1):
        if lines[number - 1].strip() == title.strip():
            return range(number + offset, number + offset + 2)
    return range(0)


def _rows(table: Any, start: int) -> list[Cells]:
    """Rows with the number of their first line; a cell over several rows is in each of them, in its first column."""
    rows: list[Cells] = []
    down: dict[int, tuple[int, str]] = {}
    """By column: over how many more rows its last cell goes, and what it contains."""
    for row in rows_of(table):
        cells: list[str] = []
        numbers: list[int] = []
        entries = iter(row.children)
        entry = next(entries, None)
        while entry is not None or len(cells) in down:
            column = len(cells)
            if column in down:
                left, value = down.pop(column)
                cells.append(value)
                if left > 1:
                    down[column] = (left - 1, value)
                continue
            numbers += [child.line for child in entry.children if child.line]  # type: ignore[union-attr]
            value, across = cell_text(entry), entry.get("morecols", 0)  # type: ignore[union-attr]
            cells += [value, *[""] * across]
            if below := entry.get("morerows", 0):  # type: ignore[union-attr]
                down |= {column: (below, value)} | {column + more: (below, "") for more in range(1, across + 1)}
            entry = next(entries, None)
        line = numbers[0] if numbers else (rows[-1][0] + 1 if rows else start)
        rows.append((line, cells))
    return rows


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end_of_directive(lines: Sequence[str], start: int) -> int:
    """The last line of a directive that begins on line `start`: of those indented more, or empty, below it."""
    end, indent = start, _indent(lines[start - 1])
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return end


def _end_of_table(lines: Sequence[str], start: int, last: int) -> int:
    """The last line of a table that begins on line `start` and whose last row begins on line `last`."""
    first = lines[start - 1].strip()
    if first.startswith(".."):
        return _end_of_directive(lines, start)
    end = last
    if first.startswith("+"):
        while end < len(lines) and lines[end].strip().startswith(("+", "|")):
            end += 1
        return end
    while end < len(lines) and not _SIMPLE.match(lines[end]):
        end += 1
    return min(end + 1, len(lines))


def _separated(lines: Sequence[str], start: int, end: int) -> list[Cells]:
    """The rows of a `csv-table` with their lines, which docutils does not keep."""
    options: dict[str, str] = {}
    body: list[tuple[int, str]] = []
    for number in range(start + 1, end + 1):
        line = lines[number - 1]
        option = _OPTION.match(line)
        if option and not body:
            options[option.group(1)] = option.group(2).strip()
        elif line.strip() or body:
            body.append((number, line))
    csv.field_size_limit(MAX_FILE)
    separator = {"tab": "\t", "space": " "}.get(options.get("delim", ","), options.get("delim", ",")[:1] or ",")
    cells: list[Cells] = []
    if "header" in options:
        head = csv.reader([options["header"]], delimiter=separator, skipinitialspace=True)
        cells += [(start, row) for row in head]
    indent = min((_indent(text) for _, text in body if text.strip()), default=0)
    reader = csv.reader([f"{text[indent:]}\n" for _, text in body], delimiter=separator, skipinitialspace=True)
    begun = 0
    for row in reader:
        if row:
            cells.append((body[begun][0], row))
        begun = reader.line_num
    return cells
