"""Tables of requirements in Markdown (pipes) and reStructuredText (grid, simple, `list-table`, `csv-table`).

Every table is read; text around tables is named in remarks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.model import MAX_FILE, Foreign, ForeignItem, Place, Remark, short
from minivess.compliance.exchange.tables.cell_rows import Cells, Grid, own_table, read_grid
from minivess.compliance.exchange.untrusted.encodings import decode

_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_GRID = re.compile(r"^\s*\+(?:[-=]+\+)+\s*$")
_SIMPLE = re.compile(r"^\s*=+(?:\s+=+)+\s*$")
_DIRECTIVE = re.compile(r"^(\s*)\.\.\s+(list-table|csv-table)::\s*(.*)$")
_OPTION = re.compile(r"^\s*:([\w-]+):\s*(.*)$")
_POINT = re.compile(r"(?:[-*|+]|[0-9]+[.)]) ")
_PIPE = re.compile(r"(?<!\\)((?:\\\\)*)\|")


@dataclass(slots=True)
class _Table:
    heading: str
    cells: list[Cells]
    end: int
    """The first line after it, from 0."""


def read_text_tables(data: bytes, file: str, mapping: ForeignMapping, *, rst: bool) -> Foreign:
    """Read all tables of a Markdown or reStructuredText file.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what columns mean.
        rst: whether it is reStructuredText.

    Raises:
        InputError: it holds too many rows.
    """
    foreign = Foreign()
    lines = decode(data, file, foreign.remarks).split("\n")
    grids: list[Grid] = []
    outside: list[tuple[int, str]] = []
    at, heading, fence = 0, "", ""
    headed: set[int] = set()
    while at < len(lines):
        line = lines[at]
        marked = None if rst else _FENCE.match(line)
        if marked and (not fence or marked.group(1).startswith(fence)):
            fence = "" if fence else marked.group(1)
        table = None if fence else (_rst(lines, at) if rst else _markdown(lines, at))
        if table is None:
            named = _heading(lines, at, rst=rst)
            if named:
                heading, headed = named, {at + 1, at + 2 if rst else at + 1}
            if line.strip():
                outside.append((at + 1, line.strip()))
            at += 1
        else:
            outside = [one for one in outside if one[0] not in headed]  # it is the name of the table
            grids.append(Grid(file, table.heading or heading, table.cells, defused=False))
            at = table.end
    if not grids:
        foreign.remarks.append(Remark("note", Place(file), "holds no table"))
    for grid in grids:
        read_grid(grid, mapping, foreign)
    for first, last, text in _blocks(outside):
        message = f"lines {first} to {last} are no table and not taken: {short(text)}"
        foreign.remarks.append(Remark("lost", Place(file, first), message, value=text))
    return foreign


def write_markdown(items: Sequence[ForeignItem], *, title: str) -> str:
    """A Markdown table for people; `read_text_tables` takes it back but for spaces at the ends of lines."""
    rows = own_table(items, lambda cell: cell)
    lines = [f"# {title}", ""]
    for at, row in enumerate(rows):
        lines.append("| " + " | ".join(map(_cell, row)) + " |")
        if not at:
            lines.append("|" + " --- |" * len(row))
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("|", "\\|")
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;")
    return escaped.replace("\n", "<br>")


def _blocks(outside: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Neighbouring lines together."""
    block: list[tuple[int, str]] = []
    for number, text in [*outside, (-1, "")]:
        if block and number != block[-1][0] + 1:
            yield block[0][0], block[-1][0], "\n".join(text for _, text in block)
            block = []
        block.append((number, text))


def _heading(lines: Sequence[str], at: int, *, rst: bool) -> str:
    line = lines[at].strip()
    if not rst:
        return line.lstrip("#").strip() if line.startswith("#") else ""
    below = lines[at + 1].strip() if at + 1 < len(lines) else ""
    underlined = len(below) >= max(3, len(line)) and len(set(below)) == 1 and not below[0].isalnum()
    return line if line and underlined and line[0].isalnum() else ""


def _markdown(lines: Sequence[str], at: int) -> _Table | None:
    if at + 1 >= len(lines) or "|" not in lines[at] or "-" not in lines[at + 1] or not _RULE.match(lines[at + 1]):
        return None
    cells: list[Cells] = [(at + 1, _pipes(lines[at]))]
    end = at + 2
    while end < len(lines) and lines[end].strip() and "|" in lines[end]:
        cells.append((end + 1, _pipes(lines[end])))
        end += 1
    return _Table("", cells, end)


def _pipes(line: str) -> list[str]:
    text = line.strip().removeprefix("|")
    parts: list[str] = []
    start = 0
    for found in _PIPE.finditer(text):
        parts.append(text[start : found.end() - 1])
        start = found.end()
    if text[start:].strip():
        parts.append(text[start:])
    return [_plain(part.strip()) for part in parts]


def _plain(cell: str) -> str:
    """Without the escapes of Markdown that matter in a table, and line breaks as such."""
    text = _BREAK.sub("\n", cell)
    text = re.sub(r"\\([\\|])", r"\1", text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _rst(lines: Sequence[str], at: int) -> _Table | None:
    if _GRID.match(lines[at]):
        return _grid(lines, at)
    if _SIMPLE.match(lines[at]):
        return _simple(lines, at)
    found = _DIRECTIVE.match(lines[at])
    return _directive(lines, at, found) if found else None


def _grid(lines: Sequence[str], at: int) -> _Table | None:
    end = at
    while end < len(lines) and lines[end].strip().startswith(("+", "|")):
        end += 1
    block = [line.strip() for line in lines[at:end]]
    edges = sorted({place for line in block if _GRID.match(line) for place, one in enumerate(line) if one == "+"})
    cells: list[Cells] = []
    row: list[list[str]] = []
    begun = at + 1
    for number, line in enumerate(block, at + 1):
        if _GRID.match(line):
            if row:
                cells.append((begun, [_paragraphs(part) for part in row]))
            row = []
            continue
        if not row:
            row, begun = [[] for _ in edges[1:]], number
        column = 0
        for place, (left, right) in enumerate(pairwise(edges)):
            if line[left : left + 1] in {"|", "+"}:
                column = place
            row[column].append(line[left + 1 : right].strip())
    if row:
        cells.append((begun, [_paragraphs(part) for part in row]))
    return _Table("", cells, end)


def _paragraphs(lines: Iterable[str]) -> str:
    """Lines of a cell as text: those of a paragraph joined, points of a list each on a line."""
    found: list[str] = []
    for line in lines:
        if found and found[-1] and line and not _POINT.match(line):
            found[-1] = f"{found[-1]} {line}"
        else:
            found.append(line)
    return "\n".join(found).strip()


def _simple(lines: Sequence[str], at: int) -> _Table | None:
    border = lines[at]
    columns = [found.span() for found in re.finditer("=+", border)]
    cells: list[Cells] = []
    end, borders = at + 1, 1
    rules = 3 if _borders(lines, at) >= 3 else 2
    while end < len(lines) and borders < rules:
        line = lines[end]
        if _SIMPLE.match(line) and line.strip() == border.strip():
            borders += 1
        elif line.strip() and not set(line.strip()) <= {"-", " "}:
            starts = [begin for begin, _ in columns]
            ends = [*starts[1:], len(line) + 1]
            parts = [line[begin:stop].strip() for begin, stop in zip(starts, ends, strict=True)]
            if cells and not parts[0]:
                before = cells[-1][1]
                cells[-1] = (
                    cells[-1][0],
                    [_paragraphs([*a.split("\n"), b]) for a, b in zip(before, parts, strict=True)],
                )
            else:
                cells.append((end + 1, [_without_backslash(part) for part in parts]))
        end += 1
    return _Table("", cells, end) if borders == rules else None


def _borders(lines: Sequence[str], at: int) -> int:
    """Borders of a simple table: two without a header, three with one."""
    border, count = lines[at].strip(), 0
    for place in range(at, len(lines)):
        line = lines[place].strip()
        if line == border:
            count += 1
            following = lines[place + 1].strip() if place + 1 < len(lines) else ""
            if count >= 2 and not following:
                break
    return count


def _without_backslash(part: str) -> str:
    """A backslash alone marks an empty first cell of a simple table."""
    return "" if part == "\\" else part


def _directive(lines: Sequence[str], at: int, found: re.Match[str]) -> _Table:
    indent, kind, title = len(found.group(1)), found.group(2), found.group(3).strip()
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    options: dict[str, str] = {}
    body: list[tuple[int, str]] = []
    for number in range(at + 1, end):
        option = _OPTION.match(lines[number])
        if option and not body:
            options[option.group(1)] = option.group(2).strip()
        elif lines[number].strip() or body:
            body.append((number + 1, lines[number]))
    cells = _listed(body) if kind == "list-table" else _separated(body, options, at + 1)
    return _Table(title, cells, end)


def _listed(body: list[tuple[int, str]]) -> list[Cells]:
    cells: list[Cells] = []
    for number, line in body:
        row = re.match(r"^\s*\*\s+-(?:\s+(.*))?$", line)
        more = re.match(r"^\s+-(?:\s+(.*))?$", line)
        if row:
            cells.append((number, [(row.group(1) or "").strip()]))
        elif more and cells:
            cells[-1][1].append((more.group(1) or "").strip())
        elif cells:
            cells[-1][1][-1] = _paragraphs([*cells[-1][1][-1].split("\n"), line.strip()])
        elif line.strip():
            cells.append((number, [line.strip()]))
    return cells


def _separated(body: list[tuple[int, str]], options: dict[str, str], line: int) -> list[Cells]:
    csv.field_size_limit(MAX_FILE)
    separator = {"tab": "\t", "space": " "}.get(options.get("delim", ","), options.get("delim", ",")[:1] or ",")
    cells: list[Cells] = []
    if "header" in options:
        cells += [(line, row) for row in csv.reader([options["header"]], delimiter=separator, skipinitialspace=True)]
    indent = min((len(text) - len(text.lstrip()) for _, text in body if text.strip()), default=0)
    reader = csv.reader([f"{text[indent:]}\n" for _, text in body], delimiter=separator, skipinitialspace=True)
    begun = 0
    for row in reader:
        if row:
            cells.append((body[begun][0], row))
        begun = reader.line_num
    if "file" in options or "url" in options:
        cells.append((line, [f"the rows are in another file: {options.get('file') or options.get('url')}"]))
    return cells
