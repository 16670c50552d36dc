"""The audit log: what it promises about entries, heads, time, people and other processes."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event as sql_event

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import parse_note, sign_note
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.errors import (
    CouldNotCheckError,
    InputError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.records.log.entry import Outcome
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft

pytestmark = pytest.mark.verifies("SU-11")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return audit_logs.start(tmp_path / "desk")


def judged(log: AuditLog) -> bool:
    checks, _, _ = verify_entries(log.pairs(), log.checkpoint())
    return all(check.passed for check in checks)


@pytest.mark.verifies("REQ-001")
def test_what_was_appended_is_verified_by_the_verifier(desk: Desk) -> None:
    for _ in range(9):
        desk.log.append(draft(), desk.ada)

    assert desk.log.size == 10
    assert [entry.body.index for entry in desk.log.entries()] == list(range(10))
    assert judged(desk.log)


@pytest.mark.verifies("REQ-001", "REQ-028")
def test_every_receipt_verifies_alone(desk: Desk) -> None:
    receipts = [desk.log.append(draft(), desk.ada) for _ in range(6)]

    register = Register.fold(desk.log.entries())
    for receipt in [*receipts, desk.log.prove(0), desk.log.prove(3), desk.log.prove(3, size=5)]:
        verdict = verify_receipt(receipt, log_key=desk.log_signer.public, actor=register)
        assert verdict.holds, verdict.first_failure


def test_a_log_is_the_same_after_it_is_opened_again(desk: Desk) -> None:
    desk.log.append(draft(), desk.ada)
    lines, head = list(desk.log.lines()), desk.log.checkpoint()
    desk.log.close()

    again = desk.reopened()

    assert (list(again.lines()), again.checkpoint(), again.origin) == (lines, head, audit_logs.ORIGIN)
    assert again.append(draft(), desk.ada).index == 2
    assert judged(again)


def test_entries_can_be_read_from_anywhere_across_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minivess.compliance.audit.reader.PAGE", 3)
    for _ in range(8):
        desk.log.append(draft(), desk.ada)

    assert [entry.body.index for entry in desk.log.entries(2)] == list(range(2, 9))
    assert list(desk.log.entries(9)) == []


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    moments = iter([now, now + timedelta(hours=1), now - timedelta(hours=5), now + timedelta(hours=2)])
    desk = audit_logs.start(tmp_path, clock=lambda: next(moments))

    for _ in range(3):
        desk.log.append(draft(), desk.ada)

    times = [entry.body.time for entry in desk.log.entries()]
    assert times == [now, now + timedelta(hours=1), now + timedelta(hours=1), now + timedelta(hours=2)]


@pytest.mark.verifies("REQ-046", "RC-14")
@pytest.mark.parametrize(
    "payload",
    [{**audit_logs.VALIDATED, "patient": "Jane Doe"}, {"rules": 1}, {**audit_logs.VALIDATED, "rules": float("nan")}],
)
def test_a_payload_its_action_does_not_declare_is_refused(desk: Desk, payload: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"data\.validate"):
        desk.log.append(draft(payload=payload), desk.ada)
    with pytest.raises(UsageError, match="unknown action"):
        desk.log.append(draft(action="data.guess"), desk.ada)

    assert desk.log.size == 1


def test_only_the_enrolled_may_write(desk: Desk) -> None:
    stranger = audit_logs.person("eve")
    with pytest.raises(RefusedError, match="not enrolled"):
        desk.log.append(draft(), stranger)

    enrolment = draft(action="identity.enrolled", payload={"identity": stranger.identity.model_dump(mode="json")})
    with pytest.raises(RefusedError, match=r"already|twice|enrolled"):
        desk.log.append(enrolment, stranger)
    desk.log.append(enrolment, desk.max)
    desk.log.append(draft(), stranger)

    revocation = draft(action="identity.revoked", payload={"identity": "eve", "reason": "left"})
    other = desk.reopened()
    other.append(revocation, desk.max)
    with pytest.raises(RefusedError, match="revoked"):
        desk.log.append(draft(), stranger)
    assert judged(desk.log)


def test_an_end_must_name_its_start(desk: Desk) -> None:
    started = desk.log.append(draft(Outcome.STARTED), desk.ada)
    desk.log.append(draft(started=started.index), desk.ada)

    for wrong in (0, 2, 99):
        with pytest.raises(UsageError, match="did not start"):
            desk.log.append(draft(started=wrong), desk.ada)


@pytest.mark.verifies("REQ-003")
def test_a_full_disk_leaves_nothing_half_written(desk: Desk) -> None:
    engine = desk.log._database.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    desk.log.close()

    @sql_event.listens_for(engine, "connect")
    def full(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        for _ in range(100):
            desk.log.append(draft(), desk.ada, event={"text": "x" * 4000})

    with pytest.raises(CouldNotCheckError, match="full") as caught:
        fill()
    assert str(desk.folder) not in caught.value.message

    again = desk.reopened()
    assert judged(again)
    assert len(again.pending_events()) == again.size - 1
    again.append(draft(), desk.ada)
    assert judged(again)


@pytest.mark.verifies("REQ-005")
@pytest.mark.parametrize("table", ["entry", "node", "checkpoint", "outbox"])
def test_entry_event_and_checkpoint_are_one_transaction(desk: Desk, table: str) -> None:
    desk.log.append(draft(), desk.ada, event={"n": 0})
    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        fault = "SELECT RAISE(ABORT, 'Input/output error')"
        connection.execute(f"CREATE TRIGGER fault AFTER INSERT ON {table} BEGIN {fault}; END")

    with pytest.raises(CouldNotCheckError, match="Input/output error"):
        desk.log.append(draft(), desk.ada, event={"n": 1})
    assert (desk.log.size, [event for _, event in desk.log.pending_events()]) == (2, [{"n": 0}])

    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        connection.execute("DROP TRIGGER fault")
    desk.log.append(draft(), desk.ada, event={"n": 2})
    assert [event for _, event in desk.log.pending_events()] == [{"n": 0}, {"n": 2}]
    assert judged(desk.log)


def test_an_event_that_is_no_json_takes_its_entry_with_it(desk: Desk) -> None:
    with pytest.raises(UsageError, match="JSON"):
        desk.log.append(draft(), desk.ada, event={"loss": float("nan")})
    assert desk.log.size == 1


@pytest.mark.verifies("REQ-003")
def test_trying_to_write_leaves_no_trace(desk: Desk) -> None:
    before = (list(desk.log.lines()), desk.log.checkpoint())
    desk.log.check_writable()
    assert (list(desk.log.lines()), desk.log.checkpoint()) == before


@pytest.mark.verifies("REQ-003")
def test_a_log_that_cannot_be_written_says_so(desk: Desk) -> None:
    path = desk.folder / "evidence" / "audit.db"
    read_only = desk.reopened(url=f"sqlite:///file:{path}?mode=ro&uri=true")
    reader = AuditLog.open(desk.url, log_signer=None)
    for log in (read_only, reader):
        with pytest.raises(CouldNotCheckError, match="the log cannot be written"):
            log.check_writable()
        with pytest.raises(CouldNotCheckError, match="the log cannot be written"):
            log.append(draft(), desk.ada)
        assert log.size == 1

    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CouldNotCheckError, match="locked"):
            desk.reopened(wait=0.05).check_writable()
        other.execute("ROLLBACK")


def test_two_open_logs_build_on_each_other(desk: Desk) -> None:
    other = desk.reopened()
    for number in range(8):
        (desk.log if number % 3 else other).append(draft(), desk.ada)

    assert judged(desk.log)
    assert desk.log.checkpoint() == other.checkpoint()


def test_threads_take_turns(desk: Desk) -> None:
    threads = [
        threading.Thread(target=lambda: [desk.log.append(draft(), desk.ada) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert desk.log.size == 41
    assert judged(desk.log)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET content = replace(content, 'data', 'date') WHERE \"index\" = 2",
        'DELETE FROM entry WHERE "index" = 3',
        "DELETE FROM checkpoint WHERE size = 4",
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 3) WHERE size = 4",
    ],
)
def test_a_database_that_disagrees_with_its_checkpoint_is_not_opened(desk: Desk, damage: str) -> None:
    for _ in range(3):
        desk.log.append(draft(), desk.ada)
    desk.log.close()
    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        connection.execute(damage)

    with pytest.raises(VerificationError):
        desk.reopened()


@pytest.mark.verifies("RC-06")
def test_the_log_key_never_signs_on_top_of_a_forged_head(desk: Desk) -> None:
    other = desk.reopened()
    receipt = other.append(draft(), desk.ada)
    forger = audit_logs.service("log")
    head = parse_note(receipt.checkpoint).checkpoint
    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        connection.execute("UPDATE checkpoint SET note = ? WHERE size = 2", (sign_note(head, forger),))

    with pytest.raises(VerificationError, match="signed checkpoint"):
        desk.log.append(draft(), desk.ada)
    with pytest.raises(VerificationError, match="signed checkpoint"):
        desk.reopened()


def test_a_log_that_shrank_is_noticed_by_whoever_has_it_open(desk: Desk) -> None:
    for _ in range(3):
        desk.log.append(draft(), desk.ada)
    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        connection.execute('DELETE FROM entry WHERE "index" = 3')

    with pytest.raises(VerificationError, match="entry 3 is missing"):
        desk.log.append(draft(), desk.ada)


def test_a_changed_entry_gets_no_receipt(desk: Desk) -> None:
    desk.log.append(draft(), desk.ada)
    with sqlite3.connect(desk.folder / "evidence" / "audit.db") as connection:
        connection.execute("UPDATE entry SET content = replace(content, 'ada', 'eve') WHERE \"index\" = 1")

    with pytest.raises(VerificationError, match="entry 1"):
        desk.log.prove(1)


def test_there_must_be_a_log_to_open(tmp_path: Path, desk: Desk) -> None:
    with pytest.raises(InputError, match="no audit log"):
        AuditLog.open(f"sqlite:///{tmp_path / 'none.db'}", log_signer=None)
    assert not (tmp_path / "none.db").exists()
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(InputError, match="no audit log"):
        AuditLog.open(f"sqlite:///{tmp_path / 'empty.db'}", log_signer=None)
    (tmp_path / "text.db").write_text("this is no database " * 100, encoding="utf-8")
    with pytest.raises(CouldNotCheckError):
        AuditLog.open(f"sqlite:///{tmp_path / 'text.db'}", log_signer=None)
    with pytest.raises(UsageError):
        AuditLog.open("no url at all", log_signer=None)
    with pytest.raises(RefusedError, match="does not sign"):
        AuditLog.open(desk.url, log_signer=audit_logs.service("log"))


def test_a_log_is_made_once_and_only_of_what_fits(tmp_path: Path, desk: Desk) -> None:
    fitting = {
        "origin": "minivess.test/other",
        "device": "toy",
        "log_signer": audit_logs.service("log"),
        "roots": (desk.max.identity,),
        "threshold": 1,
        "root_signer": desk.max,
    }
    with pytest.raises(UsageError, match="already"):
        AuditLog.create(desk.url, **fitting)
    for change in (
        {"origin": "has a space"},
        {"log_signer": audit_logs.person("log")},
        {"root_signer": desk.ada},
        {"threshold": 2},
        {"threshold": 0},
    ):
        with pytest.raises(UsageError):
            AuditLog.create(f"sqlite:///{tmp_path / 'new.db'}", **{**fitting, **change})
    assert not (tmp_path / "new.db").exists()
    AuditLog.create(f"sqlite:///{tmp_path / 'new.db'}", **fitting).close()


def test_canonical_bytes_are_what_is_stored(desk: Desk) -> None:
    desk.log.append(draft(), desk.ada)
    assert list(desk.log.lines()) == [canonical(entry) for entry in desk.log.entries()]
