"""An example of each operation in the OpenAPI document: what is sent, and what is answered.

Answers are the messages themselves, with the classes, axes and thresholds of the served model, so that an example cannot have a
field that an answer has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI

from minivess.foundation.implements import implements
from minivess.records.evaluation.counted.class_size import ClassSize
from minivess.records.log.receipt import Receipt
from minivess.records.log.stage_times import StageTimes
from minivess.serving.inference.demo.preview import Preview
from minivess.serving.inference.interface import has_size
from minivess.serving.inference.messages import (
    Health,
    Segmentation,
    SegmentedClass,
    ServedClass,
    model_message,
)
from minivess.serving.inference.queues.job_routes import JobMessage
from minivess.serving.inference.short_messages import Alive, Decision, PredictedClass, Prediction
from minivess.workflows.serving.answers import ServedModel

REQUEST, INDEX = "5f0c1f6e2f4b4c0f9a1b2c3d4e5f6071", 42
JOB = f"3f2a9c1d5e6b7a80-{REQUEST}"
_FILE, _DIGEST = "H4sIAAAAAAAC/5vsG+rp…", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_TIME = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
_METRICS = 'minivess_decisions_total{decision="answered",entry="recorded"} 12.0\n'
_SHARE, _CONFIDENCE = 0.041, 0.93


def _receipt(_: ServedModel) -> Receipt:
    entry = '{"body":{"action":"inference","index":42,…},"signatures":[…]}'
    root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    log = "minivess.example/device/serving/main"
    note = f"{log}\n43\n{root}\n\n— {log} AbCd…\n"
    return Receipt(index=INDEX, entry=entry, proof=(root,), checkpoint=note)


def _classes(model: ServedModel) -> tuple[SegmentedClass, ...]:
    """The classes of the model, each of one size."""
    volume, unit = len(model.task.axes) == 3, "µm" if has_size(model) else "px"
    size = ClassSize(
        voxels=18120,
        size=90600.0 if has_size(model) else 18120.0,
        size_unit=f"µm{'³' if volume else '²'}" if has_size(model) else unit,
        components=2,
        largest_component=88000.0 if has_size(model) else 17600.0,
        extent=(200.0, 96.0, 91.0)[-len(model.task.axes) :],
        extent_unit=unit,
    )
    found = []
    for one in model_message(model).classes:
        facts = {name: getattr(one, name) for name in ServedClass.model_fields}
        mask = None if one.conformal_threshold is None else _FILE
        found.append(
            SegmentedClass(**facts, foreground_fraction=_SHARE, size=size, confidence=_CONFIDENCE, conformal_mask=mask)
        )
    return tuple(found)


def _segmentation(model: ServedModel) -> Segmentation:
    classes = _classes(model)
    only = classes[0] if model.task.one_class else None
    return Segmentation(
        decision="answered",
        reasons=(),
        mask=_FILE,
        mask_digest=_DIGEST,
        axes=model.task.axes,
        shape=(48, 96, 96)[-len(model.task.axes) :],
        rule=model.rule,
        classes=classes,
        foreground_fraction=_SHARE,
        threshold=model.threshold,
        conformal_mask=None if only is None else only.conformal_mask,
        conformal_threshold=None if only is None else only.conformal_threshold,
        model=model.digest,
        model_version=model.version,
        request=REQUEST,
        timings=StageTimes(reading=0.021, preprocessing=0.03, inference=1.204, log_commit=0.006, encoding=0.013),
        receipt=_receipt(model),
    )


def _prediction(model: ServedModel) -> Prediction:
    classes = tuple(
        PredictedClass(value=one.value, name=one.name, foreground_fraction=_SHARE) for one in model.task.classes
    )
    first = model.task.classes[0].value
    return Prediction(
        decision="answered",
        mask={"shape": [2, 3], "runs": [[0, 4], [first, 2]]},
        mask_format="rle",
        classes=classes,
        latency_ms=83.5,
        model=model.digest,
        model_version=model.version,
        request=REQUEST,
        receipt=_receipt(model),
    )


def _decision(model: ServedModel) -> Decision:
    return Decision(
        index=INDEX,
        time=_TIME,
        outcome="completed",
        decision="answered",
        model=model.digest,
        request=REQUEST,
        foreground_fraction=_SHARE,
    )


def _preview(model: ServedModel) -> Preview:
    axes = len(model.task.axes)
    return Preview(
        axes=model.task.axes,
        shape=(48, 96, 96)[-axes:],
        channels=model.task.channels,
        spacing_um=(5.0, 1.0, 1.0)[-axes:] if has_size(model) else None,
        low=12.0,
        high=250.0,
        pixels=_FILE,
    )


def _job(_: ServedModel) -> JobMessage:
    address = f"/v1/jobs/{JOB}"
    return JobMessage(
        id=JOB,
        state="running",
        tiles_done=12,
        tiles=96,
        request=REQUEST,
        status=address,
        result=f"{address}/result",
        timings=StageTimes(reading=0.8, queueing=2.1),
    )


ANSWERS: Mapping[tuple[str, str], Callable[[ServedModel], Any]] = {
    ("post", "/v1/segment"): _segmentation,
    ("post", "/v1/jobs"): _job,
    ("get", "/v1/jobs/{name}"): _job,
    ("delete", "/v1/jobs/{name}"): _job,
    ("get", "/v1/jobs/{name}/result"): _segmentation,
    ("post", "/predict"): _prediction,
    ("post", "/v1/preview"): _preview,
    ("get", "/v1/decisions/{index}"): _decision,
    ("get", "/v1/decisions/{index}/receipt"): _receipt,
    ("get", "/v1/receipts/{index}"): _receipt,
    ("get", "/v1/health"): lambda model: Health(model=model.digest, task=model.task.words),
    ("get", "/healthz"): lambda _: Alive(),
    ("get", "/readyz"): lambda _: Alive(),
    ("get", "/v1/models"): lambda model: [model_message(model)],
    ("get", "/v1/model"): model_message,
    ("get", "/metrics"): lambda _: _METRICS,
}
"""What is answered where all is well, by method and path."""
_PARAMETERS = {"index": INDEX, "name": JOB}


@implements("REQ-613")
def add_examples(app: FastAPI, model: ServedModel) -> None:
    """Let the OpenAPI document of an application have an example of each operation."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        known, document = app.openapi_schema is not None, plain()
        if not known:
            for path, item in document["paths"].items():
                for method, operation in item.items():
                    _fill(operation, ANSWERS[method, path](model))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _fill(operation: dict[str, Any], answer: Any) -> None:
    """Put an example into each parameter, the body and the answer of an operation."""
    for parameter in operation.get("parameters", ()):
        parameter["example"] = _PARAMETERS[parameter["name"]]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = _sent(content["schema"]["properties"])
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            for content in response.get("content", {}).values():
                content["example"] = _plain(answer)


def _sent(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A form with each part that is not deprecated."""
    kept = {name: one for name, one in parts.items() if not one.get("deprecated")}
    return {name: one.get("example", one.get("default", "(the bytes of the file)")) for name, one in kept.items()}


def _plain(answer: Any) -> Any:
    """An answer as JSON has it."""
    if isinstance(answer, list):
        return [_plain(one) for one in answer]
    return answer if isinstance(answer, str) else answer.model_dump(mode="json")
