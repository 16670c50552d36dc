"""Steps of client.feature: the client, a real socket, and a real service with a toy model."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.proofs.cosignature import LOG, WITNESS, verifier_key
from minivess.compliance.verification.trust import write_trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.records.log.callers import Scope
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.serving.access import callers
from minivess.workflows.serving.inference import mask_digest
from tests.features.serving.conftest import Story
from tests.support import interface_facts
from tests.support.builders import image_files
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder
from tests.support.servers import loopback, served, toy_models

with lazily("minivess.client", "httpx"):
    import minivess.client as clients

scenarios("client.feature")

STEPS = (2.0, 1.0, 1.0)
SPACING = "2 x 1 x 1 um"
MILLIMETRES = tuple(step / 1000 for step in STEPS)


@dataclass
class Call:
    """What the steps of one scenario share."""

    service: served.Service
    between: loopback.Between
    url: str
    image: np.ndarray
    trust: Path | None = None
    key: str | None = None
    entries: int = 0
    answer: Any = None
    error: MinivessError | None = None

    def segment(self, *what: Any, kind: str = "sync", **how: Any) -> None:
        """Segment with a client of the kind; keeps the answer or the error."""
        options = {"retries": clients.Retries(first_wait=0.001, longest_wait=1), "trust": self.trust, "key": self.key}
        try:
            if kind == "sync":
                with clients.Client(self.url, **options) as client:
                    self.answer = client.segment(*what, **how)
            else:
                self.answer = asyncio.run(self._segment_async(options, *what, **how))
        except MinivessError as error:
            self.error = error

    async def _segment_async(self, options: dict[str, Any], *what: Any, **how: Any) -> Any:
        async with clients.AsyncClient(self.url, **options) as client:
            return await client.segment(*what, **how)

    @property
    def array(self) -> np.ndarray:
        return self.image.astype(np.float32)


@pytest.fixture
def facts() -> dict[str, Any]:
    """The interface, and what it promises."""
    return {}


@pytest.fixture
def call(story: Story) -> list[Call]:
    return []


def trust_text(service: served.Service) -> str:
    log = service.services.log
    return write_trust(Register.fold(log.entries()), log.origin, rules=LEAST_RULES)


def start(story: Story, call: list[Call], images: str) -> Call:
    service = story.start_service()
    image = np.rint(service.volume()[0]).astype(np.uint16)
    if images == "colour pictures":
        service = story.stack.enter_context(toy_models.serving(service, toy_models.COLOUR_PICTURES))
        image = toy_models.image(toy_models.COLOUR_PICTURES, 7)
    story.service = service
    between = loopback.Between(service.client.app)
    url = story.stack.enter_context(loopback.listening(between))
    call.append(Call(service, between, url, image, entries=len(service.entries())))
    return call[0]


@given(parsers.re(r"a client of a service that takes (?P<images>[a-z ]+)$"))
def _client(story: Story, call: list[Call], images: str) -> None:
    start(story, call, images)


@given(parsers.re(r"a client of a service that takes (?P<images>[a-z ]+), with (?P<trust>.*)"))
def _client_with(story: Story, call: list[Call], images: str, trust: str, tmp_path: Path) -> None:
    one = start(story, call, images)
    if trust == "no trust file":
        return
    one.trust = tmp_path / "trust.json"
    text = trust_text(one.service)
    if trust == "a trust file of another log":
        other = verifier_key(one.service.services.log.origin, generate(KeyAlgorithm.ED25519).public, LOG).text()
        text = json.dumps({**json.loads(text), "policy": f"log {other}\nquorum none\n"})
    if trust == "a trust file that asks for a witness":
        plain = json.loads(text)
        witness = verifier_key("w.example", generate(KeyAlgorithm.ED25519).public, WITNESS).text()
        log = plain["policy"].splitlines()[0]
        text = json.dumps({**plain, "policy": f"{log}\nwitness w {witness}\nquorum w\n"})
    one.trust.write_text(text, encoding="utf-8")


@given("the first answer is lost on its way")
def _lost(call: list[Call]) -> None:
    call[0].between.lost = 1


@then("the log has one entry more, that of the answer")
def _one_more(call: list[Call]) -> None:
    answer = answer_of(call)
    entries = call[0].service.entries()
    assert len(entries) == call[0].entries + 1
    assert entries[-1].body.index == answer.receipt.index


@pytest.fixture(scope="module")
def keyed_service(
    servable_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[served.Service, str]]:
    """A service with one caller, and the key of it."""
    project = servable_project.copy_to(tmp_path_factory.mktemp("keyed") / "project")
    with project.services() as services:
        made = callers.create(services, project.signers["max"], "pacs", scopes=(Scope.INFER,), days=30)
    with served.running(project) as service:
        yield service, made.key


@given("a client of a service whose callers have keys")
def _keyed(story: Story, call: list[Call], keyed_service: tuple[served.Service, str]) -> None:
    service, key = keyed_service
    url = story.stack.enter_context(loopback.listening(service.client.app))
    image = np.rint(service.volume()[0]).astype(np.uint16)
    call.append(Call(service, loopback.Between(service.client.app), url, image, key=key))


@when("an array is segmented without a key")
def _without_key(call: list[Call]) -> None:
    one = call[0]
    key, one.key = one.key, None
    one.segment(one.array, SPACING)
    one.key = key


@then("the error is a caller that is not known, and says how to get a key")
def _not_known(call: list[Call]) -> None:
    error = call[0].error
    assert isinstance(error, clients.NotAllowedError)
    assert error.problem.status == 401
    assert "caller create" in error.hint
    call[0].error = None


@when("an array is segmented with the key of the caller")
def _with_key(call: list[Call]) -> None:
    call[0].segment(call[0].array, SPACING)


@then("the entry of the answer names the caller")
def _named(call: list[Call]) -> None:
    answer = answer_of(call)
    log = call[0].service.serving.services.log
    details = log.details(answer.receipt.index)
    assert details is not None
    assert details.payload["caller"] == "pacs"


WHAT: dict[str, Callable[[Call, Path], tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "a NIfTI file": lambda one, folder: (
        (written(folder / "jane-doe.nii", image_files.nifti(one.image, MILLIMETRES)),),
        {},
    ),
    "a folder of DICOM slices": lambda one, folder: ((dicom_folder(one, folder),), {}),
    "an array with its spacing": lambda one, _: ((one.array, SPACING), {}),
    "an array, asking for run lengths": lambda one, _: (
        (one.array, ("2 um", "1 um", "1 um")),
        {"mask_format": "rle"},
    ),
    "an array with a wrong spacing": lambda one, _: ((one.array, "90 x 1 x 1 um"), {}),
    "bytes that are no image": lambda *_: ((b"no image", SPACING), {}),
    "the bytes of a PNG": lambda one, _: (
        (image_files.png(np.clip(np.rint(one.image), 0, 255).astype(np.uint8)),),
        {},
    ),
}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def dicom_folder(one: Call, folder: Path) -> Path:
    place = folder / "series"
    place.mkdir()
    for name, data in image_files.series(one.image, MILLIMETRES).items():
        (place / f"jane-doe-{name}").write_bytes(data)
    return place


@when(parsers.re(r"(?P<what>.+) is segmented by the (?P<kind>a?sync) client"))
def _segment(call: list[Call], what: str, kind: str, tmp_path: Path) -> None:
    arguments, options = WHAT[what](call[0], tmp_path)
    call[0].segment(*arguments, kind=kind, **options)


@when("a NIfTI file is segmented, asking for NIfTI")
def _nifti(call: list[Call], tmp_path: Path) -> None:
    arguments, _ = WHAT["a NIfTI file"](call[0], tmp_path)
    call[0].segment(*arguments, mask_format="nifti")


def answer_of(call: list[Call]) -> Any:
    assert call[0].error is None, call[0].error
    return call[0].answer


@then("the mask is the one whose digest is in the log")
def _mask(call: list[Call]) -> None:
    answer = answer_of(call)
    entry = call[0].service.entries()[-1]
    outputs = {one.name.partition("/")[0]: one.digest for one in entry.body.outputs}
    assert mask_digest(answer.mask) == outputs["masks"] == answer.mask_digest
    assert answer.mask.any()
    assert answer.mask.shape == answer.shape == call[0].image.shape[: len(answer.axes)]
    assert answer.receipt.index == entry.body.index


@then("each class has its name, its share and its conformal mask")
def _classes(call: list[Call]) -> None:
    answer = answer_of(call)
    labels = call[0].service.engine.model.task.classes
    assert [(one.value, one.name) for one in answer.classes] == [(one.value, one.name) for one in labels]
    for one in answer.classes:
        assert one.foreground_fraction == pytest.approx((answer.mask == one.value).mean())
        assert one.conformal_mask[answer.mask == one.value].all()


@then("the answer has the file and no array")
def _file(call: list[Call]) -> None:
    answer = answer_of(call)
    assert answer.mask is None
    assert mask_digest(image_files.nifti_array(answer.mask_file).astype(np.uint8)) == answer.mask_digest


@then("the verdict states that the file was not compared")
def _not_compared(call: list[Call]) -> None:
    verdict = answer_of(call).verdict
    assert verdict.state == "LIMITED"
    assert "the voxels of the nifti file were not compared with their digest" in verdict.limits


@when(parsers.parse("an array is segmented, asking for probabilities as {kind}"))
def _probabilities(call: list[Call], kind: str) -> None:
    call[0].segment(call[0].array, SPACING, outputs=("probabilities",), output_type=kind)


@then(parsers.parse("the probabilities are those whose digest is in the log, as {kind}"))
def _same_probabilities(call: list[Call], kind: str) -> None:
    answer = answer_of(call)
    entry = call[0].service.entries()[-1]
    recorded = {one.name: one.digest for one in entry.body.outputs}
    values = answer.outputs["probabilities"]
    assert (values.dtype, values.shape) == (np.dtype(kind), (1, *answer.shape))
    assert digest_bytes(values.tobytes()) == recorded[f"probabilities/{answer.request}"]
    clear = np.abs(values[0] - answer.threshold) > (0.001 if kind == "float16" else 0)  # where rounding changes nothing
    assert np.array_equal(values[0][clear] >= answer.threshold, answer.mask[clear] == 1)
    assert clear.mean() > 0.9


@then("each class has its size with its unit")
def _sizes(call: list[Call]) -> None:
    answer = answer_of(call)
    for one in answer.classes:
        assert one.size.voxels == (answer.mask == one.value).sum()
        assert one.size.size == pytest.approx(one.size.voxels * 2)
        assert one.size.size_unit == "µm³"
        assert 0.5 < one.confidence <= 1


@then("the answer has its times and the version of the device")
def _times(call: list[Call]) -> None:
    answer = answer_of(call)
    assert answer.timings["inference"] > 0
    assert answer.model_version == call[0].service.engine.model.version


ERRORS = {
    "a refused image": "ImageRefusedError",
    "a malformed request": "RequestError",
    "a service out of reach": "ServiceUnavailableError",
}


@then(parsers.re(r"the error is (?P<name>[a-z ]+)$"))
def _error(call: list[Call], name: str) -> None:
    assert type(call[0].error).__name__ == ERRORS[name]
    assert call[0].error is not None
    assert call[0].error.hint


@then(parsers.re(r"the error is (?P<name>[a-z ]+), with the reason and the hint of the service"))
def _refused(call: list[Call], name: str) -> None:
    _error(call, name)
    error, body = call[0].error, call[0].between.bodies[-1]
    assert isinstance(error, clients.ImageRefusedError | clients.RequestError)
    assert (error.message, error.hint) == ("; ".join(body["reasons"]), body["hint"])
    if isinstance(error, clients.ImageRefusedError):
        assert error.verdict is not None
        assert error.verdict.first_failure is None
        assert {"answer image", "answer decision"} <= {check.name for check in error.verdict.checks}


@then("the client reads the model, the earlier decision and its receipt")
def _reads(call: list[Call]) -> None:
    answer = answer_of(call)
    with clients.Client(call[0].url) as client:
        assert client.ready()
        assert client.model().digest == answer.model
        assert client.decision(answer.receipt.index).request == answer.request
        again = client.receipt(answer.receipt.index)
        assert (again.receipt.entry, again.verdict.state) == (answer.receipt.entry, "LIMITED")
        with pytest.raises(clients.RequestError):
            client.receipt(10**6)


HAPPENS: dict[str, tuple[int, dict[str, str]]] = {
    "a status of 503": (503, {}),
    "a status of 409": (409, {"retry-after": "0"}),
    "a status of 429": (429, {"retry-after": "0"}),
    "a lost connection": (loopback.HANG_UP, {}),
    "a wish to come back later": (503, {"retry-after": "3600"}),
}


@given(parsers.parse("{what} to the first {count:d} requests"))
def _happens(call: list[Call], what: str, count: int) -> None:
    call[0].between.answers = [HAPPENS[what]] * count


@then(parsers.parse("{count:d} requests with one idempotency key were sent"))
def _requests(call: list[Call], count: int) -> None:
    keys = [one["idempotency-key"] for one in call[0].between.requests]
    assert len(keys) == count
    assert len(set(keys)) == 1
    assert len(keys[0]) >= 32


@then(parsers.parse("the verdict is {state}, by {keys}"))
def _verdict(call: list[Call], state: str, keys: str) -> None:
    verdict = answer_of(call).verdict
    assert (verdict.state, verdict.trusted) == (state, keys == "the trust file")
    assert any("witness" in one for one in verdict.limits) == (keys == "the trust file" and state == "LIMITED")
    assert verdict.trust.startswith(keys)
    names = {check.name for check in verdict.checks}
    assert {"receipt entry", "receipt signature", "receipt proof"} <= names
    assert {"answer decision", "answer image", "answer model", "answer mask"} <= names


def _other_mask(body: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    np.save(stream, 1 - served.unpack_mask(body["mask"]))
    mask = base64.b64encode(gzip.compress(stream.getvalue())).decode("ascii")
    digest = mask_digest(1 - served.unpack_mask(body["mask"]))
    return {**body, "mask": mask, "mask_digest": digest}


def _entry(body: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {**body, "receipt": {**body["receipt"], **changed}}


CHANGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "the mask of another answer": _other_mask,
    "the receipt of another image": lambda body, other: {
        **body, "receipt": other["receipt"], "request": other["request"]
    },
    "the receipt of a refusal": lambda body, other: {**body, "receipt": other["refusal"]},
    "another model": lambda body, _: {**body, "model": f"sha256:{'0' * 64}"},
    "no conformal mask": lambda body, _: {
        **body, "classes": [{**one, "conformal_mask": None} for one in body["classes"]]
    },
    "no probabilities": lambda body, _: {**body, "outputs": []},
    "other probabilities": lambda body, other: {**body, "outputs": other["outputs"]},
    "an entry that was changed": lambda body, _: _entry(
        body, entry=body["receipt"]["entry"].replace(body["mask_digest"], f"sha256:{'0' * 64}")
    ),
    "no proof of its place": lambda body, _: _entry(body, proof=[]),
    "no entries of the device's log": lambda body, _: _entry(body, through=[]),
    "the receipt of its entry": lambda body, _: body,
}  # fmt: skip


@when(parsers.parse("an answer comes with {what}"))
def _changed(call: list[Call], what: str) -> None:
    one = call[0]
    parts = {"spacing": SPACING, "outputs": "probabilities"}
    another = one.service.post(one.array[:, ::-1] + np.float32(1), parts).json()
    refused = one.service.send(one.array, (90.0, 1.0, 1.0)).json()
    other = {**another, "refusal": refused["receipt"]}
    one.between.change = lambda body: CHANGES[what](body, other)
    one.segment(one.array, SPACING, outputs=("probabilities",))


@then(parsers.parse('the answer is refused because "{why}"'))
def _refused_answer(call: list[Call], why: str) -> None:
    error = call[0].error
    assert isinstance(error, clients.UnprovenAnswerError), call[0].answer and call[0].answer.verdict
    assert why in error.message
    assert error.verdict.state == "NOT VERIFIED"


@when("its interface is compared with the list of promises")
def _compared(call: list[Call], facts: dict[str, Any]) -> None:
    facts["document"] = call[0].service.client.get("/openapi.json").json()
    facts["now"] = interface_facts.facts_of(facts["document"])


@then(parsers.parse("no promise for {images} is broken, and what is deprecated says so"))
def _kept(facts: dict[str, Any], images: str) -> None:
    of_others = "POST /predict" if images == "grey volumes" else " part spacing"  # pictures of this model have no size
    before = {fact for fact in interface_facts.promised() if of_others not in fact}
    assert interface_facts.broken(before, facts["now"]) == []
    assert interface_facts.broken(before | {"GET /v1/model 200 application/json .gone: string"}, facts["now"])
    paths = facts["document"]["paths"]
    assert paths["/v1/receipts/{index}"]["get"]["deprecated"]
    assert "deprecated" not in paths["/v1/decisions/{index}/receipt"]["get"]


@when(parsers.parse("an array with its spacing is sent as a job by the {kind} client"))
def _job(call: list[Call], facts: dict[str, Any], kind: str) -> None:
    one, facts["looks"] = call[0], []
    if kind == "sync":
        with clients.Client(one.url) as client:
            job = client.start(one.array, SPACING)
            one.answer = client.wait(job, every=0.01, progress=facts["looks"].append)
        return

    async def ask() -> Any:
        async with clients.AsyncClient(one.url) as client:
            job = await client.start(one.array, SPACING)
            return await client.wait(job, every=0.01, progress=facts["looks"].append)

    one.answer = asyncio.run(ask())


@then("its progress ends with all tiles done")
def _progress(facts: dict[str, Any]) -> None:
    last = facts["looks"][-1]
    assert last.state == "done"
    assert last.tiles_done == last.tiles > 0


@when("the answer of a job comes to a program that sent another image")
def _other_program(call: list[Call]) -> None:
    one = call[0]
    with clients.Client(one.url, trust=one.trust) as client:
        job = client.start(one.array, SPACING)
        try:
            client.wait(clients.Job(job.id, f"sha256:{'0' * 64}"), every=0.01)
        except MinivessError as error:
            one.error = error


@when("a job is cancelled")
def _cancelled(call: list[Call], facts: dict[str, Any]) -> None:
    with clients.Client(call[0].url) as client:
        facts["job"] = client.start(call[0].array, SPACING)
        while client.state(facts["job"]).state != "done":  # one that runs may end before it hears of it
            time.sleep(0.01)
        facts["state"] = client.cancel(facts["job"]).state
        for wanted in (facts["job"], clients.Job("0" * 16 + "-" + "0" * 32, "sha256:"), clients.Job("none", "")):
            with pytest.raises(clients.RequestError) as caught:
                client.wait(wanted, every=0.01)
            facts.setdefault("errors", []).append(caught.value)


@then("it has no answer, and a job that is not known has none either")
def _no_answer(facts: dict[str, Any]) -> None:
    assert facts["state"] == "cancelled"
    assert facts["errors"][0].message == "the job is cancelled"
    assert [one.problem.status for one in facts["errors"][1:]] == [410, 404]
    assert all(one.hint for one in facts["errors"])
    with pytest.raises(MinivessError, match="malformed"):
        clients.Job("../decisions/1", "")
