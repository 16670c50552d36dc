"""Models of any task behind a running service: real bounds, predictor and answers; only the network is a toy graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from minivess.ml.inference.intended_use import derive_envelope
from minivess.ml.inference.onnx_predictor import OnnxPredictor
from minivess.records.data.dataset import CodedTerm, LabelClass, Unit
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.answers import OUTPUTS, OpenedModel, ServedModel
from minivess.workflows.serving.inference import InferenceService
from tests.support.lazy_modules import lazily
from tests.support.servers import served

with lazily("fastapi", "minivess.serving.inference.app"):
    from fastapi import testclient

    from minivess.serving.inference import app

POLYP = LabelClass(value=3, name="polyp", colour="#d02020")
ARTERY = LabelClass(
    value=1, name="artery", colour="#d02020", code=CodedTerm(value="51114001", scheme="SCT", meaning="Artery")
)
VEIN = LabelClass(value=4, name="vein", colour="#2050d0")

GREY_PICTURES = SegmentationTask(axes="yx", classes=(LabelClass(value=1, name="vessel"),))
COLOUR_PICTURES = SegmentationTask(axes="yx", channels=3, classes=(POLYP,))
TWO_CLASSES = SegmentationTask(classes=(ARTERY, VEIN))

UNITS: dict[SegmentationTask, Unit] = {GREY_PICTURES: "um", COLOUR_PICTURES: "px", TWO_CLASSES: "um"}
SPACINGS = {GREY_PICTURES: (2.0, 2.0), COLOUR_PICTURES: (1.0, 1.0), TWO_CLASSES: (2000.0, 800.0, 800.0)}


def image(task: SegmentationTask, seed: int = 0, *, grid: tuple[int, ...] = (8, 32, 40)) -> np.ndarray:
    """Noise with a bright bar along x and a dark one; each channel has its own gain, offset and bars."""
    rng = np.random.default_rng(seed)
    grid = grid[-len(task.axes) :]
    channels = []
    for number in range(task.channels):
        made = rng.normal(100 + 20 * number, 4.0, grid)
        made[..., 4 + number : 9 + 2 * number, 3:30] += 60
        made[..., 20:26, 8 + 3 * number : 36] -= 30
        channels.append(made)
    return np.stack(channels, axis=-1).astype(np.float32) if task.channels > 1 else channels[0].astype(np.float32)


def graph(
    task: SegmentationTask, patch: tuple[int, ...], *, disagreement: bool = False, any_batch: bool = False
) -> bytes:
    """A graph whose first class is bright, whose second is dark, in the mean of all channels; further ones are brighter.

    Its disagreement, where it has one, is a tenth of the first channel's distance from 0.
    """
    from onnx import TensorProto, helper, numpy_helper

    further = range(len(task.classes) - 2)
    slopes = np.array([[2.0]] if task.one_class else [[0.0], [2.0], [-2.0], *([3.0 + n] for n in further)], np.float32)
    offsets = np.array([-1.0] if task.one_class else [0.0, -1.0, -1.0, *(-3.0 - 2 * n for n in further)], np.float32)
    batch = "patches" if any_batch else 1
    weight = np.repeat(slopes / task.channels, task.channels, axis=1).reshape(
        *slopes.shape[:1], task.channels, *[1] * len(patch)
    )
    nodes = [helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, task.outputs, *patch])]
    weights = {"weight": weight, "bias": offsets}
    if disagreement:
        first = np.zeros((1, task.channels, *[1] * len(patch)), np.float32)
        first[0, 0] = 0.1
        weights["first"] = first
        nodes += [
            helper.make_node("Conv", ["image", "first"], ["tenth"]),
            helper.make_node("Abs", ["tenth"], ["disagreement"]),
        ]
        outputs.append(helper.make_tensor_value_info("disagreement", TensorProto.FLOAT, [batch, 1, *patch]))
    made = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, task.channels, *patch])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def opened(
    service: served.Service,
    task: SegmentationTask,
    *,
    disagreement: bool = False,
    any_batch: bool = False,
    grid: tuple[int, ...] = (8, 32, 40),
    **served_as: object,
) -> OpenedModel:
    """A toy model of a task, with the bounds of three images."""
    patch = (8, 16, 16)[-len(task.axes) :]
    predictor = OnnxPredictor(
        graph(task, patch, disagreement=disagreement, any_batch=any_batch),
        SegResNetSpec(patch=patch),
        task=task,
        preprocessing=Preprocessing.of(task),
        threads=1,
    )
    spacing = SPACINGS.get(task, (2.0, 1.0, 1.0))
    images = ((image(task, seed, grid=grid), spacing) for seed in range(3))
    use = derive_envelope(images, UNITS.get(task, "um"), task)
    model = ServedModel(
        name="models/export.json",
        digest=predictor.digest,
        task=task,
        stated_threshold=0.5,
        conformal_thresholds=(0.3,) * len(task.classes),
        intended_use=use,
        device="toy-device",
        version="0.1.0",
        statement=f"Toy images: {task.words}.",
        outputs=OUTPUTS if disagreement else OUTPUTS[:1],
    )
    made = replace(model, **served_as)
    return OpenedModel(predictor, made, service.services.context(model=predictor.digest))


@contextmanager
def serving(service: served.Service, task: SegmentationTask, **served_as: Any) -> Iterator[served.Service]:
    """The same site with a toy model of another task in production."""
    engine = InferenceService(service.serving, opened(service, task, **served_as))
    with testclient.TestClient(app.create_app(engine, limits=served.LIMITS), raise_server_exceptions=False) as client:
        yield replace(service, engine=engine, client=client)
