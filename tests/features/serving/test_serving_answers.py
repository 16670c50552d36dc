"""Steps of serving_answers.feature: a real service with a toy model, spoken to over HTTP."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.verification.trust import write_trust
from minivess.foundation.digests import digest_bytes
from minivess.ml.inference.batching import BatchCut
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage, StageTimes
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.inference import InferenceService
from minivess.workflows.serving.observer import Served
from tests.features.serving.conftest import Story
from tests.support.builders import audit_logs, image_files
from tests.support.lazy_modules import lazily
from tests.support.servers import served, toy_models

with lazily("fastapi", "minivess.serving.inference.app"):
    from fastapi import testclient

    from minivess.serving.inference import app

scenarios("serving_answers.feature")

TASKS = {
    "grey pictures": toy_models.GREY_PICTURES,
    "colour pictures": toy_models.COLOUR_PICTURES,
    "volumes with two classes": toy_models.TWO_CLASSES,
}


@dataclass
class Heard:
    """Keeps what a service tells."""

    fails: bool = False
    served_: list[Served] = field(default_factory=list)
    turned: list[RefusalReason] = field(default_factory=list)

    def served(self, what: Served) -> None:
        self.served_.append(what)
        assert not self.fails

    def turned_away(self, reason: RefusalReason) -> None:
        self.turned.append(reason)
        assert not self.fails

    def batched(self, images: int, cut: BatchCut) -> None:
        assert not self.fails


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {}


@given("a service whose model takes grey volumes")
def _served(story: Story) -> None:
    story.service = story.start_service()


@given(parsers.re("a service with an observer(?P<how>| that fails)$"))
def _observed(story: Story, facts: dict[str, Any], how: str) -> None:
    service = story.start_service()
    task = toy_models.TWO_CLASSES
    facts["heard"] = Heard(fails=bool(how))
    engine = InferenceService(service.serving, toy_models.opened(service, task), observer=facts["heard"])
    made = app.create_app(engine, limits=served.LIMITS)
    client = story.stack.enter_context(testclient.TestClient(made, raise_server_exceptions=False))
    story.service = replace(service, engine=engine, client=client)
    facts["image"] = toy_models.image(task)
    facts["steps"] = toy_models.SPACINGS[task]


@given(parsers.parse("a service whose model has several members for {images}"))
def _several(story: Story, facts: dict[str, Any], images: str) -> None:
    task = TASKS[images]
    story.service = story.stack.enter_context(toy_models.serving(story.start_service(), task, disagreement=True))
    facts["task"], facts["image"] = task, toy_models.image(task)
    facts["steps"] = toy_models.SPACINGS[task] if toy_models.UNITS[task] == "um" else None


def _sent(story: Story, facts: dict[str, Any], **parts: str) -> Any:
    image, spacing = (facts["image"], facts["steps"]) if "image" in facts else story.running.volume()
    if spacing is not None:
        parts["spacing"] = f"{' x '.join(str(step) for step in spacing)} um"
    return story.running.post(image, parts)


@when("one of them is sent")
def _send(story: Story, facts: dict[str, Any]) -> None:
    begun = time.perf_counter()
    story.response = _sent(story, facts)
    facts["took"] = time.perf_counter() - begun
    assert story.answered.status_code == 200


@when(parsers.parse("one of them is sent, asking for {outputs} as {kind} in {name}"))
def _ask(story: Story, facts: dict[str, Any], outputs: str, kind: str, name: str) -> None:
    facts["asked"] = ([one.strip() for one in outputs.split(",")], kind, name)
    story.entries_before = len(story.running.entries())
    story.response = _sent(story, facts, outputs=outputs, output_type=kind, output_format=name)


@then(parsers.parse('the request is refused as malformed, naming "{named}"'))
def _malformed(story: Story, named: str) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["decision"]) == (400, "refused"), body
    assert named in body["detail"]
    assert body["hint"]
    assert len(story.running.entries()) == story.entries_before


def _numbers(output: dict[str, Any], task: SegmentationTask) -> np.ndarray:
    """The numbers of an output, in the order of its axes."""
    data = gzip.decompress(base64.b64decode(output["data"]))
    if output["format"] == "npy":
        loaded: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
        return loaded
    import nibabel

    kept = np.asarray(nibabel.nifti1.Nifti1Image.from_bytes(data).dataobj)
    if kept.ndim == 5:
        return kept[:, :, :, 0].transpose(3, 2, 1, 0)
    turned = kept.T.reshape(output["shape"][-len(task.axes) :])
    return turned[np.newaxis] if output["axes"][0] == "class" else turned


@then("the answer has these outputs with their type, axes and classes")
def _outputs(story: Story, facts: dict[str, Any]) -> None:
    body, task = story.answered.json(), facts["task"]
    assert story.answered.status_code == 200, body
    names, kind, name = facts["asked"]
    assert [one["name"] for one in body["outputs"]] == names
    facts["numbers"] = {}
    grid = list(facts["image"].shape[: len(task.axes)])
    for one in body["outputs"]:
        by_class = one["name"] == "probabilities"
        assert (one["type"], one["format"]) == (kind, name)
        assert one["axes"] == (["class"] if by_class else []) + list(task.axes)
        assert one["shape"] == ([len(task.classes)] if by_class else []) + grid
        assert one["classes"] == ([label.name for label in task.classes] if by_class else [])
        found = _numbers(one, task)
        assert (list(found.shape), found.dtype) == (one["shape"], np.dtype(kind))
        assert one["digest"] == digest_bytes(np.ascontiguousarray(found).astype(f"<{found.dtype.str[1:]}").tobytes())
        facts["numbers"][one["name"]] = found


@then("the mask follows from the probabilities, and is that of a request without them")
def _mask_of_probabilities(story: Story, facts: dict[str, Any]) -> None:
    body, task, numbers = story.answered.json(), facts["task"], facts["numbers"]
    mask = served.unpack_mask(body["mask"])
    assert _sent(story, facts).json()["mask_digest"] == body["mask_digest"]
    if "probabilities" in numbers:
        of_classes = numbers["probabilities"].astype(np.float64)
        background = 0.5 if task.one_class else 1 - of_classes.sum(axis=0)
        for number, label in enumerate(task.classes):
            sure = of_classes[number] - np.maximum(background, np.delete(of_classes, number, 0).max(0, initial=0))
            assert np.array_equal((mask == label.value)[abs(sure) > 0.01], (sure > 0)[abs(sure) > 0.01])
    if "disagreement" in numbers:
        spread = numbers["disagreement"]
        bright = facts["image"] if facts["image"].ndim == spread.ndim else facts["image"][..., 0]
        level = np.clip(bright, *np.percentile(bright, [0.5, 99.5]))
        expected = 0.1 * abs(level - level.mean()) / level.std()
        assert np.allclose(spread, expected, atol=2e-3)


@then("the entry names the digest of each output")
def _named(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.serving.services.log.entry(body["receipt"]["index"])
    named = {one.name: one.digest for one in entry.body.outputs}
    assert body["outputs"]
    for one in body["outputs"]:
        assert named[f"{one['name']}/{body['request']}"] == one["digest"]


@then(parsers.parse("the size of each class is its voxels times the size of a voxel in {unit}"))
def _size(story: Story, facts: dict[str, Any], unit: str) -> None:
    body = story.answered.json()
    mask = served.unpack_mask(body["mask"])
    voxel = {"mm³": 2 * 0.8 * 0.8, "µm²": 4.0, "px": 1.0}[unit]
    for one in body["classes"]:
        count = int(np.count_nonzero(mask == one["value"]))
        assert count > 0
        assert (one["size"]["voxels"], one["size"]["size_unit"]) == (count, unit)
        assert one["size"]["size"] == pytest.approx(count * voxel)


@then("its components and its box are those of the mask")
def _shape(story: Story, facts: dict[str, Any]) -> None:
    from scipy import ndimage

    body = story.answered.json()
    mask = served.unpack_mask(body["mask"])
    steps = {"mm": (2.0, 0.8, 0.8), "µm": (2.0, 2.0), "px": (1.0, 1.0)}
    for one in body["classes"]:
        inside = mask == one["value"]
        labels, count = ndimage.label(inside, np.ones((3,) * mask.ndim))
        assert one["size"]["components"] == count
        largest = np.bincount(labels.ravel())[1:].max() / np.count_nonzero(inside)
        assert one["size"]["largest_component"] == pytest.approx(largest * one["size"]["size"])
        where = np.argwhere(inside)
        box = (np.ptp(where, axis=0) + 1) * steps[one["size"]["extent_unit"]]
        assert one["size"]["extent"] == pytest.approx(box.tolist())


@when(parsers.re("(?P<what>a known volume|a volume without contrast|a file that is no image) is sent"))
def _send_some(story: Story, facts: dict[str, Any], what: str) -> None:
    image = facts["image"]
    sent = {
        "a known volume": image,
        "a volume without contrast": np.ones_like(image),
        "a file that is no image": b"\x93NUMPY",
    }
    story.response = story.running.send(sent[what], facts["steps"])


@then("the answer states the seconds of every stage")
def _stages(story: Story) -> None:
    timings = story.answered.json()["timings"]
    assert set(timings) == {stage.value for stage in Stage}
    assert all(timings[stage.value] > 0 for stage in (Stage.READING, Stage.INFERENCE, Stage.LOG_COMMIT))


def _told(story: Story) -> dict[str, Any]:
    entry = story.running.serving.services.log.entry(story.answered.json()["receipt"]["index"])
    payload: dict[str, Any] = audit_logs.told(story.running.serving.services.log, entry.body).payload
    return payload


@then("its entry states those of the stages before the log")
def _in_entry(story: Story) -> None:
    timings = story.answered.json()["timings"]
    assert _told(story)["times"] == {name: timings[name] for name in timings if name not in {"log_commit", "encoding"}}


@then("together they are not longer than the request")
def _sum(story: Story, facts: dict[str, Any]) -> None:
    assert 0 < StageTimes.model_validate(story.answered.json()["timings"]).total <= facts["took"]


@then("the observer is notified of an answer with times and the share of each class")
def _heard_answer(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    (heard,) = facts["heard"].served_
    assert (heard.decision, heard.index, heard.request) == ("answered", body["receipt"]["index"], body["request"])
    assert heard.times == StageTimes.model_validate(body["timings"])
    assert heard.shares == {one["name"]: pytest.approx(one["foreground_fraction"]) for one in body["classes"]}
    assert all(one.confidence is not None and 0.33 < one.confidence <= 1 for one in heard.classes)
    assert (heard.model, heard.version) == (body["model"], body["model_version"])


@then("the observer is notified of a refusal with its reasons")
def _heard_refusal(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    (heard,) = facts["heard"].served_
    assert (heard.decision, list(heard.reasons), heard.classes) == ("refused", body["reasons"], ())
    assert heard.index == body["receipt"]["index"]
    assert heard.times.log_commit is not None


@then("the observer is notified of a request turned away for volume")
def _heard_turned(facts: dict[str, Any]) -> None:
    assert (facts["heard"].served_, facts["heard"].turned) == ([], [RefusalReason.VOLUME])


@then("it is answered with a receipt")
def _answered(story: Story, facts: dict[str, Any]) -> None:
    assert story.answered.status_code == 200
    assert story.answered.json()["receipt"]["index"] > 0
    assert len(facts["heard"].served_) == 1


@then("its entry names the digests of request, model, calibrator, decision rule and bounds")
def _names(story: Story) -> None:
    body = story.answered.json()
    entry = story.running.serving.services.log.entry(body["receipt"]["index"])
    named = {one.name: one.digest for one in entry.body.inputs}
    request = f"requests/{body['request']}"
    assert set(named) == {
        request,
        "models/export.json",
        "service/calibrator",
        "service/decision-rule",
        "service/intended-use",
    }
    assert named["models/export.json"] == body["model"]
    assert _told(story)["decision"] == "answered"


@then("a service with another threshold has another decision rule in its entries")
def _another_rule(story: Story) -> None:
    service, task = story.running, toy_models.TWO_CLASSES
    rules = set()
    for conformal in (0.3, 0.4):
        opened = toy_models.opened(service, task, conformal_thresholds=(conformal, None))
        rules |= {one.digest for one in opened.served.artifacts if one.name == "service/decision-rule"}
        answer = InferenceService(service.serving, opened).answer(
            toy_models.image(task), toy_models.SPACINGS[task], f"rule-{conformal}"
        )
        assert answer.receipt is not None
        entry = service.serving.services.log.entry(answer.receipt.index)
        (named,) = [one.digest for one in entry.body.inputs if one.name == "service/decision-rule"]
        assert named in rules
    assert len(rules) == 2


@then("`minivess audit verify` confirms its receipt with the trust file of the device, outside of any project")
def _verified(story: Story, facts: dict[str, Any], tmp_path: Path) -> None:
    register = Register.fold(story.running.services.log.entries())
    text = write_trust(register, story.running.services.log.origin, rules=LEAST_RULES)
    (tmp_path / "trust.json").write_text(text, encoding="utf-8")
    receipt = story.answered.json()["receipt"]
    facts["verify"] = lambda made: _audit_verify(tmp_path, made)
    code, words = facts["verify"](receipt)
    assert code == 0, words


def _audit_verify(folder: Path, receipt: dict[str, Any]) -> tuple[int, str]:
    """The exit code of the command in a process of its own, in an empty folder, and what it says."""
    (folder / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    command = [sys.executable, "-m", "minivess.cli.main", "audit", "verify", "receipt.json", "--trust", "trust.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@then("a receipt whose entry was changed is refused")
def _changed(story: Story, facts: dict[str, Any]) -> None:
    receipt = story.answered.json()["receipt"]
    assert '"completed"' in receipt["entry"]
    code, _ = facts["verify"]({**receipt, "entry": receipt["entry"].replace('"completed"', '"refused"')})
    assert code == 1


@when("a DICOM series of a named patient is sent under a name, asking for everything")
def _patient(story: Story) -> None:
    image, spacing = story.running.volume()
    files = image_files.series(np.rint(image).astype(np.uint16), tuple(step / 1000 for step in spacing))
    parts = {"outputs": "probabilities", "mask_format": "dicom-seg"}
    story.response = story.running.post(image_files.zipped(files), parts, name="Doe-Jane-1961.zip")


@then("it is answered")
def _is_answered(story: Story) -> None:
    assert story.answered.status_code == 200, story.answered.text


@then("neither the name of the patient nor that of the file is in a file of the log")
def _no_patient(story: Story) -> None:
    story.running.counts()
    found = [path for path in story.running.project.workspace.root.rglob("*") if path.is_file()]
    logs = [path for path in found if path.suffix in {".db", ".db-wal", ".jsonl"}]
    assert any(path.parent.name == "serving" for path in logs)
    request = story.answered.json()["request"].encode()
    assert any(request in path.read_bytes() for path in logs)
    for word in (b"Case^One", b"Doe-Jane"):
        assert not [path for path in logs if word in path.read_bytes()]


@given("the serving log can no longer be written")
def _broken(story: Story, facts: dict[str, Any]) -> None:
    facts["counts"] = story.running.counts()
    story.running.break_log()


@when("a volume is sent as a job")
def _job(story: Story, facts: dict[str, Any]) -> None:
    image, spacing = story.running.volume()
    parts = {"spacing": f"{' x '.join(str(step) for step in spacing)} um"}
    client = story.running.client
    facts["job"] = client.post("/v1/jobs", files={"volume": served.npy(image)}, data=parts).json()
    give_up = time.monotonic() + 20
    while client.get(facts["job"]["status"]).json()["state"] != "done":
        assert time.monotonic() < give_up
        time.sleep(0.01)
    answer: Any = client.get(facts["job"]["result"])
    story.response = answer


@then("its answer is that the service is unavailable, and it is counted")
def _unavailable(story: Story, facts: dict[str, Any]) -> None:
    body = story.answered.json()
    assert (story.answered.status_code, body["type"]) == (503, "urn:minivess:problem:log-unavailable")
    assert "mask" not in body
    story.running.mend_log()
    assert story.running.counts().get("unrecorded", 0) - facts["counts"].get("unrecorded", 0) == 1
