"""Files that are either whole or absent: write beside, flush to the disk, rename."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from minivess.foundation.errors import CannotWriteError, InputError


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    The bytes and the directory entry are flushed to the disk before this returns.

    Raises:
        CannotWriteError: the disk is full, read-only or out of reach; the old file is untouched.
    """
    with writing_atomic(path, mode=mode) as stream:
        stream.write(data)


@contextmanager
def exclusive(place: Path, what: str) -> Iterator[None]:
    """Hold a lock between processes and threads (`flock`) on a file of its own, or on a folder.

    Taking it twice in one thread waits for ever. The kernel lets go of it when its process ends.

    Args:
        place: a folder that exists; else the lock's file, which is made when it is missing and stays empty.
        what: is locked, for the error.

    Raises:
        CannotWriteError: the lock cannot be made.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY if place.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = os.open(place, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotWriteError(f"cannot lock {what}: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def writing_atomic(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """As `write_atomic`, for what is written piece by piece; an exception in the block leaves nothing behind.

    Raises:
        CannotWriteError: the disk is full, read-only or out of reach; the old file is untouched.
    """
    temporary: Path | None = None
    try:
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        _flush_directory(path.parent)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise CannotWriteError(
            f"cannot write {path}: {error.strerror or error}", hint="free some space or choose a writable folder"
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and those it lies in, each flushed to the disk, so that a power cut takes none of them back.

    Raises:
        OSError: one cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        _flush_directory(folder.parent)


def write_text_atomic(path: Path, text: str) -> None:
    """`write_atomic` for UTF-8 text."""
    write_atomic(path, text.encode("utf-8"))


def read_limited(path: Path, *, limit: int) -> bytes:
    """Read a whole file that somebody else wrote, refusing one larger than `limit` bytes before reading it.

    Raises:
        InputError: the file is missing, is not a plain file, or is too large.
    """
    try:
        if not path.is_file():
            raise InputError("no such file", path=path)
        size = path.stat().st_size
        if size > limit:
            raise InputError(f"{size} bytes is more than the {limit} allowed here", path=path)
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
