"""Marks of rich text whose loss changes what a text means, written in plain text.

A superscript of digits and signs is written in the superscripts of Unicode (10⁻⁶); others as `^{…}` and `_{…}`. Words that
were struck out, or are hidden, are kept and named, so that a person decides whether they count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from minivess.foundation.implements import implements


class Mark(StrEnum):
    """What a run of characters is beyond its characters; its words for a remark."""

    SUPERSCRIPT = "superscripts"
    SUBSCRIPT = "subscripts"
    STRUCK = "struck-out words"
    INSERTED = "inserted words"
    HIDDEN = "hidden words"


_RAISED = str.maketrans("0123456789+-−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")
_SIGNS = re.compile(r"[0-9+\-−=()]+", re.ASCII)
_SCRIPTS = {Mark.SUPERSCRIPT: (_RAISED, "^"), Mark.SUBSCRIPT: (_LOWERED, "_")}
_NAMED = {Mark.STRUCK: "struck out", Mark.HIDDEN: "hidden"}
_STYLES: Mapping[Mark, re.Pattern[str]] = {
    Mark.SUPERSCRIPT: re.compile(r"vertical-align\s*:\s*super", re.IGNORECASE),
    Mark.SUBSCRIPT: re.compile(r"vertical-align\s*:\s*sub", re.IGNORECASE),
    Mark.STRUCK: re.compile(r"text-decoration(?:-line)?\s*:[^;]*line-through", re.IGNORECASE),
    Mark.HIDDEN: re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE),
}


def marks_of_style(style: str) -> Iterator[Mark]:
    """The marks that a CSS style gives."""
    if style:
        yield from (mark for mark, pattern in _STYLES.items() if pattern.search(style))


@implements("REQ-255", "RC-114")
def marked(text: str, mark: Mark, changes: dict[str, None]) -> str:
    """A text with its mark, in plain text; spaces at its ends stay outside.

    Args:
        text: what carries the mark.
        mark: which.
        changes: what was written in another way is added here.
    """
    said = text.strip()
    if not said:
        return text
    changes[mark.value] = None
    if mark in _SCRIPTS:
        table, sign = _SCRIPTS[mark]
        written = said.translate(table) if _SIGNS.fullmatch(said) else f"{sign}{{{said}}}"
    elif mark in _NAMED:
        written = f"[{_NAMED[mark]}: {said}]"
    else:
        written = said
    at = text.index(said)
    return f"{text[:at]}{written}{text[at + len(said) :]}"
