"""Steps of serving_elsewhere.feature: a folder that is served with an admission in place of the device's log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app as command_line
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, parse_trust
from minivess.foundation.clock import utc_now
from minivess.foundation.errors import MinivessError
from minivess.foundation.names.sqlite_urls import sqlite_url
from minivess.records.log.admission import Admission
from minivess.records.log.callers import Scope
from minivess.records.log.receipt import Receipt
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.models import promotion
from minivess.workflows.people import accounts
from minivess.workflows.serving.access import admission, callers
from minivess.workflows.serving.distant import anchor_copy, deploy, open_distant
from minivess.workflows.serving.inference import InferenceService
from tests.support import projects
from tests.support.builders import image_files
from tests.support.lazy_modules import lazily
from tests.support.servers import bentos, served

with lazily("fastapi", "minivess.serving.inference.app"):
    from fastapi import testclient

    from minivess.serving.inference import app

scenarios("serving_elsewhere.feature")

KEY = generate(KeyAlgorithm.ED25519)
OLDEST = timedelta(days=7)


@dataclass
class Desk:
    """A device with its log and a witness, the folder that was deployed, and the time that the folder's machine has."""

    project: projects.ProjectFolder
    folder: Path
    file: Path
    trust: str = ""
    now: datetime = field(default_factory=utc_now)
    client: Any = None
    view: admission.FileView | None = None
    image: Any = None
    use: Callable[[], bool] = bool
    place: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    stack: ExitStack = field(default_factory=ExitStack)
    error: MinivessError | None = None

    @property
    def trusted(self) -> Trust:
        return parse_trust(self.trust)

    def witness(self, time: datetime | None = None) -> None:
        """Let the witness see the newest checkpoint of the device's log."""
        with self.project.services() as services:
            note = services.log.checkpoint()
            line = cosign(note, "w.example", KEY, int((time or self.now).timestamp()))
            services.log.keep_note(add_signatures(note, line))

    def write(self) -> None:
        with self.project.services() as services:
            made = admission.make_admission(services, "main")
            self.trust = accounts.trusted_keys(services)
        self.put(made.model_dump_json())

    def put(self, text: str) -> None:
        """Exchange the file as an operator does: written beside it, then renamed."""
        beside = self.file.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.file)

    def change(self, **fields: Any) -> None:
        made = Admission.model_validate_json(self.file.read_text(encoding="utf-8"))
        self.put(made.model_copy(update=fields).model_dump_json())

    def start(self) -> None:
        signer = self.project.signers[accounts.INFERENCE_IDENTITY]
        self.view = admission.FileView(self.file, self.trusted, signer.identity, oldest=OLDEST, clock=lambda: self.now)
        serving, opened = open_distant(
            self.folder, signer, trust=self.trusted, view=self.view, passphrase=projects.PASSPHRASE, pace=served.PACE
        )
        self.stack.enter_context(serving)
        made = app.create_app(InferenceService(serving, opened), limits=served.LIMITS)
        self.client = self.stack.enter_context(testclient.TestClient(made, raise_server_exceptions=False))

    def entries(self) -> int:
        """Answers in the log of the folder."""
        with closing(LogReader.reading(sqlite_url((self.folder / "evidence/serving/main.db").absolute()))) as log:
            return sum(1 for _ in log.entries(actions={"inference"}))

    def send(self) -> Any:
        image, spacing = self.image
        form = {"spacing": f"{' x '.join(map(str, spacing))} um"}
        return self.client.post("/v1/segment", files={"volume": ("scan.npy", served.npy(image))}, data=form)


def named_witness(project: projects.ProjectFolder) -> None:
    """Let the project file name the witness."""
    key = verifier_key("w.example", KEY.public, WITNESS).text()
    policy = {"quorum": 1, "witnesses": [{"url": "http://127.0.0.1:1", "key": key}]}
    with project.workspace.project_file.open("a", encoding="utf-8") as file:
        file.write(f"\nwitnesses: {json.dumps(policy)}\n")


def without_witnesses(trust: str) -> str:
    """A trust file that asks for no witness."""
    told = json.loads(trust)
    logs = [line for line in told["policy"].splitlines() if line.startswith("log ")]
    return json.dumps({**told, "policy": "\n".join([*logs, "quorum none", ""])})


@pytest.fixture
def desk(servable_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Desk]:
    project = servable_project.copy_to(tmp_path / "project")
    made = Desk(project, tmp_path / "elsewhere", tmp_path / "admission.json")
    made.image = served.known_volume(project)
    with made.stack:
        yield made


@given("a folder to serve from and its admission")
def _(desk: Desk) -> None:
    named_witness(desk.project)
    with desk.project.services() as services:
        signer = desk.project.signers[accounts.INFERENCE_IDENTITY]
        deploy(services, signer, desk.folder, passphrase=projects.PASSPHRASE)
    desk.witness()
    desk.write()


@given("a project that is ready to be served")
def _(desk: Desk) -> None:
    assert desk.project.workspace.root.is_dir()


@given("the service is started from the folder alone")
@when("the service is started from the folder alone")
def _(desk: Desk) -> None:
    desk.start()
    assert desk.send().status_code == 200


@then("an image is answered, and its receipt is verified with the trust file alone")
def _(desk: Desk) -> None:
    desk.project.workspace.root.rename(desk.project.workspace.root.with_name("gone"))
    answer = desk.send()
    assert answer.status_code == 200, answer.text
    receipt = Receipt.model_validate(answer.json()["receipt"])
    keys = parse_trust(
        without_witnesses(desk.trust)
    )  # that witnesses saw the answer takes an anchor, which is made elsewhere
    verdict = verify_receipt(receipt, log_key=keys, actor=keys)
    assert verdict.holds, verdict.first_failure
    assert len(verdict.checks) == 5
    asked = verify_receipt(receipt, log_key=desk.trusted, actor=desk.trusted).first_failure
    assert asked is not None
    assert "ask for a later receipt" in asked.detail


@then("the folder has neither the device's log nor a case")
def _(desk: Desk) -> None:
    names = sorted(
        str(one.relative_to(desk.folder))
        for one in desk.folder.rglob("*")
        if one.is_file() and "lineage" not in str(one)
    )
    assert not [one for one in names if one.startswith("data") or one.endswith("audit.db")]
    assert {
        "minivess.yaml",
        "keystore/inference.json",
        "keystore/serving-main.json",
        "evidence/serving/main.db",
    } <= set(names)


def _segmented(desk: Desk, place: pytest.MonkeyPatch) -> bool:
    """Whether `minivess dicom segment` answers; its options are in the environment, as they are for an application package."""
    source, out = desk.folder.with_name("series"), desk.folder.with_name("segmented")
    source.mkdir(exist_ok=True)
    for name, data in image_files.series(np.rint(desk.image[0]).astype(np.uint16), (0.002, 0.001, 0.001)).items():
        (source / name).write_bytes(data)
    command = ["-C", str(desk.folder), "dicom", "segment", str(source), str(out), "--site", "main"]
    return not command_line.main(command, standalone_mode=False)


def _by_bento(desk: Desk, place: pytest.MonkeyPatch) -> bool:
    """Whether a Bento answers."""
    with bentos.in_process() as send:
        form = {"spacing": f"{' x '.join(map(str, desk.image[1]))} um"}
        answer = send("POST", "/v1/segment", files={"volume": ("scan", served.npy(desk.image[0]))}, data=form)
        counted = send("GET", "/v1/metrics").text
    assert 'minivess_decisions_total{decision="answered",entry="recorded"} 1.0' in counted
    return bool(answer.json()["decision"] == "answered")


WAYS = {"`minivess dicom segment`": _segmented, "a Bento": _by_bento}


@when(parsers.parse("the folder alone is used by {way}"))
def _used(desk: Desk, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trust, bento = desk.folder.with_name("trust.json"), desk.folder.with_name("bento")
    trust.write_text(desk.trust, encoding="utf-8")
    if way == "a Bento":
        bentos.lay_out(desk.project, bento)
        (bento / "model").unlink()
        (bento / "model").symlink_to(desk.folder / "models" / "export")
        for name, value in bentos.environment(desk.project, bento, site="main").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MINIVESS_PROJECT", str(desk.folder))
    monkeypatch.delenv("MINIVESS_PASSPHRASE_LOG", raising=False)
    monkeypatch.setenv("MINIVESS_PASSPHRASE_INFERENCE", projects.PASSPHRASE)
    monkeypatch.setenv("MINIVESS_ADMISSION", str(desk.file))
    monkeypatch.setenv("MINIVESS_TRUST", str(trust))
    desk.project.workspace.root.rename(desk.project.workspace.root.with_name("gone"))
    desk.use = partial(WAYS[way], desk, monkeypatch)
    desk.place = monkeypatch


@then("the image is answered in the log of the folder")
def _in_its_log(desk: Desk) -> None:
    before = desk.entries()
    assert desk.use()
    assert desk.entries() == before + 1


@then(parsers.parse('with an admission whose last entry is left out it is not, because "{why}"'))
def _not_all(desk: Desk, why: str) -> None:
    made = Admission.model_validate_json(desk.file.read_text(encoding="utf-8"))
    desk.change(entries=made.entries[:-1])
    _not_answered(desk, why)
    desk.change(entries=made.entries)


@then(parsers.parse('without a trust file it is not, because "{why}"'))
def _no_keys(desk: Desk, why: str) -> None:
    desk.place.delenv("MINIVESS_TRUST")
    _not_answered(desk, why)


def _not_answered(desk: Desk, why: str) -> None:
    before = desk.entries()
    shutil.rmtree(desk.folder.with_name("segmented"), ignore_errors=True)
    with pytest.raises(MinivessError, match=why):
        desk.use()
    assert desk.entries() == before


@when("the site is to be served beside the device's log as well")
def _(desk: Desk) -> None:
    with desk.project.services() as services, pytest.raises(MinivessError) as caught:
        served.opened(desk.project, services)
    desk.error = caught.value


@then("this is refused, because the serving log is missing")
def _(desk: Desk) -> None:
    assert desk.error is not None
    assert "not in this keystore" in desk.error.message or "is missing" in desk.error.message


def trust_with(desk: Desk, **changes: Any) -> None:
    desk.trust = json.dumps({**json.loads(desk.trust), **changes})


def without_manager(desk: Desk) -> None:
    told = json.loads(desk.trust)
    told["release"]["signers"] = [one for one in told["release"]["signers"] if one["id"] != "max"]
    told["roots"] = {"threshold": 1, "keys": [one for one in told["roots"]["keys"] if one["id"] != "max"]}
    desk.trust = json.dumps(told)


def manager_is_none(desk: Desk) -> None:
    told = json.loads(desk.trust)
    for one in told["release"]["signers"]:
        one["roles"] = [role for role in one["roles"] if role != "release-manager"] or ["developer"]
    desk.trust = json.dumps(told)


def replace_model(desk: Desk) -> None:
    projects.export_toy_model(desk.project, bias=0.5)
    model = projects.evaluate_toy_model(desk.project)
    with desk.project.services() as services:
        promotion.promote(services, desk.project.signers["max"], model, stage="production", reason="it finds more")
    again(desk)


def retire(desk: Desk) -> None:
    made = Admission.model_validate_json(desk.file.read_text(encoding="utf-8"))
    other = f"sha256:{'5' * 64}"
    assert made.model != other
    projects.export_toy_model(desk.project, bias=0.5)
    model = projects.evaluate_toy_model(desk.project)
    with desk.project.services() as services:
        promotion.promote(services, desk.project.signers["max"], model, stage="production", reason="it finds more")
    again(desk)


def again(desk: Desk) -> None:
    desk.witness()
    desk.write()


def revoke_service(desk: Desk) -> None:
    with desk.project.services() as services:
        accounts.revoke(services, desk.project.signers["max"], accounts.INFERENCE_IDENTITY, "its host was stolen")
    again(desk)


def make_caller(desk: Desk) -> None:
    with desk.project.services() as services:
        callers.create(services, desk.project.signers["max"], "pacs", scopes=(Scope.INFER,), days=30)
    again(desk)


def entries(desk: Desk) -> tuple[Admission, tuple[str, ...]]:
    made = Admission.model_validate_json(desk.file.read_text(encoding="utf-8"))
    return made, made.entries


def uncosigned(desk: Desk) -> None:
    made, _ = entries(desk)
    desk.change(checkpoint="".join(made.checkpoint.splitlines(keepends=True)[:-1]))


def unwitnessed_trust(desk: Desk) -> None:
    desk.trust = without_witnesses(desk.trust)


def put_back(desk: Desk) -> None:
    before = desk.file.read_text(encoding="utf-8")
    make_caller(desk)
    assert desk.send().status_code == 401
    desk.put(before)


def pass_days(days: float) -> Any:
    def change(desk: Desk) -> None:
        desk.now += timedelta(days=days, minutes=5)

    return change


CHANGES = {
    "its last entry is left out": lambda desk: desk.change(entries=entries(desk)[1][:-1]),
    "its first entry is left out": lambda desk: desk.change(entries=entries(desk)[1][1:]),
    "an entry is changed": lambda desk: desk.change(
        entries=tuple(one.replace("for a scenario", "for a reason!!") for one in entries(desk)[1])
    ),
    "no witness vouches for its checkpoint": uncosigned,
    "the witness saw it eight days ago": pass_days(8),
    "the trust file names no witness": unwitnessed_trust,
    "the trust file does not name the release manager": without_manager,
    "the trust file says the release manager is none": manager_is_none,
    "the service is revoked and it is written again": revoke_service,
    "another model is put into production and it is written again": replace_model,
    "it is no JSON": lambda desk: desk.put("no JSON"),
    "eight days pass": pass_days(8),
    "the served model is retired and the admission is written again": retire,
    "a caller is made and the admission is written again": make_caller,
    "an older admission is put back": put_back,
}


@when(parsers.parse("{what} while it runs"))
def _(desk: Desk, what: str) -> None:
    CHANGES[what](desk)


@when(parsers.parse("its admission changes: {what}"))
def _(desk: Desk, what: str) -> None:
    CHANGES[what](desk)


@then(parsers.parse('the service refuses to start, because "{why}"'))
def _(desk: Desk, why: str) -> None:
    with pytest.raises(MinivessError) as caught:
        desk.start()
    assert why in caught.value.message
    assert desk.client is None


@then(parsers.parse('an image is refused with status {status:d}, because "{why}"'))
def _(desk: Desk, status: int, why: str) -> None:
    answer = desk.send()
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    ready = desk.client.get("/readyz")
    assert (ready.status_code == 503) == (status == 503)


@when("six days pass, the witness sees the log again and the admission is written again")
def _(desk: Desk) -> None:
    pass_days(6)(desk)
    again(desk)


@when("six more days pass")
def _(desk: Desk) -> None:
    pass_days(6)(desk)


@when("a copy of its log is anchored, and the admission is written again")
def _(desk: Desk, tmp_path: Path) -> None:
    desk.stack.close()
    for name in ("first", "second"):
        desk.start()
        assert desk.send().status_code == 200
        desk.stack.close()
        shutil.copy(desk.folder / "evidence" / "serving" / "main.db", tmp_path / f"{name}.db")
    with desk.project.services() as services:
        signer = desk.project.signers[accounts.INFERENCE_IDENTITY]
        assert anchor_copy(services, signer, tmp_path / "second.db")
        assert not anchor_copy(services, signer, tmp_path / "second.db")
    again(desk)
    desk.start()


@then("the receipt of its answer is verified with the trust file and its witness")
def _(desk: Desk) -> None:
    receipt = Receipt.model_validate(desk.client.get("/v1/receipts/1").json())
    for one in receipt.through:
        assert "w.example" in one.checkpoint
    verdict = verify_receipt(receipt, log_key=desk.trusted, actor=desk.trusted)
    assert verdict.holds, verdict.first_failure
    assert "anchors these 4 entries" in verdict.checks[-1].detail


@then("an older copy of its log is not anchored")
def _(desk: Desk, tmp_path: Path) -> None:
    with desk.project.services() as services, pytest.raises(MinivessError) as caught:
        anchor_copy(services, desk.project.signers[accounts.INFERENCE_IDENTITY], tmp_path / "first.db")
    assert "rolled back" in caught.value.message


@then("an image is answered")
def _(desk: Desk) -> None:
    assert desk.send().status_code == 200


@when(parsers.parse("its admission is written while {what}"))
def _(desk: Desk, what: str) -> None:
    if what != "it names no witnesses":
        named_witness(desk.project)
    if what != "the site is not enrolled":
        with served.engine_of(desk.project):
            pass
    if what == "the model is retired":
        with desk.project.services() as services:
            entries_ = [one.body for one in services.log.entries(actions={"model.promote"})]
            model = str(entries_[-1].payload["model"])
            promotion.promote(services, desk.project.signers["max"], model, stage="retired", reason="it misses")
        desk.witness()
    with desk.project.services() as services, pytest.raises(MinivessError) as caught:
        admission.make_admission(services, "main")
    desk.error = caught.value


@then(parsers.parse('this is refused with a hint, because "{why}"'))
def _(desk: Desk, why: str) -> None:
    assert desk.error is not None
    assert why in desk.error.message
    assert desk.error.hint
