"""XHTML of a ReqIF attribute made text and back, with the line breaks a reader would see."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

_BLOCKS = frozenset(
    {"p", "div", "ul", "ol", "li", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "dl"}
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_KEPT = re.compile(r"white-space\s*:\s*pre", re.IGNORECASE)
_PRESERVED = "white-space: pre-wrap"


def to_xhtml(text: str) -> str:
    """A text as the XHTML of a ReqIF value."""
    inner = "<xhtml:br/>".join(escape(line, {"\t": "&#9;", "\r": "&#13;"}) for line in text.split("\n"))
    style = f' style="{_PRESERVED}"' if text != _collapsed(text) else ""
    return f"<xhtml:div{style}>{inner}</xhtml:div>"


def from_xhtml(node: Any) -> str:
    """The text an lxml element shows; spaces are collapsed where a browser would."""
    reading = _Reading()
    # pairs of an element and whether it is left, so that depth never reaches the interpreter's stack
    stack: list[tuple[Any, bool, bool]] = [(node, False, False)]
    while stack:
        element, kept, left = stack.pop()
        if left:
            reading.leave(element, kept, tail=element is not node)
        else:
            inside = reading.enter(element, kept)
            stack.append((element, kept, True))
            stack += ((child, inside, False) for child in reversed(element))
    text = "".join(reading.parts)
    return text.strip("\n") if reading.exact else _collapsed(text)


def embedded(node: Any) -> list[str]:
    """Pictures and files an element embeds."""
    return [str(one.get("data") or one.get("src") or "") for one in node.iter() if _name(one) in {"object", "img"}]


class _Reading:
    """Text in the order it is read."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.exact = False

    def enter(self, element: Any, kept: bool) -> bool:
        """Take what an element begins with; whether spaces count in it."""
        name = _name(element)
        if not name:
            return kept
        inside = kept or name == "pre" or bool(_KEPT.search(element.get("style") or ""))
        self.exact = self.exact or inside
        if name in _BLOCKS:
            self._break()
        if name == "br":
            self.parts.append("\n")
        elif name == "li":
            self.parts.append("- ")
        elif name in {"td", "th"} and self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append(" | ")
        self._take(element.text, inside)
        return inside

    def leave(self, element: Any, kept: bool, *, tail: bool) -> None:
        """Take what follows an element."""
        if _name(element) in _BLOCKS:
            self._break()
        if tail:
            self._take(element.tail, kept)

    def _take(self, text: str | None, kept: bool) -> None:
        shown = text or ""
        if not kept:
            shown = _SPACE.sub(" ", shown)
            if not self.parts or self.parts[-1].endswith("\n"):
                shown = shown.lstrip(" ")
        if shown:
            self.parts.append(shown)

    def _break(self) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")


def _collapsed(text: str) -> str:
    lines = "\n".join(_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")


def _name(node: Any) -> str:
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""
