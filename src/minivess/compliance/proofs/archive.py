"""A zip archive with exactly one spelling: stored, sorted, dated 1980-01-01, without extra fields or comments.

Written byte by byte after APPNOTE.TXT 6.3.10 (PKWARE), so that the bytes depend on nothing but names and contents, and
read by deriving the same bytes again: one changed byte anywhere is found and placed.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import folded

MAX_FILES = 20_000
MAX_BYTES = 1 << 30
_COMPONENT = re.compile(r"[A-Za-z0-9_@+=(),. -]{1,120}", re.ASCII)
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_DATE = (1 << 5) | 1
"""MS-DOS date of 1980-01-01."""
_MADE_BY = (3 << 8) | 20
_NEEDED = 20
_ATTRIBUTES = 0o100644 << 16


def check_name(name: str) -> None:
    """Refuse names that could leave the folder, collide, or mean something to a shell or another system.

    Raises:
        InputError: absolute, with `..`, a backslash, a colon, a control or non-ASCII character, or too long.
    """
    parts = name.split("/")
    if (
        len(name) > 240
        or any(part in {"", ".", ".."} or part[-1] in ". " or part[0] == " " for part in parts)
        or not all(_COMPONENT.fullmatch(part) for part in parts)
    ):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a file in an archive",
            hint="use relative names of letters, digits and . _ - with slashes between folders",
        )


def check_names(names: list[str]) -> None:
    """Check each name, and that no two of them fall together on a case-blind system or as file and folder.

    Raises:
        InputError: a name is not allowed, two collide, or there are too many.
    """
    if len(names) > MAX_FILES:
        raise InputError(f"more than {MAX_FILES} files in one archive")
    seen: dict[str, str] = {}
    for name in names:
        check_name(name)
        key = folded(name)
        if key in seen:
            raise InputError(f"{name} and {seen[key]} cannot be in one archive: they differ in case alone")
        seen[key] = name
    for key, name in seen.items():
        parts = key.split("/")
        if any("/".join(parts[:depth]) in seen for depth in range(1, len(parts))):
            raise InputError(f"{name} is below a name that is a file")


@implements("REQ-040")
def write_archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of these files: the same names and contents always give the same bytes.

    Raises:
        InputError: a name is not allowed, there is no file, or the whole is larger than 1 GiB.
    """
    if not files:
        raise InputError("an archive needs at least one file")
    check_names(list(files))
    if sum(map(len, files.values())) > MAX_BYTES:
        raise InputError(f"an archive holds at most {MAX_BYTES} bytes")
    pieces: list[bytes] = []
    entries: list[tuple[str, int, int, int]] = []
    offset = 0
    for name in sorted(files):
        content = files[name]
        crc = zlib.crc32(content)
        header = _local_header(name, crc, len(content))
        entries.append((name, crc, len(content), offset))
        pieces += [header, content]
        offset += len(header) + len(content)
    pieces.append(_directory(entries, offset))
    return b"".join(pieces)


@implements("REQ-038")
def read_archive(data: bytes) -> dict[str, bytes]:
    """Read an archive and prove that its bytes are the only ones its files could have.

    Returns:
        Content by name, sorted by name.

    Raises:
        InputError: the bytes are no zip archive at all, or beyond the limits.
        VerificationError: a byte is not what the contents demand; says near which file.
    """
    if data[:4] != b"PK\x03\x04":
        raise InputError("not a zip archive", hint="name the .zip file that `minivess release build` made")
    if len(data) > MAX_BYTES + (1 << 26):
        raise InputError(f"an archive holds at most {MAX_BYTES} bytes")
    files: dict[str, bytes] = {}
    entries: list[tuple[str, int, int, int]] = []
    offset, previous = 0, ""
    while data[offset : offset + 4] == b"PK\x03\x04":
        name, content, end = _read_member(data, offset, previous)
        entries.append((name, zlib.crc32(content), len(content), offset))
        files[name] = content
        if len(files) > MAX_FILES:
            raise InputError(f"more than {MAX_FILES} files in one archive")
        offset, previous = end, name
    try:
        check_names(list(files))
    except InputError as error:
        raise VerificationError(f"the archive is changed: {error.message}") from None
    _compare_directory(data, offset, entries)
    return files


def _read_member(data: bytes, offset: int, previous: str) -> tuple[str, bytes, int]:
    near = f"after {previous}" if previous else "at its start"
    if offset + _LOCAL.size > len(data):
        raise VerificationError(f"the archive is cut off {near}")
    fields = _LOCAL.unpack_from(data, offset)
    length, size = fields[9], fields[7]
    start = offset + _LOCAL.size
    try:
        name = data[start : start + length].decode("ascii")
        check_name(name)
    except (UnicodeDecodeError, InputError):
        raise VerificationError(f"the archive is changed {near}: a file name is damaged") from None
    if fields[3] != 0:
        raise VerificationError(f"{name} is compressed or encrypted; an evidence pack stores files as they are")
    if name <= previous:
        raise VerificationError(f"the archive is changed: {name} occurs twice or out of order")
    end = start + length + size
    if end > len(data):
        raise VerificationError(f"the archive is changed or cut off in {name}")
    content = data[start + length : end]
    if data[offset : start + length] != _local_header(name, zlib.crc32(content), size):
        raise VerificationError(f"{name} is changed: its bytes or its header differ from what was packed")
    return name, content, end


def _compare_directory(data: bytes, offset: int, entries: list[tuple[str, int, int, int]]) -> None:
    expected = _directory(entries, offset)
    found = data[offset:]
    if found == expected:
        return
    position = 0
    for entry in entries:
        record = _central_header(*entry)
        if found[position : position + len(record)] != record:
            raise VerificationError(f"the archive is changed: its directory differs at {entry[0]}")
        position += len(record)
    raise VerificationError("the archive is changed: its end is not the one that its files require")


def _local_header(name: str, crc: int, size: int) -> bytes:
    return _LOCAL.pack(b"PK\x03\x04", _NEEDED, 0, 0, 0, _DATE, crc, size, size, len(name), 0) + name.encode("ascii")


def _central_header(name: str, crc: int, size: int, offset: int) -> bytes:
    head = _CENTRAL.pack(
        b"PK\x01\x02", _MADE_BY, _NEEDED, 0, 0, 0, _DATE, crc, size, size, len(name), 0, 0, 0, 0, _ATTRIBUTES, offset
    )
    return head + name.encode("ascii")


def _directory(entries: list[tuple[str, int, int, int]], offset: int) -> bytes:
    records = b"".join(_central_header(*entry) for entry in entries)
    return records + _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(records), offset, 0)
