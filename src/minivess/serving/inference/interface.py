"""What a served model takes and gives, for people and for tools: the words of the front page and of the OpenAPI document."""

from __future__ import annotations

from typing import Any, get_args

from minivess.foundation.implements import implements
from minivess.records.lengths import shown
from minivess.records.models.task import SegmentationTask
from minivess.serving.inference.volumes import shape_words
from minivess.workflows.serving.answers import NumberType, ServedModel
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
