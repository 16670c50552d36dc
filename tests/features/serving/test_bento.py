"""Steps of bento.feature: BentoML itself, the real service, log and keys; only the network is a toy graph."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.identity.register import Register
from minivess.compliance.verification.receipt import verify_receipt
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.ml.inference.exported_model import ExportedModel
from minivess.ml.inference.watch import Watch
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.models.exports.bento import BentoFacts
from minivess.serving.bento.remote_model import Answered, Asked, BentoModel, RemotePredictor
from minivess.workflows.bento.content import digest_of_folder
from minivess.workflows.serving.inference import InferenceService
from tests.features.serving.conftest import Story
from tests.support import projects
from tests.support.builders import image_files
from tests.support.lazy_modules import lazily
from tests.support.servers import bentos, served, toy_models

with lazily(
    "fastapi",
    "minivess.serving.bento.opening",
    "minivess.serving.inference.app",
    "minivess.serving.observing.observation",
):
    from fastapi import testclient

    from minivess.serving.bento import opening
    from minivess.serving.inference import app as application
    from minivess.serving.observing import observation

scenarios("bento.feature")

SITE = "bento"


@dataclass
class Found:
    """What the steps of one scenario share."""

    out: Path
    code: object = None
    error: MinivessError | None = None
    bento: bentos.Send = None
    service: bentos.Send = None
    output: Path = field(default_factory=Path)
    answers: list[Any] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    return Found(tmp_path / "packed")


@pytest.fixture
def project(story: Story) -> projects.ProjectFolder:
    assert story.project is not None
    return story.project


@given("a project whose model was exported and recorded")
def _project(story: Story) -> None:
    story.project = story.copy()


@given("a folder of that name")
def _folder(found: Found) -> None:
    found.out.mkdir()


@given("a lock file without BentoML")
def _lock(project: projects.ProjectFolder, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    text = '[[package]]\nname = "minivess"\nversion = "0.1.0"\nsource = { editable = "." }\ndependencies = []\n'
    (tmp_path / "source" / "uv.lock").write_text(text, encoding="utf-8")
    path = project.workspace.project_file
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^source: .*$", f"source: {tmp_path / 'source'}", text), encoding="utf-8")


@given("another model that was exported since")
def _another(project: projects.ProjectFolder) -> None:
    projects.export_toy_model(project, bias=0.5)


@when("`minivess model bento` is run")
def _build(project: projects.ProjectFolder, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("LOG", "ADA"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    root = str(project.workspace.root)
    try:
        command = ["-C", root, "model", "bento", str(found.out), "--as", "ada"]
        found.code = app(command, standalone_mode=False)
    except MinivessError as error:
        found.error = error


@then("the Bento has the model in production, the code and the facts about both")
def _content(project: projects.ProjectFolder, found: Found) -> None:
    assert found.error is None
    source = found.out / "src"
    stated = BentoFacts.model_validate_json((source / "bento.json").read_text(encoding="utf-8"))
    assert ExportedModel.open(source / "model", expected=stated.model).digest == stated.model
    assert digest_of_folder(source / "minivess")[0] == stated.code
    assert (source / "minivess" / "serving" / "bento" / "service.py").is_file()
    told = yaml.safe_load((found.out / "bento.yaml").read_text(encoding="utf-8"))
    assert (told["name"], told["entry_service"]) == ("minivess", "minivess")
    assert [one["name"] for one in told["services"]] == ["minivess", "minivess-model"]
    assert stated.model in (found.out / "README.md").read_text(encoding="utf-8")


@then("each package in it is pinned with the digests of its files")
def _pinned(found: Found) -> None:
    text = (found.out / "src" / "requirements.txt").read_text(encoding="utf-8")
    stated = BentoFacts.model_validate_json((found.out / "src" / "bento.json").read_text(encoding="utf-8"))
    assert digest_bytes(text.encode("utf-8")) == stated.requirements
    packages = [line.replace("\\\n", " ").split() for line in re.split(r"\n(?! )", text) if line]
    names = {one[0].partition("==")[0] for one in packages}
    assert {"bentoml", "fastapi", "onnxruntime", "numpy", "pydicom", "nibabel"} <= names
    assert not {"torch", "monai", "mlflow", "minivess", "pytest"} & names
    for name, *rest in packages:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", name)
        hashes = [one for one in rest if one != "\\"]
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)


@then("its Dockerfile is that of BentoML's template, installs these packages and has no secret")
def _dockerfile(found: Found) -> None:
    lines = (found.out / "env" / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    steps = [line.split(" ", 1) for line in lines if re.match(r"[A-Z]+ ", line)]
    assert ["FROM", "python:3.12-slim AS base-container"] in steps
    assert ["USER", "bentoml"] in steps
    assert steps[-1] == ["ENTRYPOINT", '[ "/home/bentoml/bento/env/docker/entrypoint.sh" ]']
    assert any("pip install -r $BENTO_PATH/env/python/requirements.txt" in line for line in lines)
    assert any("BENTOML_DO_NOT_TRACK" in line and "True" in line for line in lines)
    locked = (found.out / "src" / "requirements.txt").read_text(encoding="utf-8")
    installed = (found.out / "env" / "python" / "requirements.txt").read_text(encoding="utf-8")
    wanted = {line.strip() for line in locked.replace("\\", "").splitlines() if line.strip()}
    there = {line.strip() for line in installed.replace("\\", "").splitlines() if line.strip()}
    assert wanted <= there
    assert there - wanted <= {next(line for line in wanted if line.startswith("bentoml=="))}
    every = b"".join(path.read_bytes() for path in found.out.rglob("*") if path.is_file())
    assert projects.PASSPHRASE.encode("utf-8") not in every
    assert b"MINIVESS_PASSPHRASE_LOG=" not in every


@then("the log names model, lock file, Bento, code and packages by their digests")
def _entry(project: projects.ProjectFolder, found: Found) -> None:
    stated = BentoFacts.model_validate_json((found.out / "src" / "bento.json").read_text(encoding="utf-8"))
    digest, files = digest_of_folder(found.out)
    with project.services() as services:
        begun, done = services.log.entries(actions={"model.bento"})
        lock = digest_bytes((services.source / "uv.lock").read_bytes())
    assert (begun.body.outcome, done.body.outcome) == (Outcome.STARTED, Outcome.COMPLETED)
    assert done.body.payload == {
        "tag": f"minivess:{stated.model[7:19]}",
        "model": stated.model,
        "code": stated.code,
        "requirements": stated.requirements,
        "files": files,
    }
    assert {one.digest for one in done.body.inputs} == {stated.model, lock}
    assert [one.digest for one in done.body.outputs] == [digest]
    assert done.body.context.model == stated.model


@then(parsers.parse("it is refused because {why}"))
def _refused(found: Found, why: str) -> None:
    assert found.error is not None
    assert why in found.error.message
    assert found.error.hint


@then("there is no Bento")
def _no_bento(project: projects.ProjectFolder, found: Found) -> None:
    assert not found.out.exists() or not list(found.out.iterdir())
    with project.services() as services:
        assert not list(services.log.entries(actions={"model.bento"}))


@given("a Bento of it that is opened in this process, beside the service")
def _opened(story: Story, project: projects.ProjectFolder, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    bentos.lay_out(project, found.out)
    for name, value in bentos.environment(project, found.out, site=SITE).items():
        monkeypatch.setenv(name, value)
    found.bento = story.stack.enter_context(bentos.in_process())
    story.service = story.stack.enter_context(served.running(project))
    found.service = story.service.client.request


@given("a service for pictures, and a Bento with the same model in this process")
def _pictures(story: Story, project: projects.ProjectFolder, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Bento is opened with an engine for pictures; its model is asked as the process with the model is."""
    bentos.lay_out(project, found.out)
    for name, value in bentos.environment(project, found.out, site=SITE).items():
        monkeypatch.setenv(name, value)
    story.service = story.stack.enter_context(served.running(project))
    opened = toy_models.opened(story.service, toy_models.COLOUR_PICTURES)

    class Direct:
        def predict(self, batch: list[Any]) -> list[Any]:
            watch, answers = Watch(), []
            for one in batch:
                asked = Asked(*one)
                made = opened.predictor.predict_watched(asked.image, asked.spacing, watch)
                answers.append(tuple(Answered(made.probabilities, made.disagreement, {})))
            return answers

    remote = InferenceService(story.service.serving, replace(opened, predictor=RemotePredictor(Direct())))

    @contextmanager
    def pictures(_model: object, _stated: object) -> Iterator[opening.Opened]:
        with observation.observation(remote.model) as watched:
            yield opening.Opened(remote, watched)

    monkeypatch.setattr("minivess.serving.bento.service.opened_engine", pictures)
    found.bento = story.stack.enter_context(bentos.in_process())
    made = application.create_app(InferenceService(story.service.serving, opened), limits=served.LIMITS)
    client = story.stack.enter_context(testclient.TestClient(made, raise_server_exceptions=False))
    found.service = client.request
    story.entries_before = len(story.service.entries())


@when("pictures are sent to `/predict` of both")
def _predicted(found: Found) -> None:
    picture = toy_models.image(toy_models.COLOUR_PICTURES).clip(0, 255).astype(np.uint8)
    sent = [({"file": image_files.png(picture)}, {}), ({"file": image_files.png(picture)}, {"mask_format": "png"})]
    sent += [({"file": b"no picture"}, {}), ({"file": image_files.png(np.full_like(picture, 9))}, {})]
    for files, data in sent:
        one, other = (
            bentos.told(send("POST", "/predict", files=files, data=data)) for send in (found.bento, found.service)
        )
        found.statuses.append(one[0])
        if one != other:
            found.answers.append((one, other))
    assert found.statuses == [200, 200, 400, 422]


@then("those with a mask are entries of the log of the service")
def _picture_entries(story: Story, found: Found) -> None:
    entries = story.running.entries()[story.entries_before :]
    assert [one.body.outcome for one in entries].count(Outcome.COMPLETED) == 2 * found.statuses.count(200)


@when("the same requests are sent to both")
def _same_requests(story: Story, project: projects.ProjectFolder, found: Found) -> None:
    if found.service is None:
        service = story.stack.enter_context(served.running(project))
        found.service = service.client.request
    image, spacing = served.known_volume(project)
    found.answers = bentos.differences(found.bento, found.service, image, spacing)


@then("the answers are equal byte for byte, apart from receipt, request and times")
def _equal(found: Found) -> None:
    assert found.answers == []


@then("each answer of the Bento is an entry of its log, with a receipt that verifies")
def _entries(story: Story, project: projects.ProjectFolder, found: Found) -> None:
    image, spacing = served.known_volume(project)
    method, path, how = bentos.requests(image, spacing)[0]
    body = found.bento(method, path, **how).json()
    receipt = Receipt.model_validate(body["receipt"])
    with project.services() as services:
        register = Register.fold(services.log.entries())
    verdict = verify_receipt(receipt, log_key=register, actor=register)
    assert verdict.holds, verdict.first_failure
    assert f"/serving/{SITE}" in receipt.checkpoint
    assert found.bento("GET", f"/v1/decisions/{receipt.index}").json()["request"] == body["request"]


@then("without its log the Bento is alive and not ready, and answers without a mask")
def _without_log(project: projects.ProjectFolder, found: Found) -> None:
    assert found.bento("GET", "/readyz").status_code == 200
    bentos.close_log()
    database = project.workspace.serving / f"{SITE}.db"
    database.rename(database.with_suffix(".gone"))
    database.mkdir()
    assert found.bento("GET", "/livez").status_code == 200
    assert found.bento("GET", "/readyz").status_code == 503
    image, spacing = served.known_volume(project)
    method, path, how = bentos.requests(image, spacing)[0]
    answer = found.bento(method, path, **how)
    assert (answer.status_code, "mask" in answer.json()) == (503, False)


@when("a Bento of another model is opened")
def _other_model(project: projects.ProjectFolder, found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = bentos.lay_out(project, found.out, model=digest_bytes(b"another model"))
    for name, value in bentos.environment(project, found.out, site=SITE).items():
        monkeypatch.setenv(name, value)
    try:
        with opening.opened_engine(NeverAsked(), stated):
            pass
    except VerificationError as error:
        found.error = error


class NeverAsked:
    """A process with a model that must not be reached."""

    def predict(self, batch: list[Any]) -> list[Any]:
        raise AssertionError(batch)


@then("it refuses to open, because another model is in production")
def _refuses(project: projects.ProjectFolder, found: Found) -> None:
    assert found.error is not None
    assert "was built of the model" in found.error.message
    assert "model bento" in found.error.hint
    assert not (project.workspace.serving / f"{SITE}.db").exists()


@when("images of several sizes are answered in one batch")
def _batch(project: projects.ProjectFolder, found: Found) -> None:
    image, spacing = served.known_volume(project)
    folder = project.workspace.models / "export"
    alone = ExportedModel.open(folder)
    images = [image, image[::-1], image[:, :40], image + 5]
    batch = [Asked(one, spacing, False) for one in images]
    together = BentoModel(folder, alone.digest).answer_all([tuple(one) for one in batch])
    found.answers = [
        (one.probabilities, alone.predict(image, spacing)) for one, image in zip(together, images, strict=True)
    ]

    class Direct:
        def predict(self, batch: list[Any]) -> list[Any]:
            return [tuple(one) for one in BentoModel(folder, alone.digest).answer_all(batch)]

    watch = Watch()
    predicted = RemotePredictor(Direct()).predict_watched(image, spacing, watch).probabilities
    found.answers.append((predicted, alone.predict(image, spacing)))
    found.seconds = watch.times.model_dump(mode="json")


@then("each has the probabilities that it has alone, bit for bit")
def _bits(found: Found) -> None:
    assert len(found.answers) == 5
    for one, other in found.answers:
        assert one.dtype == other.dtype == np.float32
        assert np.array_equal(one, other)


@then("time in the process of the model counts to its stages")
def _stages(found: Found) -> None:
    assert {name for name, value in found.seconds.items() if value} == {"preprocessing", "inference", "postprocessing"}


@when("the Bento is served by BentoML on loopback")
def _serve(story: Story, project: projects.ProjectFolder, found: Found, tmp_path: Path) -> None:
    assert found.error is None
    place = tmp_path / "running"
    place.mkdir()
    found.output = place / "output.txt"
    found.bento = story.stack.enter_context(bentos.process(found.out, project, found.output, site=SITE))


@then("requests at the same time are answered in batches")
def _batches(project: projects.ProjectFolder, found: Found) -> None:
    image, spacing = served.known_volume(project)
    method, path, how = bentos.requests(image, spacing)[0]

    def ask(_: int) -> tuple[int, str]:
        answer = found.bento(method, path, **how)
        return answer.status_code, answer.json()["mask_digest"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    time.sleep(7)  # the process with the model closes idle connections after 5 seconds
    assert ask(0) == answers[0]
    text = found.bento("GET", "/metrics").text
    sizes = re.findall(r'adaptive_batch_size_bucket\{.*le="1.0".*\} ([0-9.]+)', text)
    counts = re.findall(r"adaptive_batch_size_count\{.*\} ([0-9.]+)", text)
    assert sizes, text
    assert float(sizes[0]) < float(counts[0]), "no batch had more than one request"


@then("what it answered is anchored when it ends")
def _anchored(story: Story, project: projects.ProjectFolder, found: Found) -> None:
    story.stack.close()
    with project.services() as services:
        anchored = [
            one for one in services.log.entries(actions={"serving.anchored"}) if SITE in json.dumps(one.body.payload)
        ]
    assert anchored
    assert projects.PASSPHRASE not in found.output.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _closed(story: Story) -> Iterator[None]:
    yield
    story.stack.close()
