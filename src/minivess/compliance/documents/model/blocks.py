"""The parts of a document. Every format (HTML, DOCX, PDF) is made from these and from nothing else.

A document is a sequence of blocks. A block holds inlines. Both are immutable values without any format of their own; `style`
names how a block looks, and a format that does not know the name shows the block plainly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

MarkState = Literal["passed", "failed", "open", "acceptable", "unacceptable", "stated"]
STATES: tuple[MarkState, ...] = ("passed", "failed", "open", "acceptable", "unacceptable", "stated")


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A digest, a path, a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """A new line inside a block."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words with a style: `strong`, `em`, `soft`, `small`, `number` or several of them."""

    style: str
    content: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to another place: a page of the pack, an anchor, or an address on the web."""

    target: str
    content: tuple[Inline, ...]
    style: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A verdict in a word."""

    state: MarkState
    word: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A value that was computed, with the name by which the document asked for it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Swatch:
    """The colour in which something is drawn, as `#rrggbb`."""

    colour: str


Inline = Text | Code | Break | Span | Link | Mark | Fact | Swatch
Inlines = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading. Level 1 begins a section."""

    level: Literal[1, 2, 3]
    content: Inlines
    anchor: str = ""
    """The id of an item, where the heading is that of an item; it then has no number."""
    number: str = ""
    """`2.1`; empty before the document is numbered."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    content: Inlines
    style: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; each point is a sequence of blocks."""

    points: tuple[tuple[Block, ...], ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    content: Inlines
    header: bool = False
    style: str = ""
    label: str = ""
    """What the cell is called where the table has no head (a narrow screen)."""
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `stack`: a row becomes a block on a narrow screen; `chains`: wide, printed across."""

    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: Inlines = ()
    style: str = ""

    @property
    def columns(self) -> int:
        """The number of columns of the widest row."""
        return max((sum(cell.columns for cell in row) for row in (self.head, *self.rows)), default=0)


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of a label and what is said about it."""

    pairs: tuple[tuple[Inlines, Inlines], ...]
    style: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its caption. `source`: a file of the pack relative to the document, or a `data:` address."""

    source: str
    alternative: str
    caption: Inlines = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A diagram that is drawn from facts, as SVG, with its caption and the same facts in words."""

    svg: str
    alternative: str
    caption: Inlines = ()


@dataclass(frozen=True, slots=True)
class Preformatted:
    """Lines that keep their breaks."""

    text: str


Block = Heading | Paragraph | Listing | Table | Facts | Figure | Drawing | Preformatted
Blocks = tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class TitleBlock:
    """What stands on top of every document: labels and values, in order."""

    rows: tuple[tuple[str, Inlines], ...]

    def value(self, label: str) -> str:
        """The words of a row.

        Raises:
            KeyError: there is no such row.
        """
        return plain(dict(self.rows)[label])


@dataclass(frozen=True, slots=True)
class DocumentModel:
    """A whole document. `identifier` is its document id, `name` that of its files without a suffix."""

    name: str
    identifier: str
    title: str
    about: str
    title_block: TitleBlock
    body: Blocks
    """Numbered."""
    history: Table
    """The revisions, from the log."""

    def contents(self) -> Iterator[Heading]:
        """The headings of the table of contents: the numbered ones of levels 1 and 2."""
        return (one for one in self.body if isinstance(one, Heading) and one.number and one.level < 3)


def numbered(blocks: Iterable[Block]) -> Blocks:
    """Number the headings: 1, 1.1, 1.1.1. The heading of an item keeps its id instead."""
    counts = [0, 0, 0]
    made: list[Block] = []
    for block in blocks:
        if isinstance(block, Heading) and not block.anchor:
            counts[block.level - 1] += 1
            counts[block.level :] = [0] * (3 - block.level)
            number = ".".join(str(max(count, 1)) for count in counts[: block.level])
            made.append(replace(block, number=number))
        else:
            made.append(block)
    return tuple(made)


def plain(content: Iterable[Inline]) -> str:
    """The words of inlines without styles."""
    return "".join(_words(one) for one in content)


def _words(one: Inline) -> str:
    match one:
        case Text(text) | Code(text) | Fact(_, text):
            return text
        case Mark(_, word):
            return word
        case Span(_, content) | Link(_, content):
            return plain(content)
        case Break():
            return " "
        case Swatch():
            return ""


def facts_in(blocks: Iterable[Block]) -> Iterator[Fact]:
    """Every fact of a document, in order."""
    for content in inlines_in(blocks):
        yield from _facts(content)


def _facts(content: Iterable[Inline]) -> Iterator[Fact]:
    for one in content:
        if isinstance(one, Fact):
            yield one
        elif isinstance(one, Span | Link):
            yield from _facts(one.content)


def inlines_in(blocks: Iterable[Block]) -> Iterator[Inlines]:
    """The inlines of every block, in order."""
    for block in blocks:
        match block:
            case Heading() | Paragraph():
                yield block.content
            case Listing():
                for point in block.points:
                    yield from inlines_in(point)
            case Table():
                yield block.caption
                for row in (block.head, *block.rows):
                    for cell in row:
                        yield cell.content
            case Facts():
                for label, value in block.pairs:
                    yield label
                    yield value
            case Figure() | Drawing():
                yield block.caption
            case Preformatted():
                pass
