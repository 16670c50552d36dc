"""Plans and instructions as evidence: where each stands, and which parts it must answer under headings of their own.

Which parts those are is data (`catalogues/documents.csv`). A tool sees that a part is there and says something; whether it is
true is for a person to judge, so the clauses that rest on it are of mode `partial` or have to be attested besides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from minivess.foundation.reading.packaged_tables import read_table

_NAME = "catalogues/documents.csv"
_COLUMNS = ("evidence", "path", "parts")
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^(```|~~~)")
_LEAST_WORDS = 8


@dataclass(frozen=True)
class Document:
    """One document that shows a kind of evidence."""

    evidence: str
    path: str
    """In the source tree; Markdown."""
    parts: tuple[str, ...]
    """Headings it must have, each with words of its own below it."""


@cache
def documents() -> tuple[Document, ...]:
    """All documents that show evidence.

    Raises:
        CouldNotCheckError: the table in this installation is damaged.
    """
    return read_table(
        "minivess.compliance.standards",
        _NAME,
        _COLUMNS,
        lambda row: Document(row["evidence"], row["path"], tuple(row["parts"].split(";"))),
    )


def unanswered(parts: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The parts that a Markdown text has no heading for, or fewer than eight words under it (those of deeper headings count)."""
    said = _words(text)
    return tuple(part for part in parts if said.get(part.casefold(), 0) < _LEAST_WORDS)


def _words(text: str) -> dict[str, int]:
    """Words under each heading, deeper headings included; headings inside code are none."""
    counts: dict[str, int] = {}
    open_ones: list[tuple[int, str]] = []
    fenced = False
    for line in _COMMENT.sub("", text).splitlines():
        if _FENCE.match(line):
            fenced = not fenced
            continue
        heading = None if fenced else _HEADING.match(line)
        if heading is not None:
            depth = len(heading[1])
            open_ones = [one for one in open_ones if one[0] < depth]
            open_ones.append((depth, heading[2].casefold()))
            counts.setdefault(open_ones[-1][1], 0)
            continue
        found = len(re.findall(r"\w{2,}", line))
        for _, name in open_ones:
            counts[name] += found
    return counts
