"""Steps of serving.feature: the real service on a small project, spoken to over its HTTP interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from httpx import Response
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.entry import Outcome
from minivess.records.receipt import Receipt
from minivess.workflows import people
from minivess.workflows.inference import mask_digest, open_inference
from tests import projects, served

scenarios("serving.feature")

STATUS = {"malformed": 400, "too large": 413}
BODIES: dict[str, Callable[[np.ndarray], bytes | np.ndarray]] = {
    "a file that is no .npy": lambda _: b"%PDF-1.7",
    "a .npy file that holds objects": lambda _: served.npy(np.array([[[{}]]], dtype=object), allow_pickle=True),
    "a .npy file cut short": lambda image: served.npy(image)[:-100],
    "a spacing that is no spacing": lambda image: image,
    "a file larger than what is taken": lambda _: bytes(served.LIMITS.body_bytes + 1),
    "a volume with a four times wider spacing": lambda image: image,
    "a volume of a single small block": lambda image: image[:3, :5, :5],
    "a volume with inverted intensities": lambda image: image.max() - image,
    "a volume without any contrast": np.ones_like,
}


@dataclass
class Story:
    copy: Callable[[], projects.ProjectFolder]
    start_service: Callable[[], served.Service]
    project: projects.ProjectFolder | None = None
    service: served.Service | None = None
    response: Response | None = None
    sent: bytes = b""
    entries_before: int = 0
    refusal: str = ""
    patient: str = field(default="Jane-Doe-1961")

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
                open_inference(services, self.project.signers[people.INFERENCE_IDENTITY])
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
    yield made
    if made.service is not None:
        made.service.mend_log()


@given("a running service")
def _(story: Story) -> None:
    story.service = story.start_service()
    story.entries_before = len(story.running.entries())


@given("the audit log can no longer be written")
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


@then("its receipt verifies with the log's public key alone")
def _(story: Story) -> None:
    register = Register.fold(story.running.services.log.entries())
    receipt = Receipt.model_validate(story.answered.json()["receipt"])
    signer = story.running.signer.identity.signing_key
    assert verify_receipt(receipt, log_key=register.log_key, actor=signer).holds
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
    assert "ONNX" in story.refusal


@then("the service refuses to start and names the calibration")
def _(story: Story) -> None:
    assert "calibration.json" in story.refusal


@then("no entry of the log holds that name")
def _(story: Story) -> None:
    entries = story.running.entries()
    assert len(entries) == story.entries_before + 2
    assert not [entry for entry in story.running.services.log.entries() if story.patient in entry.model_dump_json()]
