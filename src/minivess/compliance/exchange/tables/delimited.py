"""CSV and its kin: the separator is found, quotes may hold line breaks, a broken quote loses nothing."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

from minivess.compliance.exchange.foreign_items import MAX_FILE, Foreign, ForeignItem, Place, Remark
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.cell_rows import Cells, Grid, header_score, own_table, read_grid
from minivess.compliance.exchange.untrusted.encodings import decode

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 60
_SPACED_QUOTE = re.compile(' +"')


def read_delimited(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    """Read a CSV file.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what its columns mean.

    Raises:
        InputError: it holds too many rows.
    """
    foreign = Foreign()
    text = decode(data, file, foreign.remarks)
    first = text.partition("\n")[0].strip()
    stated = first[4:] if first.lower().startswith("sep=") and len(first) == 5 else ""
    if stated:
        text = text.partition("\n")[2]
    cells = _parse(text, stated or _separator(text, mapping), file, foreign.remarks, before=1 if stated else 0)
    read_grid(Grid(file, "", cells), mapping, foreign)
    return foreign


def write_delimited(items: Sequence[ForeignItem], *, separator: str = ",") -> str:
    """A CSV file that `read_delimited` takes back without loss and no spreadsheet executes."""
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator, lineterminator="\r\n").writerows(own_table(items))
    return stream.getvalue()


def _parse(text: str, separator: str, file: str, remarks: list[Remark], *, before: int = 0) -> list[Cells]:
    csv.field_size_limit(MAX_FILE)
    try:
        cells = _records(text, separator, before=before, strict=True)
        return _after_spaces(cells, text, separator, file, remarks, before=before)
    except csv.Error as error:
        cells = _records(text, separator, before=before, strict=False)
        far = max(cells, key=lambda one: max(map(len, one[1]), default=0))[0] if cells else None
        message = f"quotes are not closed or doubled as CSV wants ({error}); read as well as can be: look at long cells"
        remarks.append(Remark("changed", Place(file, far), message))
        return cells


def _after_spaces(
    cells: list[Cells], text: str, separator: str, file: str, remarks: list[Remark], *, before: int
) -> list[Cells]:
    """Cells whose quotes follow spaces (`a, "b, c"`), where taking these as quotes gives narrower rows."""
    if not any(_SPACED_QUOTE.match(cell) for _, row in cells for cell in row):
        return cells
    try:
        narrower = _records(text, separator, before=before, strict=True, spaces=True)
    except csv.Error:
        return cells
    if max(len(row) for _, row in narrower) >= max(len(row) for _, row in cells):
        return cells
    remarks.append(Remark("changed", Place(file), "quotes follow spaces: spaces before cells are not taken"))
    return narrower


def _records(text: str, separator: str, *, before: int, strict: bool, spaces: bool = False) -> list[Cells]:
    stream = io.StringIO(text, newline="")
    reader = csv.reader(stream, delimiter=separator, strict=strict, skipinitialspace=spaces)
    found: list[Cells] = []
    line = 1 + before
    for record in reader:
        found.append((line, record))
        line = reader.line_num + 1 + before
    return found


def _separator(text: str, mapping: ForeignMapping) -> str:
    """The separator under which names of columns appear, or else rows agree in their length."""
    sample = "\n".join(text.split("\n", _SAMPLE * 4)[: _SAMPLE * 4])[: 1 << 20]
    best, most = ",", (-1, -1, -1)
    for separator in _SEPARATORS:
        try:
            rows = [row for _, row in _records(sample, separator, before=0, strict=False)[:_SAMPLE]]
        except csv.Error:
            continue
        widths = Counter(len(row) for row in rows if len(row) > 1)
        width, agree = widths.most_common(1)[0] if widths else (0, 0)
        score = (header_score(rows, mapping), agree, width)
        if score > most:
            best, most = separator, score
    return best
