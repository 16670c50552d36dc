"""The relay: in order, at least once, never lost, one at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft, lineage_event
from tests.support.servers.marquez import ListOutbox, Marquez, deliver_alone, post, serving

pytestmark = pytest.mark.verifies("REQ-005", "SU-35")


def read(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_everything_arrives_in_order(tmp_path: Path) -> None:
    outbox, path = ListOutbox(450), tmp_path / "lineage" / "events.jsonl"
    relay = Relay(outbox, FileTransport(path))

    assert relay.deliver() == 450
    assert relay.deliver() == 0
    assert read(path) == list(range(450))


def test_nothing_is_touched_when_nothing_waits(tmp_path: Path) -> None:
    assert Relay(ListOutbox(0), FileTransport(tmp_path / "lineage" / "events.jsonl")).deliver() == 0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_delivered_waits(tmp_path: Path) -> None:
    outbox, path = ListOutbox(3), tmp_path / "events.jsonl"
    path.mkdir()
    with pytest.raises(CouldNotCheckError) as caught:
        Relay(outbox, FileTransport(path)).deliver()
    assert str(tmp_path) not in caught.value.message
    assert len(outbox.waiting) == 3

    path.rmdir()
    assert Relay(outbox, FileTransport(path)).deliver() == 3


def test_events_are_flushed_before_they_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    flush = os.fsync

    class Watched(ListOutbox):
        def mark_delivered(self, ids: Sequence[int]) -> None:
            order.append("marked")
            super().mark_delivered(ids)

    def noted(descriptor: int) -> None:
        flush(descriptor)
        order.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(f"{tmp_path}"))

    monkeypatch.setattr(os, "fsync", noted)
    Relay(Watched(2), FileTransport(tmp_path / "events.jsonl")).deliver()
    assert order == ["/events.jsonl", "", "marked"]


@pytest.mark.verifies("REQ-051")
@pytest.mark.parametrize(
    ("event", "where"),
    [
        (lineage_event(2, eventTime="yesterday"), "/eventTime"),
        (lineage_event(2, run={"runId": str(UUID(int=1)), "facets": {"f": {"a": 1}}}), "/run/facets/f"),
        (lineage_event(2, loss=float("nan")), "/loss"),
        (["no", "event"], "/ breaks 'type'"),
        (None, "/"),
    ],
)
@pytest.mark.parametrize("number", [0, 2, 250])
def test_what_is_not_valid_does_not_leave_and_nothing_after_it(
    tmp_path: Path, event: Any, where: str, number: int
) -> None:
    outbox, path = ListOutbox(300), tmp_path / "events.jsonl"
    good, outbox.waiting[number] = outbox.waiting[number], event
    for _ in range(2):
        with pytest.raises(CouldNotCheckError, match=f"event {number} of the outbox does not leave") as caught:
            Relay(outbox, FileTransport(path)).deliver()
        assert where in caught.value.message
        assert sorted(outbox.waiting) == list(range(number, 300))
    outbox.waiting[number] = good
    Relay(outbox, FileTransport(path)).deliver()
    assert read(path) == list(range(300))


@pytest.mark.verifies("REQ-051")
def test_an_outbox_with_something_that_is_no_json_is_said_to_be_so(tmp_path: Path) -> None:
    desk = _desk(tmp_path, 1)
    with desk.log._database.writing() as connection:
        connection.exec_driver_sql("UPDATE outbox SET event = '{\"run\":'")
    with pytest.raises(CouldNotCheckError, match="no JSON"):
        Relay(desk.log, FileTransport(desk.events)).deliver()
    assert not desk.events.exists()


def test_whoever_has_the_turn_takes_the_events_of_those_who_come_meanwhile() -> None:
    outbox = ListOutbox(3)
    with serving(Marquez()) as server:
        server.pause_at = 1
        transport, taken = post(server), []
        first = threading.Thread(target=lambda: taken.append(Relay(outbox, transport).deliver()))
        first.start()
        assert server.reached.wait(30)
        outbox.waiting |= {3: lineage_event(3), 4: lineage_event(4)}
        assert Relay(outbox, transport).deliver() == 0  # does not wait for a slow server
        server.go.set()
        first.join()
        assert taken == [5]
        assert server.numbers == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shared", [True, False])
def test_relays_of_many_threads_do_not_disturb_the_order(tmp_path: Path, *, shared: bool) -> None:
    """With a common lock each event arrives once; without (several machines) perhaps more often, never too early."""
    outbox, count = ListOutbox(0), 120
    with serving(Marquez()) as server:

        def write(part: int) -> None:
            beside = FileTransport(tmp_path / "events.jsonl") if shared else None
            relay = Relay(outbox, post(server, beside=beside))
            for _ in range(count // 4):
                with outbox._lock:
                    number = len(numbered)
                    numbered.append(part)
                    outbox.waiting[number] = lineage_event(number)
                relay.deliver()

        numbered: list[int] = []
        threads = [threading.Thread(target=write, args=[part]) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outbox.waiting == {}
        assert server.first_arrivals == list(range(count))
        if shared:
            assert server.numbers == list(range(count))


def test_relays_of_many_processes_deliver_each_event_once_and_in_order(tmp_path: Path) -> None:
    desk, spawn = _desk(tmp_path, 150), multiprocessing.get_context("spawn")
    together = spawn.Barrier(3)
    with serving(Marquez()) as server:
        processes = [
            spawn.Process(target=deliver_alone, args=[desk.url, desk.events, server.url, together]) for _ in range(3)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert server.numbers == list(range(150))
    assert desk.log.pending_events(1) == []


def test_a_relay_that_is_killed_loses_nothing_and_gives_up_its_turn(tmp_path: Path) -> None:
    desk, spawn = _desk(tmp_path, 12), multiprocessing.get_context("spawn")
    together = spawn.Barrier(1)
    with serving(Marquez()) as server:
        server.pause_at = 5
        alone = spawn.Process(target=deliver_alone, args=[desk.url, desk.events, server.url, together])
        alone.start()
        assert server.reached.wait(60)
        assert alone.pid is not None
        os.kill(alone.pid, signal.SIGKILL)
        alone.join(60)
        server.pause_at = -1
        server.go.set()
        Relay(desk.reopened(), post(server, beside=FileTransport(desk.events))).deliver()
        assert server.first_arrivals == list(range(12))
    assert desk.log.pending_events(1) == []


@pytest.mark.verifies("REQ-062")
def test_an_event_on_its_way_is_redacted_as_well(tmp_path: Path) -> None:
    """Whoever redacts waits for the relay that took the event before its details were erased."""
    path, taken, go_on = tmp_path / "events.jsonl", threading.Event(), threading.Event()

    class Slow(FileTransport):
        def send(self, events: Sequence[dict[str, Any]]) -> int:
            taken.set()
            go_on.wait(30)
            return super().send(events)

    outbox = ListOutbox(2)
    sending = threading.Thread(target=Relay(outbox, Slow(path)).deliver)
    sending.start()
    assert taken.wait(30)
    redacting = threading.Thread(
        target=Relay(outbox, FileTransport(path)).redact, args=[str(UUID(int=1)), lambda event: {**event, "n": 9}]
    )
    redacting.start()
    go_on.set()
    sending.join()
    redacting.join()
    assert read(path) == [0, 9]


def test_a_transport_out_of_order_is_met_with_patience(tmp_path: Path) -> None:
    """Between two deliveries that fail, what arrived is marked and does not come again."""
    outbox, path = ListOutbox(5), tmp_path / "events.jsonl"

    class Half(FileTransport):
        def send(self, events: Sequence[dict[str, Any]]) -> int:
            if len(events) < 2:
                raise CouldNotCheckError("enough")
            return super().send(events[: len(events) // 2])

    for _ in range(3):
        with suppress(CouldNotCheckError):
            Relay(outbox, Half(path)).deliver()
    assert read(path) == [0, 1, 2, 3]
    assert sorted(outbox.waiting) == [4]


def _desk(folder: Path, count: int) -> Desk:
    desk = audit_logs.start(folder / "desk")
    desk.log.append_all([draft() for _ in range(count)], desk.ada, events=[lineage_event(one) for one in range(count)])
    return desk
