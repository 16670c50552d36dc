"""What a served model takes and gives, for people and for tools: the words of the front page and of the OpenAPI document."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from minivess.foundation.implements import implements
from minivess.ml.writing.arrays import NumberType
from minivess.records.lengths import shown
from minivess.records.models.task import SegmentationTask
from minivess.serving.inference import problems
from minivess.serving.inference.messages import Problem
from minivess.serving.inference.volumes import shape_words
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.images import ARRAY_FORMATS, MASK_FORMATS

FORMATS = "NIfTI, TIFF, NRRD, PNG, JPEG, DICOM (one file, or a series as zip) or NumPy `.npy`"


def has_size(model: ServedModel) -> bool:
    """Whether the model is for images of known physical size, which are sent with their spacing."""
    return model.intended_use.unit != "px"


def images(task: SegmentationTask) -> str:
    """The images of a model, for example `grey volumes (z, y, x)`."""
    kind = "volumes" if len(task.axes) == 3 else "pictures"
    return f"{'grey ' if task.channels == 1 else ''}{kind} {shape_words(task)}"


def class_words(task: SegmentationTask) -> str:
    """The values of the mask, for example `0 background, 1 artery, 2 vein`."""
    return ", ".join(("0 background", *(f"{one.value} {one.name}" for one in task.classes)))


def rule_words(model: ServedModel) -> str:
    """How the mask follows from the probabilities."""
    if model.threshold is None:
        return "the most probable class, or background"
    what = "voxels" if len(model.task.axes) == 3 else "pixels"
    return f"{what} with a probability of at least {model.threshold:.3g}"


def file_name(task: SegmentationTask) -> str:
    """The name of a file in examples."""
    return "volume.npy" if len(task.axes) == 3 else "picture.npy"


def spacing_example(model: ServedModel) -> str:
    """A voxel size inside the bounds of the model."""
    use = model.intended_use
    middle = [(low + high) / 2 for low, high in zip(*use.spacing, strict=True)]
    return shown(middle, use.unit, between=" x ")


def call_example(model: ServedModel) -> str:
    """A request on the command line."""
    spacing = f'-F "spacing={spacing_example(model).replace("µ", "u")}" ' if has_size(model) else ""
    return f"curl -F volume=@{file_name(model.task)} {spacing}http://127.0.0.1:8000/v1/segment"


def form_hint(model: ServedModel) -> str:
    """How a well-formed request looks."""
    spacing = f" and a text part `spacing` ({spacing_example(model)})" if has_size(model) else ""
    return f"send multipart/form-data with a file part `volume` ({FORMATS}){spacing}"


@implements("REQ-348")
def description(model: ServedModel) -> str:
    """The description of the interface in its OpenAPI document."""
    return f"""{model.statement}

The service takes {images(model.task)}. The mask has the values {class_words(model.task)}: {rule_words(model)}.

Every answer is an entry of a signed, append-only audit log **before** it is given; the `receipt` proves it offline. Inputs
outside the model's intended use are refused with reasons, never answered with a guess. Requests that cannot be read are
counted in the log.

Callers who have a key send `Authorization: Bearer KEY`. A request that is sent again with the same `Idempotency-Key` within ten
minutes gets the answer that it got before."""


@implements("REQ-348")
def request_body(model: ServedModel) -> dict[str, Any]:
    """The body of a request, as OpenAPI states it: a spacing is part of it where images have a physical size."""
    parts: dict[str, Any] = {
        "volume": {
            "type": "string",
            "format": "binary",
            "description": f"{FORMATS} of {images(model.task)}: whole or real numbers in any unit.",
        },
        "mask_format": {
            "type": "string",
            "enum": list(MASK_FORMATS),
            "default": MASK_FORMATS[0],
            "description": "The format of all masks of the answer. `png` holds pictures, `dicom-seg` answers DICOM.",
        },
    }
    parts |= {
        "outputs": {
            "type": "string",
            "description": "What the answer has beside the mask, with commas between: "
            + ", ".join(model.outputs)
            + ".",
            "example": model.outputs[0],
        },
        "output_type": {
            "type": "string",
            "enum": list(get_args(NumberType)),
            "default": get_args(NumberType)[0],
            "description": "The numbers of these outputs. NIfTI holds float32.",
        },
        "output_format": {
            "type": "string",
            "enum": list(ARRAY_FORMATS),
            "default": ARRAY_FORMATS[0],
            "description": "The format of their files.",
        },
    }
    schema: dict[str, Any] = {"type": "object", "required": ["volume"], "properties": parts}
    if has_size(model):
        axes = model.task.axes
        parts["spacing"] = {
            "type": "string",
            "description": f"Voxel size with its unit (µm, um or mm) as {' x '.join(axes)}, where the file does not state it.",
            "example": spacing_example(model),
        }
        parts["spacing_um"] = {
            "type": "string",
            "deprecated": True,
            "description": f"In place of `spacing`, as in version 0.1.0: micrometres as {','.join(axes)}.",
            "example": "5,1,1"[-2 * len(axes) + 1 :],
        }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


@implements("REQ-429")
def picture_body(model: ServedModel) -> dict[str, Any]:
    """The body of a request of `/predict`."""
    parts: dict[str, Any] = {
        "file": {"type": "string", "format": "binary", "description": f"PNG or JPEG of {images(model.task)}."},
        "mask_format": {
            "type": "string",
            "enum": ["rle", "png"],
            "default": "rle",
            "description": "Run lengths, or base64 of a PNG.",
        },
    }
    if has_size(model):
        parts["spacing"] = {
            "type": "string",
            "description": f"Pixel size with its unit (µm, um or mm) as {' x '.join(model.task.axes)}.",
            "example": spacing_example(model),
        }
    schema = {"type": "object", "required": ["file"], "properties": parts}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


class _Stated(NamedTuple):
    """What the interface says of a status: in words, and an example of the problem that comes with it."""

    words: str
    kind: str
    detail: str
    hint: str
    refused: bool = True


_STATED: dict[int, _Stated] = {
    400: _Stated(
        "Malformed: no multipart form, no image that is read, no spacing. Counted.",
        "malformed-request",
        "the form lacks `volume` or one `spacing`",
        "send multipart/form-data with a file part `volume` and a text part `spacing` (5 x 1 x 1 µm)",
    ),
    401: _Stated(
        "No key that counts; only where callers have keys. Counted.",
        "unknown-caller",
        "the request has no key that counts",
        "send `Authorization: Bearer KEY`",
        refused=False,
    ),
    403: _Stated(
        "The key does not have the scope, or a page of another site sent this. Counted.",
        "not-allowed",
        "the key of viewer does not have the scope infer",
        "ask for a key with this scope",
        refused=False,
    ),
    404: _Stated(
        "There is no such answer or job.",
        "not-found",
        "entry 42 is no answer of this service",
        "use the index of a receipt",
        refused=False,
    ),
    408: _Stated(
        "The request took too long to arrive. Counted.",
        "too-slow",
        "the request was not there after 300 seconds, or nothing came for 20",
        "send it faster, or in blocks",
    ),
    409: _Stated(
        "The request with this `Idempotency-Key` is still being answered; counted. Or the job is not done yet, or was cancelled.",
        "not-ready",
        "the job is running",
        "ask for its state until it is `done`",
        refused=False,
    ),
    410: _Stated(
        "The job is no longer known: the service was restarted, it ended long ago, or its answer was fetched.",
        "gone",
        "this job is no longer known: the service was restarted, or the job ended long ago",
        "what was decided before is in the log; send the request again",
        refused=False,
    ),
    413: _Stated(
        "More bytes than are taken. Counted.",
        "too-large",
        "the request is larger than the 268435456 bytes taken",
        "send the volume in blocks",
    ),
    422: _Stated(
        "Outside the intended use, with all reasons. Recorded with a receipt; counted without one when many are refused. Or an "
        "`Idempotency-Key` of another request; counted.",
        "outside-intended-use",
        "spacing 20 µm along z is outside 4.5 to 5.5 µm",
        "GET /v1/model lists the bounds of the intended use",
    ),
    429: _Stated(
        "More requests than the caller may send; `Retry-After` states the wait. Counted.",
        "too-often",
        "viewer may send 60 requests a minute",
        "wait as long as `Retry-After` says",
        refused=False,
    ),
    503: _Stated(
        "The log cannot be written, the model is not in production, or the service is busy: there is no answer.",
        "busy",
        "all places of the service are taken",
        "send the request again later",
    ),
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Problems of an operation as OpenAPI states them, each with an example."""
    schema = Problem.model_json_schema()
    return {
        status: {
            "description": _STATED[status].words,
            "content": {problems.MEDIA_TYPE: {"schema": schema, "example": _example(status, _STATED[status])}},
        }
        for status in statuses
    }


def _example(status: int, stated: _Stated) -> dict[str, Any]:
    made = problems.problem(
        stated.kind,
        status,
        stated.detail,
        hint=stated.hint,
        reasons=(stated.detail,) if stated.refused else (),
        refused=stated.refused,
    )
    return made.model_dump(mode="json", exclude_none=True)
