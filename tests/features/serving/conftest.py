"""The running service as scenarios see it, and the steps about its log and its receipts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, then, when

from minivess.cli.main import app
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.proofs.serving_logs import ServingLogs
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, parse_trust, write_trust
from minivess.foundation.errors import VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy
from minivess.records.log.entry import Draft, Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import ServingEnrolled
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.people import accounts
from minivess.workflows.serving.inference import open_model
from tests.support import projects
from tests.support.builders import audit_logs
from tests.support.lazy_modules import lazily
from tests.support.servers import served
from tests.support.servers.serve_process import ServeProcess

with lazily("httpx"):
    import httpx


@dataclass
class Story:
    copy: Callable[[], projects.ProjectFolder]
    start_service: Callable[[], served.Service]
    project: projects.ProjectFolder | None = None
    service: served.Service | None = None
    response: httpx.Response | None = None
    sent: bytes = b""
    entries_before: int = 0
    counts_before: dict[str, int] = field(default_factory=dict)
    device_before: int = 0
    server: ServeProcess | None = None
    receipt: Receipt | None = None
    older: Path | None = None
    flushes: str = ""
    codes: list[object] = field(default_factory=list)
    refusal: str = ""
    patient: str = field(default="Jane-Doe-1961")
    stack: ExitStack = field(default_factory=ExitStack)
    """Ends what the scenario began."""

    @property
    def running(self) -> served.Service:
        assert self.service is not None
        return self.service

    @property
    def answered(self) -> httpx.Response:
        assert self.response is not None
        return self.response

    def start(self) -> None:
        assert self.project is not None
        try:
            with self.project.services() as services:
                open_model(services)
        except VerificationError as error:
            self.refusal = error.message


@pytest.fixture(scope="module")
def shared_service(
    servable_project: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[served.Service]:
    with served.running(servable_project.copy_to(tmp_path_factory.mktemp("running") / "project")) as service:
        yield service


@pytest.fixture
def story(servable_project: projects.ProjectFolder, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    made = Story(
        copy=lambda: servable_project.copy_to(tmp_path / "project"),
        start_service=lambda: request.getfixturevalue("shared_service"),
    )
    with made.stack:
        yield made
        if made.service is not None:
            made.service.mend_log()


@when("5 volumes are answered")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    for _ in range(5):
        assert story.running.send(image, spacing).status_code == 200


@then("the serving log has 5 entries more")
def _(story: Story) -> None:
    assert len(story.running.entries()) == story.entries_before + 5


@then("the device's log has none more")
def _(story: Story) -> None:
    assert story.running.services.log.size == story.device_before


@when("the service is started and stopped twice")
def _(story: Story) -> None:
    assert story.project is not None
    for _ in range(2):
        with served.engine_of(story.project):
            pass


@then("the device's log names the serving log, its key and its service once")
def _(story: Story) -> None:
    assert story.project is not None
    with story.project.services() as services, served.opened(story.project, services) as serving:
        (enrolled,) = services.log.entries(actions={"serving.enrolled"})
        told = ServingEnrolled.model_validate(enrolled.body.payload)
        assert (told.origin, told.site, told.service) == (serving.origin, "main", accounts.INFERENCE_IDENTITY)
        assert told.log_key == serving.services.log.key
        assert enrolled.body.actor == accounts.INFERENCE_IDENTITY
        assert story.project.workspace.serving.joinpath("main.db").is_file()


@given("a project whose service answered and was stopped")
def _(story: Story, tmp_path: Path) -> None:
    story.project = story.copy()
    with served.engine_of(story.project):
        pass
    database = story.project.workspace.serving / "main.db"
    story.older = tmp_path / "older.db"
    shutil.copy(database, story.older)
    answer(story, 3)


def answer(story: Story, times: int) -> None:
    """Start the service, answer, stop it."""
    assert story.project is not None
    image, spacing = served.known_volume(story.project)
    with served.engine_of(story.project) as (engine, _):
        for number in range(times):
            assert engine.answer(image, spacing, f"request-{number}").decision == "answered"


@when("the service is started, answers 3 volumes and is stopped")
def _(story: Story) -> None:
    answer(story, 3)


@then("the newest anchor in the device's log covers all 3 answers")
def _(story: Story) -> None:
    assert story.project is not None
    with story.project.services() as services:
        (head,) = ServingLogs.fold(services.log.entries()).heads.values()
        assert services.log.entry(services.log.size - 1).body.action == "serving.anchored"
    assert (head.head.size, head.anchored is not None) == (4, True)


@then("both logs verify")
def _(story: Story) -> None:
    assert story.project is not None
    with served.engine_of(story.project) as (_, serving):
        for log in (serving.services.log, serving.device.log):
            checks, _ = verify_log(log.pairs(), log.checkpoint())
            assert all(check.passed for check in checks)


@when(parsers.parse("the serving log {change}"))
def _(story: Story, change: str) -> None:
    assert story.project is not None
    assert story.older is not None
    database = story.project.workspace.serving / "main.db"
    if change == "is left as it is":
        return
    database.unlink()
    if change != "is removed":
        shutil.copy(story.older, database)
    if change == "is exchanged for another history":
        key = Keystore(story.project.workspace.keystore).unlock("serving-main", projects.PASSPHRASE)
        log = AuditLog.open(f"sqlite:///{database}", log_signer=key)
        for _ in range(5):
            other = Draft(action="inference", outcome=Outcome.FAILED)
            log.append(other, story.project.signers[accounts.INFERENCE_IDENTITY])
        log.close()


@then(parsers.parse('the service refuses to start, for the serving log "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.project is not None
    before = (story.project.workspace.serving / "main.db").exists()
    with story.project.services() as services, pytest.raises(VerificationError) as caught:
        served.opened(story.project, services)
    assert why in f"{caught.value.message} "
    assert caught.value.hint
    assert (story.project.workspace.serving / "main.db").exists() is before


@when("`minivess audit --site main verify` is run")
def _(story: Story) -> None:
    assert story.project is not None
    shown = [["audit", "--site", "main", "log", "--action", "inference"], ["audit", "--site", "main", "verify"]]
    codes = []
    for command in shown:
        codes.append(app(["-C", str(story.project.workspace.root), *command], standalone_mode=False) or 0)
    story.codes = codes


@then(parsers.parse("it ends with exit code {code:d}"))
def _(story: Story, code: int) -> None:
    assert story.codes == [0, code]


@when("the receipt of an answer is asked for again")
def _(story: Story) -> None:
    assert story.project is not None
    with served.engine_of(story.project) as (engine, _):
        story.receipt = engine.receipt(2)


@then("it leads from the device's log over the service, its log and the newest anchor to the answer")
def _(story: Story) -> None:
    assert story.receipt is not None
    entries = [Entry.model_validate_json(one.entry).body for one in (*story.receipt.through, story.receipt)]
    assert [body.action for body in entries] == [
        "identity.enrolled",
        "serving.enrolled",
        "serving.anchored",
        "inference",
    ]
    assert [body.log for body in entries[:3]] == [entries[0].log] * 3


def trusted(story: Story) -> Trust:
    assert story.project is not None
    with story.project.services() as services:
        register = Register.fold(services.log.entries())
        return parse_trust(write_trust(register, services.log.origin, rules=LEAST_RULES))


@then("it is valid with the key of the device's log and the people alone")
def _(story: Story) -> None:
    assert story.receipt is not None
    keys = trusted(story)
    verdict = verify_receipt(story.receipt, log_key=keys, actor=keys)
    assert verdict.holds, verdict.first_failure
    assert "anchors these 4 entries" in verdict.checks[-1].detail


WITNESS_KEY = generate(KeyAlgorithm.ED25519)


def cosigned(receipt: Receipt) -> Receipt:
    note = add_signatures(receipt.checkpoint, cosign(receipt.checkpoint, "w.example", WITNESS_KEY, 1_700_000_000))
    return receipt.model_copy(update={"checkpoint": note})


def trusted_with_witness(story: Story) -> Trust:
    assert story.project is not None
    key = verifier_key("w.example", WITNESS_KEY.public, WITNESS).text()
    policy = WitnessPolicy(quorum=1, witnesses=(WitnessAddress(url="http://127.0.0.1:1", key=key),))
    with story.project.services() as services:
        register = Register.fold(services.log.entries())
        text = write_trust(register, services.log.origin, rules=LEAST_RULES, witnesses=policy)
    plain = json.loads(text)
    del plain["services"]
    return parse_trust(json.dumps(plain))


@when("a witness vouches for the device's log")
def _(story: Story) -> None:
    assert story.receipt is not None
    trust = trusted_with_witness(story)
    assert not verify_receipt(story.receipt, log_key=trust, actor=trust).holds
    story.receipt = story.receipt.model_copy(update={"through": tuple(map(cosigned, story.receipt.through))})


@then("it holds with a trust file that asks for that witness and names no service")
def _(story: Story) -> None:
    assert story.receipt is not None
    trust = trusted_with_witness(story)
    verdict = verify_receipt(story.receipt, log_key=trust, actor=trust)
    assert verdict.holds, verdict.first_failure


@then("without its anchor it is refused with that trust file")
def _(story: Story) -> None:
    assert story.receipt is not None
    trust = trusted_with_witness(story)
    bare = story.receipt.model_copy(update={"through": story.receipt.through[:2]})
    failure = verify_receipt(bare, log_key=trust, actor=trust).first_failure
    assert failure is not None
    assert "ask for a later receipt" in failure.detail


@when(parsers.parse("{what} is done to it"))
def _(story: Story, what: str, tmp_path: Path) -> None:
    assert story.receipt is not None
    assert story.project is not None
    let_in, enrolled, anchored = story.receipt.through
    if what == "putting the answer of a log that was made up in":
        story.receipt = made_up(story, tmp_path).model_copy(update={"through": (let_in, enrolled)})
        return
    through: tuple[Receipt, ...] | None = {
        "leaving out the entry that let the service in": (enrolled, anchored),
        "leaving out the entry that enrolled the serving log": (let_in, anchored),
    }.get(what)
    if what == "putting the anchor of another checkpoint in":
        answer(story, 1)
        with served.engine_of(story.project) as (engine, _):
            through = (let_in, enrolled, engine.receipt(2).through[2])
    elif what == "putting the enrolment of another service's log in":
        with served.engine_of(story.project, site="other") as (_, serving):
            through = (let_in, serving.through[1], anchored)
    assert through is not None
    story.receipt = story.receipt.model_copy(update={"through": through})


def made_up(story: Story, folder: Path) -> Receipt:
    """The receipt of an answer in a log of the same name that the device's log never heard of."""
    assert story.project is not None
    service = story.project.signers[accounts.INFERENCE_IDENTITY]
    with served.engine_of(story.project) as (_, serving):
        origin, device = serving.origin, serving.device.log.origin
    log = AuditLog.create(
        f"sqlite:///{folder / 'made-up.db'}",
        origin=origin,
        device="toy-device",
        log_signer=audit_logs.service("serving-main"),
        roots=(service.identity,),
        threshold=1,
        root_signer=service,
        serves=device,
    )
    return log.append(Draft(action="inference", outcome=Outcome.COMPLETED, payload={"decision": "answered"}), service)


@then("it does not hold")
def _(story: Story) -> None:
    assert story.receipt is not None
    keys = trusted(story)
    assert not verify_receipt(story.receipt, log_key=keys, actor=keys).holds
    assert story.project is not None
    with story.project.services() as services:
        register = Register.fold(services.log.entries())
    assert not verify_receipt(story.receipt, log_key=register, actor=register).holds
