"""Zip archives of strangers (XLSX, ReqIFz): counted and measured before anything is unpacked."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from minivess.foundation.errors import InputError

MAX_ENTRIES = 2_000
MAX_UNPACKED = 256 << 20
MAX_RATIO = 200
_SMALL = 1 << 20
"""Entries up to this size may be packed as tightly as they like."""


@dataclass(frozen=True)
class Most:
    """What an archive may hold."""

    entries: int
    unpacked: int
    """Bytes of all entries."""
    entry: int
    """Bytes of one."""


def each_file(data: bytes, file: str, *, most: Most) -> Iterator[tuple[str, bytes]]:
    """The files of a large archive by name, in their order, unpacked one at a time.

    Args:
        data: the archive.
        file: its name in messages.
        most: what it may hold.

    Raises:
        InputError: it is no zip archive, is damaged or encrypted, names a file twice, or holds or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries, file, most)
            for entry in entries:
                yield entry.filename, _unpack(archive, entry, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, zlib.error) as error:
        raise InputError(f"is a damaged or encrypted zip archive: {error}", path=file) from None


def read_zip(data: bytes, file: str, *, most: int = MAX_UNPACKED) -> dict[str, bytes]:
    """All files of an archive, by name.

    Args:
        data: the archive.
        file: its name in messages.
        most: bytes that it may unpack to.

    Raises:
        InputError: it is no zip archive, is damaged or encrypted, names a file twice, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            unpacked = min(most, MAX_UNPACKED)
            _check(entries, file, Most(MAX_ENTRIES, unpacked, unpacked))
            return {entry.filename: _unpack(archive, entry, file) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, zlib.error) as error:
        raise InputError(f"is a damaged or encrypted zip archive: {error}", path=file) from None


def _check(entries: list[zipfile.ZipInfo], file: str, most: Most) -> None:
    if len(entries) > most.entries:
        raise InputError(f"holds more than {most.entries} files", path=file)
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise InputError("names a file twice in its archive", path=file)
    if sum(entry.file_size for entry in entries) > most.unpacked:
        raise InputError(f"unpacks to more than {most.unpacked} bytes", path=file)
    for entry in entries:
        if entry.file_size > most.entry:
            raise InputError(f"`{entry.filename[:80]}` unpacks to more than {most.entry} bytes", path=file)
        if entry.file_size > _SMALL and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise InputError(f"`{entry.filename[:80]}` is packed more than {MAX_RATIO} times: refused", path=file)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: str) -> bytes:
    """The bytes of one entry, never more than it declares."""
    with archive.open(entry) as stream:
        content = stream.read(entry.file_size + 1)
    if len(content) > entry.file_size:
        raise InputError(f"`{entry.filename[:80]}` is larger than it says", path=file)
    return content
