"""Steps of features/keys_over_time.feature."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.audit.blast_radius import BlastRadius
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.checkpoint import parse_note, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, parse_trust
from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, RefusedError, UsageError, VerificationError
from minivess.foundation.paths import Workspace
from minivess.records.log.entry import EntryBody, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.log.witnessed import Checked
from minivess.records.people.identity import Identity, KeyAlgorithm
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.log.inspection import reliance_on
from minivess.workflows.people import accounts
from minivess.workflows.people.enrolment_checks import checks_in
from minivess.workflows.people.key_states import states_of
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import draft
from tests.support.projects import PASSPHRASE, ProjectFolder, reopen

scenarios("keys_over_time.feature")


@dataclass
class Story:
    """What a scenario is about."""

    services: Services
    before: Identity
    after: Identity | None = None
    proposal: accounts.RootsProposal | None = None
    found: BlastRadius | None = None
    error: Exception | None = None
    receipt: Receipt | None = None
    former: Signer | None = None
    stale: Services | None = None
    """Another process that opened the log before."""
    trusted_before: Trust = field(default_factory=Trust)
    """The trust file from before."""

    @property
    def keystore(self) -> Keystore:
        return Keystore(self.services.workspace / "keystore")

    def signer(self, who: str):
        return accounts.unlock(self.services, who.lower(), PASSPHRASE)

    def bodies(self, action: str) -> list[EntryBody]:
        entries = self.services.log.entries(actions={action})
        return [entry.body for entry in entries if entry.body.outcome is Outcome.COMPLETED]


@given("a project whose roots are Ada, Rosa and Max, and Eve, who was enrolled later", target_fixture="story")
def _(started_project: ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = started_project.copy_to(tmp_path / "project")
    services = reopen(project.workspace.root)
    roles = (Role.RELEASE_MANAGER,)
    eve = Keystore(project.workspace.keystore).create("eve", "Eve", IdentityKind.PERSON, roles, PASSPHRASE)
    accounts.enrol(services, project.signers["max"], "eve")
    yield Story(services, eve)
    services.close()


@given(parsers.parse("Eve's rotation was interrupted after {moment}"))
def _(story: Story, moment: str) -> None:
    old, new = story.keystore.prepare_rotation("eve", PASSPHRASE)
    story.after = new.identity
    if moment == "the entry was written":
        statement = possession_statement(story.services.log.origin, "eve", old.key_id, new.key_id)
        with recorded(story.services, "identity.rotated", old, instant=True) as record:
            record.payload(identity=new.identity, possession=to_base64(new.sign(statement)))


@given("Eve let a service in that began a log of its own")
def _(story: Story, tmp_path: Path) -> None:
    story.keystore.create("bot", "Bot", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
    accounts.enrol(story.services, story.signer("eve"), "bot")
    with recorded(story.services, "serving.enrolled", story.signer("bot"), instant=True) as record:
        record.payload(**audit_logs.enrolled_serving_log(tmp_path, story.signer("bot"), story.services.log.origin))


@given("the log is on a medium that cannot be written")
def _(story: Story) -> None:
    with sqlite3.connect(story.services.workspace / "evidence" / "audit.db") as connection:
        fault = "SELECT RAISE(ABORT, 'attempt to write a readonly database')"
        connection.execute(f"CREATE TRIGGER fault BEFORE INSERT ON checkpoint BEGIN {fault}; END")


@when("Eve rotates her key")
def _(story: Story) -> None:
    made = accounts.rotate(story.services, "eve", PASSPHRASE)
    assert story.after in {None, made}
    story.after = made


@when("Max revokes Eve because her laptop was stolen")
def _(story: Story) -> None:
    story.services.log.append(draft(), story.signer("eve"))
    accounts.revoke(story.services, story.signer("max"), "eve", "her laptop was stolen")


CHECKED = Checked(document="passport, copy in HR-12", training="SOP-7, 2026-03-01")


@when("Max lets Gus in, whose passport and training record he checked")
def _(story: Story) -> None:
    story.keystore.create("gus", "Gus", IdentityKind.PERSON, (Role.DEVELOPER,), PASSPHRASE)
    story.receipt = accounts.enrol(story.services, story.signer("max"), "gus", CHECKED)


@when("Max says that he checked the passport of a service")
def _(story: Story) -> None:
    story.keystore.create("bot", "Bot", IdentityKind.SERVICE, (Role.SERVICE,), PASSPHRASE)
    with pytest.raises(UsageError) as caught:
        accounts.enrol(story.services, story.signer("max"), "bot", CHECKED)
    story.error = caught.value


@then(parsers.parse('that is refused because a service "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.error is not None
    assert why in str(story.error)
    assert checks_in(story.services.log.entries()) == {}


@then("the list of identities says what Max checked about Gus, and at which entry")
def _(story: Story) -> None:
    assert story.receipt is not None
    done = CliRunner().invoke(app, ["-C", str(story.services.workspace), "identity", "list", "--json"])
    said = {one["id"]: one["checked"] for one in json.loads(done.stdout)}
    where = f"checked by max (entry {story.receipt.index})"
    assert said["gus"] == f"passport, copy in HR-12; SOP-7, 2026-03-01; {where}"


@then("nothing is said of Eve, about whom nothing was recorded")
def _(story: Story) -> None:
    assert set(checks_in(story.services.log.entries())) == {"gus"}


@when("a user asks for the blast radius of Eve's key")
def _(story: Story) -> None:
    story.found = reliance_on(story.services, "eve")


@when(parsers.parse("Ada proposes Eve and Max as roots with a threshold of {threshold:d}"))
def _(story: Story, threshold: int) -> None:
    story.proposal = accounts.propose_roots(story.services, ["eve", "max"], threshold)


@given("Ada, Max and Eve agreed to Eve and Max as roots with a threshold of 2")
def _(story: Story) -> None:
    story.proposal = accounts.propose_roots(story.services, ["eve", "max"], 2)
    agree(story, ["ada", "max", "eve"])


def agree(story: Story, names: list[str]) -> None:
    assert story.proposal is not None
    for name in names:
        try:
            story.proposal = accounts.sign_roots(story.services, story.signer(name), story.proposal)
        except RefusedError as error:
            story.error = error


@when(parsers.re("(?P<names>[A-Z][A-Za-z, ]*) agree"))
def _(story: Story, names: str) -> None:
    agree(story, names.replace(" and ", ", ").split(", "))


@given("a receipt from before")
def _(story: Story) -> None:
    story.receipt = story.services.log.append(draft(), story.signer("max"))
    story.stale = reopen(story.services.workspace)
    story.trusted_before = parse_trust(accounts.trusted_keys(story.services))


@when("Ada proposes a new key for the log")
def _(story: Story) -> None:
    story.former = story.services.log.signer
    roots = [root.id for root in accounts.register_of(story.services).roots]
    story.proposal = accounts.propose_roots(story.services, roots, 2, log_passphrase=PASSPHRASE)


@when("the proof of possession is that of another key")
def _(story: Story) -> None:
    assert story.proposal is not None
    assert story.proposal.log_key is not None
    statement = possession_statement(
        story.services.log.origin, "log", story.services.log.key.key_id, story.proposal.log_key.key_id
    )
    signature = to_base64(story.services.log.signer.sign(statement))
    story.proposal = story.proposal.model_copy(update={"possession": signature})


@when("the change is interrupted after its entry was written")
def _(story: Story) -> None:
    assert story.proposal is not None
    max_ = story.signer("max")
    _, new = story.keystore.prepare_rotation("log", PASSPHRASE)
    story.services.log.hold_next_key(new)
    with recorded(story.services, "roots.changed", max_, instant=True) as record:
        record.payload(**story.proposal.model_dump(mode="json"))


@when("the threshold of the proposal is changed to 1")
def _(story: Story) -> None:
    assert story.proposal is not None
    story.proposal = story.proposal.model_copy(update={"threshold": 1})


@when(parsers.parse("a user gives a wrong passphrase for Rosa {times:d} times"))
def _(story: Story, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RefusedError, match="wrong"):
            accounts.unlock(story.services, "rosa", "not the passphrase at all")


@when("Rosa gives the right one")
def _(story: Story) -> None:
    story.signer("rosa")


@then("she signs with the new key, and her old key counts before that entry alone")
def _(story: Story) -> None:
    assert story.after is not None
    receipt = story.services.log.append(draft(), story.signer("eve"))
    register = accounts.register_of(story.services)
    (rotated,) = story.bodies("identity.rotated")
    old, new = story.before.signing_key.key_id, story.after.signing_key.key_id
    assert old != new
    assert rotated.key == old
    assert register.key(old, rotated.index).id == "eve"
    with pytest.raises(VerificationError, match="revoked"):
        register.key(old, rotated.index + 1)
    assert register.key(new, receipt.index) == story.after


@then("she signs with the key that was prepared, and the log has one rotation")
def _(story: Story) -> None:
    assert len(story.bodies("identity.rotated")) == 1
    assert story.signer("eve").identity == story.after
    story.services.log.append(draft(), story.signer("eve"))


@then("the log verifies, with the old and the new key in it")
def _(story: Story) -> None:
    checks, _ = verify_log(story.services.log.pairs(), story.services.log.checkpoint())
    assert all(check.passed for check in checks), checks


@then("what Eve signed before still counts and what she signs now is refused")
def _(story: Story) -> None:
    checks, register = verify_log(story.services.log.pairs(), story.services.log.checkpoint())
    assert all(check.passed for check in checks)
    (revoked,) = story.bodies("identity.revoked")
    assert register.key(story.before.signing_key.key_id, revoked.index - 1).id == "eve"
    with pytest.raises(RefusedError, match=f"revoked at entry {revoked.index}"):
        story.services.log.append(draft(), story.signer("eve"))


@then("the enrolment and the service's log are listed, each with its reason")
def _(story: Story) -> None:
    assert story.found is not None
    assert [(one.action, one.why) for one in story.found.reliances] == [
        ("identity.enrolled", "signed with this key"),
        ("serving.enrolled", f"signed with a key that entry {story.bodies('identity.enrolled')[-1].index} let in"),
    ]


@then("the roots are Eve and Max, who must both agree from now on")
def _(story: Story) -> None:
    assert story.proposal is not None
    accounts.change_roots(story.services, story.signer("max"), story.proposal)
    register = accounts.register_of(story.services)
    assert ([root.id for root in register.roots], register.threshold) == (["eve", "max"], 2)
    with pytest.raises(RefusedError, match="may not"):
        accounts.revoke(story.services, story.signer("ada"), "rosa", "she is no root any more, and neither am I")


@then("the log continues with the new key, also when it is opened later")
def _(story: Story) -> None:
    assert story.proposal is not None
    assert story.proposal.log_key is not None
    if not story.bodies("roots.changed"):
        accounts.change_roots(story.services, story.signer("max"), story.proposal, log_passphrase=PASSPHRASE)
    story.services.log.append(draft(), story.signer("max"))
    with reopen(story.services.workspace) as later:
        receipt = later.log.append(draft(), story.signer("max"))
        assert later.log.key == story.proposal.log_key
        checks, register = verify_log(later.log.pairs(), later.log.checkpoint())
    assert all(check.passed for check in checks), checks
    parse_note(receipt.checkpoint).verify(later.log.origin, story.proposal.log_key)
    (changed,) = story.bodies("roots.changed")
    assert register.log_key_at(changed.index) == story.former.public
    assert register.log_key_at(changed.index + 1) == story.proposal.log_key
    assert story.keystore.pending_rotation("log") is None


@then("the receipt from before is valid with all of the log's keys, and invalid with the new one alone")
def _(story: Story) -> None:
    assert story.receipt is not None
    trust = parse_trust(accounts.trusted_keys(story.services))
    assert verify_receipt(story.receipt, log_key=trust, actor=trust).holds
    assert not verify_receipt(story.receipt, log_key=trust.log_key, actor=trust).holds


@then("a trust file from before still holds, because its roots agreed to the new key; the old key alone does not")
def _(story: Story) -> None:
    assert story.former is not None
    trust = parse_trust(accounts.trusted_keys(story.services))
    pairs, note = list(story.services.log.pairs()), story.services.log.checkpoint()
    for known in (trust, trust.log_key, story.trusted_before):
        assert all(check.passed for check in verify_log(pairs, note, trust=known)[0])
    for known in (story.former.public, generate(KeyAlgorithm.ED25519).public):
        assert not all(check.passed for check in verify_log(pairs, note, trust=known)[0])


@then("a process that holds the old key alone cannot write any more")
def _(story: Story) -> None:
    url = story.services.settings.database_url
    with pytest.raises(RefusedError, match="does not sign"):
        AuditLog.open(url, log_signer=story.former)
    with pytest.raises(CannotWriteError, match="another key now"):
        story.stale.log.append(draft(), story.signer("max"))
    story.stale.close()


@then("the old key signs nothing that counts")
def _(story: Story) -> None:
    log = story.services.log
    note = sign_note(parse_note(log.checkpoint()).checkpoint, story.former)
    checks, _ = verify_log(log.pairs(), note)
    assert [check.name for check in checks if not check.passed] == ["log checkpoint"]


@then(parsers.parse("the change is refused because {why}"))
def _(story: Story, why: str) -> None:
    assert story.proposal is not None
    key = story.services.log.key
    with pytest.raises(RefusedError, match=why):
        accounts.change_roots(story.services, story.signer("max"), story.proposal, log_passphrase=PASSPHRASE)
    assert [root.id for root in accounts.register_of(story.services).roots] == ["ada", "max", "rosa"]
    assert story.services.log.key == key
    story.services.log.append(draft(), story.signer("max"))


@then("the log has 5 failed attempts and one lock, signed by the log")
def _(story: Story) -> None:
    failed, locked = story.bodies("identity.unlock-failed"), story.bodies("identity.locked")
    assert [body.payload["attempt"] for body in failed] == [1, 2, 3, 4, 5]
    assert [body.payload for body in locked] == [{"identity": "rosa", "attempts": 5}]
    assert {body.actor for body in (*failed, *locked)} == {"log"}
    assert b"not the passphrase" not in b"".join(part or b"" for pair in story.services.log.pairs() for part in pair)
    checks, _ = verify_log(story.services.log.pairs(), story.services.log.checkpoint())
    assert all(check.passed for check in checks)


@then("the list of identities shows that Rosa is locked")
def _(story: Story) -> None:
    workspace = Workspace(story.services.workspace)
    states = states_of(workspace, story.keystore.identities())
    assert states == {"ada": "valid", "eve": "valid", "log": "valid", "max": "valid", "rosa": "locked"}


@then("Rosa's right passphrase is refused too")
def _(story: Story) -> None:
    with pytest.raises(RefusedError, match="locked after 5"):
        story.signer("rosa")


@then("Rosa cannot reinstate herself, but Max can")
def _(story: Story) -> None:
    rosa = story.keystore.unlock("rosa", PASSPHRASE)
    with pytest.raises(RefusedError, match="does it alone"):
        accounts.reinstate(story.services, rosa, "rosa", "it was me")
    accounts.reinstate(story.services, story.signer("max"), "rosa", "it was her, we spoke")
    assert story.signer("rosa").identity.id == "rosa"


@then("Rosa's right passphrase is accepted")
def _(story: Story) -> None:
    assert story.signer("rosa").identity.id == "rosa"
    assert accounts.register_of(story.services).failures == {}


@then("Rosa's right passphrase is refused because the log cannot be written")
def _(story: Story) -> None:
    with pytest.raises(CouldNotCheckError, match="cannot be written"):
        story.signer("rosa")
