"""Blocks as HTML. The same blocks give the same text; every word is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from markupsafe import Markup, escape

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

_ELEMENTS = {"strong": "strong", "em": "em", "small": "small"}


def body_html(blocks: Iterable[Block]) -> Markup:
    """The blocks, in a `<section>` for each heading of level 1."""
    return Markup("\n".join(_sections(blocks)))  # noqa: S704  every word in it was escaped


def inline_html(content: Iterable[Inline]) -> Markup:
    """Inlines."""
    return Markup("".join(_inline(one) for one in content))  # noqa: S704  every word in it was escaped


def contents_html(document: DocumentModel) -> Markup:
    """The table of contents, as a nested list."""
    lines: list[str] = []
    depth = 0
    for one in document.contents():
        while depth < one.level:
            lines.append("<ol>")
            depth += 1
        while depth > one.level:
            lines.append("</li></ol>")
            depth -= 1
        if lines[-1] != "<ol>":
            lines.append("</li>")
        lines.append(f'<li><a href="#{section_id(one)}">{one.number} {inline_html(one.content)}</a>')
    lines.extend("</li></ol>" for _ in range(depth))
    return Markup("\n".join(lines))  # noqa: S704  every word in it was escaped


def section_id(heading: Heading) -> str:
    """The anchor of a heading."""
    return heading.anchor or (f"section-{heading.number}" if heading.number else "")


def _sections(blocks: Iterable[Block]) -> Iterator[str]:
    opened = False
    for block in blocks:
        if isinstance(block, Heading) and block.level == 1:
            if opened:
                yield "</section>"
            yield "<section>"
            opened = True
        elif not opened:
            yield "<section>"
            opened = True
        yield _block(block)
    if opened:
        yield "</section>"


def _block(block: Block) -> str:
    return _BLOCKS[type(block)](block)


def _heading(block: Heading) -> str:
    tag = f"h{block.level + 1}"
    number = f'<span class="soft">{block.number}</span> ' if block.number else ""
    anchor = section_id(block)
    name = f' id="{escape(anchor)}"' if anchor else ""
    return f"<{tag}{name}>{number}{inline_html(block.content)}</{tag}>"


def _listing(block: Listing) -> str:
    tag = "ol" if block.ordered else "ul"
    return f"<{tag}>{''.join(f'<li>{_point(point)}</li>' for point in block.points)}</{tag}>"


def _facts(block: Facts) -> str:
    pairs = "\n".join(f"<dt>{inline_html(label)}</dt><dd>{inline_html(value)}</dd>" for label, value in block.pairs)
    return f"<dl{_class(f'facts {block.style}'.strip())}>\n{pairs}\n</dl>"


def _figure(block: Figure) -> str:
    picture = f'<img src="{escape(block.source)}" alt="{escape(block.alternative)}" loading="lazy">'
    return f"<figure>{picture}{_figcaption(block.caption)}</figure>"


def _drawing(block: Drawing) -> str:
    drawn = f'<div class="scroll drawing" role="img" aria-label="{escape(block.alternative)}">{block.svg}</div>'
    return f"<figure>{drawn}{_figcaption(block.caption)}</figure>"


def _figcaption(caption: Iterable[Inline]) -> str:
    text = inline_html(caption)
    return f"<figcaption>{text}</figcaption>" if text else ""


def _point(blocks: tuple[Block, ...]) -> str:
    if len(blocks) == 1 and isinstance(blocks[0], Paragraph) and not blocks[0].style:
        return inline_html(blocks[0].content)
    return "\n".join(_block(one) for one in blocks)


def _table(table: Table) -> str:
    caption = inline_html(table.caption)
    lines = [f"<table{_class(table.style)}>"]
    if caption:
        lines.append(f"<caption>{caption}</caption>")
    if table.head:
        lines.append(f"<thead><tr>{''.join(_cell(cell, 'col') for cell in table.head)}</tr></thead>")
    lines.append("<tbody>")
    lines.extend(f"<tr>{''.join(_cell(cell, 'row') for cell in row)}</tr>" for row in table.rows)
    lines.append("</tbody></table>")
    made = "\n".join(lines)
    return made if "stack" in table.style.split() else f'<div class="scroll">{made}</div>'


def _cell(cell: Cell, scope: str) -> str:
    tag = "th" if cell.header else "td"
    parts = [tag]
    if cell.header:
        parts.append(f'scope="{scope}"')
    if cell.style:
        parts.append(f'class="{escape(cell.style)}"')
    if cell.label:
        parts.append(f'data-label="{escape(cell.label)}"')
    if cell.columns > 1:
        parts.append(f'colspan="{cell.columns}"')
    return f"<{' '.join(parts)}>{inline_html(cell.content)}</{tag}>"


def _inline(one: Inline) -> str:
    return _INLINES[type(one)](one)


def _span(one: Span) -> str:
    tag = _ELEMENTS.get(one.style)
    content = inline_html(one.content)
    return f"<span{_class(one.style)}>{content}</span>" if tag is None else f"<{tag}>{content}</{tag}>"


def _link(one: Link) -> str:
    outside = ' rel="noreferrer"' if "://" in one.target else ""
    return f'<a{_class(one.style)} href="{escape(one.target)}"{outside}>{inline_html(one.content)}</a>'


def _swatch(one: Swatch) -> str:
    drawn = f'<rect width="12" height="12" fill="{one.colour}"/>'
    return f'<svg width="12" height="12" role="img" aria-label="drawn in {one.colour}">{drawn}</svg>'


def _class(style: str) -> str:
    return f' class="{escape(style)}"' if style else ""


_BLOCKS: dict[type, Callable[[Any], str]] = {
    Heading: _heading,
    Paragraph: lambda block: f"<p{_class(block.style)}>{inline_html(block.content)}</p>",
    Listing: _listing,
    Table: _table,
    Facts: _facts,
    Figure: _figure,
    Drawing: _drawing,
    Preformatted: lambda block: f"<pre>{escape(block.text)}</pre>",
}
_INLINES: dict[type, Callable[[Any], str]] = {
    Text: lambda one: escape(one.text),
    Code: lambda one: f"<code>{escape(one.text)}</code>",
    Fact: lambda one: f'<data value="{escape(one.name)}">{escape(one.text)}</data>',
    Mark: lambda one: f'<span class="mark {one.state}">{escape(one.word)}</span>',
    Span: _span,
    Link: _link,
    Break: lambda _: "<br>",
    Swatch: _swatch,
}
