"""Power that is cut while SQLite writes: what was flushed stays, of the rest each sector stays or goes by chance."""

from __future__ import annotations

import os
import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.foundation.errors import InputError
from minivess.observability.lineage.transports import FileTransport
from tests.support import crashes, sqlite_disk
from tests.support.crashes import Site, Writer
from tests.support.sqlite_disk import Access, UncertainDisk

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.verifies("REQ-001"),
]

_EVERY = 3
"""Every third access to a file, and every flush, is a moment to cut the power."""


class _Cuts(UncertainDisk):
    """Cuts the power again and again, each time into a folder that is named by what had been acknowledged by then."""

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__()
        self._site = site
        self._folder = folder
        self._chance = random.Random(20261121)  # noqa: S311  what a disk keeps
        self._number = 0

    def before(self, access: Access) -> int:
        """Cut before the access."""
        code = super().before(access)
        self._number += 1
        if access.kind == "flush" or self._number % _EVERY == 0:
            self._cut()
        return code

    def after(self, access: Access) -> None:
        """Cut after a flush."""
        super().after(access)
        if access.kind == "flush":
            self._cut()

    def _cut(self) -> None:
        safe = len(self._site.acknowledged())
        for name, chance in (("flushed", None), ("chance", self._chance)):
            self.cut(self._folder / f"{self._number}-{self._chance.random()}-{name}-{safe}", chance)


def _write(site: Site, folder: Path) -> None:
    """Make a log, write, move the write-ahead log to the tables, and write on, with cuts at all times."""
    sqlite_disk.watch(_Cuts(site, folder))
    log = site.create()
    site.acknowledge([log.prove(0)])
    writer = Writer(site, log)
    for _ in range(2):
        writer.append()
        writer.append_all(5)
        log._database.scrub()
    writer.append()
    log.close()


@pytest.mark.skipif(not sqlite_disk.reachable(), reason="this Python's SQLite is built in: its files cannot be watched")
def test_what_was_acknowledged_survives_a_power_cut(tmp_path: Path) -> None:
    site = crashes.found(tmp_path / "first", f"sqlite:///{tmp_path / 'first' / 'audit.db'}")
    site = Site(tmp_path, f"sqlite:///{tmp_path / 'audit.db'}", site.log_signer, site.ada, site.max)
    assert crashes.end(crashes.child(partial(_write, site, tmp_path / "cuts"))) == 0

    acknowledged = site.acknowledged()
    assert len(acknowledged) == 14
    sizes = set()
    for folder in (tmp_path / "cuts").iterdir():
        safe = int(folder.name.rpartition("-")[2])
        left = Site(folder, f"sqlite:///{folder / 'audit.db'}", site.log_signer, site.ada, site.max)
        try:
            log = left.open()
        except InputError:
            assert safe == 0, folder.name  # the log was not made yet
            continue
        assert [index for index, _ in acknowledged[:safe]] == list(range(safe))
        (folder / "acknowledged").write_text(
            "".join(f"{index} {leaf}\n" for index, leaf in acknowledged[:safe]), encoding="ascii"
        )
        sizes.add(log.size)
        log.close()
        assert (folder.name, crashes.faults(left)) == (folder.name, [])
    assert sizes == {1, 2, 7, 8, 13, 14}


def test_an_acknowledged_append_does_not_need_the_shared_memory(tmp_path: Path) -> None:
    site = crashes.found(tmp_path / "log", f"sqlite:///{tmp_path / 'log' / 'audit.db'}")
    log = site.open()
    with log._database.writing() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
        }
    assert settings == {"synchronous": 2, "journal_mode": "wal"}  # 2: FULL
    writer = Writer(site, log)
    for number in range(6):
        newest = writer.append_all(1 + number)[-1]
        copy = tmp_path / f"copy-{number}"
        copy.mkdir()
        for name in ("audit.db", "audit.db-wal", "acknowledged"):
            shutil.copy(site.folder / name, copy / name)
        left = Site(copy, f"sqlite:///{copy / 'audit.db'}", site.log_signer, site.ada, site.max)
        with crashes.opened(left) as again:
            assert again.size == parse_note(newest.checkpoint).checkpoint.size
        assert crashes.faults(left) == []
    log.close()


def test_the_names_of_new_files_and_folders_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[os.stat_result] = []
    really_flush = os.fsync

    def flush(descriptor: int) -> None:
        really_flush(descriptor)
        flushed.append(os.fstat(descriptor))

    monkeypatch.setattr(os, "fsync", flush)
    FileTransport(tmp_path / "lineage" / "of" / "events.jsonl").send([{"n": 1}])
    crashes.found(tmp_path / "notes", f"sqlite:///{tmp_path / 'evidence' / 'of' / 'audit.db'}")

    for folder in ("", "lineage", "lineage/of", "evidence"):  # SQLite flushes the folder of its own file itself
        assert any(os.path.samestat((tmp_path / folder).stat(), one) for one in flushed), folder
