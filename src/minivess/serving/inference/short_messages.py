"""Short answers: of `/predict`, of an earlier decision, and whether the service is up."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from minivess.foundation.digests import Digest
from minivess.records.log.entry import Entry
from minivess.records.log.receipt import Receipt
from minivess.serving.inference.messages import Message
from minivess.workflows.serving.answers import Answer, ServedModel


class Alive(Message):
    """The service answers."""

    status: Literal["ok"] = "ok"


class PredictedClass(Message):
    """A class of the mask."""

    value: Annotated[int, Field(ge=1, le=255, description="Its value in the mask; 0 is background.", examples=[1])]
    name: Annotated[str, Field(description="Its name.", examples=["polyp"])]
    foreground_fraction: Annotated[float, Field(ge=0, le=1, description="Its share of the mask's pixels.")]


class Prediction(Message):
    """The short answer for a picture."""

    decision: Annotated[Literal["answered"], Field(description="There is a mask.")]
    mask: Annotated[
        dict[str, Any] | str,
        Field(
            description="`rle`: `shape` and `runs` of value and length, in C order. `png`: base64 of a grey PNG with the "
            "values of the classes.",
            examples=[{"shape": [2, 3], "runs": [[0, 4], [1, 2]]}],
        ),
    ]
    mask_format: Annotated[Literal["rle", "png"], Field(description="As the request asked for it.", examples=["rle"])]
    classes: Annotated[tuple[PredictedClass, ...], Field(description="Each class, in ascending order of value.")]
    latency_ms: Annotated[
        float, Field(ge=0, description="Milliseconds from the beginning of the request to its answer.", examples=[83.5])
    ]
    model: Annotated[Digest, Field(description="SHA-256 of the record of the exported model that answered.")]
    model_version: Annotated[str, Field(description="Version of the device.", examples=["0.1.0"])]
    request: Annotated[str, Field(description="Name of this request in the log.", examples=["5f0c1f6e2f4b4c0f"])]
    receipt: Annotated[Receipt, Field(description="The log's signed entry for this answer with its inclusion proof.")]


def prediction(
    model: ServedModel,
    request: str,
    answer: Answer,
    mask: str,
    receipt: Receipt,
    *,
    mask_format: str,
    begun: float,
) -> Prediction:
    """A short answer as it is sent.

    Args:
        model: what answered.
        request: name of the request in the log.
        answer: it has a mask.
        mask: as text: JSON of run lengths, or base64 of a PNG.
        receipt: of the answer's entry.
        mask_format: `rle` or `png`.
        begun: when the request came, by `time.perf_counter`.
    """
    classes = tuple(
        PredictedClass(value=one.label.value, name=one.label.name, foreground_fraction=one.foreground_fraction)
        for one in answer.classes
    )
    return Prediction(
        decision="answered",
        mask=json.loads(mask) if mask_format == "rle" else mask,
        mask_format="rle" if mask_format == "rle" else "png",
        classes=classes,
        latency_ms=round(1000 * (time.perf_counter() - begun), 3),
        model=model.digest,
        model_version=model.version,
        request=request,
        receipt=receipt,
    )


class Decision(Message):
    """What the log says of an earlier answer."""

    index: Annotated[int, Field(ge=0, description="Index of its entry.", examples=[42])]
    time: Annotated[AwareDatetime, Field(description="When it was given, UTC.")]
    outcome: Annotated[str, Field(description="Whether it was answered or refused.", examples=["completed"])]
    decision: Annotated[
        str,
        Field(
            description="The decision in words, with its reasons; `erased` where the details were.",
            examples=["answered"],
        ),
    ]
    model: Annotated[Digest | None, Field(description="SHA-256 of the record of the exported model.")]
    request: Annotated[str | None, Field(description="Name of the request in the log.", examples=["5f0c1f6e2f4b4c0f"])]
    foreground_fraction: Annotated[
        float | None, Field(ge=0, le=1, description="Share of voxels in the mask; None when refused.", examples=[0.041])
    ]


def decision_message(index: int, entry: Entry, details: Mapping[str, object]) -> Decision:
    """The entry of an answer, with its details, as a decision."""
    body, share = entry.body, details.get("foreground_fraction")
    names = [one.name.removeprefix("requests/") for one in body.inputs if one.name.startswith("requests/")]
    return Decision(
        index=index,
        time=body.time,
        outcome=body.outcome.value,
        decision=str(details.get("decision", "erased")),
        model=body.context.model,
        request=names[0] if names else None,
        foreground_fraction=share if isinstance(share, float) else None,
    )
