"""Steps of serving_shadow.feature: a real service with a toy model and another one beside it."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.verification.log import verify_log
from minivess.foundation.errors import MinivessError
from minivess.records.data.dataset import LabelClass
from minivess.records.log.shadow import ShadowCompared
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.inference import open_model
from minivess.workflows.serving.shadowing.candidates import open_candidate
from tests.features.serving.conftest import Story
from tests.support.servers import served, shadowed

scenarios("serving_shadow.feature")


@dataclass
class Facts:
    folder: Path
    beside: shadowed.Shadowed | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)
    told: ShadowCompared | None = None
    index: int = 0
    refused: str = ""
    opened: Any = None
    release: threading.Event = field(default_factory=threading.Event)
    digests: set[str] = field(default_factory=set)

    @property
    def running(self) -> shadowed.Shadowed:
        assert self.beside is not None
        return self.beside

    @property
    def comparison(self) -> ShadowCompared:
        assert self.told is not None
        return self.told


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return Facts(tmp_path / "candidate")


class Failing:
    """A model that always fails."""

    def predict(self, image: np.ndarray, spacing: object = None) -> np.ndarray:
        raise RuntimeError("Jane Doe")


@dataclass
class Endless:
    """A model that ends when it is told to."""

    release: threading.Event

    def predict(self, image: np.ndarray, spacing: object = None) -> np.ndarray:
        self.release.wait(60)
        return np.zeros((1, *image.shape), np.float32)


def start(story: Story, facts: Facts, **other: Any) -> None:
    """Serve a copy of the project with a candidate."""
    project = story.copy()
    folder = shadowed.export_candidate(project, facts.folder)
    facts.beside = story.stack.enter_context(shadowed.shadowing(project, folder, waiting=2, **other))
    story.project, story.service = project, facts.beside.service


@given("a service with a candidate that marks more")
def _more(story: Story, facts: Facts) -> None:
    start(story, facts)


@given("a service with a candidate that fails")
def _fails(story: Story, facts: Facts) -> None:
    start(story, facts, predictor=Failing())


@given("a service with a candidate that does not end in time")
def _endless(story: Story, facts: Facts) -> None:
    story.stack.callback(facts.release.set)
    start(story, facts, predictor=Endless(facts.release))


@given("a service with a candidate for other bounds")
def _bounds(story: Story, facts: Facts) -> None:
    start(story, facts)
    shadow = facts.running.shadow
    use = shadow.candidate.intended_use
    least = tuple(size * 1000 for size in use.shape[1])
    shadow.candidate = replace(shadow.candidate, intended_use=use.model_copy(update={"shape": (least, least)}))


@when(parsers.parse("{answered:d} volumes are answered and {refused:d} is refused"))
def _ask(story: Story, facts: Facts, answered: int, refused: int) -> None:
    image, spacing = story.running.volume()
    for _ in range(answered):
        response = story.running.send(image, spacing)
        assert response.status_code == 200, response.text
        facts.answers.append(response.json())
        if not isinstance(facts.running.shadow.candidate.predictor, Endless):
            wait(facts)
    for _ in range(refused):
        wait(facts)
        assert story.running.send(image, tuple(9 * step for step in spacing)).status_code == 422


def wait(facts: Facts) -> None:
    """Until the candidate has taken what waits."""
    for _ in range(600):
        if facts.running.shadow._queue.empty():
            return
        threading.Event().wait(0.05)


@when("the service is stopped")
def _stop(story: Story, facts: Facts) -> None:
    if isinstance(facts.running.shadow.candidate.predictor, Endless):
        facts.release.set()
    else:
        wait(facts)
    facts.running.shadow.close()
    log = story.running.serving.services.log
    (entry,) = log.entries(actions={"inference.shadow"})
    details = log.details(entry.body.index)
    assert details is not None
    facts.index, facts.told = entry.body.index, ShadowCompared.model_validate(details.payload)
    facts.digests = {item.digest for item in entry.body.inputs}


@then("each answer is that of the model in production alone")
def _alone(story: Story, facts: Facts) -> None:
    image, spacing = story.running.volume()
    plain = story.running.engine
    for body in facts.answers:
        assert set(body) == set(facts.answers[0])
        assert body["model"] == plain.model.digest
        assert facts.running.shadow.candidate.digest not in str({**body, "receipt": None})
    mask = plain.answer(image, spacing, "again").mask
    assert mask is not None
    assert all(np.array_equal(served.unpack_mask(body["mask"]), mask) for body in facts.answers)


@then(
    "the serving log has one comparison of 4 images with the digests of both models and the Dice coefficient of the class"
)
def _compared(story: Story, facts: Facts) -> None:
    told = facts.comparison
    assert (told.compared, told.failed, told.dropped, told.changed) == (4, 0, 0, 0)
    (one,) = told.classes
    image, spacing = story.running.volume()
    candidate = facts.running.shadow.candidate
    ours = story.running.engine.answer(image, spacing, "again").mask == 1
    theirs = candidate.predictor.predict(image, spacing)[0] >= candidate.threshold
    assert ours.sum() < theirs.sum()
    dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
    assert one.images == 3
    assert [one.mean_dice, one.least_dice] == pytest.approx([dice, dice])
    assert facts.digests == {story.running.engine.model.digest, candidate.digest}
    assert told.candidate == candidate.digest


@then("the metrics count the same")
def _metrics(facts: Facts) -> None:
    text = facts.running.metrics.text().decode()
    assert 'minivess_shadow_images_total{result="compared"} 4.0' in text
    assert 'minivess_shadow_dice_ratio_count{class="foreground"} 3.0' in text


@then("both logs verify with the comparison")
def _verify(story: Story) -> None:
    serving = story.running.serving
    for log in (serving.services.log, serving.device.log):
        checks, _ = verify_log(log.pairs(), log.checkpoint())
        assert all(check.passed for check in checks)


@then(parsers.parse("the serving log counts images as {counted}"))
def _counted(facts: Facts, counted: str) -> None:
    told = facts.comparison
    found = {"compared": told.compared, "dropped": told.dropped, "failed": told.failed}
    assert sum(found.values()) == len(facts.answers)
    assert sum(found[name] for name in counted.split(" or ")) == len(facts.answers)
    assert all(found[name] for name in counted.split(" or "))


@then("the serving log counts 1 decision that differs")
def _changed(facts: Facts) -> None:
    assert (facts.comparison.compared, facts.comparison.changed, facts.comparison.classes) == (1, 1, ())


@given("a project whose model was exported and recorded")
def _project(story: Story) -> None:
    story.project = story.copy()


@when(parsers.parse("a candidate is {what}"))
def _choose(story: Story, facts: Facts, what: str) -> None:
    assert story.project is not None
    choice = choose(story, facts, what)
    with story.project.services() as services:
        task = open_model(services).served.task
        try:
            facts.opened = open_candidate(services, choice, task)
        except MinivessError as error:
            facts.refused = error.message


def choose(story: Story, facts: Facts, what: str) -> str:
    """The folder or digest of a candidate."""
    project = story.project
    assert project is not None
    if what == "an export of another workspace":
        shutil.copytree(project.workspace.models / "export", facts.folder)
        record = json.loads((facts.folder / "export.json").read_text(encoding="utf-8"))
        record["model"]["tiling"]["overlap"] = 0.5
        (facts.folder / "export.json").write_text(json.dumps(record), encoding="utf-8")
        return str(facts.folder)
    if what == "a digest that no export has":
        return f"sha256:{'0' * 64}"
    if what == "an export for other classes":
        classes = (LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein"))
        return str(shadowed.export_candidate(project, facts.folder, task=SegmentationTask(classes=classes)))
    folder = shadowed.export_candidate(project, facts.folder)
    if what == "an export whose graph was changed":
        (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"\0")
        return str(folder)
    shutil.move(folder, project.workspace.models / "candidate")
    with project.services() as services:
        exports = services.log.entries(actions={"model.export"})
        *_, digest, _ = [entry.body.context.model for entry in exports if entry.body.context.model]
    facts.digests = {digest}
    return digest


@then(parsers.parse('it is refused, naming "{words}"'))
def _refused(facts: Facts, words: str) -> None:
    assert words in facts.refused


@then("it is opened on one thread")
def _opened(facts: Facts) -> None:
    assert {facts.opened.digest} == facts.digests
    assert facts.opened.predictor.predictor._session.get_session_options().intra_op_num_threads == 1
