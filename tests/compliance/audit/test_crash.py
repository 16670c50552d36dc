"""Writers that are killed at every step, and at any moment: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from tests import audit_logs, crashes, sqlite_disk
from tests.crashes import Site, Steps, Writer

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

_KILLS_A_LOG = 32
"""Then another log is begun, so that judging it stays quick."""
_ROUNDS = 60
_THREADS = 4


def _checkpoint(log: AuditLog) -> None:
    """Let the database write what its write-ahead log holds to its tables."""
    engine = log._database.engine
    with engine.connect() as connection:
        statement = "PRAGMA wal_checkpoint(TRUNCATE)" if engine.dialect.name == "sqlite" else "CHECKPOINT"
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)


def _one_by_one(site: Site, last: int) -> None:
    """An append, a batch, the relay and a checkpoint, cut short at step `last`."""
    steps = Steps(last)
    if sqlite_disk.reachable():
        sqlite_disk.watch(steps)
    log = site.open()
    steps.install()
    writer = Writer(site, log)
    writer.append()
    writer.append_all(3)
    site.relay(log).deliver()
    _checkpoint(log)
    log.close()


def _at_once(site: Site) -> None:
    """Threads that append, alone and in batches, and a relay, until somebody kills them all."""
    log = site.open()

    def write() -> None:
        writer = Writer(site, log)
        while True:
            writer.append()
            writer.append_all(3)

    def deliver() -> None:
        relay = site.relay(log)
        while True:
            relay.deliver()

    raised = crashes.together([*[write] * _THREADS, deliver])
    raise raised[0]


@pytest.mark.verifies("REQ-001", "REQ-005")
def test_a_writer_killed_at_any_step_loses_nothing(tmp_path: Path, database_url: str, new_url: NewUrl) -> None:
    step, code, site = 0, -signal.SIGKILL, crashes.found(tmp_path, database_url)
    while code == -signal.SIGKILL:
        step += 1
        if step % _KILLS_A_LOG == 0:
            site = crashes.found(tmp_path / str(step), new_url(tmp_path / str(step)))
        code = crashes.end(crashes.child(partial(_one_by_one, site, step)))
        assert (step, crashes.faults(site)) == (step, [])

    assert code == 0
    print(step)
