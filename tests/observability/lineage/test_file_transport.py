"""Events in a file: whole lines, flushed, redacted where that is asked for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError
from minivess.observability.lineage.relay import Relay
from minivess.observability.lineage.transports import FileTransport
from tests.support.builders.audit_logs import lineage_event
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.servers.marquez import ListOutbox

pytestmark = pytest.mark.verifies("SU-35")

RUN = str(UUID(int=2))


def read(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text(encoding="utf-8").splitlines()]


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
def test_the_names_of_new_folders_are_flushed_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    flush = os.fsync

    def noted(descriptor: int) -> None:
        flush(descriptor)
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(f"{tmp_path}"))

    monkeypatch.setattr(os, "fsync", noted)
    path = tmp_path / "a" / "b" / "events.jsonl"
    Relay(ListOutbox(1), FileTransport(path)).deliver()
    assert sorted(flushed) == ["", "/a", "/a/b", "/a/b/events.jsonl"]
    path.unlink()
    flushed.clear()
    transport = FileTransport(path)
    transport.send([{"n": 0}])
    path.unlink()
    transport.send([{"n": 0}])
    assert flushed == ["/a/b/events.jsonl", "/a/b"] * 2


@pytest.mark.verifies("REQ-062")
def test_events_of_one_run_are_changed_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    transport = FileTransport(path)
    mentioned = lineage_event(3, parent=RUN)
    transport.send([lineage_event(1), lineage_event(2), mentioned])
    before = path.read_bytes().splitlines()
    with path.open("ab") as stream:
        stream.write(b'{"n":4,"run":{"runId":"' + RUN.encode())  # a crash; its event comes again
    transport.redact(RUN, lambda event: {**event, "n": 9})
    assert read(path) == [1, 9, 3]
    after = path.read_bytes().splitlines()
    assert (after[0], after[2]) == (before[0], before[2])
    FileTransport(tmp_path / "none.jsonl").redact(RUN, lambda event: event)
    assert [one.name for one in tmp_path.iterdir()] == ["events.jsonl"]


@pytest.mark.verifies("REQ-062")
@pytest.mark.parametrize("damage", [b"{", b"[]", b"{}", b'{"run":7}', b"\xff"])
def test_a_damaged_line_that_may_hold_details_is_not_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "events.jsonl"
    transport = FileTransport(path)
    transport.send([lineage_event(2)])
    with path.open("ab") as stream:
        stream.write(damage + b" " + RUN.encode() + b"\n" if damage in (b"{", b"\xff") else _around(damage))
    before = path.read_bytes()
    with pytest.raises(CouldNotCheckError, match="no event"):
        transport.redact(RUN, lambda event: {**event, "n": 9})
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    outbox = ListOutbox(1)
    with pytest.raises(CannotWriteError) as caught:
        Relay(outbox, FileTransport(tmp_path / "taken" / "events.jsonl")).deliver()
    assert str(tmp_path) not in caught.value.message
    assert len(outbox.waiting) == 1


def _around(damage: bytes) -> bytes:
    """JSON that names the run but is no event."""
    return json.dumps([json.loads(damage), RUN]).encode() + b"\n"
