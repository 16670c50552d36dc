"""Where events go: a file by default, or a server that speaks OpenLineage's HTTP (Marquez, for example)."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, UsageError
from minivess.foundation.files import make_folder, write_atomic
from minivess.foundation.implements import implements

TOKEN_VARIABLE = "MINIVESS_LINEAGE_TOKEN"  # noqa: S105  the name of a variable, not a token
_TAIL = 1 << 16
_PATH = "/api/v1/lineage"
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_PAUSES = (0.2, 0.8)
"""Seconds between the tries of one delivery; then events wait for the next."""

Change = Callable[[dict[str, Any]], dict[str, Any]]


class Transport(Protocol):
    """Where events go."""

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Take events in order; returns how many from the first on are safe.

        Raises:
            CouldNotCheckError: the far side is out of reach or refuses, and not even the first is safe.
        """

    def redact(self, run: str, change: Change) -> None:
        """Change the events of a run that were sent, where that is possible."""


class FileTransport:
    """Appends events to a file, one JSON object a line, flushed to the disk.

    A part of a line that a crash left at the end is cut off before the next event is written (its event was never
    marked delivered, so it comes again). Writers of several processes take turns by a lock on the file.

    Args:
        path: the file; its folder is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Append events and flush them: all, or none.

        Raises:
            CannotWriteError: the file cannot be written; what was begun is taken back.
        """
        data = b"".join(_line(event) for event in events)
        try:
            make_folder(self._path.parent)
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
        return len(events)

    def redact(self, run: str, change: Change) -> None:
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


@implements("REQ-051")
class HttpTransport:
    """Posts events one by one, in order, to a server's lineage endpoint.

    A 2xx answer means that the server has the event. Answers that promise better times (5xx, 408, 425, 429) and broken
    connections are tried again twice, shortly; then the events wait in the outbox. Redirects are not followed.

    Args:
        url: `http(s)://host[:port]`, to which `/api/v1/lineage` is added, or the whole URL of the endpoint.
        token: sent as a bearer token.
        timeout: seconds for one request.
        sleep: waits between tries.
    """

    def __init__(
        self, url: str, *, token: str | None = None, timeout: float = 10.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError("lineage events go to an http or https URL", hint="for example http://localhost:5000")
        self._url = url if parts.path.strip("/") else f"{url.rstrip('/')}{_PATH}"
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout = timeout
        self._sleep = sleep
        self._opener = build_opener(_NoRedirects())

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Post events until one is not taken.

        Raises:
            CouldNotCheckError: the first was not taken: the server is out of reach, or refuses it.
        """
        for number, event in enumerate(events):
            try:
                self._post(event)
            except CouldNotCheckError:
                if number:
                    return number
                raise
        return len(events)

    def redact(self, run: str, change: Change) -> None:
        """Nothing: what another server holds is for its operator to delete."""

    def _post(self, event: dict[str, Any]) -> None:
        request = Request(self._url, data=_line(event), headers=self._headers, method="POST")  # noqa: S310  scheme was checked
        for pause in (*_PAUSES, None):
            reason = self._tried(request)
            if reason is None:
                return
            if pause is not None:
                self._sleep(pause)
        raise CouldNotCheckError(
            f"lineage events cannot be delivered: {reason}",
            hint="they wait in the outbox and go with the next delivery",
        )

    def _tried(self, request: Request) -> str | None:
        """None when the server took it, else why not for now."""
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                answer.read(1 << 16)
        except HTTPError as error:
            with error:
                if error.code in _TRY_AGAIN:
                    return f"the server answered {error.code}"
                raise CouldNotCheckError(
                    f"the lineage server refuses an event with {error.code}",
                    hint="the event and those after it wait in the outbox; look at the server's log",
                ) from None
        except (URLError, OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            return f"the server is out of reach ({type(cause).__name__})"
        return None


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer like another: nothing goes to a place nobody named."""

    def redirect_request(self, *_: Any) -> None:
        """Do not follow."""


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
