"""Blocks as the source of a typst document. Every word is a string literal, so that no text is read as markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minivess.compliance.documents.formats.characters import displayable
from minivess.compliance.documents.model.blocks import (
    Block,
    Blocks,
    Break,
    Cell,
    Code,
    DocumentModel,
    Drawing,
    Fact,
    Facts,
    Figure,
    Heading,
    Inline,
    Link,
    Listing,
    Mark,
    Paragraph,
    Preformatted,
    Span,
    Swatch,
    Table,
    Text,
)
from minivess.compliance.documents.model.html import section_id

_COLOURS = {
    "passed": ("✓", "0a6a74"),
    "acceptable": ("✓", "0a6a74"),
    "failed": ("✕", "a8390b"),
    "unacceptable": ("✕", "a8390b"),
    "open": ("○", "6b5b00"),
    "stated": ("·", "44505c"),
}
MARKS = {state: sign for state, (sign, _) in _COLOURS.items()}
"""The sign before the word of a verdict."""
_WIDE = 6
"""Tables of more columns stand across the page."""
_PIECES = re.compile(r"[^_/.:-]{1,16}[_/.:-]*|[_/.:-]+", re.DOTALL)
_FRAME = """\
#set document(title: {title}, author: {author}, description: {about})
#set text(lang: "en", font: ("Libertinus Serif", "DejaVu Sans Mono"), size: 10pt)
#set par(justify: false)
#set page(paper: "a4", margin: (x: 22mm, top: 24mm, bottom: 22mm),
  header: text(size: 8pt, fill: luma(80))[#grid(columns: (1fr, auto), {left}, {right})],
  footer: context align(center, text(size: 8pt, fill: luma(80))[page #counter(page).display("1 of 1", both: true)]))
#set table(stroke: (x, y) => (bottom: 0.4pt + luma(170)), inset: (x: 3pt, y: 3.5pt))
#set heading(numbering: "1.1")
#show heading.where(level: 1): set text(size: 15pt)
#show heading.where(level: 2): set text(size: 12pt)
#show heading.where(level: 3): set text(size: 10.5pt)
#show heading: set block(above: 1.5em, below: 0.7em)
#show table: set text(size: 8.5pt)
#show raw: set text(size: 0.92em)
#show link: set text(fill: rgb("0b5a7a"))
#show figure.where(kind: image): set block(breakable: false)
"""


class TypstWriter:
    """Writes one document.

    Args:
        document: the model.
        pictures: the file name of each figure and drawing, as the source names it.
    """

    def __init__(self, document: DocumentModel, pictures: Mapping[Block, str]) -> None:
        self._document, self._pictures = document, pictures
        self._anchors = {section_id(one) for one in document.body if isinstance(one, Heading)}

    def source(self, *, device: str, author: str) -> str:
        """The whole source.

        Args:
            device: name and version, for the running head.
            author: who made the document.
        """
        one = self._document
        frame = _FRAME.format(
            title=string(one.title),
            author=string(author),
            about=string(one.about),
            left=f"[#{string(device)}]",
            right=f"[#{string(f'{one.identifier} · {one.title}')}]",
        )
        rows = Facts(tuple(((Text(label),), value) for label, value in one.title_block.rows))
        parts = (
            frame,
            f"#title[#{string(one.title)}]",
            f"#par[#{string(one.about)}]",
            self._facts(rows),
            "#outline(title: [Contents], depth: 2)\n#pagebreak(weak: true)",
            self._blocks(one.body),
            "#heading(level: 1, numbering: none)[Revision history]",
            self._table(one.history),
        )
        return "\n\n".join(parts) + "\n"

    def _blocks(self, blocks: Blocks) -> str:
        return "\n\n".join(_BLOCKS[type(one)](self, one) for one in blocks)

    def _heading(self, block: Heading) -> str:
        number = f"(..n) => {string(block.number)}" if block.number else "none"
        outlined = "true" if block.number else "false"
        anchor = section_id(block)
        mark = f" #label({string(anchor)})" if anchor else ""
        words = self.inlines(block.content)
        return f"#heading(level: {block.level}, numbering: {number}, outlined: {outlined})[{words}]{mark}"

    def _paragraph(self, block: Paragraph) -> str:
        words = self.inlines(block.content)
        soft = any(name in block.style for name in ("soft", "small"))
        return f"#par[#text(size: 0.9em, fill: luma(75))[{words}]]" if soft else f"#par[{words}]"

    def _listing(self, block: Listing) -> str:
        points = ", ".join(f"[{self._blocks(point)}]" for point in block.points)
        return f"#{'enum' if block.ordered else 'list'}({points})"

    def _table(self, block: Table) -> str:
        columns = block.columns
        if not columns:
            return ""
        head = f"table.header({', '.join(self._row(block.head, columns))})" if block.head else ""
        cells = [one for row in block.rows for one in self._row(row, columns)]
        made = f"#table(columns: {columns}, {', '.join((*([head] if head else []), *cells))})"
        if block.caption:
            made = f"#text(size: 0.9em, fill: luma(75))[{self.inlines(block.caption)}]\n\n{made}"
        if columns > _WIDE or "chains" in block.style:
            return f"#page(flipped: true)[{made}]"
        return made

    def _row(self, row: tuple[Cell, ...], columns: int) -> list[str]:
        made = [self._cell(cell) for cell in row]
        missing = columns - sum(cell.columns for cell in row)
        return made + ["[]"] * missing

    def _cell(self, cell: Cell) -> str:
        words = self.inlines(cell.content)
        words = f"#strong[{words}]" if cell.header and words else words
        options = [f"colspan: {cell.columns}"] if cell.columns > 1 else []
        if "figure" in cell.style.split():
            options.append("align: right")
        return f"table.cell({', '.join(options)})[{words}]" if options else f"[{words}]"

    def _facts(self, block: Facts) -> str:
        cells = ", ".join(
            f"[#text(fill: luma(75))[{self.inlines(label)}]], [{self.inlines(value)}]" for label, value in block.pairs
        )
        return f"#grid(columns: (28%, 1fr), column-gutter: 8pt, row-gutter: 6pt, {cells})"

    def _picture(self, block: Figure | Drawing) -> str:
        alternative = string(block.alternative)
        caption = f", caption: [{self.inlines(block.caption)}]" if block.caption else ""
        return f"#figure(image({string(self._pictures[block])}, alt: {alternative}){caption}, alt: {alternative})"

    def inlines(self, content: Iterable[Inline]) -> str:
        """Inlines as markup of typst."""
        return "".join(_INLINES[type(one)](self, one) for one in content)

    def _span(self, one: Span) -> str:
        words = self.inlines(one.content)
        names = one.style.split()
        if "strong" in names:
            return f"#strong[{words}]"
        if "em" in names:
            return f"#emph[{words}]"
        if "soft" in names or "small" in names:
            return f"#text(fill: luma(75))[{words}]"
        return f"#[{words}]"

    def _link(self, one: Link) -> str:
        words = self.inlines(one.content)
        if one.target.startswith("#"):
            anchor = one.target[1:]
            return f"#link(label({string(anchor)}))[{words}]" if anchor in self._anchors else f"#[{words}]"
        return f"#link({string(one.target)})[{words}]"


def string(text: str) -> str:
    """A string literal of typst."""
    escaped = displayable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _code(text: str) -> str:
    """Fixed-width words; long ones can break after a sign or 16 characters."""
    return "#sym.zws".join(f"#raw({string(part)})" for part in _PIECES.findall(text) or [""])


def _mark(one: Mark) -> str:
    sign, colour = _COLOURS[one.state]
    return f'#text(fill: rgb("{colour}"), weight: "bold")[#{string(f"{sign} {one.word}")}]'


_BLOCKS: dict[type, Callable[[TypstWriter, Any], str]] = {
    Heading: TypstWriter._heading,
    Paragraph: TypstWriter._paragraph,
    Listing: TypstWriter._listing,
    Table: TypstWriter._table,
    Facts: TypstWriter._facts,
    Figure: TypstWriter._picture,
    Drawing: TypstWriter._picture,
    Preformatted: lambda _, block: f"#raw({string(block.text)}, block: true)",
}
_INLINES: dict[type, Callable[[TypstWriter, Any], str]] = {
    Text: lambda _, one: f"#{string(one.text)}",
    Code: lambda _, one: _code(one.text),
    Fact: lambda _, one: f"#{string(one.text)}",
    Mark: lambda _, one: _mark(one),
    Span: TypstWriter._span,
    Link: TypstWriter._link,
    Break: lambda *_: "#linebreak()",
    Swatch: lambda _, one: f"#{string(f'({one.colour})')}",
}
