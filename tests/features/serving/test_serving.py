"""Steps of serving.feature: the real service on a small project, spoken to over its HTTP interface."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from httpx import Response
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.keystore import Keystore
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.proofs.serving_logs import ServingLogs
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import LEAST_RULES, Trust, parse_trust, write_trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy
from minivess.records.log.entry import Draft, Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import ServingEnrolled
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.people import accounts
from minivess.workflows.serving.inference import mask_digest, open_model
from minivess.workflows.serving.serving_log import Pace
from tests.support import projects, sqlite_disk
from tests.support.builders import audit_logs
from tests.support.servers import served

scenarios("serving.feature")

STATUS = {"malformed": 400, "too large": 413}
BODIES: dict[str, Callable[[np.ndarray], bytes | np.ndarray]] = {
    "a file that is no .npy": lambda _: b"%PDF-1.7",
    "a .npy file that holds objects": lambda _: served.npy(np.array([[[{}]]], dtype=object), allow_pickle=True),
    "a .npy file cut short": lambda image: served.npy(image)[:-100],
    "a spacing that is no spacing": lambda image: image,
    "a .npy file that promises too much": lambda _: header_of("(999999, 999999, 999999)"),
    "a .npy file with a header of code": lambda _: header_of("(1, 1, [].__class__.__base__.__subclasses__()[0])"),
    "a volume with a voxel that is no number": lambda image: np.where(image == image.max(), np.nan, image),
    "a file larger than what is taken": lambda _: bytes(served.LIMITS.body_bytes + 1),
    "a volume with a four times wider spacing": lambda image: image,
    "a volume of a single small block": lambda image: image[:3, :5, :5],
    "a volume with inverted intensities": lambda image: image.max() - image,
    "a volume without any contrast": np.ones_like,
}


def header_of(shape: str) -> bytes:
    """A `.npy` file without voxels that says it has this shape."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@dataclass
class Story:
    copy: Callable[[], projects.ProjectFolder]
    start_service: Callable[[], served.Service]
    project: projects.ProjectFolder | None = None
    service: served.Service | None = None
    response: Response | None = None
    sent: bytes = b""
    entries_before: int = 0
    counts_before: dict[str, int] = field(default_factory=dict)
    device_before: int = 0
    server: Server | None = None
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
    def answered(self) -> Response:
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
def servable(
    started_project: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> projects.ProjectFolder:
    project = started_project.copy_to(tmp_path_factory.mktemp("servable") / "project")
    served.prepare(project)
    return project


@pytest.fixture(scope="module")
def shared_service(
    servable: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[served.Service]:
    with served.running(servable.copy_to(tmp_path_factory.mktemp("running") / "project")) as service:
        yield service


@pytest.fixture
def story(servable: projects.ProjectFolder, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Story]:
    made = Story(
        copy=lambda: servable.copy_to(tmp_path / "project"),
        start_service=lambda: request.getfixturevalue("shared_service"),
    )
    with made.stack:
        yield made
        if made.service is not None:
            made.service.mend_log()


@given("a running service")
def _(story: Story) -> None:
    story.service = story.start_service()
    story.entries_before = len(story.running.entries())
    story.counts_before = story.running.counts()
    story.device_before = story.running.services.log.size


@given("the serving log can no longer be written")
def _(story: Story) -> None:
    story.running.break_log()


@when("another model is exported and recorded")
def _(story: Story) -> None:
    assert story.project is not None
    projects.export_toy_model(story.project, bias=0.5)
    story.start()


@when("another model is exported, recorded and evaluated")
def _(story: Story) -> None:
    assert story.project is not None
    projects.export_toy_model(story.project, bias=0.5)
    projects.evaluate_toy_model(story.project)
    story.start()


@then(parsers.parse('the service refuses to start, for the model "{why}"'))
def _(story: Story, why: str) -> None:
    assert why in story.refusal


@when("a volume like those the model was made from is sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    story.sent = served.npy(image)
    story.response = story.running.send(story.sent, spacing)


@when("a file named after a patient is sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    story.response = story.running.send(image, spacing, name=f"{story.patient}.npy")
    story.running.send(story.patient.encode(), story.patient, name=f"{story.patient}.npy")


@when(parsers.re(r"(?P<what>a (?!file named)(?!volume like)[a-z. ]+) is sent"))
def _(story: Story, what: str) -> None:
    image, spacing = story.running.volume()
    stated: object = spacing
    if what == "a spacing that is no spacing":
        stated = "thick"
    elif what == "a volume with a four times wider spacing":
        stated = tuple(4 * step for step in spacing)
    story.response = story.running.send(BODIES[what](image), stated)


@then('the answer holds a mask of the volume\'s shape and the decision "answered"')
def _(story: Story) -> None:
    body = story.answered.json()
    assert body["decision"] == "answered"
    assert served.unpack_mask(body["mask"]).shape == story.running.volume()[0].shape


@then("its receipt verifies with the public key of the device's log")
def _(story: Story) -> None:
    register = Register.fold(story.running.services.log.entries())
    receipt = Receipt.model_validate(story.answered.json()["receipt"])
    signer = story.running.signer.identity.signing_key
    assert verify_receipt(receipt, log_key=register.log_key, actor=signer).holds
    assert verify_receipt(receipt, log_key=register, actor=register).holds
    changed = receipt.model_copy(update={"details": (receipt.details or "").replace("answered", "refused!")})
    assert not verify_receipt(changed, log_key=register.log_key, actor=signer).holds


@then("a wider mask shows where vessels may be that the first one misses")
def _(story: Story) -> None:
    body = story.answered.json()
    mask, wide = (served.unpack_mask(body[name]) for name in ("mask", "conformal_mask"))
    assert (wide[mask == 1] == 1).all()
    assert wide.sum() > mask.sum()


@then("the entry in the log names the model, the request and the mask by their digests")
def _(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.entries()[-1].body
    assert entry.context.model == body["model"]
    assert digest_bytes(story.sent) in {item.digest for item in entry.inputs}
    assert [item.digest for item in entry.outputs] == [
        mask_digest(served.unpack_mask(body[name])) for name in ("mask", "conformal_mask")
    ]


@then("the service answers that it is unavailable, without a mask")
def _(story: Story) -> None:
    assert story.answered.status_code == 503
    assert "mask" not in story.answered.json()


@then(parsers.re(r"the request is refused as (?P<kind>malformed|too large) with a hint"))
def _(story: Story, kind: str) -> None:
    assert story.answered.status_code == STATUS[kind]
    assert story.answered.json()["hint"]


@then(parsers.parse("the request is refused as outside the intended use, naming {named}"))
def _(story: Story, named: str) -> None:
    body = story.answered.json()
    assert story.answered.status_code == 422
    assert "mask" not in body
    assert named in " / ".join(body["reasons"])


@then("the refusal is an entry in the log")
def _(story: Story) -> None:
    entries = story.running.entries()
    assert len(entries) == story.entries_before + 1
    assert entries[-1].body.outcome is Outcome.REFUSED
    assert entries[-1].body.index == story.answered.json()["receipt"]["index"]


@then(parsers.re(r'the log counts it as "(?P<reason>[a-z-]+)", without an entry of its own'))
def _(story: Story, reason: str) -> None:
    if story.server is not None:
        story.server.stop()
        assert story.server.counted() == {reason: 1}
        return
    assert "receipt" not in story.answered.json()
    assert len(story.running.entries()) == story.entries_before
    counts = story.running.counts()
    more = {name: count - story.counts_before.get(name, 0) for name, count in counts.items()}
    assert {name: count for name, count in more.items() if count} == {reason: 1}


@given("a project whose model was exported and recorded")
def _(story: Story) -> None:
    story.project = story.copy()


@when("the model file is exchanged for another valid one")
def _(story: Story) -> None:
    assert story.project is not None
    projects.write_toy_graph(story.project.workspace.onnx, bias=3.0)
    story.start()


@given("a project whose calibration was changed after it was recorded")
def _(story: Story) -> None:
    story.project = story.copy()
    path = story.project.workspace.models / "calibration.json"
    changed = path.read_text(encoding="utf-8").replace('"threshold": 0.3', '"threshold": 0.1')
    path.unlink()
    path.write_text(changed, encoding="utf-8")


@when("the service is started")
def _(story: Story) -> None:
    story.start()


@then("the service refuses to start and names the model file")
def _(story: Story) -> None:
    assert "models/model.onnx" in story.refusal


@then("the service refuses to start and names the calibration")
def _(story: Story) -> None:
    assert "calibration.json" in story.refusal


@then("no entry of the log holds that name")
def _(story: Story) -> None:
    assert len(story.running.entries()) == story.entries_before + 1
    story.running.counts()
    name = story.patient.encode()
    for log in (story.running.services.log, story.running.serving.services.log):
        assert not [line for pair in log.pairs() for line in pair if line is not None and name in line]


class Server:
    """`minivess serve` in a process of its own, which is given the passphrases of log and service alone."""

    def __init__(self, project: projects.ProjectFolder, output: Path) -> None:
        self._project = project
        self._output = output
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        phrases = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "INFERENCE")}
        command = [sys.executable, "-m", "minivess.cli.main", "-C", str(project.workspace.root), "serve"]
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env={**os.environ, **phrases},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        give_up = time.monotonic() + 120
        while not self._answers():
            assert self._process.poll() is None, self.printed
            assert time.monotonic() < give_up, self.printed
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def stop(self) -> None:
        """Ask it to end, as a service manager does, and wait until it has."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=120)

    def counted(self) -> dict[str, int]:
        with self._project.services() as services, served.opened(self._project, services) as serving:
            log = serving.services.log
            details = [log.details(entry.body.index) for entry in log.entries(actions={"inference.refusals"})]
        return {name: count for one in details if one is not None for name, count in one.payload["counts"].items()}


@given("a service that listens on a socket")
def _(story: Story, tmp_path: Path) -> None:
    story.server = Server(story.copy(), tmp_path / "printed.txt")
    story.stack.callback(story.server.stop)


@when("a client sends half a volume and hangs up")
def _(story: Story) -> None:
    assert story.server is not None
    head = (
        b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'Content-Disposition: form-data; name="volume"; filename="a.npy"\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", story.server.port), timeout=30) as connection:
        connection.sendall(head + bytes(10_000))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


@then("the service has printed no stack trace")
def _(story: Story) -> None:
    assert story.server is not None
    assert "Traceback" not in story.server.printed
    assert "Error" not in story.server.printed


@given("a service that gives 2 refusals a minute an entry of their own")
def _(story: Story) -> None:
    story.project = story.copy()
    story.service = story.stack.enter_context(served.running(story.project, pace=Pace(refusals_a_minute=2)))
    story.device_before = story.running.services.log.size


@when("8 volumes outside the intended use and 30 malformed requests are sent")
def _(story: Story) -> None:
    image, spacing = story.running.volume()
    responses = [story.running.send(np.ones_like(image), spacing) for _ in range(8)]
    assert {response.status_code for response in responses} == {422}
    assert ["receipt" in response.json() for response in responses] == [True] * 2 + [False] * 6
    for _ in range(30):
        assert story.running.send(b"junk").status_code == 400


@when("the service is stopped")
def _(story: Story) -> None:
    story.stack.close()
    story.service = None


@then("the serving log holds 2 refusals and one count of the others")
def _(story: Story) -> None:
    assert story.project is not None
    with served.engine_of(story.project) as (_, serving):
        log = serving.services.log
        bodies = [entry.body for entry in log.entries(1)]
        assert [body.action for body in bodies] == ["inference", "inference", "inference.refusals"]
        told = log.details(bodies[-1].index)
        assert told is not None
        assert told.payload["counts"] == {"outside-intended-use": 6, "volume": 30}


@then("the device's log has at most one entry more")
def _(story: Story) -> None:
    assert story.project is not None
    with story.project.services() as services:
        more = [entry.body.action for entry in services.log.entries(story.device_before)]
    assert more == ["serving.anchored"]


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
    through = {
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


FLUSHES = """
import os, sys
from pathlib import Path
from minivess.compliance.identity.keystore import Keystore
from minivess.foundation.paths import Workspace
from tests.support.servers import served
from tests.support import sqlite_disk
from tests.support.projects import ProjectFolder

class Counting:
    def before(self, access):
        return 0
    def halfway(self, access):
        pass
    def after(self, access):
        flushed.append(access.path) if access.kind == "flush" else None

flushed = []
def counted(name, really):
    return lambda descriptor: (flushed.append(name), really(descriptor))[1]
sqlite_disk.watch(Counting())
os.fsync, os.fdatasync = counted("fsync", os.fsync), counted("fdatasync", os.fdatasync)
workspace = Workspace(Path(sys.argv[1]))
signer = Keystore(workspace.keystore).unlock("inference", sys.argv[2])
project = ProjectFolder(workspace, {"inference": signer})
image, spacing = served.known_volume(project)
with served.engine_of(project) as (engine, serving):
    engine.answer(image, spacing, "first")
    flushed.clear()
    for number in range(10):
        assert engine.answer(image, spacing, f"request-{number}").receipt is not None
    print(len(flushed))
"""


@when("10 volumes are answered while flushes are counted")
def _(story: Story) -> None:
    if not sqlite_disk.reachable():
        pytest.skip("this Python's SQLite is built in: its files cannot be watched")
    assert story.project is not None
    done = subprocess.run(
        [sys.executable, "-c", FLUSHES, str(story.project.workspace.root), projects.PASSPHRASE],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    story.flushes = done.stdout.strip()


@then("there were 10 flushes")
def _(story: Story) -> None:
    assert story.flushes == "10"
