"""A text of the manufacturer (Markdown) as blocks. Its words stay as they are; raw HTML in it is shown as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, cast

from markdown_it import MarkdownIt
from markdown_it.token import Token

from minivess.compliance.documents.model.blocks import (
    Block,
    Blocks,
    Break,
    Cell,
    Code,
    Heading,
    Inline,
    Inlines,
    Link,
    Listing,
    Paragraph,
    Preformatted,
    Span,
    Table,
    Text,
)
from minivess.foundation.implements import implements

_SAFE = ("http://", "https://", "mailto:")
_STYLES = {"strong_open": "strong", "em_open": "em", "s_open": "soft"}


@implements("REQ-503")
def markdown_blocks(text: str, *, below: Literal[0, 1] = 0) -> Blocks:
    """The blocks of a text.

    Args:
        text: Markdown (CommonMark with tables). A first heading of level 1 is its title and is left out.
        below: how many levels its headings are moved down.
    """
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)
    blocks = _blocks(tokens)
    if blocks and isinstance(blocks[0], Heading) and tokens[0].tag == "h1":
        blocks = blocks[1:]
    return tuple(_moved(one, below) for one in blocks)


def _moved(block: Block, below: int) -> Block:
    if not isinstance(block, Heading):
        return block
    return Heading(cast("Literal[1, 2, 3]", min(block.level + below, 3)), block.content)


def _blocks(tokens: Sequence[Token]) -> list[Block]:
    made: list[Block] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        end = _end(tokens, place)
        inside = tokens[place + 1 : end]
        match token.type:
            case "heading_open":
                level = cast("Literal[1, 2, 3]", min(max(int(token.tag[1]) - 1, 1), 3))
                made.append(Heading(level, _words(inside)))
            case "paragraph_open":
                made.append(Paragraph(_words(inside)))
            case "bullet_list_open" | "ordered_list_open":
                points = tuple(tuple(_blocks(one)) for one in _children(inside))
                made.append(Listing(points, ordered=token.type.startswith("ordered")))
            case "blockquote_open":
                made.extend(_blocks(inside))
            case "table_open":
                made.append(_table(inside))
            case "fence" | "code_block":
                made.append(Preformatted(token.content.rstrip("\n")))
            case "html_block":
                made.append(Preformatted(token.content.rstrip("\n")))
            case "inline":
                made.append(Paragraph(_inlines(token)))
            case _:
                pass
        place = end + 1
    return made


def _end(tokens: Sequence[Token], place: int) -> int:
    """Where the token that closes this one stands; its own place for one that holds nothing."""
    if tokens[place].nesting != 1:
        return place
    depth = 0
    for index in range(place, len(tokens)):
        depth += tokens[index].nesting
        if depth == 0:
            return index
    return len(tokens) - 1


def _children(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """What each of several tokens in a row holds."""
    place = 0
    while place < len(tokens):
        end = _end(tokens, place)
        yield tokens[place + 1 : end]
        place = end + 1


def _table(tokens: Sequence[Token]) -> Table:
    parts = list(_children(tokens))
    rows = [
        tuple(Cell(_words(cell), header=number == 0) for cell in _children(row))
        for number, part in enumerate(parts)
        for row in _children(part)
    ]
    return Table(rows[0] if rows else (), tuple(rows[1:]), style="stack")


def _words(tokens: Sequence[Token]) -> Inlines:
    return tuple(one for token in tokens if token.type == "inline" for one in _inlines(token))


def _inlines(token: Token) -> Inlines:
    made, _ = _run(token.children or [], 0)
    return tuple(made)


def _run(tokens: Sequence[Token], place: int) -> tuple[list[Inline], int]:
    """The inlines from a place on, up to the token that closes the one before it."""
    made: list[Inline] = []
    while place < len(tokens):
        token = tokens[place]
        if token.nesting == -1:
            return made, place
        if token.nesting == 1:
            inside, place = _run(tokens, place + 1)
            made.append(_holding(token, tuple(inside)))
        elif token.type in {"softbreak", "hardbreak"}:
            made.append(Break() if token.type == "hardbreak" else Text(" "))
        elif token.type == "code_inline":
            made.append(Code(token.content))
        elif token.content:
            made.append(Text(token.content))
        place += 1
    return made, place


def _holding(token: Token, content: Inlines) -> Inline:
    if token.type == "link_open":
        target = str(token.attrGet("href") or "")
        return Link(target, content) if target.startswith(_SAFE) else Span("", content)
    return Span(_STYLES.get(token.type, ""), content)
