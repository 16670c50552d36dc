"""The relay: in order, at least once, never lost."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minivess.foundation.errors import CouldNotCheckError
from minivess.observability.lineage.relay import FileTransport, Relay


class ListOutbox:
    """An outbox in memory."""

    def __init__(self, count: int) -> None:
        self.waiting: dict[int, dict[str, Any]] = {number: {"n": number} for number in range(count)}

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
@given(count=st.integers(1, 30), crashes=st.lists(st.integers(0, 40), max_size=5))
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
