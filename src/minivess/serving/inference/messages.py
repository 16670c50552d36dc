"""What the service says, as OpenAPI knows it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from minivess.foundation.digests import Digest
from minivess.records.log.receipt import Receipt
from minivess.records.models.intended_use import IntendedUse


class Message(BaseModel):
    """Base of everything that is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Segmentation(Message):
    """An answered request."""

    decision: Annotated[Literal["answered"], Field(description="There is a mask.")]
    reasons: Annotated[tuple[str, ...], Field(description="Empty: nothing spoke against an answer.", examples=[[]])]
    mask: Annotated[
        str,
        Field(
            description="The mask: base64 of a gzipped NumPy `.npy` file, uint8, axes (z, y, x), 1 is vessel.",
            examples=["H4sIAAAAAAAC/5vsG+rp…"],
        ),
    ]
    mask_digest: Annotated[
        Digest,
        Field(
            description="SHA-256 of the mask's voxels, one byte each in C order; the output named in the log's entry."
        ),
    ]
    shape: Annotated[tuple[int, int, int], Field(description="Voxels along z, y, x.", examples=[[48, 96, 96]])]
    foreground_fraction: Annotated[float, Field(ge=0, le=1, description="Share of vessel voxels.", examples=[0.041])]
    threshold: Annotated[
        float, Field(ge=0, le=1, description="Probability from which a voxel is vessel, as evaluated.", examples=[0.5])
    ]
    conformal_mask: Annotated[
        str | None,
        Field(
            description="A second, wider mask in the same form: where vessels may be that the mask misses, at the "
            "threshold whose recall calibration guarantees. None when it could give no guarantee."
        ),
    ]
    conformal_threshold: Annotated[
        float | None, Field(ge=0, le=1, description="Probability from which a voxel is in the conformal mask.")
    ]
    model: Annotated[Digest, Field(description="SHA-256 of the ONNX file that answered.")]
    request: Annotated[str, Field(description="Name of this request in the log.", examples=["5f0c1f6e2f4b4c0f"])]
    receipt: Annotated[Receipt, Field(description="The log's signed entry for this answer with its inclusion proof.")]


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
    """What is served, and for what it may be used."""

    device: Annotated[str, Field(description="Name of the medical device software.", examples=["minivess-demo"])]
    version: Annotated[str, Field(description="Its version.", examples=["0.1.0"])]
    intended_use: Annotated[str, Field(description="The intended use in words.")]
    digest: Annotated[Digest, Field(description="SHA-256 of the ONNX file, equal to the newest export in the log.")]
    threshold: Annotated[
        float, Field(ge=0, le=1, description="Probability from which a voxel is vessel, as evaluated.")
    ]
    conformal_threshold: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="Probability from which a voxel is in the conformal mask; None without a guarantee."
        ),
    ]
    bounds: Annotated[IntendedUse, Field(description="What is answered; anything else is refused with reasons.")]


class Health(Message):
    """The service is up and its model is loaded."""

    status: Literal["ok"] = "ok"
    model: Annotated[Digest, Field(description="SHA-256 of the ONNX file.")]
