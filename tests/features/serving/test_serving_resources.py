"""Steps of serving_resources.feature: toy graphs on the real runtime."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.ml.inference.watch import Watch
from minivess.records.data.dataset import LabelClass
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.answers import Wanted
from minivess.workflows.serving.images import OutputChoice
from minivess.workflows.serving.inference import InferenceService, mask_digest
from minivess.workflows.serving.observer import Unobserved
from tests.features.serving.conftest import Story
from tests.support.lazy_modules import lazily
from tests.support.servers import served, toy_models

with lazily("fastapi", "minivess.serving.inference.answering", "minivess.serving.inference.request_form"):
    from fastapi import Response

    from minivess.serving.inference import answering, request_form

scenarios("serving_resources.feature")

PATCH = (8, 16, 16)
GRID = (48, 160, 160)


class Clock:
    """Seconds that stand still but for what is added."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed(OnnxPredictor):
    """A graph whose runs take the time that a table says, by the number of patches."""

    clock: Clock
    seconds: dict[int, float]
    sizes: list[int]

    def logits(self, patches: np.ndarray) -> np.ndarray:
        self.clock.now += self.seconds.get(len(patches), 100.0)
        self.sizes.append(len(patches))
        return super().logits(patches)


@dataclass
class Facts:
    predictors: list[OnnxPredictor] = field(default_factory=list)
    threads: int = 0
    graph: Path = Path()
    batches: list[tuple[int, BatchCut]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    together: list[str] = field(default_factory=list)
    task: SegmentationTask = field(default_factory=SegmentationTask)
    service: InferenceService | None = None
    most: float = 0.0


@pytest.fixture
def facts() -> Facts:
    return Facts()


def _predictor(kind: type[OnnxPredictor] = OnnxPredictor, *, batch: bool = False, **how: object) -> OnnxPredictor:
    task = toy_models.TWO_CLASSES
    data = toy_models.graph(task, PATCH, any_batch=batch)
    return kind(data, SegResNetSpec(patch=PATCH), task=task, preprocessing=Preprocessing.of(task), **how)


@given(parsers.parse("a graph that takes any number of patches and is fastest with {size:d} at a time"))
def _any(facts: Facts, size: int) -> None:
    made = _predictor(Timed, batch=True, threads=1)
    assert isinstance(made, Timed)
    made.clock, made.sizes = Clock(), []
    made.seconds = {number: 0.01 * number * (0.5 if number == size else 1.0) for number in (1, 2, 4, 8)}
    facts.predictors = [made]


@when("the best number is measured")
def _measure(facts: Facts) -> None:
    (made,) = facts.predictors
    assert isinstance(made, Timed)
    made.choose_batch(elapsed=made.clock)
    made.sizes.clear()


@then("so many patches are run at a time")
def _so_many(facts: Facts) -> None:
    (made,) = facts.predictors
    assert isinstance(made, Timed)
    best = min(made.seconds, key=lambda size: made.seconds[size] / size)
    made.predict(toy_models.image(toy_models.TWO_CLASSES))
    assert made.batch == best == max(made.sizes)


@then("the probabilities are those of single patches")
def _same(facts: Facts) -> None:
    image = toy_models.image(toy_models.TWO_CLASSES)
    np.testing.assert_allclose(facts.predictors[0].predict(image), _predictor(threads=1).predict(image), atol=1e-6)


COUNTING = """
import sys
from pathlib import Path
import numpy as np
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.records.models.networks.segresnet import SegResNetSpec
data, how, many = Path(sys.argv[1]).read_bytes(), sys.argv[2] == "shared", int(sys.argv[3])
made = [OnnxPredictor(data, SegResNetSpec(patch=(8, 16, 16)), threads=3, shared=how) for _ in range(many)]
image = np.random.default_rng(0).normal(size=(9, 20, 20))
assert all(np.array_equal(one.predict(image), made[0].predict(image)) for one in made)
print(len(list(Path("/proc/self/task").iterdir())))
"""


def _threads(graph: Path, how: str, many: int) -> int:
    """The threads of a process that has so many graphs."""
    command = [sys.executable, "-c", COUNTING, str(graph), how, str(many)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@given("a process with one graph of three threads")
def _one(facts: Facts, tmp_path: Path) -> None:
    facts.graph = tmp_path / "toy.onnx"
    facts.graph.write_bytes(toy_models.graph(SegmentationTask(), PATCH))
    facts.threads = _threads(facts.graph, "own", 1)


@then("a process with three graphs that share threads has no more")
def _no_more(facts: Facts) -> None:
    assert _threads(facts.graph, "shared", 3) == facts.threads


@then("a process with three graphs of their own threads has more")
def _own(facts: Facts) -> None:
    assert _threads(facts.graph, "own", 3) == facts.threads + 2 * 2


@given(parsers.parse("a service whose model has {classes:d} classes"))
def _classes(story: Story, facts: Facts, classes: int) -> None:
    labels = tuple(LabelClass(value=one + 1, name=f"class {one + 1}") for one in range(classes))
    facts.task = SegmentationTask(classes=labels)
    service = story.start_service()
    facts.service = InferenceService(service.serving, toy_models.opened(service, facts.task, grid=GRID))


@when(parsers.parse("a volume of many tiles is answered and sent with {outputs}"))
def _answer(facts: Facts, outputs: str) -> None:
    """As a place of the service does: judge, and send the answer to a client that keeps nothing of it."""
    assert facts.service is not None
    image, (name, _, kind) = toy_models.image(facts.task, 5, grid=GRID), outputs.partition(" as ")
    wanted = {} if name == "masks alone" else {"outputs": "probabilities", "output_type": kind}
    asked = request_form.Asked(served.npy(image), request_form.StatedSpacing("2 x 1 x 1 um", former=False), "npy")
    if wanted:
        asked = asked._replace(outputs=OutputChoice(Wanted(frozenset({"probabilities"}), kind)))
    sent: list[int] = []
    tracemalloc.start()
    try:
        response = answering.respond(
            answering.Answering(facts.service, Limits(), uuid4().hex, asked, Watch(), time.perf_counter())
        )
        assert response.status_code == 200
        asyncio.run(_sent(response, sent))
        facts.most = tracemalloc.get_traced_memory()[1] / image.nbytes
    finally:
        tracemalloc.stop()
    assert sum(sent) > image.nbytes * bool(wanted) / 4


async def _sent(response: Response, sizes: list[int]) -> None:
    async def send(message: Any) -> None:
        sizes.append(len(message.get("body", b"")))

    async def receive() -> Any:
        raise AssertionError("nothing more is read")

    await response({"type": "http", "method": "POST", "headers": []}, receive, send)


@then("no more than 3 copies and one for each class were in memory beside the image")
def _bounded(facts: Facts) -> None:
    assert 0 < facts.most <= 3 + len(facts.task.classes)


class Heard(Unobserved):
    """Keeps the batches of a service."""

    def __init__(self, batches: list[tuple[int, BatchCut]]) -> None:
        self._batches = batches

    def batched(self, images: int, cut: BatchCut) -> None:
        self._batches.append((images, cut))


@given("a service for pictures whose graph takes 4 at a time")
def _pictures(story: Story, facts: Facts) -> None:
    service, facts.task = story.start_service(), toy_models.GREY_PICTURES
    opened = toy_models.opened(service, facts.task, any_batch=True)
    facts.service = InferenceService(service.serving, opened, observer=Heard(facts.batches))


def _digest(facts: Facts, number: int, name: str) -> str:
    assert facts.service is not None
    image = np.roll(toy_models.image(facts.task, number), 2 * number, axis=-1)
    answer = facts.service.answer(image, (2.0, 2.0), f"{name}-{number}")
    assert answer.mask is not None
    return mask_digest(answer.mask)


@when("8 pictures are sent at the same time")
def _at_once(facts: Facts) -> None:
    facts.alone = [_digest(facts, number, "alone") for number in range(8)]
    facts.batches.clear()
    with ThreadPoolExecutor(8) as pool:
        facts.together = list(pool.map(lambda number: _digest(facts, number, "together"), range(8)))


@then("each gets the mask that it gets alone")
def _as_alone(facts: Facts) -> None:
    assert facts.together == facts.alone
    assert len(set(facts.alone)) == 8


@then("the observer is notified of batches with the reason of each")
def _heard(facts: Facts) -> None:
    assert all(1 <= images <= 4 and isinstance(cut, BatchCut) for images, cut in facts.batches)
    assert facts.batches


@when("one picture is sent")
def _single(facts: Facts) -> None:
    _digest(facts, 0, "single")


@then("the observer is notified of batches of one that are full or drained")
def _drained(facts: Facts) -> None:
    assert set(facts.batches) == {(1, BatchCut.FULL), (1, BatchCut.DRAINED)}
