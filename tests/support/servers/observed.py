"""A service with observers, and what is served as they are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from minivess.ml.inference.intended_use import derive_envelope
from minivess.records.models.exports.contract import AppliedCalibrator
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.inference import InferenceService, open_model
from tests.support.lazy_modules import lazily
from tests.support.servers import served, toy_models

with lazily(
    "fastapi",
    "prometheus_client",
    "minivess.serving.inference.app",
    "minivess.serving.observing.metrics",
    "minivess.serving.observing.observers",
):
    from fastapi import testclient

    from minivess.serving.inference import app
    from minivess.serving.observing import metrics, observers


def model(task: SegmentationTask) -> ServedModel:
    """What is served, of a task; its digest is of nothing."""
    images = ((toy_models.image(task, seed), toy_models.SPACINGS[task]) for seed in range(2))
    return ServedModel(
        name="models/export.json",
        digest=f"sha256:{'5a' * 32}",
        task=task,
        stated_threshold=0.5,
        conformal_thresholds=(0.3,) * len(task.classes),
        intended_use=derive_envelope(images, toy_models.UNITS[task], task),
        device="toy-device",
        version="0.1.0",
        statement="Toy images.",
        calibrator=AppliedCalibrator(method="temperature scaling", parameter=1.0, inside=True),
    )


@dataclass
class Watched:
    """A running service, and its metrics."""

    service: served.Service
    metrics: metrics.Metrics
    flush: Callable[[], None] = lambda: None
    """Sends spans that wait."""


@contextmanager
def watching(service: served.Service, *more: Any) -> Iterator[Watched]:
    """The same site and model with observers: metrics, and what is given."""
    opened = open_model(service.services)
    counting = metrics.Metrics(opened.served)
    engine = InferenceService(service.serving, opened, observer=observers.Several([counting, *more]))
    application = observers.observe(app.create_app(engine, limits=served.LIMITS), counting)
    with testclient.TestClient(application, raise_server_exceptions=False) as client:
        yield Watched(replace(service, engine=engine, client=client), counting)
