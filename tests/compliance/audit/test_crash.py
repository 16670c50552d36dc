"""Writers that are killed at every step, and at any moment: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from tests.support import crashes, sqlite_disk
from tests.support.crashes import Site, Steps, Writer
from tests.support.servers.postgres import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-001", "REQ-005", "RC-06"),
]

_KILLS_A_LOG = 8
"""Then another log is begun, so that judging one stays quick."""
_KILLS = 50
_THREADS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def new_site(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Site]:
    """Makes logs, told apart by a number, on SQLite and on PostgreSQL."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        return lambda number: crashes.found(tmp_path / str(number), server.new_database())
    return lambda number: crashes.found(tmp_path / str(number), f"sqlite:///{tmp_path / str(number) / 'audit.db'}")


def _checkpoint(log: AuditLog) -> None:
    """Let the database move what its write-ahead log holds to its tables."""
    engine = log._database.engine
    statement = "PRAGMA wal_checkpoint(TRUNCATE)" if engine.dialect.name == "sqlite" else "CHECKPOINT"
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)


def _one_by_one(site: Site, last: int) -> None:
    """An append, a batch, the relay, a checkpoint and the end, killed at step `last`."""
    steps = Steps(last)
    if site.url.startswith("sqlite") and sqlite_disk.reachable():
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
    """Threads that append, alone and in batches, and a relay, until all of them are killed."""
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

    raise crashes.together([*[write] * _THREADS, deliver])[0]


def test_a_writer_killed_at_any_step_loses_nothing(new_site: Callable[[int], Site]) -> None:
    step, code, site = 0, -signal.SIGKILL, new_site(0)
    while code == -signal.SIGKILL:
        step += 1
        if step % _KILLS_A_LOG == 0:
            site = new_site(step)
        code = crashes.end(crashes.child(partial(_one_by_one, site, step)))
        assert (step, crashes.faults(site)) == (step, [])
    assert code == 0  # it came to its end: there was no further step
    assert step > 35


@pytest.mark.slow
def test_writers_killed_at_any_moment_lose_nothing(new_site: Callable[[int], Site]) -> None:
    chance, site = random.Random(20261121), new_site(0)  # noqa: S311  when to kill
    for kill in range(1, _KILLS + 1):
        if kill % (_KILLS_A_LOG // 2) == 0:
            site = new_site(kill)
        before = len(site.acknowledged())
        process = crashes.child(partial(_at_once, site))
        while len(site.acknowledged()) == before:
            assert os.waitpid(process, os.WNOHANG) == (0, 0), "the writers ended by themselves"
            time.sleep(0.001)
        time.sleep(chance.random() * 0.01)
        os.kill(process, signal.SIGKILL)
        assert crashes.end(process) == -signal.SIGKILL
        assert (kill, crashes.faults(site)) == (kill, [])
