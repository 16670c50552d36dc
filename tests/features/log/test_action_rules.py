"""Steps of action_rules.feature."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.rules.actions import table
from minivess.compliance.rules.adoption import sign_adoption
from minivess.compliance.verification.log import verify_log
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.records.artifact import Artifact
from minivess.records.log.action_table import RulesAdopted
from minivess.records.log.entry import Context, Draft, Outcome
from minivess.records.people.roles import Role
from tests.compliance.rules import test_admission
from tests.support import earlier
from tests.support.builders import audit_logs, guarded_log
from tests.support.builders.pack_builder import service as forged_service

scenarios("action_rules.feature")

MODEL = digest_bytes(b"made up")
PAYLOADS: dict[str, dict[str, Any]] = {
    "training": {"architecture": "segresnet", "steps": 1},
    "model.export": {"opset": 20, "max_abs_difference": 0.0, "tolerance": 1e-4},
    "evaluation": {"request": "open-x", "cases": 1, "aggregates": {}, "baseline_dice": 0.0},
    "model.promote": {"model": MODEL, "stage": "production", "reason": "x"},
    "criteria.register": {"criteria": []},
    "release.build": {"version": "9.9.9", "tag_manifest": MODEL, "gates": 1, "files": 1},
}


@dataclass
class Story:
    folder: Path
    desk: audit_logs.Desk | None = None
    people: dict[str, Signer] = field(default_factory=dict)
    guarded: guarded_log.GuardedLog | None = None
    url: str = ""
    size: int = 0
    error: MinivessError | None = None
    said: tuple[str, str] = ("", "")
    envelopes: list[Any] = field(default_factory=list)

    @property
    def log(self) -> AuditLog:
        assert self.desk is not None
        return self.desk.log

    def append(self, draft: Draft, who: str) -> None:
        self.size = self.log.size
        with pytest.raises(MinivessError) as caught:
            self.log.append(draft, self.people[who])
        self.error = caught.value

    def database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "evidence" / "audit.db")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


@given("a log with a developer, a reviewer, a release manager and a service")
def _(story: Story) -> None:
    story.desk = audit_logs.start(story.folder)
    ben, service = audit_logs.person("ben", Role.REVIEWER), audit_logs.service("inference")
    for who, more in ((ben, {}), (service, {"actions": ["serving.enrolled", "serving.anchored"]})):
        payload = {"identity": who.identity.model_dump(mode="json"), **more}
        story.log.append(Draft(action="identity.enrolled", outcome=Outcome.COMPLETED, payload=payload), story.desk.max)
    story.people = {"ada": story.desk.ada, "ben": ben, "inference": service, "max": story.desk.max}


@when(parsers.parse('the service appends a completed "{action}"'))
def _(story: Story, action: str) -> None:
    outputs = (Artifact(name="models/made-up", digest=MODEL),)
    draft = Draft(
        action=action,
        outcome=Outcome.COMPLETED,
        payload=PAYLOADS[action],
        outputs=outputs,
        context=Context(model=MODEL),
    )
    story.append(draft, "inference")


@given("a log in which a service entered a model export")
def _(story: Story) -> None:
    story.guarded = guarded_log.sealed()
    story.guarded.export(forged_service("inference"))


@given("a log in which Eva, who is developer and reviewer, trained the model")
def _(story: Story) -> None:
    story.guarded = test_admission.eva_trained()


@when("Eva's approval of a look is entered")
def _(story: Story) -> None:
    log, eva = story.guarded, guarded_log.both_roles()
    assert log is not None
    wish = guarded_log.request("open-9")
    log.ask(test_admission.ada(), wish)
    log.approve(eva, guarded_log.grant(wish, eva))
    story.said = guarded_log.both(log)


@given(parsers.parse("a log in which a release is prepared that rests on {what}"))
def _(story: Story, what: str) -> None:
    story.guarded = test_admission.BAD[f"a release rests on {what}"]()
    story.said = guarded_log.both(story.guarded)


@when("it is verified")
def _(story: Story) -> None:
    assert story.guarded is not None
    story.said = guarded_log.both(story.guarded)


@then(parsers.parse("both verifiers name the entry of the {what}"))
def _(story: Story, what: str) -> None:
    assert story.guarded is not None, what
    last = len(story.guarded.entries) - 1
    assert all(f"entry {last}" in said for said in story.said)


@given("the reviewer's key was revoked")
def _(story: Story) -> None:
    payload = {"identity": "ben", "reason": "stolen"}
    revoked = Draft(action="identity.revoked", outcome=Outcome.COMPLETED, payload=payload)
    story.log.append(revoked, story.people["max"])


@given("the action column of the revocation was changed")
def _(story: Story) -> None:
    assert story.desk is not None
    story.log.close()
    with closing(story.database()) as connection, connection:
        connection.execute("UPDATE entry SET action = 'inference' WHERE action = 'identity.revoked'")
    story.desk.log = story.desk.reopened()


@given("the bytes of an earlier entry were changed")
def _(story: Story) -> None:
    with closing(story.database()) as connection, connection:
        changed = "CAST(replace(CAST(content AS TEXT), 'inference', 'inferencE') AS BLOB)"
        connection.execute(f'UPDATE entry SET content = {changed} WHERE "index" = 2')  # noqa: S608


@when("the reviewer appends a validation")
def _(story: Story) -> None:
    story.append(audit_logs.draft(), "ben")


@when("the developer appends a validation")
def _(story: Story) -> None:
    story.append(audit_logs.draft(), "ada")


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert reason in story.error.message


@then("the log has no new entry")
def _(story: Story) -> None:
    assert story.log.size == story.size


@then(parsers.parse('opening the log for writing is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.desk is not None
    with pytest.raises(MinivessError, match=reason):
        story.desk.reopened()


@given("the log of version 0.1.0")
def _(story: Story) -> None:
    workspace = earlier.unpack(story.folder)
    story.url = earlier.url_of(workspace)
    store = Keystore(workspace / "keystore")
    story.people = {who: store.unlock(who, earlier.PASSPHRASE) for who in ("ada", "rosa", "max", "log")}


def _adopt(story: Story, root: str) -> None:
    with closing(AuditLog.open(story.url, log_signer=story.people["log"])) as log:
        standing, new = log.standing, table(2)
        story.envelopes.append(
            sign_adoption(
                story.people[root],
                standing.register,
                standing.rules,
                new,
                log=log.origin,
                head=log.size,
                now=utc_now(),
            )
        )
        said = RulesAdopted(number=new.number, digest=new.digest, envelopes=tuple(story.envelopes))
        payload = said.model_dump(mode="json")
        log.append(Draft(action="rules.adopted", outcome=Outcome.COMPLETED, payload=payload), story.people["max"])


@when("one root signs for the newest table and it is adopted")
def _(story: Story) -> None:
    with pytest.raises(MinivessError) as caught:
        _adopt(story, "ada")
    story.error = caught.value


@when("a second root signs and it is adopted")
def _(story: Story) -> None:
    _adopt(story, "max")


@then("the log follows table 2 from the next entry on")
def _(story: Story) -> None:
    with closing(AuditLog.open(story.url, log_signer=None)) as log:
        assert (log.standing.rules.number, log.standing.adopted) == (2, log.size)


@then("the log verifies with all its earlier entries")
def _(story: Story) -> None:
    with closing(AuditLog.open(story.url, log_signer=None)) as log:
        checks, _ = verify_log(log.pairs(), log.checkpoint())
    assert [check.detail for check in checks if not check.passed] == []
