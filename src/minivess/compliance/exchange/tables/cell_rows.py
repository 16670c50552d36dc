"""Tables of cells made rows: the header is found below title rows, and columns keep their names.

The layout that `export_items` writes is told by its first four columns (`id`, `kind`, `title`, `text`); there every cell
is taken as it stands, links one a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from minivess.compliance.exchange.foreign_items import (
    Foreign,
    ForeignItem,
    ForeignLink,
    Place,
    Remark,
    Row,
    check_count,
    cleaned,
    free_name,
    short,
    tidy_line,
)
from minivess.compliance.exchange.mapping import (
    IDENTIFIER,
    OUR_FIELDS,
    OUR_LINKS,
    TEXT,
    TITLE,
    ForeignMapping,
    assign,
    kind_names,
    known_names,
)
from minivess.compliance.exchange.tables.fmea import fmea_columns, fmea_rows, is_fmea
from minivess.compliance.exchange.tables.item_rows import recognise
from minivess.compliance.exchange.vocabulary import plain

Cells = tuple[int, list[str]]
"""The number of a line or row, and what stands in it."""
_CORE = ["id", "kind", "title", "text"]
_LINK, _FIELD = "link:", "field:"
_HEADER_WITHIN = 40
_MAX_MERGED = 10_000
_FORMULA = re.compile("'*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r]")
_LIKE_ID = re.compile(r"(?=.{1,30}$)[^\s]*[ ]?[^\s]*[0-9][^\s]*")
_PLAIN_FIELDS = OUR_FIELDS - OUR_LINKS - set(_CORE)


@dataclass(frozen=True)
class Grid:
    """A table as read."""

    file: str
    name: str
    """Of the sheet or the heading; empty for a file that is one table."""
    cells: Sequence[Cells]
    defused: bool = True
    """Whether a quote before a formula is taken away."""

    def value(self, cell: str) -> str:
        """What a cell says."""
        return undefuse(cell) if self.defused else cell

    def place(self, line: int | None) -> Place:
        """Where a row stands."""
        return Place(self.file, line, self.name)


@dataclass(frozen=True)
class TextTable:
    """A table in a text file; lines are counted from 1."""

    heading: str
    cells: list[Cells]
    lines: range
    """All of the table."""
    heading_lines: range
    """Of the heading that names it, where the heading is not part of the table."""


def read_grid(grid: Grid, mapping: ForeignMapping, foreign: Foreign) -> None:
    """Add the items of a table, with remarks on what is above the header and on odd rows.

    Raises:
        InputError: there are too many rows.
    """
    filled = [(line, row) for line, row in grid.cells if any(cell.strip() for cell in row)]
    if not filled:
        foreign.remarks.append(Remark("note", grid.place(None), "the table is empty"))
        return
    if _is_own(filled[0][1]):
        _read_own(grid, filled, foreign)
        return
    at = _header(filled, mapping)
    if not _score(filled[at][1], mapping):
        message = "no column is known by its name: say in a mapping file which is `id`, `title` and `text`"
        foreign.remarks.append(Remark("note", grid.place(filled[at][0]), message))
    for line, row in filled[:at]:
        value = " | ".join(cell for cell in row if cell.strip())
        message = f"is above the header and is not taken: {short(value)}"
        foreign.remarks.append(Remark("lost", grid.place(line), message, value=value))
    if at + 1 == len(filled):
        value = " | ".join(cell for cell in filled[at][1] if cell.strip())
        message = f"has names of columns and no row below: {short(value)}"
        foreign.remarks.append(Remark("lost", grid.place(filled[at][0]), message, value=value))
    names = _unique(filled[at][1], max(len(row) for _, row in filled[at:]))
    rows = _rows(grid, names, filled[at + 1 :], foreign.remarks)
    fmea = is_fmea(names, mapping)
    if not fmea:
        mapping = _with_id(names, rows, mapping)
    meaning = fmea_columns(names, mapping) if fmea else assign(names, mapping)
    said = ", ".join(f"`{name}` as {meaning[name]}" for name in names if name in meaning)
    if said:
        foreign.remarks.append(Remark("note", grid.place(filled[at][0]), f"columns are read so: {said}"))
    bare = [name for name in names if name not in meaning and not any(row.cells[name].strip() for row in rows)]
    if bare:
        message = f"columns without any value: {', '.join(f'`{name}`' for name in bare)}"
        foreign.remarks.append(Remark("note", grid.place(filled[at][0]), message, value=", ".join(bare)))
    if fmea:
        foreign.items += fmea_rows(rows, mapping, foreign.remarks)
    else:
        recognise(rows, mapping, foreign)


def _rows(grid: Grid, names: list[str], filled: Iterable[Cells], remarks: list[Remark]) -> list[Row]:
    rows: list[Row] = []
    for line, row in filled:
        if _unique(row, len(names)) == names:
            remarks.append(Remark("note", grid.place(line), "the header is repeated here"))
            continue
        if _is_rule(row):
            remarks.append(Remark("note", grid.place(line), "a row of dashes alone is passed over"))
            continue
        cells: dict[str, str] = {}
        for at, name in enumerate(names):
            cells[name] = grid.value(row[at]) if at < len(row) else ""
            if at < len(row) and cells[name] != row[at]:
                message = f"a quote before a formula sign in `{name}` is not taken: {short(row[at])}"
                remarks.append(Remark("changed", grid.place(line), message, field=name, value=row[at]))
        rows.append(Row(cells, grid.place(line)))
    return rows


def _with_id(names: Sequence[str], rows: Sequence[Row], mapping: ForeignMapping) -> ForeignMapping:
    """The mapping, with the first column as id when no name says which it is and every value there looks like one."""
    meaning = assign(names, mapping)
    if IDENTIFIER in meaning.values() or meaning.get(names[0]) not in {None, TITLE, TEXT}:
        return mapping
    values = [tidy_line(row.cells.get(names[0], "")) for row in rows]
    if not values or len(set(values)) < len(values) or not all(_LIKE_ID.fullmatch(value) for value in values):
        return mapping
    return mapping.model_copy(update={"fields": {**mapping.fields, names[0]: IDENTIFIER}})


def _is_rule(row: Sequence[str]) -> bool:
    return all(not cell.strip() or set(cell.strip()) <= set("-=:") for cell in row) and any("--" in c for c in row)


def _header(filled: Sequence[Cells], mapping: ForeignMapping) -> int:
    """Which of the filled rows holds the names of columns."""
    if mapping.header is not None:
        return next((at for at, (line, _) in enumerate(filled) if line >= mapping.header), 0)
    scores = [_score(row, mapping) for _, row in filled[:_HEADER_WITHIN]]
    best = max(scores)
    if best:
        return scores.index(best)
    return next((at for at, (_, row) in enumerate(filled) if sum(bool(cell.strip()) for cell in row) > 1), 0)


def _score(row: Iterable[str], mapping: ForeignMapping) -> int:
    names = [cell for cell in row if cell.strip() and len(cell) <= 80]
    stated = {plain(name) for name in mapping.fields}
    called = [name for name in names if plain(name) in kind_names(mapping) and not known_names([name])]
    return known_names(names) + len(called) + 2 * sum(plain(name) in stated for name in names)


def header_score(rows: Iterable[Sequence[str]], mapping: ForeignMapping) -> int:
    """How much one of the rows looks like the names of columns."""
    return max((_score(row, mapping) + 4 * _is_own(row) for row in rows), default=0)


def _unique(row: Sequence[str], width: int) -> list[str]:
    names: list[str] = []
    for at in range(width):
        name = tidy_line(row[at]) if at < len(row) else ""
        names.append(free_name(name or f"column {at + 1}", names))
    return names


def defuse(value: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if _FORMULA.match(value) else value


def undefuse(value: str) -> str:
    """The value that `defuse` was given."""
    return value[1:] if value.startswith("'") and _FORMULA.match(value) else value


def _is_own(row: Sequence[str]) -> bool:
    return list(row[:4]) == _CORE and all(
        name.startswith((_LINK, _FIELD)) or name in _PLAIN_FIELDS for name in row[4:] if name
    )


def own_table(items: Sequence[ForeignItem], escape: Callable[[str], str] = defuse) -> list[list[str]]:
    """The rows of a table that `read_grid` takes back without loss, the header first."""
    relations = list(dict.fromkeys(link.relation for item in items for link in item.links))
    fields = list(dict.fromkeys(name for item in items for name in item.attributes))
    head = [_LINK + name for name in relations]
    head += [name if name in _PLAIN_FIELDS else _FIELD + name for name in fields]
    rows = [[*_CORE, *head]]
    for item in items:
        links = ["\n".join(link.target for link in item.links if link.relation == name) for name in relations]
        values = [item.attributes.get(name, "") for name in fields]
        rows.append([escape(cell) for cell in (item.id, item.kind, item.title, item.text, *links, *values)])
    return rows


def _read_own(grid: Grid, filled: Sequence[Cells], foreign: Foreign) -> None:
    header = filled[0][1]
    for line, row in filled[1:]:
        check_count(len(foreign.items), grid.file)
        place = grid.place(line)
        values = [cleaned(grid.value(cell), place, foreign.remarks) for cell in row]
        for cell in values[len(header) :]:
            if cell:
                foreign.remarks.append(Remark("lost", place, f"a cell beyond the header: {short(cell)}", value=cell))
        named = dict(zip(header, values, strict=False))
        links = (
            ForeignLink(name.removeprefix(_LINK), target)
            for name, value in named.items()
            if name.startswith(_LINK)
            for target in filter(None, value.split("\n"))
        )
        others = {name: value for name, value in named.items() if value and name not in _CORE}
        fields = {name.removeprefix(_FIELD): value for name, value in others.items() if not name.startswith(_LINK)}
        core = [named.get(name, "") for name in _CORE]
        foreign.items.append(ForeignItem(core[0], core[1], core[2], core[3], fields, tuple(links), place, own=True))


def filled_down(cells: Sequence[Cells], merged: Iterable[tuple[int, int, int, int]]) -> list[Cells]:
    """Cells with the value of a merged range in each of its rows.

    Args:
        cells: rows with their numbers.
        merged: first row, first column, last row, last column of ranges, from 1.
    """
    by_line = {line: list(row) for line, row in cells}
    last = max(by_line, default=0)
    for top, left, bottom, _ in islice(merged, _MAX_MERGED):
        origin = by_line.get(top)
        if bottom > top and origin is not None and left <= len(origin):
            for line in range(top + 1, min(bottom, last) + 1):
                row = by_line.get(line)
                if row is not None and left <= len(row) and not row[left - 1]:
                    row[left - 1] = origin[left - 1]
    return [(line, by_line[line]) for line, _ in cells]
