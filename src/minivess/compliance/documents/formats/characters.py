"""The characters that a PDF can show: those of the fonts that typst brings along.

PDF/A requires a glyph for every character, and typst stops at some that no font of it has. Any other character is written as its
code point, `[U+4E2D]`, so that a reader sees that there is one and which.
"""

from __future__ import annotations

import re

_RANGES = (
    (0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x377), (0x37A, 0x37F), (0x384, 0x38A), (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x4FF),
    (0x1E00, 0x1EFF), (0x2010, 0x2027), (0x2030, 0x205F), (0x2070, 0x2071), (0x2074, 0x208E), (0x2090, 0x209C), (0x20A0, 0x20BF),
    (0x2100, 0x2151), (0x2153, 0x2184), (0x2190, 0x22FF), (0x2500, 0x262F), (0x2690, 0x269C), (0x26A0, 0x26A7),
    (0x2701, 0x2704), (0x2706, 0x2709), (0x270C, 0x2727), (0x2729, 0x274B), (0x2761, 0x277F), (0x2798, 0x27AF),
)  # fmt: skip
"""Measured with typst 0.15: each character was set in a PDF/A-2a document."""
_OTHER = re.compile(
    f"[^\\n{''.join(f'{chr(first)}-{chr(last)}'.replace(']', chr(92) + ']') for first, last in _RANGES)}]"
)


def displayable(text: str) -> str:
    """A text with a code point in the place of each character that cannot be shown."""
    return _OTHER.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\t", "    "))
