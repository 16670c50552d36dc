"""`POST /v1/preview`: the image of a request as the service reads it, for people. It makes no decision and no entry."""

from __future__ import annotations

import base64
import gzip
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference.answering import Answering
from minivess.serving.inference.interface import request_body
from minivess.serving.inference.messages import Message
from minivess.serving.inference.request_form import image_of, parsed
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.shown_images import shown_image


class Preview(Message):
    """An image in 8 bits, on the voxels that the model gets."""

    axes: Annotated[str, Field(description="Spatial axes.", examples=["zyx"])]
    shape: Annotated[tuple[int, ...], Field(description="Voxels along each spatial axis.", examples=[[48, 96, 96]])]
    channels: Annotated[int, Field(ge=1, description="Channels of each voxel, side by side.", examples=[1])]
    spacing_um: Annotated[
        tuple[float, ...] | None,
        Field(description="Micrometres along each spatial axis; None: no physical size.", examples=[[5.0, 1.0, 1.0]]),
    ]
    low: Annotated[float, Field(description="The value that is shown as 0.", examples=[12.0])]
    high: Annotated[float, Field(description="The value that is shown as 255.", examples=[250.0])]
    pixels: Annotated[
        str, Field(description="base64 of gzip of the bytes in C order.", examples=["H4sIAAAAAAAC/5vsG+rp…"])
    ]


def preview_body(model: ServedModel) -> dict[str, Any]:
    """The body of a request, as OpenAPI states it: image and spacing of that of `/v1/segment`."""
    parts = request_body(model)["content"]["multipart/form-data"]["schema"]["properties"]
    own = {name: parts[name] for name in ("volume", "spacing") if name in parts}
    schema = {"type": "object", "required": ["volume"], "properties": own}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


@implements("REQ-489", "RC-205")
def preview(asking: Answering) -> Response | Preview:
    """Read an image as `/v1/segment` reads it, and answer it in 8 bits (blocking).

    Raises:
        TurnedError: the image cannot be read, or is too large to be shown.
    """
    image = image_of(asking.asked, asking.engine.model, asking.limits)
    shown = parsed(RefusalReason.VOLUME, lambda: shown_image(image))
    task = asking.engine.model.task
    packed = gzip.compress(shown.pixels.tobytes(), compresslevel=1, mtime=0)
    return Preview(
        axes=task.axes,
        shape=shown.pixels.shape[: len(task.axes)],
        channels=task.channels,
        spacing_um=image.spacing,
        low=shown.low,
        high=shown.high,
        pixels=base64.b64encode(packed).decode("ascii"),
    )
