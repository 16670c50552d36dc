"""Steps of features/remembered.feature."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.remembered_checkpoints import Memory, person
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, parse_verifier_key, verifier_key, verify_cosignatures
from minivess.compliance.verification.log import verify_log
from minivess.foundation.errors import InputError, MinivessError, UsageError, VerificationError
from minivess.records.log.entry import Entry, EntryBody
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.log import cosigning
from minivess.workflows.log.restoring import restore
from minivess.workflows.people import accounts
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, open_services
from tests.support.projects import PASSPHRASE, ProjectFolder, reopen

scenarios("remembered.feature")


@dataclass
class Story:
    """A project, and the profiles of the people who sign its log."""

    project: ProjectFolder
    home: Path
    monkeypatch: pytest.MonkeyPatch
    backup: Path
    error: MinivessError | None = None
    entries: list[Entry] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.project.workspace.evidence / "audit.db"

    def memory(self) -> Memory:
        with reopen(self.project.workspace.root) as services:
            return remembered_checkpoints.memory_of(services.log)

    def record(self, who: str, services: Services | None = None) -> None:
        if services is None:
            with reopen(self.project.workspace.root) as opened:
                self.record(who, opened)
            return
        with recorded(services, "data.profile", self.project.signers[who], instant=True) as record:
            record.payload(cases=1, groups=1)

    def roll_back(self) -> None:
        shutil.rmtree(self.database.parent)
        shutil.copytree(self.backup, self.database.parent)

    @contextmanager
    def elsewhere(self, name: str = "another machine") -> Iterator[None]:
        """On another account, whose profile has nothing yet."""
        with self.monkeypatch.context() as patch:
            patch.setenv("XDG_DATA_HOME", str(self.home / name))
            yield

    def forget_machine(self) -> None:
        """As on another machine of the same person."""
        for file in (self.home / "minivess" / "seen").glob("*/log.*.note"):
            file.unlink()

    @contextmanager
    def restoring(self) -> Iterator[Services]:
        root = self.project.workspace.root
        with open_services(root, log_passphrase=PASSPHRASE, restoring=True) as services:
            yield services

    def refused(self, act: Any) -> None:
        """Nothing is appended, and the error is kept."""
        self.forget_machine()
        with reopen(self.project.workspace.root) as services:
            before = services.log.size
            with pytest.raises((VerificationError, InputError)) as caught:
                act(services)
            assert services.log.size == before
        self.error = caught.value


@given("a project with a log, which Ada, Rosa and Max may sign", target_fixture="story")
def _(started_project: ProjectFolder, tmp_path: Path, profile_home: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    project = started_project.copy_to(tmp_path / "project")
    backup = tmp_path / "backup"
    shutil.copytree(project.workspace.evidence, backup)
    return Story(project, profile_home, monkeypatch, backup)


@given("Ada recorded something")
@when("Ada records something")
def _(story: Story) -> None:
    story.record("ada")


@given("Rosa saw more of the log on another machine")
def _(story: Story) -> None:
    with story.elsewhere("rosa"):
        story.record("rosa")


@given("the log is rolled back to before that")
@when("the log is rolled back to before that")
def _(story: Story) -> None:
    story.roll_back()


@when("the log is rolled back to before that, and Rosa records something else on a machine that never saw it")
def _(story: Story) -> None:
    story.roll_back()
    with story.elsewhere():
        story.record("rosa")


@when("what she saw is overwritten with something else")
def _(story: Story) -> None:
    story.memory().file(person(story.project.signers["ada"].identity)).write_text("a note\n", encoding="utf-8")


@when("Ada cosigns, and then Rosa")
def _(story: Story) -> None:
    with reopen(story.project.workspace.root) as services:
        for who in ("ada", "rosa"):
            cosigning.announce(services, story.project.signers[who])
        for who in ("ada", "rosa"):
            cosigning.cosign(services, story.project.signers[who])


@when(parsers.parse("the log has an announcement of {what}"))
def _(story: Story, what: str) -> None:
    key = generate(KeyAlgorithm.ED25519).public
    with reopen(story.project.workspace.root) as services:
        origin = services.log.origin
        cosigning.announce(services, story.project.signers["rosa"])
        if "revoked" in what:
            accounts.revoke(services, story.project.signers["max"], "rosa", "her laptop was stolen")
        story.entries = list(services.log.entries())
    rosas = story.project.signers["rosa"].witness_key(origin)
    text = {
        "a key under another name": verifier_key(f"{origin}/rosa", key, WITNESS).text(),
        "a key of another type": verifier_key(f"{origin}/ada", key, LOG).text(),
        "no key": "none",
    }.get(what) or verifier_key(f"{origin}/ada", _public(rosas.raw), WITNESS).text()
    story.entries.append(_entry(story, "identity.witness", {"key": text}))


def _public(raw: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from minivess.compliance.identity.keys import describe

    return describe(KeyAlgorithm.ED25519, Ed25519PublicKey.from_public_bytes(raw))


def _entry(story: Story, action: str, payload: dict[str, Any]) -> Entry:
    """An entry as an attacker might put it at the end."""
    last = story.entries[-1].body
    values = last.model_dump(mode="json") | {
        "index": last.index + 1,
        "action": action,
        "actor": "ada",
        "payload": payload,
        "outcome": "completed",
        "details": None,
    }
    return Entry(body=EntryBody.model_validate(values), signature="")


@when(parsers.parse('Max restores the log because "{reason}"'))
def _(story: Story, reason: str) -> None:
    with story.restoring() as services:
        try:
            restore(services, story.project.signers["max"], reason)
        except UsageError as error:
            story.error = error


@when('Max restores the log because "the disk broke", and passes what Rosa saw')
def _(story: Story) -> None:
    root, saw = str(story.project.workspace.root), story.project.workspace.root / "rosa.note"
    with story.elsewhere("rosa"):
        made = CliRunner().invoke(app, ["-C", root, "audit", "seen", "--of", "rosa", "--out", str(saw)])
        assert made.exit_code == 0, made.output
    for who in ("LOG", "MAX"):
        story.monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", PASSPHRASE)
    command = ["-C", root, "audit", "restore", "--reason", "the disk broke", "--seen", str(saw), "--as", "max"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output


@given("Eve, a developer and no root, may sign as well")
def _(story: Story) -> None:
    keystore = Keystore(story.project.workspace.keystore)
    keystore.create("eve", "Eve", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
    story.project.signers["eve"] = keystore.unlock("eve", PASSPHRASE)
    with reopen(story.project.workspace.root) as services:
        accounts.enrol(services, story.project.signers["max"], "eve")
    shutil.rmtree(story.backup)
    shutil.copytree(story.project.workspace.evidence, story.backup)


@when("Eve says that the log was restored")
def _(story: Story) -> None:
    with story.restoring() as services:
        try:
            restore(services, story.project.signers["eve"], "I say so")
        except MinivessError as error:
            story.error = error


@then("her profile has the checkpoint over her entry, readable by her account alone")
def _(story: Story) -> None:
    memory = story.memory()
    file = memory.file(person(story.project.signers["ada"].identity))
    assert file.stat().st_mode & 0o777 == 0o600
    with reopen(story.project.workspace.root) as services:
        assert file.read_text(encoding="utf-8") == services.log.checkpoint(2)
    assert memory.profile.loose() == []


@then("what Rosa records next is continued by Ada without complaint")
def _(story: Story) -> None:
    with reopen(story.project.workspace.root) as services:
        for who in ("rosa", "ada"):
            story.record(who, services)
        sizes = {
            who: remembered_checkpoints.remembered(services.log, story.project.signers[who].identity)
            for who in ("rosa", "ada")
        }
        assert {who: found and found.size for who, found in sizes.items()} == {"rosa": 3, "ada": 4}


@then(parsers.parse('it cannot be opened for writing here, because "{why}"'))
def _(story: Story, why: str) -> None:
    with pytest.raises(VerificationError) as caught:
        reopen(story.project.workspace.root)
    assert why in caught.value.message
    assert "minivess audit restore" in caught.value.hint


@then(parsers.parse('on a machine that never saw it Ada signs nothing, because "{why}"'))
def _(story: Story, why: str) -> None:
    story.refused(lambda services: story.record("ada", services))
    assert story.error is not None
    assert why in story.error.message
    story.refused(lambda services: accounts.unlock(services, "ada", PASSPHRASE))
    assert why in story.error.message


@then(parsers.parse('on her machine Rosa signs nothing, because "{why}"'))
def _(story: Story, why: str) -> None:
    with story.elsewhere("rosa"):
        for file in (story.home / "rosa" / "minivess" / "seen").glob("*/log.*.note"):
            file.unlink()
        with reopen(story.project.workspace.root) as services, pytest.raises(VerificationError) as caught:
            story.record("rosa", services)
    assert why in caught.value.message


@then("on her machine Rosa goes on")
def _(story: Story) -> None:
    with story.elsewhere("rosa"):
        story.record("rosa")


@then("Rosa, who saw this history alone, goes on")
def _(story: Story) -> None:
    with story.elsewhere():
        story.record("rosa")


@then("the checkpoint of before that does not replace what she saw")
def _(story: Story) -> None:
    ada = story.project.signers["ada"].identity
    with reopen(story.project.workspace.root) as services:
        remembered_checkpoints.remember(services.log, ada, services.log.checkpoint(1))
        assert remembered_checkpoints.remembered(services.log, ada) == parse_note(services.log.checkpoint(2)).checkpoint


@then("the newest checkpoint has a cosignature of each, by the keys that they announced")
def _(story: Story) -> None:
    with reopen(story.project.workspace.root) as services:
        entries = [entry.body for entry in services.log.entries(actions={"identity.witness"})]
        keys = [parse_verifier_key(str(body.payload["key"])) for body in entries]
        assert [key.name for key in keys] == [f"{services.log.origin}/{who}" for who in ("ada", "rosa")]
        assert len(verify_cosignatures(services.log.checkpoint(), keys, 2)) == 2
        assert sorted(cosigning.cosigners(services)) == ["ada", "rosa"]


@then("cosigning again announces no key a second time")
def _(story: Story) -> None:
    with reopen(story.project.workspace.root) as services:
        before = services.log.size
        note = cosigning.cosign(services, story.project.signers["ada"])
        assert services.log.size == before
        assert services.log.checkpoint() == note


@then("on a machine that never saw it Ada cosigns nothing")
def _(story: Story) -> None:
    story.refused(lambda services: cosigning.cosign(services, story.project.signers["ada"]))
    with story.elsewhere(), reopen(story.project.workspace.root) as services:
        assert services.log.checkpoint().count("\n— ") == 1


@then(parsers.parse("the announcement is refused because {why}"))
def _(story: Story, why: str) -> None:
    assert WitnessKeys.fold(story.entries[:-1]) is not None
    with pytest.raises(VerificationError, match=why):
        WitnessKeys.fold(story.entries)


@then("the log can be written again, and Ada goes on with one warning")
def _(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), reopen(story.project.workspace.root) as services:
        for _ in range(2):
            story.record("ada", services)
    assert [message for message in caplog.messages if "): ada continues" in message] == [
        "the log was restored from a backup (`minivess audit log --action log.restored`): ada continues with the restored one"
    ]


@then("every verdict on the log names the restore, what was given up and the reason")
def _(story: Story) -> None:
    with reopen(story.project.workspace.root) as services:
        checks, _ = verify_log(services.log.pairs(), services.log.checkpoint())
        (found,) = services.log.standing.restores
    assert all(check.passed for check in checks)
    assert found.words() in [check.detail for check in checks]
    assert found.words() == (
        "entry 1: max restored the log from a backup of 1 entries; 2 had been seen (the disk broke)"
    )


@then(parsers.parse('the restore is refused because "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.error is not None
    assert why in story.error.message
