"""Bytes of unknown encoding made text: UTF-8 and UTF-16 by their marks, UTF-8 when it decodes, else Windows-1252.

Whatever was guessed is said in a remark.
"""

from __future__ import annotations

import re

from minivess.compliance.exchange.foreign_items import Place, Remark
from minivess.foundation.errors import InputError

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_FEW, _SHARE = 8, 50
"""More control characters than this, and more than one in so many characters: the file is no text."""
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def decode(data: bytes, file: str, remarks: list[Remark]) -> str:
    """The text of a file, with `\\n` at the end of lines.

    Args:
        data: the bytes.
        file: how remarks call the file.
        remarks: what was guessed is added here.

    Raises:
        InputError: it is no text.
    """
    text = _decode(data, file, remarks).replace("\r\n", "\n").replace("\r", "\n")
    controls = len(_CONTROLS.findall(text))
    if controls > _FEW and controls * _SHARE > len(text):
        raise InputError(f"is no text: {controls} of its {len(text)} characters are control characters", path=file)
    return text


def _decode(data: bytes, file: str, remarks: list[Remark]) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                _note(remarks, file, f"begins as {encoding.upper()} and is not: read with characters replaced")
                return data.decode(encoding, errors="replace")
    guess = _without_mark(data)
    if guess:
        try:
            text = data.decode(guess)
        except UnicodeDecodeError:
            pass
        else:
            _note(remarks, file, f"has no byte order mark; read as {guess.upper()}")
            return text
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        _note(remarks, file, "is not UTF-8; read as Latin-1", line)
        return data.decode("latin-1")
    _note(remarks, file, "is not UTF-8; read as Windows-1252", line)
    return text


def _without_mark(data: bytes) -> str:
    """UTF-16 without a mark shows in the many zero bytes at even or odd places."""
    head = data[:2000]
    if len(head) < 4:
        return ""
    half = len(head) // 2
    if head[1::2].count(0) > half * 0.6 and head[::2].count(0) < half * 0.2:
        return "utf-16-le"
    if head[::2].count(0) > half * 0.6 and head[1::2].count(0) < half * 0.2:
        return "utf-16-be"
    return ""


def _note(remarks: list[Remark], file: str, message: str, line: int | None = None) -> None:
    remarks.append(Remark("changed", Place(file, line), message))
