"""A process that forks while a log is open: parent and children go on with the same log, whoever ends first."""

from __future__ import annotations

import gc
import os
import threading
from functools import partial
from pathlib import Path

import pytest

from minivess.compliance.audit.log import AuditLog
from tests.support import crashes
from tests.support.crashes import Site, Writer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-061", "RC-06"),
]

_CHILDREN = 4
_EACH = 5


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return crashes.found(tmp_path, database_url)


class _Signal:
    """Lets one process wait for another."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()

    def give(self) -> None:
        os.write(self._writes, b"!")

    def wait(self) -> None:
        assert os.read(self._reads, 1) == b"!"


def test_a_child_goes_on_after_its_parent_closed_the_log(site: Site) -> None:
    log = site.open()
    Writer(site, log).append()
    wrote, closed = _Signal(), _Signal()

    def write() -> None:
        writer = Writer(site, log)
        writer.append()
        wrote.give()
        closed.wait()
        writer.append_all(3)
        wrote.give()
        closed.wait()  # it does not end before somebody else has written
        writer.append()

    process = crashes.child(write)
    wrote.wait()
    log.close()
    with crashes.opened(site) as other:
        Writer(site, other).append()
        closed.give()
        wrote.wait()
        Writer(site, other).append_all(2)
        closed.give()
        assert crashes.end(process) == 0
        Writer(site, other).append()
    assert len(site.acknowledged()) == 10
    assert crashes.faults(site) == []


def test_a_parent_goes_on_after_its_children_ended(site: Site) -> None:
    log = site.open()
    writer = Writer(site, log)

    def write(number: int) -> None:
        own = Writer(site, log)
        own.append()
        if number % 2:
            log.close()
        gc.collect()

    for number in range(_CHILDREN):
        writer.append()
        assert crashes.end(crashes.child(partial(write, number))) == 0
        with crashes.opened(site) as other:
            Writer(site, other).append()
        writer.append()
    log.close()
    assert len(site.acknowledged()) == 4 * _CHILDREN
    assert crashes.faults(site) == []


def test_children_forked_amid_writing_threads_go_on(site: Site) -> None:
    log = site.open()
    ended = threading.Event()

    def write_on() -> None:
        writer = Writer(site, log)
        while not ended.is_set():
            writer.append()

    def write() -> None:
        writer = Writer(site, log)
        for _ in range(_EACH):
            writer.append()
        writer.append_all(_EACH)
        site.relay(log).deliver()

    def fork() -> None:
        try:
            children = [crashes.child(write) for _ in range(_CHILDREN)]
            assert [crashes.end(child) for child in children] == [0] * _CHILDREN
        finally:
            ended.set()

    assert crashes.together([write_on, write_on, write_on, fork]) == []
    site.relay(log).deliver()
    assert log.pending_events() == []
    log.close()
    assert len(site.acknowledged()) > 2 * _EACH * _CHILDREN
    assert crashes.faults(site) == []


def test_a_log_that_was_read_while_forking_is_read_on_in_both(site: Site) -> None:
    with crashes.opened(site) as log:
        Writer(site, log).append_all(5)

    log = AuditLog.open(site.url, log_signer=None)
    pairs = log.pairs()
    first = next(pairs)

    def read_on() -> None:
        assert len([first, *pairs]) == log.size == 6

    assert crashes.end(crashes.child(read_on)) == 0
    assert len([first, *pairs]) == log.size == 6
    log.close()
    assert crashes.faults(site) == []
