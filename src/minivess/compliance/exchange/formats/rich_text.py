"""XHTML of a ReqIF attribute made text and back (ReqIF 1.2, 10.8.20: the modules of XHTML that a value may use).

Text has no superscripts, struck-out words, links, tables or pictures. Each is written so that a person reads the same
meaning (`marks`), and `Shown.changes` names it:

    10<sup>-6</sup>                 10⁻⁶
    shall <del>not</del> stop       shall [struck out: not] stop
    <a href="U">spec</a>            spec (U)
    <tr><td/><td>7</td></tr>        | 7
    <object data="a.png">x</object> [file a.png: x]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from minivess.compliance.exchange.tables.marks import Mark, marked, marks_of_style

_BLOCKS = frozenset({"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "address", "dl", "dt", "caption"})
_MARKS: Mapping[str, Mark] = {
    **dict.fromkeys(("sup",), Mark.SUPERSCRIPT),
    **dict.fromkeys(("sub",), Mark.SUBSCRIPT),
    **dict.fromkeys(("del", "s", "strike"), Mark.STRUCK),
    **dict.fromkeys(("ins",), Mark.INSERTED),
}
_FORMATS: Mapping[str, str] = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italics"),
    "u": "underlines",
    **dict.fromkeys(("big", "small", "font"), "sizes"),
    **dict.fromkeys(("code", "kbd", "samp", "tt", "var", "cite", "dfn", "abbr", "acronym"), "kinds of words"),
}
"""What looks different and means the same without it."""
_CELLS = frozenset({"td", "th"})
_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_PLAIN = frozenset({"span", "the-value", "body", "html"})
_NOT_TEXT = frozenset({"script", "style", "param", "col", "colgroup", "head"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
_KEPT = re.compile(r"white-space\s*:\s*pre", re.IGNORECASE)
_COLOURED = re.compile(r"(?:^|;)\s*(?:background-)?color\s*:", re.IGNORECASE)
_PRESERVED = "white-space: pre-wrap"
_MOST_SPANNED = 100
"""Rows or columns that one cell of a table may cover."""
_MOST_REPEATED = 1000
"""Cells of one table that repeat a merged one; further ones stay empty."""
_REPEATED = 80
"""Characters of a merged cell that are repeated."""


@dataclass(slots=True)
class Shown:
    """What an element shows, and what is otherwise than there."""

    text: str = ""
    changes: dict[str, None] = field(default_factory=dict)
    """What was written in another way, in words."""
    formats: dict[str, None] = field(default_factory=dict)
    """What looked different and is plain text now, in words."""


def to_xhtml(text: str) -> str:
    """A text as the XHTML of a ReqIF value."""
    inner = "<xhtml:br/>".join(escape(line, {"\t": "&#9;", "\r": "&#13;"}) for line in text.split("\n"))
    style = f' style="{_PRESERVED}"' if text != _collapsed(text) else ""
    return f"<xhtml:div{style}>{inner}</xhtml:div>"


def from_xhtml(node: Any) -> Shown:
    """The text an lxml element shows; spaces are collapsed where a browser would.

    Args:
        node: no deeper than `xml_tree.MAX_DEPTH`, which the stack of calls bears.
    """
    shown = Shown()
    writer = _Writer(shown)
    writer.inside(node, kept=False)
    shown.text = writer.text()
    return shown


def embedded(node: Any) -> list[str]:
    """Pictures and files an element embeds."""
    return [str(one.get("data") or one.get("src") or "") for one in node.iter() if _name(one) in {"object", "img"}]


class _Writer:
    """Lines of text, in the order they are read."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._lines: list[str] = []
        self._line: list[str] = []
        self._open = False
        """Whether the line has begun, be it empty."""
        self._kept = False
        """Whether spaces at the end of the line count."""

    def text(self) -> str:
        """All lines."""
        self._break()
        return "\n".join(self._lines).strip("\n")

    def inside(self, element: Any, *, kept: bool) -> None:
        """Take what an element contains."""
        self._take(element.text, kept)
        for child in element:
            self._element(child, kept=kept)
            self._take(child.tail, kept)

    def _element(self, element: Any, *, kept: bool) -> None:
        name = _name(element)
        if not name or name in _NOT_TEXT:
            if name in {"script", "style"}:
                self._shown.changes[f"<{name}> left out"] = None
            return
        style = element.get("style") or ""
        inside = kept or name == "pre" or bool(_KEPT.search(style))
        if name in _FORMATS:
            self._shown.formats[_FORMATS[name]] = None
        if _COLOURED.search(style) or element.get("color") or element.get("bgcolor"):
            self._shown.formats["colours"] = None
        marks = [*([_MARKS[name]] if name in _MARKS else []), *marks_of_style(style)]
        if marks:
            said = self._part(element, kept=inside)
            for mark in marks:
                said = marked(said, mark, self._shown.changes)
            self._put(said)
        elif name in _SHAPES:
            _SHAPES[name](self, element, inside)
        elif name in _BLOCKS:
            self._break()
            self.inside(element, kept=inside)
            self._break()
        else:
            if name not in _FORMATS and name not in _PLAIN and name not in _PARTS:
                self._shown.changes[f"<{name}> read as its text"] = None
            self.inside(element, kept=inside)

    def _part(self, element: Any, *, kept: bool) -> str:
        """What an element contains, by itself; a space at either end stays."""
        writer = _Writer(self._shown)
        writer._open = True
        writer.inside(element, kept=kept)
        return "\n".join([*writer._lines, *(["".join(writer._line)] if writer._line else [])])

    def _take(self, text: str | None, kept: bool) -> None:
        said = text or ""
        self._kept = kept
        if kept:
            first, *more = said.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._put(first)
            for line in more:
                self._new_line()
                self._put(line)
            return
        said = _SPACE.sub(" ", said)
        if said.startswith(" ") and (not self._open or (self._line and self._line[-1].endswith(" "))):
            said = said[1:]
        self._put(said)

    def _put(self, text: str) -> None:
        if text:
            self._open = True
            self._line.append(text)

    def _new_line(self) -> None:
        line = "".join(self._line)
        self._lines.append(line if self._kept else line.rstrip(" "))
        self._line, self._open = [], False

    def _break(self) -> None:
        """End a line that has begun."""
        if self._line:
            self._new_line()

    def _own_line(self, text: str) -> None:
        self._break()
        self._lines += text.split("\n")

    def _loose(self, element: Any, kept: bool, wanted: frozenset[str]) -> None:
        """Take what stands in a list, table or row and belongs into none of its parts."""
        self._take_said(element.text, kept)
        for child in element:
            if _name(child) not in wanted:
                self._element(child, kept=kept)
            self._take_said(child.tail, kept)

    def _take_said(self, text: str | None, kept: bool) -> None:
        if text and text.strip():
            self._take(text, kept)

    def line_break(self, element: Any, kept: bool) -> None:
        """`<br/>`."""
        self._new_line()
        self.inside(element, kept=kept)

    def rule(self, element: Any, kept: bool) -> None:
        """`<hr/>`."""
        self._own_line("---")
        self.inside(element, kept=kept)

    def quotation(self, element: Any, kept: bool) -> None:
        """`<q>`, whose quotes a browser adds."""
        self._put(f"“{self._part(element, kept=kept)}”")

    def quoted_block(self, element: Any, kept: bool) -> None:
        """`<blockquote>`, and what explains a term: indented."""
        self._own_line(_indented(self._whole(element, kept), "  ", "  "))

    def link(self, element: Any, kept: bool) -> None:
        """`<a>`, with where it leads."""
        said, target = self._part(element, kept=kept), element.get("href") or ""
        if not target or said.strip() in {target, target.removeprefix("mailto:")}:
            self._put(said)
            return
        self._shown.changes["links written out"] = None
        self._put(f"{said} ({target})" if said.strip() else target)

    def embedded(self, element: Any, kept: bool) -> None:
        """`<object>` and `<img>`: their name, and what is shown where they cannot be."""
        said = (self._part(element, kept=kept).strip() or element.get("alt") or element.get("name") or "").strip()
        name = element.get("data") or element.get("src") or ""
        self._shown.changes["pictures and files written as their names"] = None
        self._put(f"[file {name}: {said}]" if said else f"[file {name}]")

    def points(self, element: Any, kept: bool) -> None:
        """`<ul>` and `<ol>`, each level indented."""
        self._break()
        self._take_said(element.text, kept)
        number = _whole_number(element.get("start"), 1)
        for child in element:
            if _name(child) != "li":
                self._element(child, kept=kept)
                self._take_said(child.tail, kept)
                continue
            number = _whole_number(child.get("value"), number)
            mark = f"{_numbered(number, element.get('type') or '')}." if _name(element) == "ol" else "-"
            number += 1
            self._own_line(_indented(self._whole(child, kept), f"{mark} ", " " * (len(mark) + 1)))
            self._take_said(child.tail, kept)
        self._break()

    def table(self, element: Any, kept: bool) -> None:
        """`<table>`: a line a row, with all its cells, so that each stays in its column."""
        self._shown.changes["tables written as lines"] = None
        repeated = 0
        down: dict[int, tuple[int, str]] = {}
        """By column: over how many more rows its last cell goes, and what it contains."""
        self._break()
        for part in (element, *(one for one in element if _name(one) in _ROW_GROUPS)):
            self._loose(part, kept, _ROW_GROUPS | {"tr"})
        self._break()
        for row in _rows(element):
            self._loose(row, kept, _CELLS)
            self._break()
            cells: list[str] = []
            for cell in [*(one for one in row if _name(one) in _CELLS), None]:
                while len(cells) in down:
                    left, value = down.pop(at := len(cells))
                    cells.append(value)
                    if left > 1:
                        down[at] = (left - 1, value)
                if cell is None:
                    break
                said = self._whole(cell, kept).replace("|", "\\|").replace("\n", " / ")
                across, below = (
                    min(_whole_number(cell.get(name), 1), _MOST_SPANNED) for name in ("colspan", "rowspan")
                )
                if across > 1 or below > 1:
                    self._shown.changes["merged cells written in each row and column"] = None
                    repeated += max(across, 1) * max(below, 1) - 1
                again = said if len(said) <= _REPEATED else f"{said[:_REPEATED]}…"
                again = again if repeated <= _MOST_REPEATED else ""
                first = len(cells)
                for at in range(first, first + max(across, 1)):
                    cells.append(said if at == first else again)
                    if below > 1:
                        down[at] = (below - 1, again)
            self._own_line(" | ".join(cells).strip())

    def _whole(self, element: Any, kept: bool) -> str:
        writer = _Writer(self._shown)
        writer.inside(element, kept=kept)
        return writer.text()


_SHAPES: Mapping[str, Callable[[_Writer, Any, bool], None]] = {
    "br": _Writer.line_break,
    "hr": _Writer.rule,
    "q": _Writer.quotation,
    "blockquote": _Writer.quoted_block,
    "dd": _Writer.quoted_block,
    "a": _Writer.link,
    "object": _Writer.embedded,
    "img": _Writer.embedded,
    "ul": _Writer.points,
    "ol": _Writer.points,
    "table": _Writer.table,
}
_PARTS = frozenset({"li", "tr", *_CELLS, *_ROW_GROUPS})
"""What belongs into a list or table; it is read as its text where it has none."""


def _rows(table: Any) -> Iterator[Any]:
    """The rows of a table but those of tables in it, the foot last."""
    parts = sorted(table, key=lambda one: _name(one) == "tfoot")
    for part in parts:
        if _name(part) == "tr":
            yield part
        elif _name(part) in _ROW_GROUPS:
            yield from (one for one in part if _name(one) == "tr")


def _indented(text: str, first: str, others: str) -> str:
    lines = text.split("\n")
    return "\n".join(f"{others if at else first}{line}".rstrip(" ") for at, line in enumerate(lines))


def _numbered(number: int, kind: str) -> str:
    """A number as a list shows it: letters where it says so."""
    if kind in {"a", "A"} and 1 <= number <= 26:
        return chr(ord(kind) + number - 1)
    return str(number)


def _whole_number(text: str | None, otherwise: int) -> int:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,6}", text, re.ASCII) else otherwise


def _collapsed(text: str) -> str:
    lines = "\n".join(_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")


def _name(node: Any) -> str:
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""
