"""The relay: takes events from an outbox, in order, to a transport, at least once.

An event is marked delivered only after the transport says it is on the disk; a crash between the two delivers it again.
The outbox pattern: event and entry are committed together, delivery happens later and may fail without loss.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from minivess.foundation.errors import CannotWriteError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements

_BATCH = 200
_TAIL = 1 << 16


class Outbox(Protocol):
    """Where undelivered events wait; the audit log is one."""

    def pending_events(self, limit: int) -> Sequence[tuple[int, dict[str, Any]]]:
        """The oldest undelivered events in order, as (id, event)."""

    def mark_delivered(self, ids: Sequence[int]) -> None:
        """These need not be delivered again."""


class Transport(Protocol):
    """Where events go."""

    def send(self, events: Sequence[dict[str, Any]]) -> None:
        """Take all events, in order; return only when they are safe.

        Raises:
            CouldNotCheckError: the far side is out of reach; some events may have arrived.
        """

    def redact(self, run: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the events of a run that were sent, where that is possible."""


@implements("REQ-005")
class Relay:
    """Delivers what an outbox holds.

    Args:
        source: the outbox.
        transport: where events go.
    """

    def __init__(self, source: Outbox, transport: Transport) -> None:
        self._source = source
        self._transport = transport
        self._lock = threading.Lock()

    def deliver(self) -> int:
        """Deliver everything that waits; returns how many events.

        Raises:
            CouldNotCheckError: the transport or the outbox is out of reach; what was not delivered waits on.
        """
        delivered = 0
        with self._lock:
            while batch := self._source.pending_events(_BATCH):
                self._transport.send([event for _, event in batch])
                self._source.mark_delivered([identifier for identifier, _ in batch])
                delivered += len(batch)
        return delivered

    def redact(self, run: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the events of a run where they were delivered to, if that is in our hands.

        Raises:
            CannotWriteError: the file cannot be written.
        """
        with self._lock:
            self._transport.redact(run, change)


class FileTransport:
    """Appends events to a file, one JSON object a line, flushed to the disk.

    A part of a line that a crash left at the end is cut off before the next event is written (its event was never
    marked delivered, so it comes again). Writers of several processes take turns by a lock on the file.

    Args:
        path: the file; its folder is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[dict[str, Any]]) -> None:
        """Append events and flush them.

        Raises:
            CannotWriteError: the file cannot be written; what was begun is taken back.
        """
        data = b"".join(_line(event) for event in events)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                end = _whole_lines(descriptor)
                os.ftruncate(descriptor, end)
                _write_at(descriptor, data, end)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CannotWriteError(
                f"cannot write lineage events: {error.strerror or type(error).__name__}",
                hint="events wait in the outbox; free some space or make the file writable",
            ) from error

    def redact(self, run: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Write the file anew with the events of a run changed; every other byte stays.

        Raises:
            CannotWriteError: the file cannot be written; it is as it was.
        """
        if not self._path.exists():
            return
        with self._path.open("r+b") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            lines = held.read().splitlines(keepends=True)
            new = [_line(change(json.loads(line))) if run.encode("ascii") in line else line for line in lines]
            write_atomic(self._path, b"".join(new))


def _line(event: dict[str, Any]) -> bytes:
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


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
