"""Payloads of actions on models: training, ensembles, calibration, export, promotion and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Observation, Record, ShortText, Slug


class Training(Observation):
    """One member was trained."""

    architecture: Slug
    steps: int
    final_loss: float | None = None


class Ensembling(Observation):
    """Members were combined."""

    members: int
    rule: ShortText


class Disposition(Record):
    """What became of a finished run that no ensemble uses."""

    run: Annotated[int, Field(ge=0)]
    """Index of the entry of the run."""
    verdict: ShortText
    reason: ShortText


class Calibrated(Observation):
    """Temperature and threshold were fitted on the calibration part."""

    temperature: float
    threshold: float | None
    target_recall: float
    cases: int


class ModelExported(Observation):
    """An ONNX graph was made and compared with its source."""

    opset: int
    max_abs_difference: float
    tolerance: float


class ModelPromoted(Record):
    """A model moves to another stage. One model at most is in production; the one before it is then retired."""

    model: Digest
    stage: Literal["candidate", "production", "retired"]
    reason: ShortText


class ClassShare(Record):
    """What an answer says of one of several classes."""

    name: ShortText
    foreground_fraction: float
    """Its share of the mask's voxels."""
    conformal: bool
    """Whether there is a conformal mask of the class."""


class Inference(Observation):
    """One answer of the service."""

    decision: ShortText
    """`answered` or `refused`, with the reason in a few words."""
    foreground_fraction: float | None = None
    """The share of voxels in the mask, of any class."""
    conformal: bool = False
    """Whether there is a conformal mask of any class."""
    classes: Annotated[tuple[ClassShare, ...], Field(exclude_if=lambda classes: not classes)] = ()
    """Of each of several classes; left out of the JSON for one class, as in entries of before."""
