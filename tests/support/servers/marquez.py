"""A server that takes lineage events as Marquez does, and can be told to misbehave; an outbox in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from minivess.compliance.audit.log import AuditLog
from minivess.observability.lineage.event_validation import validate_event
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport, HttpTransport
from tests.support.builders.audit_logs import lineage_event

HANG_UP, LOSE_THE_ANSWER = 0, 1
"""Answers that are none: close the connection before the event is kept, or after."""


class ListOutbox:
    """An outbox in memory."""

    def __init__(self, count: int) -> None:
        self.waiting: dict[int, dict[str, Any]] = {number: lineage_event(number) for number in range(count)}
        self._lock = threading.Lock()

    def pending_events(self, limit: int) -> list[tuple[int, dict[str, Any]]]:
        with self._lock:
            return sorted(self.waiting.items())[:limit]

    def mark_delivered(self, ids: Sequence[int]) -> None:
        with self._lock:
            for identifier in ids:
                self.waiting.pop(identifier, None)


class Marquez(ThreadingHTTPServer):
    """Answers `POST /api/v1/lineage` with 201 and keeps the event, if it is valid."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.answers: list[int] = []
        """What to answer to the next requests; then 201."""
        self.body = b""
        """What stands in answers other than 201."""
        self.requests = 0
        self.pause_at = -1
        """At this event the server sets `reached` and goes on when `go` is set."""
        self.reached, self.go = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def numbers(self) -> list[int]:
        """The events that were kept, in order of arrival."""
        return [event["n"] for event in self.got]

    @property
    def first_arrivals(self) -> list[int]:
        """The same without repetitions."""
        return list(dict.fromkeys(self.numbers))

    def handle_error(self, *_: object) -> None:
        """Callers that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Marquez

    def do_POST(self) -> None:
        server = self.server
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests += 1
        if event["n"] == server.pause_at:
            server.reached.set()
            server.go.wait(30)
        code = server.answers.pop(0) if server.answers else 201
        if code == HANG_UP:
            self.connection.close()
            return
        if code in {201, LOSE_THE_ANSWER}:
            assert self.path == "/api/v1/lineage"
            assert self.headers["Content-Type"] == "application/json"
            validate_event(event)
            server.got.append(event)
            server.tokens.append(self.headers["Authorization"])
        if code == LOSE_THE_ANSWER:
            self.connection.close()
            return
        self.send_response(code)
        if code == 302:
            self.send_header("Location", f"{server.url}/api/v1/lineage")
        body = b"" if code == 201 else server.body
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        raise AssertionError("nothing is asked for, only sent")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: Marquez) -> Iterator[Marquez]:
    """The server at work."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def post(server: Marquez, **options: Any) -> HttpTransport:
    """A transport to the server that does not waste time between tries."""
    return HttpTransport(server.url, sleep=lambda _: None, **options)


def deliver_alone(database_url: str, file: Path, server_url: str, together: Any) -> None:
    """What a process does that delivers from a log to a server, when all of them are ready."""
    log = AuditLog.open(database_url, log_signer=None)
    transport = HttpTransport(server_url, beside=FileTransport(file))
    together.wait(60)
    Relay(log, transport).deliver()
    log.close()
