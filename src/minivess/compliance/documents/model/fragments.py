"""Reading a rendered template as blocks: a small subset of HTML, and nothing outside it.

A template writes what it says in HTML elements. Those of the tables below become parts of the model; every other element or
attribute is an error, so that no document shows in one format what another format loses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any, Literal

from minivess.compliance.documents.model.blocks import (
    STATES,
    Block,
    Blocks,
    Break,
    Cell,
    Code,
    Drawing,
    Fact,
    Facts,
    Figure,
    Heading,
    Inline,
    Inlines,
    Link,
    Listing,
    Mark,
    Paragraph,
    Preformatted,
    Span,
    Swatch,
    Table,
    Text,
    plain,
)
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

MAX_BYTES = 1 << 26
"""Of one rendered template."""
_MAX_DEPTH = 40
_LEVELS: dict[str, Literal[1, 2, 3]] = {"h2": 1, "h3": 2, "h4": 3}
_STYLES = {"strong": "strong", "b": "strong", "em": "em", "small": "small"}
_VOID = {"br", "img"}
_ATTRIBUTES = {
    "section": {"aria-labelledby"},
    "div": {"class"},
    "article": {"id"},
    "h2": {"id"},
    "h3": {"id"},
    "h4": {"id"},
    "p": {"class"},
    "ul": {"class"},
    "ol": set[str](),
    "li": set[str](),
    "dl": {"class"},
    "dt": set[str](),
    "dd": set[str](),
    "table": {"class"},
    "caption": {"class"},
    "thead": set[str](),
    "tbody": set[str](),
    "tr": set[str](),
    "th": {"class", "scope", "colspan", "data-label"},
    "td": {"class", "colspan", "data-label"},
    "pre": {"class"},
    "figure": {"class"},
    "figcaption": set[str](),
    "img": {"src", "alt", "loading"},
    "a": {"href", "class", "rel"},
    "code": set[str](),
    "span": {"class", "title"},
    "data": {"value"},
    "strong": set[str](),
    "b": set[str](),
    "em": set[str](),
    "small": set[str](),
    "br": set[str](),
}
"""The elements that a template may use, with the attributes of each."""
_INLINE = {"a", "code", "span", "data", "strong", "b", "em", "small", "br"}
_SPACES = re.compile(r"[ \t\n\r\f]+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_TARGET = re.compile(r"(?:https?://|mailto:|#|\.\./|\./)?[^\s:<>\"]*(?:[#?][^\s<>\"]*)?")
_WEB = re.compile(r"(?:https?://|mailto:)[^\s<>\"]+")


@dataclass
class _Open:
    """An element that is not closed yet."""

    tag: str
    attributes: dict[str, str]
    line: int
    blocks: list[Block] = field(default_factory=list)
    inlines: list[Inline] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    """Points, pairs, rows or cells."""


class FragmentReader(HTMLParser):
    """Reads one rendered template."""

    def __init__(self, name: str, drawings: dict[str, Drawing]) -> None:
        super().__init__(convert_charrefs=True)
        self._name, self._drawings = name, drawings
        self._stack: list[_Open] = [_Open("section", {}, 0)]

    def blocks(self) -> Blocks:
        """What was read.

        Raises:
            InputError: an element is not closed.
        """
        if len(self._stack) > 1:
            raise self._refused(f"<{self._stack[-1].tag}> is not closed", self._stack[-1].line)
        self._flush(self._stack[0])
        return tuple(self._stack[0].blocks)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        allowed = _ATTRIBUTES.get(tag)
        if allowed is None:
            raise self._refused(f"<{tag}> is no element of documents")
        named = {name: value or "" for name, value in attrs}
        for name in named:
            if name not in allowed:
                raise self._refused(f"<{tag}> has the attribute {name}, which documents do not have")
        if len(self._stack) > _MAX_DEPTH:
            raise self._refused("elements are nested too deep")
        made = _Open(tag, named, self.getpos()[0])
        if tag not in _INLINE and tag not in {"dt", "dd", "th", "td", "figcaption", "caption"}:
            self._flush(self._stack[-1])
        self._stack.append(made)
        if tag in _VOID:
            self._close()

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if tag in _VOID:
            return
        if self._stack[-1].tag != tag or len(self._stack) == 1:
            raise self._refused(f"</{tag}> closes nothing that is open")
        self._close()

    def handle_data(self, data: str) -> None:
        """Take words."""
        top = self._stack[-1]
        if top.tag in {"table", "thead", "tbody", "tr", "ul", "ol", "dl", "figure"}:
            if data.strip():
                raise self._refused(f"words stand in <{top.tag}>, outside of its parts")
            return
        if top.tag == "pre" or (top.tag == "code" and self._stack[-2].tag == "pre"):
            top.inlines.append(Text(data))
            return
        text = _SPACES.sub(" ", data)
        if text:
            top.inlines.append(Text(text))

    def handle_comment(self, data: str) -> None:
        """Leave comments out."""

    def handle_decl(self, decl: str) -> None:
        """Refuse declarations."""
        raise self._refused("a declaration is no part of documents")

    def _close(self) -> None:
        done = self._stack.pop()
        above = self._stack[-1]
        _CLOSING[done.tag](self, done, above)

    def _flush(self, top: _Open) -> None:
        """Words between blocks become a paragraph; in a list point or a section alone."""
        if top.tag in _INLINE or top.tag == "p":
            return
        content = trimmed(top.inlines)
        top.inlines.clear()
        if content:
            top.blocks.append(Paragraph(content))

    def _refused(self, what: str, line: int | None = None) -> InputError:
        return InputError(
            f"cannot be a document: {what}",
            path=f"templates/documents/{self._name}",
            hint=f"line {self.getpos()[0] if line is None else line} of the rendered text; use the elements of other templates",
        )

    def _through(self, done: _Open, above: _Open) -> None:
        self._flush(done)
        if done.tag == "article" and done.blocks:
            first = done.blocks[0]
            if isinstance(first, Heading):
                done.blocks[0] = replace(first, anchor=done.attributes.get("id", ""))
        above.blocks.extend(done.blocks)

    def _heading(self, done: _Open, above: _Open) -> None:
        above.blocks.append(Heading(_LEVELS[done.tag], trimmed(done.inlines), done.attributes.get("id", "")))

    def _paragraph(self, done: _Open, above: _Open) -> None:
        content = trimmed(done.inlines)
        if content:
            above.blocks.append(Paragraph(content, done.attributes.get("class", "")))

    def _list(self, done: _Open, above: _Open) -> None:
        if done.parts:
            above.blocks.append(Listing(tuple(done.parts), ordered=done.tag == "ol"))

    def _point(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "ul", "ol")
        self._flush(done)
        above.parts.append(tuple(done.blocks))

    def _facts(self, done: _Open, above: _Open) -> None:
        labels = [one for one in done.parts if one[0] == "dt"]
        values = [one for one in done.parts if one[0] == "dd"]
        if [one[0] for one in done.parts] != ["dt", "dd"] * len(labels):
            raise self._refused("<dl> has a <dt> without its <dd>, or the reverse", done.line)
        pairs = tuple((label[1], value[1]) for label, value in zip(labels, values, strict=True))
        style = " ".join(one for one in done.attributes.get("class", "").split() if one != "facts")
        if pairs:
            above.blocks.append(Facts(pairs, style))

    def _pair(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "dl")
        self._no_blocks(done)
        above.parts.append((done.tag, trimmed(done.inlines)))

    def _table(self, done: _Open, above: _Open) -> None:
        head: tuple[Cell, ...] = ()
        rows: list[tuple[Cell, ...]] = []
        caption: Inlines = ()
        for tag, part in done.parts:
            if tag == "caption":
                caption = part
            elif tag == "thead":
                head = part[0] if part else ()
            else:
                rows.extend(part)
        above.blocks.append(Table(head, tuple(rows), caption, done.attributes.get("class", "")))

    def _caption(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "table", "figure")
        self._no_blocks(done)
        above.parts.append(("caption", trimmed(done.inlines)))

    def _rows(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "table")
        above.parts.append((done.tag, tuple(done.parts)))

    def _row(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "thead", "tbody")
        above.parts.append(tuple(done.parts))

    def _cell(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "tr")
        self._no_blocks(done)
        named = done.attributes
        columns = named.get("colspan", "1")
        if not columns.isascii() or not columns.isdigit() or not 1 <= int(columns) <= 50:
            raise self._refused("`colspan` is no number of columns", done.line)
        content = trimmed(done.inlines)
        above.parts.append(
            Cell(content, done.tag == "th", named.get("class", ""), named.get("data-label", ""), int(columns))
        )

    def _pre(self, done: _Open, above: _Open) -> None:
        above.blocks.append(Preformatted(plain(done.inlines).strip("\n")))

    def _figure(self, done: _Open, above: _Open) -> None:
        captions = [part for tag, part in done.parts if tag == "caption"]
        pictures = [part for tag, part in done.parts if tag == "img"]
        if len(pictures) != 1 or len(captions) > 1:
            raise self._refused("<figure> has one <img> and at most one <figcaption>", done.line)
        source, alternative = pictures[0]
        caption = captions[0] if captions else ()
        drawn = self._drawings.get(source)
        if drawn is not None:
            above.blocks.append(replace(drawn, caption=caption or drawn.caption))
        else:
            above.blocks.append(Figure(source, alternative, caption))

    def _image(self, done: _Open, above: _Open) -> None:
        self._within(done, above, "figure")
        named = done.attributes
        if not named.get("alt") or not named.get("src"):
            raise self._refused("<img> has a source and words in its place (`alt`)", done.line)
        above.parts.append(("img", (named["src"], named["alt"])))

    def _link(self, done: _Open, above: _Open) -> None:
        target = done.attributes.get("href", "")
        if not (_TARGET.fullmatch(target) or _WEB.fullmatch(target)) or not target:
            raise self._refused(f"{target[:60]!r} is no address", done.line)
        above.inlines.append(Link(target, tuple(done.inlines), done.attributes.get("class", "")))

    def _code(self, done: _Open, above: _Open) -> None:
        above.inlines.append(Code(plain(done.inlines)))

    def _data(self, done: _Open, above: _Open) -> None:
        above.inlines.append(Fact(done.attributes.get("value", ""), plain(done.inlines)))

    def _span(self, done: _Open, above: _Open) -> None:
        style = _STYLES.get(done.tag) or done.attributes.get("class", "")
        kind, _, state = style.partition(" ")
        if kind == "mark":
            known = next((one for one in STATES if one == state), None)
            if known is None:
                raise self._refused(f"{state!r} is no verdict", done.line)
            above.inlines.append(Mark(known, plain(done.inlines)))
        elif kind == "swatch":
            if not _COLOUR.fullmatch(done.attributes.get("title", "")):
                raise self._refused("a swatch has a colour as its title", done.line)
            above.inlines.append(Swatch(done.attributes["title"]))
        else:
            above.inlines.append(Span(style, tuple(done.inlines)))

    def _break(self, _: _Open, above: _Open) -> None:
        above.inlines.append(Break())

    def _within(self, done: _Open, above: _Open, *tags: str) -> None:
        if above.tag not in tags:
            raise self._refused(f"<{done.tag}> stands in <{above.tag}>", done.line)

    def _no_blocks(self, done: _Open) -> None:
        if done.blocks:
            raise self._refused(f"<{done.tag}> has words alone", done.line)


_Closing = Callable[[FragmentReader, _Open, _Open], None]
_CLOSING: dict[str, _Closing] = {
    **dict.fromkeys(("section", "div", "article"), FragmentReader._through),
    **dict.fromkeys(_LEVELS, FragmentReader._heading),
    "p": FragmentReader._paragraph,
    **dict.fromkeys(("ul", "ol"), FragmentReader._list),
    "li": FragmentReader._point,
    "dl": FragmentReader._facts,
    **dict.fromkeys(("dt", "dd"), FragmentReader._pair),
    "table": FragmentReader._table,
    **dict.fromkeys(("caption", "figcaption"), FragmentReader._caption),
    **dict.fromkeys(("thead", "tbody"), FragmentReader._rows),
    "tr": FragmentReader._row,
    **dict.fromkeys(("th", "td"), FragmentReader._cell),
    "pre": FragmentReader._pre,
    "figure": FragmentReader._figure,
    "img": FragmentReader._image,
    "a": FragmentReader._link,
    "code": FragmentReader._code,
    "data": FragmentReader._data,
    **dict.fromkeys(("span", "strong", "b", "em", "small"), FragmentReader._span),
    "br": FragmentReader._break,
}


@implements("REQ-500")
def read_fragment(text: str, name: str, drawings: dict[str, Drawing] | None = None) -> Blocks:
    """The blocks of a rendered template.

    Args:
        text: HTML of the subset.
        name: of the template, for errors.
        drawings: diagrams by the source under which a `<figure>` names them.

    Raises:
        InputError: an element, an attribute or the nesting is outside the subset, or the text is larger than `MAX_BYTES`.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"a document has at most {MAX_BYTES} characters", path=f"templates/documents/{name}")
    reader = FragmentReader(name, drawings or {})
    reader.feed(text)
    reader.close()
    return reader.blocks()


def trimmed(inlines: list[Inline]) -> Inlines:
    """Inlines without spaces at their ends; neighbouring words are joined, with single spaces between them."""
    joined: list[Inline] = []
    for one in inlines:
        last = joined[-1] if joined else None
        if isinstance(one, Text) and isinstance(last, Text):
            joined[-1] = Text(_SPACES.sub(" ", last.text + one.text))
        elif isinstance(one, Text) and isinstance(last, Break):
            joined.append(Text(one.text.lstrip()))
        else:
            joined.append(one)
    if joined and isinstance(joined[0], Text):
        joined[0] = Text(joined[0].text.lstrip())
    if joined and isinstance(joined[-1], Text):
        joined[-1] = Text(joined[-1].text.rstrip())
    return tuple(one for one in joined if not (isinstance(one, Text) and not one.text))
