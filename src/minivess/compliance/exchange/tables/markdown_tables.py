"""Tables in Markdown, as GitHub writes them (GitHub Flavored Markdown 4.10).

What is a table and what is code, a list or HTML is decided by `markdown-it-py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from minivess.compliance.exchange.tables.cell_rows import TextTable
from minivess.foundation.errors import InputError

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CODE = re.compile(r"(?<![\\`])((`+)(?!`).*?(?<!`)\2(?!`))")
"""A code span: nothing in it is an escape (CommonMark 6.1)."""


def markdown_tables(lines: Sequence[str], file: str) -> list[TextTable]:
    """The tables of a Markdown file, each with the heading above it.

    Args:
        lines: of the file.
        file: how errors call it.

    Raises:
        InputError: it is nested too deeply.
    """
    try:
        tokens = MarkdownIt("commonmark").enable("table").parse("\n".join(lines))
    except RecursionError:
        raise InputError("is nested too deeply to be read as Markdown", path=file) from None
    tables: list[TextTable] = []
    heading, headed = "", range(0)
    for at, token in enumerate(tokens):
        if token.map is None:
            continue
        if token.type == "heading_open":
            heading, headed = tokens[at + 1].content, _lines(token)
        elif token.type == "table_open":
            tables.append(TextTable(heading, [], _lines(token), headed))
        elif token.type == "tr_open":
            line = token.map[0]
            tables[-1].cells.append((line + 1, _row(lines[line])))
    return tables


def _lines(token: Token) -> range:
    first, end = token.map or (0, 0)
    return range(first + 1, end + 1)


def _row(line: str) -> list[str]:
    """All cells of a row, those beyond the header too, which the parser leaves out."""
    parts = escapedSplit(line.strip())
    inner = parts[1 if not parts[0] else 0 : -1 if len(parts) > 1 and not parts[-1].strip() else None]
    return [_text(part.strip()) for part in inner]


def _text(cell: str) -> str:
    """A cell with its escapes undone, but in code."""
    parts = _CODE.split(cell)
    return "".join(
        part if at % 3 == 1 else unescapeAll(_BREAK.sub("\n", part)) for at, part in enumerate(parts) if at % 3 != 2
    )


def markdown_of(rows: Sequence[Sequence[str]], title: str) -> str:
    """A Markdown table for people; `markdown_tables` takes it back but for spaces at the ends of lines."""
    lines = [f"# {title}", ""]
    for at, row in enumerate(rows):
        lines.append("| " + " | ".join(map(_cell, row)) + " |")
        if not at:
            lines.append("|" + " --- |" * len(row))
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;")
    return escaped.replace("\n", "<br>")
