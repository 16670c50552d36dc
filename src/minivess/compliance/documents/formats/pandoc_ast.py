"""Blocks as a document of pandoc (its JSON), from which it writes DOCX."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minivess.compliance.documents.formats.pictures import Picture
from minivess.compliance.documents.formats.typst_source import MARKS
from minivess.compliance.documents.model.blocks import (
    Block,
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

API = [1, 23, 1]
"""The version of pandoc's types."""
_NONE: list[Any] = ["", [], []]
_STYLES = {"strong": "Strong", "em": "Emph"}
_MEDIA = {"png": "image/png", "jpg": "image/jpeg", "svg": "image/svg+xml"}


class PandocWriter:
    """Writes one document.

    Args:
        document: the model.
        pictures: the picture of each figure and drawing.
    """

    def __init__(self, document: DocumentModel, pictures: Mapping[Block, Picture]) -> None:
        self._document, self._pictures = document, pictures

    def document(self, *, author: str, day: str) -> dict[str, Any]:
        """The whole document as JSON-ready data.

        Args:
            author: who made it.
            day: its date.
        """
        one = self._document
        rows = Facts(tuple(((Text(label),), value) for label, value in one.title_block.rows))
        contents = Listing(
            tuple(
                (Paragraph((Link(f"#{section_id(head)}", (Text(f"{head.number} "), *head.content)),)),)
                for head in one.contents()
            )
        )
        blocks = (
            Paragraph((Text(one.about),)),
            rows,
            Heading(1, (Text("Contents"),), "contents"),
            contents,
            *one.body,
            Heading(1, (Text("Revision history"),), "revision-history"),
            one.history,
        )
        meta = {"title": _inline(one.title), "author": _inline(author), "date": _inline(day), "lang": _inline("en")}
        return {"pandoc-api-version": API, "meta": meta, "blocks": self._blocks(blocks)}

    def _blocks(self, blocks: Iterable[Block]) -> list[Any]:
        return [made for one in blocks for made in _BLOCKS[type(one)](self, one)]

    def _heading(self, block: Heading) -> list[Any]:
        number = [*_words(f"{block.number} ")] if block.number else []
        return [_node("Header", [block.level, [section_id(block), [], []], number + self.inlines(block.content)])]

    def _listing(self, block: Listing) -> list[Any]:
        points = [self._blocks(point) for point in block.points]
        if block.ordered:
            return [_node("OrderedList", [[1, _node("Decimal"), _node("Period")], points])]
        return [_node("BulletList", points)]

    def _table(self, block: Table) -> list[Any]:
        columns = block.columns
        if not columns:
            return []
        widths = [[_node("AlignDefault"), _node("ColWidth", 1 / columns)] for _ in range(columns)]
        caption = [None, [_node("Plain", self.inlines(block.caption))] if block.caption else []]
        head = [_NONE, [self._row(block.head, columns)] if block.head else []]
        body = [_NONE, 0, [], [self._row(row, columns) for row in block.rows]]
        return [_node("Table", [_NONE, caption, widths, head, [body], [_NONE, []]])]

    def _facts(self, block: Facts) -> list[Any]:
        rows = tuple((Cell(label, header=True), Cell(value)) for label, value in block.pairs)
        widths = [[_node("AlignDefault"), _node("ColWidth", width)] for width in (0.28, 0.72)]
        body = [_NONE, 0, [], [self._row(row, 2) for row in rows]]
        return [_node("Table", [_NONE, [None, []], widths, [_NONE, []], [body], [_NONE, []]])]

    def _row(self, row: tuple[Cell, ...], columns: int) -> list[Any]:
        missing = columns - sum(cell.columns for cell in row)
        return [_NONE, [self._cell(cell) for cell in (*row, *[Cell(())] * missing)]]

    def _cell(self, cell: Cell) -> list[Any]:
        words = self.inlines(cell.content)
        words = [_node("Strong", words)] if cell.header and words else words
        align = "AlignRight" if "figure" in cell.style.split() else "AlignDefault"
        return [_NONE, _node(align), 1, cell.columns, [_node("Plain", words)] if words else []]

    def _picture(self, block: Figure | Drawing) -> list[Any]:
        picture = self._pictures[block]
        source = f"data:{_MEDIA[picture.kind]};base64,{b64encode(picture.content).decode('ascii')}"
        image = _node("Image", [["", [], [["width", "100%"]]], _words(block.alternative), [source, ""]])
        caption = [_node("Para", [_node("Emph", self.inlines(block.caption))])] if block.caption else []
        return [_node("Para", [image]), *caption]

    def inlines(self, content: Iterable[Inline]) -> list[Any]:
        """Inlines."""
        return [made for one in content for made in _INLINES[type(one)](self, one)]

    def _span(self, one: Span) -> list[Any]:
        words = self.inlines(one.content)
        kind = next((_STYLES[name] for name in one.style.split() if name in _STYLES), None)
        return [_node(kind, words)] if kind else words

    def _link(self, one: Link) -> list[Any]:
        return [_node("Link", [_NONE, self.inlines(one.content), [one.target, ""]])]


def _node(kind: str, content: Any = None) -> dict[str, Any]:
    return {"t": kind} if content is None else {"t": kind, "c": content}


def _words(text: str) -> list[Any]:
    return [_node("Str", text)] if text else []


def _inline(text: str) -> dict[str, Any]:
    return _node("MetaInlines", _words(text))


_BLOCKS: dict[type, Callable[[PandocWriter, Any], list[Any]]] = {
    Heading: PandocWriter._heading,
    Paragraph: lambda writer, block: [_node("Para", writer.inlines(block.content))],
    Listing: PandocWriter._listing,
    Table: PandocWriter._table,
    Facts: PandocWriter._facts,
    Figure: PandocWriter._picture,
    Drawing: PandocWriter._picture,
    Preformatted: lambda _, block: [_node("CodeBlock", [_NONE, block.text])],
}
_INLINES: dict[type, Callable[[PandocWriter, Any], list[Any]]] = {
    Text: lambda _, one: _words(one.text),
    Code: lambda _, one: [_node("Code", [_NONE, one.text])],
    Fact: lambda _, one: _words(one.text),
    Mark: lambda _, one: [_node("Strong", _words(f"{MARKS[one.state]} {one.word}"))],
    Span: PandocWriter._span,
    Link: PandocWriter._link,
    Break: lambda *_: [_node("LineBreak")],
    Swatch: lambda _, one: _words(f"({one.colour})"),
}
