"""Tables of requirements in Markdown and reStructuredText.

Every table is read; text around tables is named in remarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minivess.compliance.exchange.foreign_items import Foreign, ForeignItem, Place, Remark, short
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.cell_rows import Grid, own_table, read_grid
from minivess.compliance.exchange.untrusted.encodings import decode


def read_text_tables(data: bytes, file: str, mapping: ForeignMapping, *, rst: bool) -> Foreign:
    """Read all tables of a Markdown or reStructuredText file.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what columns mean.
        rst: whether it is reStructuredText.

    Raises:
        InputError: it holds too many rows, or is nested too deeply.
    """
    foreign = Foreign()
    lines = decode(data, file, foreign.remarks).split("\n")
    if rst:
        from minivess.compliance.exchange.tables.rst_tables import rst_tables

        tables = rst_tables(lines, file)
    else:
        from minivess.compliance.exchange.tables.markdown_tables import markdown_tables

        tables = markdown_tables(lines, file)
    if not tables:
        foreign.remarks.append(Remark("note", Place(file), "holds no table"))
    for table in tables:
        read_grid(Grid(file, table.heading, table.cells, defused=False), mapping, foreign)
    taken = {line for table in tables for line in (*table.lines, *table.heading_lines)}
    outside = [(at, line.strip()) for at, line in enumerate(lines, 1) if line.strip() and at not in taken]
    for first, last, text in _blocks(outside):
        message = f"lines {first} to {last} are no table and not taken: {short(text)}"
        foreign.remarks.append(Remark("lost", Place(file, first), message, value=text))
    return foreign


def write_markdown(items: Sequence[ForeignItem], *, title: str) -> str:
    """A Markdown table for people; `read_text_tables` takes it back but for spaces at the ends of lines."""
    from minivess.compliance.exchange.tables.markdown_tables import markdown_of

    return markdown_of(own_table(items, lambda cell: cell), title)


def _blocks(outside: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    """Neighbouring lines together."""
    block: list[tuple[int, str]] = []
    for number, text in [*outside, (-1, "")]:
        if block and number != block[-1][0] + 1:
            yield block[0][0], block[-1][0], "\n".join(text for _, text in block)
            block = []
        block.append((number, text))
