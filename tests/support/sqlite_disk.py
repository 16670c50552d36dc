"""What SQLite does to its files, in the hands of a test: seen, failed, torn or lost in a power cut.

SQLite reaches its files through a table of functions (https://www.sqlite.org/vfs.html). `watch` puts own functions before
four of them: writing, truncating, flushing and deleting. It changes the whole process, so it is called in a forked child.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

SECTOR = 512
"""Bytes that a disk writes as a whole."""
FULL, FAILED_WRITE, FAILED_FLUSH, FAILED_TRUNCATE, FAILED_DELETE = 13, 778, 1034, 1546, 2570
"""SQLite's result codes SQLITE_FULL, and SQLITE_IOERR_ _WRITE, _FSYNC, _TRUNCATE, _DELETE."""

_Opened = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
_Deleted = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_Wrote = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_Truncated = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Flushed = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """The start of `sqlite3_vfs`."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_name", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("truncate", ctypes.c_void_p),
        ("flush", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    ]


@dataclass(frozen=True)
class Access:
    """One thing SQLite does to a file: `write`, `truncate`, `flush` or `delete`."""

    kind: str
    path: str
    offset: int = 0
    """Where a write starts, or where a file is cut off."""
    data: bytes = b""


class Watcher(Protocol):
    """Hears what SQLite does."""

    def before(self, access: Access) -> int:
        """Something is about to happen; a result code other than 0 makes it fail."""

    def halfway(self, access: Access) -> None:
        """The first half of what is written has been written."""

    def after(self, access: Access) -> None:
        """It has happened."""


def reachable() -> bool:
    """Whether this Python uses a shared SQLite, whose functions can be found."""
    return hasattr(_library(), "sqlite3_vfs_find")


def watch(watcher: Watcher) -> None:
    """Let `watcher` hear of every file that SQLite opens from now on in this process."""
    library = _library()
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
    vfs = library.sqlite3_vfs_find(None).contents
    really_open, really_delete = _Opened(vfs.open), _Deleted(vfs.delete)
    names: dict[int, str] = {}
    tables: dict[int, _Methods] = {}

    @_Opened
    def opened(own: int, name: int | None, file: int, flags: int, granted: int) -> int:
        code = really_open(own, name, file, flags, granted)
        methods = ctypes.c_void_p.from_address(file)
        if code == 0 and name is not None and methods.value:
            names[file] = os.fsdecode(ctypes.string_at(name))
            if methods.value not in tables:
                tables[methods.value] = _watched(_Methods.from_address(methods.value), names, watcher)
            methods.value = ctypes.addressof(tables[methods.value])
        return code

    @_Deleted
    def deleted(own: int, name: int, flush: int) -> int:
        access = Access("delete", os.fsdecode(ctypes.string_at(name)))
        return _told(watcher, access, lambda: really_delete(own, name, flush))

    _KEPT.extend([opened, deleted, names, tables])
    vfs.open = ctypes.cast(opened, ctypes.c_void_p)
    vfs.delete = ctypes.cast(deleted, ctypes.c_void_p)


_KEPT: list[Any] = []
"""What SQLite calls must not be collected."""


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(getattr(_sqlite3, "__file__", None))


def _watched(methods: _Methods, names: dict[int, str], watcher: Watcher) -> _Methods:
    really_write, really_truncate = _Wrote(methods.write), _Truncated(methods.truncate)
    really_flush = _Flushed(methods.flush)

    @_Wrote
    def write(file: int, data: int, amount: int, offset: int) -> int:
        access = Access("write", names[file], offset, ctypes.string_at(data, amount))

        def carry_out() -> int:
            if (code := really_write(file, data, amount // 2, offset)) != 0:
                return code
            watcher.halfway(access)
            return really_write(file, data, amount, offset)

        return _told(watcher, access, carry_out)

    @_Truncated
    def truncate(file: int, size: int) -> int:
        return _told(watcher, Access("truncate", names[file], size), lambda: really_truncate(file, size))

    @_Flushed
    def flush(file: int, flags: int) -> int:
        return _told(watcher, Access("flush", names[file]), lambda: really_flush(file, flags))

    own = _Methods()
    ctypes.pointer(own)[0] = methods
    own.write = ctypes.cast(write, ctypes.c_void_p)
    own.truncate = ctypes.cast(truncate, ctypes.c_void_p)
    own.flush = ctypes.cast(flush, ctypes.c_void_p)
    _KEPT.extend([write, truncate, flush])
    return own


def _told(watcher: Watcher, access: Access, carry_out: Callable[[], int]) -> int:
    try:
        code = watcher.before(access) or carry_out()
        if code == 0:
            watcher.after(access)
    except BaseException:
        traceback.print_exc()  # an exception cannot pass through SQLite
        os._exit(70)
    return code


@dataclass
class _File:
    safe: bytes = b""
    """What was flushed."""
    open: list[Access] = field(default_factory=list)
    """What happened to it since."""
    made: bool = False
    """Whether it is new; SQLite flushes the folder too when it flushes a new file for the first time."""
    deleted: bool = False


class UncertainDisk:
    """A disk that keeps for certain what was flushed, and of everything else what chance lets it keep.

    It follows SQLite's own assumption: a power cut leaves each sector written whole or not at all, in any order, and
    does not touch its neighbours.
    """

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def before(self, access: Access) -> int:
        """See `Watcher`."""
        if access.path not in self._files or (self._files[access.path].deleted and access.kind != "delete"):
            path = Path(access.path)
            old = path.exists() and path.read_bytes()
            self._files[access.path] = _File(old or b"", made=not old)
        return 0

    def halfway(self, access: Access) -> None:
        """See `Watcher`."""

    def after(self, access: Access) -> None:
        """See `Watcher`."""
        file = self._files[access.path]
        if access.kind == "flush":
            for one in file.open:
                file.safe = _changed(file.safe, one)
            file.open.clear()
            if file.made:
                file.made = False
                self._files = {name: one for name, one in self._files.items() if not one.deleted}
        elif access.kind == "delete":
            file.deleted = True
        else:
            file.open.append(access)

    def cut(self, folder: Path, chance: random.Random | None) -> None:
        """Write to `folder` what is left after a power cut now; without `chance`, what was flushed and nothing else."""
        folder.mkdir(parents=True)
        for name, file in self._files.items():
            if file.deleted and (chance is None or chance.random() < 0.5):
                continue
            content = file.safe
            for access in [] if chance is None else _left(file.open, chance):
                content = _changed(content, access)
            (folder / Path(name).name).write_bytes(content)


def _left(accesses: list[Access], chance: random.Random) -> list[Access]:
    sectors = [
        Access("write", one.path, one.offset + at, one.data[at : at + SECTOR]) if one.kind == "write" else one
        for one in accesses
        for at in (range(0, len(one.data), SECTOR) if one.kind == "write" else (0,))
    ]
    share = chance.random()
    return [one for one in sectors if chance.random() < share]


def _changed(content: bytes, access: Access) -> bytes:
    if access.kind == "truncate":
        return content[: access.offset]
    content = content.ljust(access.offset, b"\0")
    return content[: access.offset] + access.data + content[access.offset + len(access.data) :]
