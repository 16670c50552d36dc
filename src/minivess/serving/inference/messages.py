"""What the service says, as OpenAPI knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from minivess.foundation.digests import Digest
from minivess.ml.inference.watch import Watch
from minivess.ml.writing.arrays import ArrayFormat, NumberType
from minivess.records.data.dataset import CodedTerm, LabelClass
from minivess.records.evaluation.counted.class_size import ClassSize
from minivess.records.log.receipt import Receipt
from minivess.records.log.stage_times import Stage, StageTimes
from minivess.records.models.intended_use import IntendedUse
from minivess.serving.inference.later_texts import LaterTexts
from minivess.workflows.serving.answers import Answer, AnswerArray, OutputName, ServedModel
from minivess.workflows.serving.images import MaskEncoder
from minivess.workflows.serving.inference import mask_digest


class Message(BaseModel):
    """Base of everything that is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_MASK = "base64 of a file of the format `mask_format` (`npy`: a gzipped NumPy file), uint8, on the grid of the image"
_CONFORMAL_MASK = (
    f"{_MASK}: 1 where the class may be that the mask misses, at the threshold whose recall calibration guarantees. "
    "None when it could give no guarantee."
)
Threshold = Annotated[float | None, Field(ge=0, le=1)]


class ServedClass(Message):
    """A class of the mask, and its conformal threshold."""

    value: Annotated[int, Field(ge=1, le=255, description="Its value in the mask; 0 is background.", examples=[1])]
    name: Annotated[str, Field(description="Its name.", examples=["artery"])]
    colour: Annotated[str | None, Field(description="The colour in which it is drawn, sRGB.", examples=["#d02020"])]
    code: Annotated[CodedTerm | None, Field(description="The term of a terminology for it.")]
    conformal_threshold: Annotated[
        Threshold,
        Field(
            description="Probability from which a voxel is in the conformal mask of the class; None without a guarantee."
        ),
    ]


class FurtherOutput(Message):
    """Numbers on the grid of the image that the request asked for."""

    name: Annotated[OutputName, Field(description="Which.", examples=["probabilities"])]
    meaning: Annotated[str, Field(description="What the numbers are, in words.")]
    format: Annotated[
        Literal["npy", "nifti"],
        Field(
            description="`npy`: a gzipped NumPy file. `nifti`: a `.nii.gz`; of one class without the axis of classes."
        ),
    ]
    type: Annotated[NumberType, Field(description="Of the numbers.", examples=["float16"])]
    axes: Annotated[
        tuple[str, ...], Field(description="In the order of the shape.", examples=[["class", "z", "y", "x"]])
    ]
    shape: Annotated[tuple[int, ...], Field(description="Sizes along the axes.", examples=[[1, 48, 96, 96]])]
    classes: Annotated[
        tuple[str, ...], Field(description="Names along the axis of classes; empty where there is none.")
    ]
    digest: Annotated[
        Digest,
        Field(description="SHA-256 of the numbers, little-endian in C order; an output named in the log's entry."),
    ]
    data: Annotated[str, Field(description="base64 of the file.", examples=["H4sIAAAAAAAC/5vsG+rp…"])]


_MEANINGS: dict[OutputName, str] = {
    "probabilities": "calibrated probability of each class",
    "disagreement": "standard deviation of the members' probabilities, the largest over the outputs",
}


class SegmentedClass(ServedClass):
    """What an answer says of one class. The conformal masks of several classes may overlap."""

    foreground_fraction: Annotated[float, Field(ge=0, le=1, description="Its share of the mask's voxels.")]
    size: Annotated[
        ClassSize,
        Field(
            description="Volume or area with its unit, connected components, and sides of the smallest box along the axes.",
            examples=[
                {
                    "voxels": 18120,
                    "size": 90600.0,
                    "size_unit": "µm³",
                    "components": 2,
                    "largest_component": 88000.0,
                    "extent": [200.0, 96.0, 91.0],
                    "extent_unit": "µm",
                }
            ],
        ),
    ]
    confidence: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="Mean calibrated probability over its voxels of the mask; None where it has none."
        ),
    ]
    conformal_mask: Annotated[str | None, Field(description=f"A second, wider mask: {_CONFORMAL_MASK}")]


class Segmentation(Message):
    """An answered request."""

    decision: Annotated[Literal["answered"], Field(description="There is a mask.")]
    reasons: Annotated[tuple[str, ...], Field(description="Empty: nothing spoke against an answer.", examples=[[]])]
    mask: Annotated[
        str,
        Field(
            description=f"The mask: {_MASK}, with the values of the classes; 0 is background.",
            examples=["H4sIAAAAAAAC/5vsG+rp…"],
        ),
    ]
    mask_format: Annotated[
        str, Field(description="The format of all masks of this answer, as the request asked for it.", examples=["npy"])
    ] = "npy"
    mask_digest: Annotated[
        Digest,
        Field(
            description="SHA-256 of the mask's voxels, one byte each in C order; the output named in the log's entry."
        ),
    ]
    axes: Annotated[str, Field(description="Axes of the mask.", examples=["zyx"])]
    shape: Annotated[tuple[int, ...], Field(description="Voxels along each axis.", examples=[[48, 96, 96]])]
    rule: Annotated[
        Literal["threshold", "argmax"],
        Field(description="How the mask was made: one class by a threshold, several by the most probable."),
    ]
    classes: Annotated[
        tuple[SegmentedClass, ...], Field(description="Each class of the mask, in ascending order of value.")
    ]
    foreground_fraction: Annotated[
        float, Field(ge=0, le=1, description="Share of voxels of any class.", examples=[0.041])
    ]
    threshold: Annotated[
        Threshold,
        Field(
            description="Probability from which a voxel is in the mask, as evaluated; None for several classes.",
            examples=[0.5],
        ),
    ]
    conformal_mask: Annotated[
        str | None, Field(description=f"Of the only class, see `classes`; None for several. {_CONFORMAL_MASK}")
    ]
    conformal_threshold: Annotated[
        Threshold, Field(description="Probability from which a voxel is in that mask; None for several classes.")
    ]
    outputs: Annotated[
        tuple[FurtherOutput, ...], Field(description="What `outputs` of the request asked for.", examples=[[]])
    ] = ()
    model: Annotated[Digest, Field(description="SHA-256 of the record of the exported model that answered.")]
    model_version: Annotated[str, Field(description="Version of the device.", examples=["0.1.0"])]
    request: Annotated[str, Field(description="Name of this request in the log.", examples=["5f0c1f6e2f4b4c0f"])]
    timings: Annotated[
        StageTimes,
        Field(
            description="Seconds of each stage until this message was put together. The entry has those before it.",
            examples=[{"reading": 0.021, "inference": 1.204, "log_commit": 0.006, "encoding": 0.013}],
        ),
    ]
    receipt: Annotated[Receipt, Field(description="The log's signed entry for this answer with its inclusion proof.")]


def segmentation(
    model: ServedModel,
    request: str,
    answer: Answer,
    mask: NDArray[np.uint8],
    receipt: Receipt,
    *,
    encode: MaskEncoder,
    arrays: ArrayFormat,
    later: LaterTexts,
    watch: Watch,
) -> Segmentation:
    """An answer as it is sent.

    Args:
        model: what answered.
        request: name of the request in the log.
        answer: it has this mask and this receipt.
        mask: uint8 on the grid of the image.
        receipt: of the answer's entry.
        encode: makes the text of masks.
        arrays: the format of further outputs.
        later: takes the texts of further outputs, which are made while the answer is sent.
        watch: measures how long that takes.
    """
    with watch.stage(Stage.ENCODING):
        text = encode(mask)
        outputs = tuple(_output(one, model, later.text(_file(one, encode, arrays)), arrays) for one in answer.arrays)
        classes = tuple(
            SegmentedClass(
                **_facts(one.label),
                conformal_threshold=one.conformal_threshold,
                foreground_fraction=one.foreground_fraction,
                size=one.size,
                confidence=one.confidence,
                conformal_mask=(
                    None if one.conformal_mask is None else encode(one.conformal_mask, value=one.label.value)
                ),
            )
            for one in answer.classes
        )
    only = classes[0] if model.task.one_class else None
    return Segmentation(
        decision="answered",
        reasons=(),
        mask=text,
        mask_format=encode.name,
        mask_digest=answer.mask_digest or mask_digest(mask),
        axes=model.task.axes,
        shape=mask.shape,
        rule=model.rule,
        classes=classes,
        foreground_fraction=answer.foreground_fraction,
        threshold=model.threshold,
        conformal_mask=None if only is None else only.conformal_mask,
        conformal_threshold=None if only is None else only.conformal_threshold,
        outputs=outputs,
        model=model.digest,
        model_version=model.version,
        request=request,
        timings=watch.times,
        receipt=receipt,
    )


def _file(found: AnswerArray, encode: MaskEncoder, name: ArrayFormat) -> Callable[[], Iterator[bytes]]:
    return encode.array(found, name, channels=found.name == "probabilities")


def _output(found: AnswerArray, model: ServedModel, data: str, name: ArrayFormat) -> FurtherOutput:
    by_class = found.name == "probabilities"
    return FurtherOutput(
        name=found.name,
        meaning=_MEANINGS[found.name],
        format=name,
        type=found.type,
        axes=(*(("class",) if by_class else ()), *model.task.axes),
        shape=found.values.shape,
        classes=tuple(one.name for one in model.task.classes) if by_class else (),
        digest=found.digest,
        data=data,
    )


def _facts(label: LabelClass) -> dict[str, Any]:
    return {"value": label.value, "name": label.name, "colour": label.colour, "code": label.code}


class Problem(Message):
    """What went wrong (RFC 9457), with what would mend it. A refusal on the record also carries its receipt."""

    type: Annotated[str, Field(description="Kind of problem.", examples=["urn:minivess:problem:outside-intended-use"])]
    title: Annotated[str, Field(description="The kind of problem in words.", examples=["Outside the intended use"])]
    status: Annotated[int, Field(description="HTTP status.", examples=[422])]
    detail: Annotated[
        str,
        Field(description="This problem in words.", examples=["spacing 20 µm along z is outside 4.5 to 5.5 µm"]),
    ]
    hint: Annotated[str, Field(description="How to correct it.", examples=["see GET /v1/model for the bounds"])] = ""
    decision: Annotated[
        Literal["refused"] | None,
        Field(description="`refused` when the request was judged: it is an entry of the log, or counted in one."),
    ] = None
    reasons: Annotated[tuple[str, ...], Field(description="All reasons of a refusal.")] = ()
    request: Annotated[
        str | None, Field(description="Name of this request in the log, when it has an entry of its own.")
    ] = None
    receipt: Annotated[
        Receipt | None, Field(description="The log's signed entry for this refusal; none when it is counted.")
    ] = None


class Model(Message):
    """What is served, what it takes and gives, and for what it may be used."""

    device: Annotated[str, Field(description="Name of the medical device software.", examples=["minivess-demo"])]
    version: Annotated[str, Field(description="Its version.", examples=["0.1.0"])]
    intended_use: Annotated[str, Field(description="The intended use in words.")]
    digest: Annotated[Digest, Field(description="SHA-256 of the record of the newest exported model in the log.")]
    axes: Annotated[
        str, Field(description="Spatial axes of an image; several channels are a further, last axis.", examples=["zyx"])
    ]
    channels: Annotated[int, Field(ge=1, description="Channels of an image.", examples=[1])]
    classes: Annotated[
        tuple[ServedClass, ...], Field(description="Each class of the mask, in ascending order of value.")
    ]
    rule: Annotated[
        Literal["threshold", "argmax"],
        Field(description="How a mask is made: one class by a threshold, several by the most probable."),
    ]
    threshold: Annotated[
        Threshold,
        Field(description="Probability from which a voxel is in the mask, as evaluated; None for several classes."),
    ]
    conformal_threshold: Annotated[
        Threshold,
        Field(
            description="Of the only class, see `classes`: probability from which a voxel is in the conformal mask; None "
            "without a guarantee, and for several classes."
        ),
    ]
    bounds: Annotated[IntendedUse, Field(description="What is answered; anything else is refused with reasons.")]
    outputs: Annotated[
        tuple[OutputName, ...],
        Field(description="What a request may ask for beside the mask.", examples=[["probabilities"]]),
    ]


def model_message(model: ServedModel) -> Model:
    """A served model as it is told."""
    classes = tuple(
        ServedClass(**_facts(label), conformal_threshold=threshold)
        for label, threshold in zip(model.task.classes, model.conformal_thresholds, strict=True)
    )
    return Model(
        device=model.device,
        version=model.version,
        intended_use=model.statement,
        digest=model.digest,
        axes=model.task.axes,
        channels=model.task.channels,
        classes=classes,
        rule=model.rule,
        threshold=model.threshold,
        conformal_threshold=classes[0].conformal_threshold if model.task.one_class else None,
        bounds=model.intended_use,
        outputs=model.outputs,
    )


class Health(Message):
    """The service is up and its model is loaded."""

    status: Literal["ok"] = "ok"
    model: Annotated[Digest, Field(description="SHA-256 of the record of the exported model.")]
    task: Annotated[
        str,
        Field(
            description="Channels, axes and classes of the model.",
            examples=["1 channel, axes zyx, class 1 foreground"],
        ),
    ]
