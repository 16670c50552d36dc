"""Blocks from plain values, for documents that are written by a program and not from a template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from minivess.compliance.documents.model.blocks import Cell, Facts, Heading, Inline, Inlines, Paragraph, Table, Text

Words = str | Inline | Inlines
"""Words, one inline, or several."""


def inlines(words: Words) -> Inlines:
    """Words as inlines."""
    if isinstance(words, str):
        return (Text(words),)
    return words if isinstance(words, tuple) else (words,)


def heading(words: str, level: int = 1) -> Heading:
    """A heading that gets a number."""
    return Heading(2 if level == 2 else 1, (Text(words),))


def paragraph(words: Words, style: str = "") -> Paragraph:
    """A paragraph."""
    return Paragraph(inlines(words), style)


def facts(pairs: Iterable[tuple[str, Words]]) -> Facts:
    """Pairs of a label and what is said about it."""
    return Facts(tuple(((Text(label),), inlines(value)) for label, value in pairs))


def table(head: Sequence[str], rows: Iterable[Sequence[Words]], *, style: str = "stack") -> Table:
    """A table whose rows become blocks on a narrow screen."""
    made = tuple(
        tuple(Cell(inlines(value), label=label) for label, value in zip_longest(head, row, fillvalue=""))
        for row in rows
    )
    return Table(tuple(Cell(inlines(label), header=True) for label in head), made, style=style)
