"""Steps of features/log_book.feature."""

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.audit.rebuild import Rebuilt
from minivess.compliance.audit.search import Wanted
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.tlog_proof import parse_proof, receipt_of, write_tlog_proof
from minivess.compliance.verification.drill_cases.tampering import Case
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, parse_trust, write_trust
from minivess.foundation.errors import MinivessError
from minivess.observability.lineage.entry_events import event_of
from minivess.records.log.entry import Draft, Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.log.explanation import Explained, explain, how_proven
from minivess.workflows.log.inspection import compare_caches, drill, erase, rebuild_caches
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support import earlier
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import VALIDATED, Desk

scenarios("log_book.feature")

SECRET = "the volume of Jane Doe is cut off"
ENROLMENT, FAILED, LOOKED = 1, 5, 6


@dataclass
class Story:
    """What a scenario is about."""

    desk: Desk
    services: Services
    service: Signer
    found: list[Entry] = field(default_factory=list)
    explained: Explained | None = None
    receipt: Receipt | None = None
    proof: str = ""
    error: MinivessError | None = None
    rebuilt: Rebuilt | None = None
    compared: Rebuilt | None = None
    cases: list[Case] = field(default_factory=list)
    kept: str = ""

    @property
    def database(self) -> Path:
        return self.desk.folder / "evidence" / "audit.db"

    def trusted(self) -> Trust:
        register = Register.fold(self.desk.log.entries())
        return parse_trust(write_trust(register, self.desk.log.origin, rules=LEAST_RULES))

    def sql(self, statement: str) -> None:
        with sqlite3.connect(self.database) as connection:
            connection.execute(statement)


@given("a log in which Ada validated data, a training failed and Max looked for leakage", target_fixture="story")
def _(tmp_path: Path) -> Story:
    desk = audit_logs.start(tmp_path / "desk")
    service = audit_logs.service("inference")
    payload = {"identity": service.identity.model_dump(mode="json"), "actions": ["serving.enrolled"]}
    desk.log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=payload), desk.max)
    services = desk.services()
    with recorded(services, "data.validate", desk.ada) as record:
        record.input("data/prepared/manifest.json", f"sha256:{'1' * 64}")
        record.payload(**VALIDATED)

    def fail() -> None:
        with recorded(services, "training", desk.ada):
            raise ValueError(SECRET)

    with pytest.raises(ValueError, match="Jane"):
        fail()
    with recorded(services, "data.leakage", desk.max, instant=True) as record:
        record.payload(across=0, within=3)
    services.deliver()
    return Story(desk, services, service)


def look(story: Story, limit: int = 50, before: int | None = None, **wish: Any) -> None:
    story.found = [entry for entry, _ in story.desk.log.find(Wanted(**wish), before=before, limit=limit)]


@when("a user looks for entries by ada")
def _(story: Story) -> None:
    look(story, actor="ada")


@when("a user looks for entries of the action training")
def _(story: Story) -> None:
    look(story, action="training")


@when("a user looks for entries that failed")
def _(story: Story) -> None:
    look(story, outcome=Outcome.FAILED)


@when("a user looks for entries about prepared/manifest")
def _(story: Story) -> None:
    look(story, resource="prepared/manifest", outcome=Outcome.COMPLETED)


@when("a user looks for entries from tomorrow on")
def _(story: Story) -> None:
    look(story, since=datetime.now(UTC) + timedelta(days=1))


@when(parsers.re(r"a user looks for entries on pages of 2, (?P<page>first|second) page"))
def _(story: Story, page: str) -> None:
    look(story, limit=2, before=None if page == "first" else LOOKED - 1)


@then(parsers.parse("they see {count:d} entries"))
def _(story: Story, count: int) -> None:
    assert len(story.found) == count


@then("they see the last 2 entries")
def _(story: Story) -> None:
    assert [entry.body.index for entry in story.found] == [LOOKED - 1, LOOKED]


@then("they see the 2 entries before")
def _(story: Story) -> None:
    assert [entry.body.index for entry in story.found] == [LOOKED - 3, LOOKED - 2]


@when("a user asks about the look for leakage")
def _(story: Story) -> None:
    story.explained = explain(story.services, LOOKED)


@then("they read who did it, in which role, since when their key counts, what it says and how it is proven")
def _(story: Story) -> None:
    found = story.explained
    assert found is not None
    assert found.authority[0] == "Max (max) acted as release-manager, whose key counts from entry 0"
    assert found.details is not None
    assert found.details.payload["within"] == 3
    assert "give the root of the 7 entries" in how_proven(found)
    assert found.verdict.holds


@when("the proof of the failed training is written to a file")
def _(story: Story) -> None:
    story.receipt = story.desk.log.prove(FAILED)
    story.proof = write_tlog_proof(story.receipt)


@then("the file is a C2SP tlog-proof that verifies with the keys alone")
def _(story: Story) -> None:
    lines = story.proof.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == f"index {FAILED}"
    trusted = story.trusted()
    again = receipt_of(parse_proof(story.proof))
    assert again == story.receipt
    assert verify_receipt(again, log_key=trusted.log_key, actor=trusted).holds


@then("it does not verify with the keys of another log")
def _(story: Story, tmp_path: Path) -> None:
    other = Story(audit_logs.start(tmp_path / "other"), story.services, story.service).trusted()
    assert not verify_receipt(receipt_of(parse_proof(story.proof)), log_key=other.log_key, actor=story.trusted()).holds
    assert not verify_receipt(receipt_of(parse_proof(story.proof)), log_key=story.trusted().log_key, actor=other).holds


@then("it does not verify when any byte of the entry in it is changed")
def _(story: Story) -> None:
    assert story.receipt is not None
    trusted = story.trusted()
    for position in range(0, len(story.receipt.entry), 7):
        text = story.receipt.entry
        bent = text[:position] + chr(ord(text[position]) ^ 1) + text[position + 1 :]
        changed = story.receipt.model_copy(update={"entry": bent})
        assert not verify_receipt(changed, log_key=trusted.log_key, actor=trusted).holds


@when("the release manager erases the details of the failed training")
def _(story: Story) -> None:
    story.receipt = story.desk.log.prove(FAILED)
    assert SECRET.encode() in b"".join(path.read_bytes() for path in story.database.parent.glob("audit.db*"))
    assert SECRET.encode() in story.desk.events.read_bytes()
    erase(story.services, story.desk.max, FAILED, "a patient's name")
    story.services.deliver()


@then("its reason is nowhere in the database nor in the delivered events")
def _(story: Story) -> None:
    for path in story.desk.folder.rglob("*"):
        assert not path.is_file() or b"Jane" not in path.read_bytes(), path
    assert story.desk.log.details(FAILED) is None
    assert len(story.desk.events.read_bytes().splitlines()) == LOOKED


@then("the log verifies and says that the details of one entry were erased")
def _(story: Story) -> None:
    checks, _ = verify_log(story.desk.log.pairs(), story.desk.log.checkpoint())
    assert all(check.passed for check in checks)
    assert "the details of 1 erased" in checks[0].detail


@then("the proof of that entry from before still verifies")
def _(story: Story) -> None:
    trusted = story.trusted()
    assert story.receipt is not None
    for receipt in (story.receipt, story.desk.log.prove(FAILED)):
        assert verify_receipt(receipt, log_key=trusted.log_key, actor=trusted).holds


@then("the last entry says who erased it and why")
def _(story: Story) -> None:
    last = list(story.desk.log.entries())[-1].body
    assert (last.actor, last.payload) == ("max", {"entry": FAILED, "reason": "a patient's name"})


@when(parsers.re("(?P<who>the service|the release manager) tries to erase (?P<what>.*)"))
def _(story: Story, who: str, what: str) -> None:
    index = {"the failed training": FAILED, "the enrolment": ENROLMENT, "an entry that is not": 99}[what]
    try:
        erase(story.services, story.service if who == "the service" else story.desk.max, index, "because")
    except MinivessError as error:
        story.error = error


@then(parsers.parse("it is refused because {why}"))
def _(story: Story, why: str) -> None:
    assert story.error is not None
    assert why in story.error.message


@then("no details are missing")
def _(story: Story) -> None:
    checks, _ = verify_log(story.desk.log.pairs(), story.desk.log.checkpoint())
    assert all(check.passed for check in checks)
    assert story.desk.log.details(FAILED) is not None
    assert "erased" not in checks[0].detail


CHANGES = {
    "the actor of an entry": "UPDATE entry SET actor = 'eve' WHERE \"index\" = 2",
    "the action of an entry": "UPDATE entry SET action = 'data.validate' WHERE \"index\" = 4",
    "the start that an entry ends": 'UPDATE entry SET started = NULL WHERE "index" = 3',
    "a node of the tree": "UPDATE node SET hash = zeroblob(32) WHERE id = 1",
    "all nodes of the tree": "DELETE FROM node",
    "the number of nodes": "INSERT INTO node (id, hash) VALUES (99, zeroblob(32))",
    "the event of an entry": "UPDATE outbox SET event = replace(event, 'COMPLETE', 'ABORT') WHERE entry = 3",
    "the time of an event": 'UPDATE outbox SET event = replace(event, \'"eventTime":"20\', \'"eventTime":"29\')',
    "all events": "DELETE FROM outbox",
    "the number of events": "INSERT INTO outbox (entry, event) SELECT entry, event FROM outbox WHERE entry = 2",
    "the entry an event belongs to": "UPDATE outbox SET entry = 1 WHERE entry = 2",
    "when an event was delivered": "UPDATE outbox SET delivered_at = 'long ago' WHERE entry = 2",
    "the signature of an older checkpoint": "UPDATE checkpoint SET note = substr(note, 1, length(note) - 6) || 'AAAA='"
    " || char(10) WHERE size = 2",
    "an older checkpoint for another": "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE size = 2)"
    " WHERE size = 3",
    "the number of checkpoints": "INSERT INTO checkpoint (size, note) SELECT 99, note FROM checkpoint WHERE size = 2",
}


@given(parsers.re(rf"an attacker changes (?P<what>{'|'.join(CHANGES)}) in the database"))
def _(story: Story, what: str) -> None:
    story.sql(CHANGES[what])


@when("the caches are compared with the entries")
def _(story: Story) -> None:
    story.compared = compare_caches(story.services)


@then(parsers.parse("the difference is named: {words}"))
def _(story: Story, words: str) -> None:
    assert story.compared is not None
    found = [*story.compared.differences, *story.compared.left]
    assert any(one.startswith(words) for one in found), found
    assert len(found) == story.compared.count
    assert compare_caches(story.services).count == story.compared.count, "comparing changes nothing"


@then("rebuilding reports it as well, and corrects it")
def _(story: Story) -> None:
    assert story.compared is not None
    found = rebuild_caches(story.services)
    assert found.differences == story.compared.differences
    assert found.left == []
    assert compare_caches(story.services).count == 0


@then("rebuilding reports it as well, and leaves it")
def _(story: Story) -> None:
    assert story.compared is not None
    assert rebuild_caches(story.services).left == story.compared.left
    assert compare_caches(story.services).left == story.compared.left


@then("no difference is named")
def _(story: Story) -> None:
    assert story.compared is not None
    assert (story.compared.differences, story.compared.left) == ([], [])


@then("the events that are made again have nothing of what was erased")
def _(story: Story) -> None:
    story.sql("DELETE FROM outbox")
    assert rebuild_caches(story.services).count > 0
    events = dict(story.desk.log.pending_events())
    assert len(events) == LOOKED
    assert SECRET not in str(events)


@given("a log of version 0.1.0", target_fixture="old")
def _(tmp_path: Path) -> Path:
    return earlier.unpack(tmp_path / "workspace")


@when("its caches are compared with its entries", target_fixture="compared")
def _(old: Path) -> Rebuilt:
    with closing(AuditLog.open(earlier.url_of(old), log_signer=None)) as log:
        return log.compare(events=event_of)


@then("no difference is named, and none when they are empty and made again")
def _(old: Path, compared: Rebuilt) -> None:
    assert (compared.differences, compared.left, compared.entries) == ([], [], 77)
    with closing(AuditLog.open(earlier.url_of(old), log_signer=None)) as log:
        with sqlite3.connect(old / "evidence" / "audit.db") as connection:
            connection.execute("DELETE FROM node")
            [(events,)] = connection.execute("SELECT count(*) FROM outbox")
            connection.execute("DELETE FROM outbox")
            connection.execute("UPDATE entry SET action = '', outcome = '', actor = '', time = '', started = NULL")
        again = log.rebuild(events=event_of)
        assert again.count == again.nodes + events + 4 * 77 + _ended(log)
        assert log.compare(events=event_of).count == 0
        assert len(log.pending_events()) == events


def _ended(log: AuditLog) -> int:
    return sum(entry.body.started is not None for entry in log.entries())


@given("an attacker changes the bytes of an entry in the database")
def _(story: Story) -> None:
    story.sql("UPDATE entry SET content = CAST(replace(content, 'training', 'ensemble') AS BLOB) WHERE \"index\" = 4")


@when("the tables are rebuilt")
def _(story: Story) -> None:
    try:
        story.rebuilt = story.desk.log.rebuild()
    except MinivessError as error:
        story.error = error


@then("rebuilding again finds nothing")
def _(story: Story) -> None:
    again = rebuild_caches(story.services)
    assert (again.count, again.entries) == (0, story.desk.log.size)
    assert story.desk.log.prove(2).index == 2


@when("the drill is run")
def _(story: Story) -> None:
    story.cases = drill(story.services)


@then("hundreds of changes of 20 kinds at least were tried and each was caught")
def _(story: Story) -> None:
    assert [case for case in story.cases if not case.caught] == []
    assert len(story.cases) > 300
    assert len({case.kind for case in story.cases}) >= 20


@given("an auditor kept a checkpoint")
def _(story: Story) -> None:
    story.desk.log.close()
    shutil.copy(story.database, story.desk.folder / "older.db")
    story.desk.log.append(audit_logs.draft(), story.desk.ada)
    story.kept = story.desk.log.checkpoint()


@when("the log is restored from an older copy and goes on differently")
def _(story: Story) -> None:
    log = AuditLog.open(f"sqlite:///{story.desk.folder / 'older.db'}", log_signer=story.desk.log_signer)
    for _ in range(2):
        log.append(audit_logs.draft(), story.desk.max)
    story.desk.log = log


@then("verification against the kept checkpoint says that there are two histories")
def _(story: Story) -> None:
    log = story.desk.log
    assert all(check.passed for check in verify_log(log.pairs(), log.checkpoint())[0])
    checks, _ = verify_log(log.pairs(), log.checkpoint(), known=story.kept)
    assert re.match("two histories: the first 8 entries", next(check.detail for check in checks if not check.passed))


@when("sixteen threads record ten looks for leakage each")
def _(story: Story) -> None:
    look = audit_logs.draft(action="data.leakage", payload={"across": 0, "within": 1})

    def write() -> None:
        for _ in range(10):
            story.desk.log.append(look, story.desk.ada)

    threads = [threading.Thread(target=write) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@then("the log holds 160 more entries in an order that verifies")
def _(story: Story) -> None:
    assert story.desk.log.size == LOOKED + 1 + 160
    checks, _ = verify_log(story.desk.log.pairs(), story.desk.log.checkpoint())
    assert all(check.passed for check in checks)


@then("fewer checkpoints were signed than entries written")
def _(story: Story) -> None:
    with sqlite3.connect(story.database) as connection:
        (count,) = connection.execute("SELECT count(*) FROM checkpoint").fetchone()
    assert count < story.desk.log.size
