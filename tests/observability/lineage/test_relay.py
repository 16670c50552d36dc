"""The relay: in order, at least once, never lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport, HttpTransport
from tests.audit_logs import lineage_event


class ListOutbox:
    """An outbox in memory."""

    def __init__(self, count: int) -> None:
        self.waiting: dict[int, dict[str, Any]] = {number: lineage_event(number) for number in range(count)}

    def pending_events(self, limit: int) -> list[tuple[int, dict[str, Any]]]:
        return sorted(self.waiting.items())[:limit]

    def mark_delivered(self, ids: Sequence[int]) -> None:
        for identifier in ids:
            del self.waiting[identifier]


def read(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.verifies("REQ-005")
def test_everything_arrives_in_order(tmp_path: Path) -> None:
    outbox, path = ListOutbox(450), tmp_path / "lineage" / "events.jsonl"
    relay = Relay(outbox, FileTransport(path))

    assert relay.deliver() == 450
    assert relay.deliver() == 0
    assert read(path) == list(range(450))


@pytest.mark.verifies("REQ-005")
@given(count=st.integers(1, 30), crashes=st.lists(st.integers(0, 4000), max_size=5))
def test_a_crash_anywhere_loses_nothing_and_keeps_the_order(
    tmp_path_factory: pytest.TempPathFactory, count: int, crashes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("relay") / "events.jsonl"
    outbox = ListOutbox(count)
    for crash in crashes:  # each: a write that got as far as `crash` bytes, and nothing was marked delivered
        whole = "".join(json.dumps(event, separators=(",", ":")) + "\n" for _, event in outbox.pending_events(999))
        with path.open("ab") as stream:
            stream.write(whole.encode()[:crash])
        FileTransport(path).send([])
    Relay(outbox, FileTransport(path)).deliver()

    arrived = read(path)
    first = sorted(set(arrived), key=arrived.index)
    assert first == list(range(count))


def test_a_part_of_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n":0}\n' + b'{"n":' + b" " * 200_000)
    FileTransport(path).send([{"n": 1}])
    assert read(path) == [0, 1]
    path.write_bytes(b'{"n":')
    FileTransport(path).send([{"n": 2}])
    assert read(path) == [2]


@pytest.mark.verifies("REQ-005")
def test_what_cannot_be_delivered_waits(tmp_path: Path) -> None:
    outbox, path = ListOutbox(3), tmp_path / "events.jsonl"
    path.mkdir()
    with pytest.raises(CouldNotCheckError) as caught:
        Relay(outbox, FileTransport(path)).deliver()
    assert str(tmp_path) not in caught.value.message
    assert len(outbox.waiting) == 3

    path.rmdir()
    assert Relay(outbox, FileTransport(path)).deliver() == 3


@pytest.mark.verifies("REQ-005")
def test_events_are_flushed_before_they_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    flush = os.fsync

    class Watched(ListOutbox):
        def mark_delivered(self, ids: Sequence[int]) -> None:
            order.append("marked")
            super().mark_delivered(ids)

    def noted(descriptor: int) -> None:
        flush(descriptor)
        order.append("flushed")

    monkeypatch.setattr(os, "fsync", noted)
    Relay(Watched(2), FileTransport(tmp_path / "events.jsonl")).deliver()
    assert order == ["flushed", "marked"]


class Marquez(ThreadingHTTPServer):
    """Behaves like Marquez at `/api/v1/lineage`, and can be told to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MarquezHandler)
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.answers: list[int] = []
        """What to answer to the next requests; then 201."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class MarquezHandler(BaseHTTPRequestHandler):
    server: Marquez

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = self.server.answers.pop(0) if self.server.answers else 201
        if code == 0:  # hang up
            self.connection.close()
            return
        if code == 201:
            assert self.path == "/api/v1/lineage"
            assert self.headers["Content-Type"] == "application/json"
            self.server.got.append(json.loads(body))
            self.server.tokens.append(self.headers["Authorization"])
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def marquez() -> Iterator[Marquez]:
    server = Marquez()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def post(server: Marquez, **options: Any) -> HttpTransport:
    return HttpTransport(server.url, sleep=lambda _: None, **options)


def numbers(server: Marquez) -> list[int]:
    return [event["n"] for event in server.got]


@pytest.mark.verifies("REQ-051")
class TestHttp:
    """Delivery to a server: in order, at least once, whatever the server does."""

    def test_everything_arrives_in_order(self, marquez: Marquez) -> None:
        assert Relay(ListOutbox(30), post(marquez, token="abc")).deliver() == 30
        assert numbers(marquez) == list(range(30))
        assert set(marquez.tokens) == {"Bearer abc"}
        whole = HttpTransport(f"{marquez.url}/api/v1/lineage", sleep=lambda _: None)
        assert whole.send([lineage_event(99)]) == 1
        assert marquez.tokens[-1] is None

    @pytest.mark.parametrize("fault", [503, 500, 429, 0])
    def test_a_fault_that_passes_is_tried_again(self, marquez: Marquez, fault: int) -> None:
        marquez.answers = [201, fault, fault, 201]
        assert Relay(ListOutbox(5), post(marquez)).deliver() == 5
        assert numbers(marquez) == list(range(5))

    @pytest.mark.parametrize("fault", [503, 400, 302, 0])
    def test_a_fault_that_stays_keeps_the_rest_waiting_in_order(self, marquez: Marquez, fault: int) -> None:
        outbox = ListOutbox(6)
        marquez.answers = [201, 201, *[fault] * 6]
        with pytest.raises(CouldNotCheckError):
            Relay(outbox, post(marquez)).deliver()
        assert numbers(marquez) == [0, 1]
        assert sorted(outbox.waiting) == [2, 3, 4, 5]
        marquez.answers = []
        assert Relay(outbox, post(marquez)).deliver() == 4  # another relay, as after a restart
        assert numbers(marquez) == list(range(6))

    def test_a_server_that_is_down_loses_nothing(self, marquez: Marquez) -> None:
        outbox = ListOutbox(3)
        with pytest.raises(CouldNotCheckError, match="out of reach"):
            Relay(outbox, HttpTransport("http://127.0.0.1:9", sleep=lambda _: None)).deliver()
        assert Relay(outbox, post(marquez)).deliver() == 3

    def test_only_web_addresses_are_taken(self) -> None:
        for url in ("file:///etc/passwd", "ftp://host", "localhost:5000", "http://"):
            with pytest.raises(UsageError):
                HttpTransport(url)


@pytest.mark.verifies("REQ-051")
@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"run": {"runId": "not-a-uuid"}}, "/run/runId"),
        ({"run": {"runId": str(UUID(int=1)), "facets": {"f": {"a": 1}}}}, "/run/facets/f"),
        (
            {"run": {"runId": str(UUID(int=1)), "facets": {"f": {"_producer": "no uri", "_schemaURL": "urn:x:y"}}}},
            "_producer",
        ),
        ({"eventTime": "yesterday"}, "/eventTime"),
        ({"eventType": "DONE"}, "/eventType"),
        ({"job": {"name": "x"}}, "/job"),
        ({"producer": None}, "/producer"),
        ({"inputs": [{"name": "x"}]}, "/inputs/0"),
        ({"loss": float("nan")}, "JSON"),
    ],
)
def test_what_is_not_valid_does_not_leave_and_nothing_after_it(
    tmp_path: Path, change: dict[str, Any], where: str
) -> None:
    outbox, path = ListOutbox(4), tmp_path / "events.jsonl"
    outbox.waiting[2] = lineage_event(2, **change)
    for _ in range(2):
        with pytest.raises(CouldNotCheckError, match="event 2 of the outbox does not leave") as caught:
            Relay(outbox, FileTransport(path)).deliver()
        assert where in caught.value.message
    assert read(path) == [0, 1]
    outbox.waiting[2] = lineage_event(2)
    assert Relay(outbox, FileTransport(path)).deliver() == 2
    assert read(path) == [0, 1, 2, 3]


@pytest.mark.verifies("REQ-062")
def test_events_of_one_run_are_changed_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    transport = FileTransport(path)
    transport.send([lineage_event(1), lineage_event(2)])
    before = path.read_bytes().splitlines()
    transport.redact(str(UUID(int=2)), lambda event: {**event, "n": 9})
    assert read(path) == [1, 9]
    assert path.read_bytes().splitlines()[0] == before[0]
    FileTransport(tmp_path / "none.jsonl").redact("x", lambda event: event)
