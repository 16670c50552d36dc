"""Answers of the service as a program uses them: masks as arrays, with the verdict on the receipt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError

from minivess.client.masks import mask_array, mask_bytes, output_array
from minivess.client.problems import OPERATOR, Message, receipt_of
from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.base import Moment
from minivess.records.evaluation.counted.class_size import ClassSize
from minivess.records.log.receipt import Receipt
from minivess.records.models.intended_use import IntendedUse
from minivess.records.verdict import Verdict

_Name = Annotated[str, Field(max_length=200)]


class _SizeMessage(ClassSize):
    model_config = ConfigDict(extra="ignore")


class _OutputMessage(Message):
    name: _Name
    shape: Annotated[tuple[int, ...], Field(min_length=2, max_length=4)]
    data: str


class _ClassMessage(Message):
    value: Annotated[int, Field(ge=1, le=255)]
    name: str
    colour: str | None = None
    conformal_threshold: float | None = None
    foreground_fraction: float
    size: _SizeMessage | None = None
    confidence: float | None = None
    conformal_mask: str | None = None


class SegmentationMessage(Message):
    """The answer of `POST /v1/segment`, as far as this client uses it."""

    mask: str
    mask_format: _Name
    mask_digest: Digest
    axes: _Name
    shape: Annotated[tuple[int, ...], Field(min_length=2, max_length=3)]
    rule: _Name
    classes: Annotated[tuple[_ClassMessage, ...], Field(min_length=1, max_length=255)]
    foreground_fraction: float
    threshold: float | None = None
    outputs: Annotated[tuple[_OutputMessage, ...], Field(max_length=32)] = ()
    model: Digest
    model_version: str = ""
    request: Annotated[str, Field(min_length=1, max_length=200)]
    timings: Mapping[str, float] = Field(default_factory=dict)
    receipt: Receipt


@dataclass(frozen=True)
class AnsweredClass:
    """What an answer says of one class.

    Attributes:
        value: its value in the mask.
        name: its name.
        colour: in which it is drawn, sRGB; None where none is stated.
        foreground_fraction: its share of the mask's voxels, 0 to 1.
        size: volume or area with its unit, components and box; None of a service that does not state it.
        confidence: mean probability over its voxels of the mask; None where it has none.
        conformal_threshold: probability from which a voxel is in the conformal mask; None without a guarantee.
        conformal_mask: uint8 on the grid of the image, 1 where the class may be that the mask misses; None without a
            guarantee, and in a format that the client does not read.
    """

    value: int
    name: str
    colour: str | None
    foreground_fraction: float
    size: ClassSize | None
    confidence: float | None
    conformal_threshold: float | None
    conformal_mask: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Answer:
    """An answered request.

    Attributes:
        mask: uint8 on the grid of the image, 0 is background; None in a format that the client does not read.
        mask_file: the mask as a file of `mask_format`.
        mask_format: as the request asked for it.
        mask_digest: SHA-256 of the voxels of the mask.
        axes: of the mask, for example `zyx`.
        shape: voxels along each axis.
        rule: how the mask was made: `threshold` or `argmax`.
        threshold: probability from which a voxel is in the mask; None for several classes.
        classes: in ascending order of value.
        foreground_fraction: share of voxels of any class, 0 to 1.
        outputs: what was asked for beside the mask, by name. `probabilities`: (classes, *grid of the image); `disagreement`:
            (*grid).
        model: digest of the record of the exported model that answered.
        model_version: version of the device.
        timings: seconds of each stage.
        request: name of the request in the log.
        receipt: of the answer's entry; `receipt.model_dump_json()` is a file for `minivess audit verify --receipt`.
        verdict: each check of the receipt. LIMITED without a trust file.
        body: the whole answer, with fields that this client does not know.
    """

    mask: NDArray[np.uint8] | None
    mask_file: bytes = field(repr=False)
    mask_format: str
    mask_digest: str
    axes: str
    shape: tuple[int, ...]
    rule: str
    threshold: float | None
    classes: tuple[AnsweredClass, ...]
    foreground_fraction: float
    outputs: Mapping[str, NDArray[np.floating]] = field(repr=False)
    model: str
    model_version: str
    timings: Mapping[str, float]
    request: str
    receipt: Receipt = field(repr=False)
    verdict: Verdict
    body: Mapping[str, Any] = field(repr=False)


class ServedModel(Message):
    """What is served, and for what use."""

    device: str
    version: str
    intended_use: str
    digest: Digest
    axes: _Name
    channels: Annotated[int, Field(ge=1)]
    rule: _Name
    threshold: float | None = None
    bounds: IntendedUse


class EarlierDecision(Message):
    """What the log says of an earlier answer."""

    index: int
    time: Moment
    outcome: str
    decision: str
    model: Digest | None = None
    request: str | None = None
    foreground_fraction: float | None = None


class EarlierReceipt(NamedTuple):
    """The receipt of an earlier answer as of now, and its checks. Image and mask are not compared: the service has neither."""

    receipt: Receipt
    verdict: Verdict


@dataclass(frozen=True)
class MaskFacts:
    """The masks of an answer, read."""

    mask: NDArray[np.uint8] | None
    file: bytes
    classes: tuple[AnsweredClass, ...]
    outputs: Mapping[str, NDArray[np.floating]]

    def digests(self, request: str) -> dict[str, str]:
        """The digest of each mask and output that was read, by the name that the entry of the answer has for it."""
        found = {} if self.mask is None else {f"masks/{request}": voxels_digest(self.mask)}
        for one in self.classes:
            if one.conformal_mask is not None:
                name = f"conformal-masks/{request}" + (f"/{one.value}" if len(self.classes) > 1 else "")
                found[name] = voxels_digest(one.conformal_mask)
        return found | {f"{name}/{request}": voxels_digest(values) for name, values in self.outputs.items()}


def voxels_digest(values: NDArray[np.uint8] | NDArray[np.floating]) -> str:
    """The digest by which the log knows a mask or an output: of its bytes in C order, little-endian."""
    return digest_bytes(np.ascontiguousarray(values).tobytes())


@implements("REQ-485")
def read_masks(message: SegmentationMessage, *, limit: int) -> MaskFacts:
    """Read the masks of an answer.

    Raises:
        InputError: one is malformed or too large.
    """

    def read(text: str) -> NDArray[np.uint8] | None:
        return mask_array(mask_bytes(text), message.mask_format, message.shape, limit=limit)

    classes = tuple(
        AnsweredClass(
            value=one.value,
            name=one.name,
            colour=one.colour,
            foreground_fraction=one.foreground_fraction,
            size=one.size,
            confidence=one.confidence,
            conformal_threshold=one.conformal_threshold,
            conformal_mask=None if one.conformal_mask is None else read(one.conformal_mask),
        )
        for one in message.classes
    )
    outputs = {one.name: output_array(mask_bytes(one.data), one.shape, limit=limit) for one in message.outputs}
    return MaskFacts(read(message.mask), mask_bytes(message.mask), classes, outputs)


def parsed[T: Message](body: bytes, kind: type[T]) -> tuple[T, dict[str, Any]]:
    """A message of the service, and all of its fields.

    Raises:
        InputError: it is none.
    """
    try:
        value = json.loads(body)
        return kind.model_validate({**value, "receipt": receipt_of(value.get("receipt"))}), value
    except (ValueError, TypeError, AttributeError, RecursionError, ValidationError):
        raise InputError("the answer of the service is none that this client knows", hint=OPERATOR) from None
