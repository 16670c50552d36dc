"""Events in a file, one a line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements

_TAIL = 1 << 16

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""What is left of an event when details are taken out of it."""


@implements("REQ-005")
class FileTransport:
    """Appends events to a file, one JSON object a line, flushed to the disk.

    A part of a line that a crash left at the end is cut off before the next event is written (its event was never
    marked delivered, so it comes again). Processes take turns by a lock on the file's folder, which goes with the
    process that holds it.

    Args:
        path: the file; its folder is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._named = False

    @contextmanager
    def turn(self, *, wait: bool) -> Iterator[bool]:
        """The only right of this machine to write to files of this folder.

        Raises:
            CannotWriteError: there is no such folder, and none can be made.
        """
        try:
            _make_folder(self._path.parent)
            descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _cannot_write(error) from error
        try:
            ours = _locked(descriptor, wait=wait)
            try:
                yield ours
            finally:
                if ours:
                    fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough: a forked child may have it open
        finally:
            os.close(descriptor)

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Append events and flush them: all, or none.

        Raises:
            CannotWriteError: the file cannot be written; what was begun is taken back.
        """
        data = b"".join(line_of(event) for event in events)
        try:
            _make_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                end = _whole_lines(descriptor)
                os.ftruncate(descriptor, end)
                _write_at(descriptor, data, end)
                os.fsync(descriptor)
                if end == 0 or not self._named:
                    _flush_folder(self._path.parent)
                    self._named = True
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _cannot_write(error) from error
        return len(events)

    def redact(self, run: str, change: Change) -> None:
        """Write the file anew with the events of a run changed; every other line stays as it is.

        Raises:
            CannotWriteError: the file cannot be written; it is as it was.
            CouldNotCheckError: a line that names the run is no event; the file is as it was.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise _cannot_write(error) from error
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.splitlines(keepends=True)
        new = [_changed(line, run, change) if run.encode("ascii") in line else line for line in lines]
        if new != lines:
            write_atomic(self._path, b"".join(new))


def line_of(event: dict[str, Any]) -> bytes:
    """An event as it is written and sent: one line of JSON."""
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def _changed(line: bytes, run: str, change: Change) -> bytes:
    try:
        event = json.loads(line)
        return line_of(change(event)) if event["run"]["runId"] == run else line
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CouldNotCheckError(
            "a line of the lineage file that names the run is no event, so its details cannot be taken out",
            hint="compare the file with the log, and correct the line",
        ) from None


def _cannot_write(error: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"cannot write lineage events: {error.strerror or type(error).__name__}",
        hint="events wait in the outbox; free some space or make the file writable",
    )


def _locked(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _cannot_write(error) from error
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, and flush their names, so that a power cut does not take them with the file."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _flush_folder(one.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_lines(descriptor: int) -> int:
    """Where the last whole line ends, in bytes from the start."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _TAIL)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    start = offset
    try:
        while data:
            written = os.pwrite(descriptor, data, offset)
            data = data[written:]
            offset += written
    except OSError:
        os.ftruncate(descriptor, start)
        raise
