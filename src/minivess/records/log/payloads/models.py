"""Payloads of actions on models: training, ensembles, calibration, export, promotion and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.records.base import Observation, Record, ShortText, Slug
from minivess.records.log.stage_times import StageTimes
from minivess.records.models.training_run import RunPart

if TYPE_CHECKING:
    from minivess.records.models.model import RunRecord


ValidationDice = Annotated[float, Field(ge=0, le=1)] | None


def _unstated(value: object) -> bool:
    return value is None


class Training(Observation):
    """One member was trained. What entries of 0.1.0 did not state is left out of the JSON where it is not stated."""

    architecture: Slug
    steps: int
    final_loss: float | None = None
    parts: Annotated[tuple[RunPart, ...], Field(exclude_if=lambda parts: not parts)] = ()
    """The parts of the run, in order: more than one where its process was killed and it went on."""
    repeatable: Annotated[bool | None, Field(exclude_if=_unstated)] = None
    """Whether the same seed on the same machines gives the same weights; None: not stated."""
    validation: Annotated[dict[str, ValidationDice] | None, Field(exclude_if=_unstated)] = None
    """Mean validation Dice of the weights, of each class by its name; None: there was no validation, or it is not stated."""

    @classmethod
    @implements("REQ-363")
    def of(cls, run: RunRecord) -> Self:
        """What the entry of a run says."""
        return cls(
            architecture=run.model.architecture,
            steps=run.steps,
            final_loss=run.final_loss,
            parts=run.parts,
            repeatable=None if not run.parts else not any(part.where.not_repeatable for part in run.parts),
            validation=run.validation,
        )


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


class PackageBuilt(Record):
    """A package of the model in production was built, for others to run: a Bento, or a MONAI Application Package."""

    tag: ShortText
    """Its name and version."""
    model: Digest
    code: Digest
    """Of the copy of this software in it."""
    requirements: Digest
    """Of its pinned packages."""
    files: Annotated[int, Field(ge=1)]


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
    caller: Annotated[Slug | None, Field(exclude_if=lambda caller: caller is None)] = None
    """Who asked; left out where callers are not known, as in entries of before."""
    times: Annotated[StageTimes | None, Field(exclude_if=lambda times: times is None)] = None
    """Of the stages before the entry; entries of before have none."""
