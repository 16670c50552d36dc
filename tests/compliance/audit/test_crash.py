"""Processes that are killed, and processes that write at the same time."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.verification.log import verify_entries
from tests import audit_logs
from tests.audit_logs import Desk, draft

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

_ROUNDS = 36


def _append(desk: Desk, name: str, count: int, acknowledgements: Path) -> None:
    """Runs in a process of its own: an index is noted, and flushed, only after `append` returned."""
    log = AuditLog.open(desk.url, log_signer=desk.log_signer)
    with acknowledgements.open("a", encoding="utf-8") as stream:
        for number in range(count):
            ingested = draft(action="data.ingest", payload={"dataset": name, "cases": number})
            receipt = log.append(ingested, desk.ada, event={"writer": name, "number": number})
            stream.write(f"{receipt.index}\n")
            stream.flush()
            os.fsync(stream.fileno())


def _writer(desk: Desk, name: str, count: int) -> BaseProcess:
    desk.log.close()  # no connection may cross the fork
    process = multiprocessing.get_context("fork").Process(
        target=_append, args=(desk, name, count, desk.folder / f"{name}.txt")
    )
    process.start()
    return process


def _acknowledged(desk: Desk, name: str) -> list[int]:
    path = desk.folder / f"{name}.txt"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [int(line) for line in text.split("\n")[:-1]]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return audit_logs.start(tmp_path / "desk")


@pytest.mark.verifies("REQ-001", "REQ-005")
@pytest.mark.slow
def test_kill_9_loses_no_acknowledged_entry(desk: Desk) -> None:
    chance = random.Random(20261120)  # noqa: S311  when to kill
    for _ in range(_ROUNDS):
        before = len(_acknowledged(desk, "victim"))
        process = _writer(desk, "victim", 10_000)
        deadline = time.monotonic() + 30
        while len(_acknowledged(desk, "victim")) <= before and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.03)
        process.kill()
        process.join()

        log = desk.reopened()
        checks, _, entries = verify_entries(log.pairs(), log.checkpoint())
        assert all(check.passed for check in checks)
        acknowledged = _acknowledged(desk, "victim")
        assert acknowledged == sorted(set(acknowledged))
        assert len(acknowledged) > before
        assert acknowledged[-1] < len(entries)
        assert len(log.pending_events(limit=10**6)) == len(entries) - 1
        log.close()


@pytest.mark.verifies("REQ-001")
def test_two_processes_interleave_without_a_gap(desk: Desk) -> None:
    writers = {name: _writer(desk, name, 60) for name in ("one", "two")}
    for process in writers.values():
        process.join(timeout=120)
        assert process.exitcode == 0

    checks, _, entries = verify_entries(desk.log.pairs(), desk.log.checkpoint())
    assert all(check.passed for check in checks)
    assert len(entries) == 121
    indices = {name: _acknowledged(desk, name) for name in writers}
    assert sorted(indices["one"] + indices["two"]) == list(range(1, 121))
    for name, mine in indices.items():
        assert [told.payload for index in mine if (told := desk.log.details(index))] == [
            {"dataset": name, "cases": number} for number in range(60)
        ]
