"""What a network is, how it was trained and calibrated."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import AS_IT_IS, Preprocessing
from minivess.records.models.start import StartRecord
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import RunPart

MASK_THRESHOLD = 0.5
"""Voxels with at least this calibrated probability are the mask: the one that is evaluated, released and served."""


Task = Annotated[SegmentationTask, Field(exclude_if=lambda task: task.usual)]
"""A task; left out of the JSON where it is the one of version 0.1.0."""

AppliedPreprocessing = Annotated[Preprocessing, Field(exclude_if=lambda preprocessing: preprocessing.usual)]
"""A preprocessing; left out of the JSON where it is the one of version 0.1.0."""


class RunRecord(Record):
    """One trained member."""

    seed: int
    model: ModelSpec
    training: TrainingSpec
    data: Digest
    """Digest of the images and masks it was trained on, as arrays in order."""
    weights: Digest
    steps: int
    final_loss: float
    device: str
    seconds: float
    mlflow_run: str | None = None
    task: Task = ONE_CLASS_OF_VOLUMES
    preprocessing: AppliedPreprocessing = AS_IT_IS
    start: Annotated[StartRecord | None, Field(exclude_if=lambda start: start is None)] = None
    """The weights that it started from; None: values that the seed drew."""
    cases: Annotated[tuple[Digest, ...], Field(exclude_if=lambda cases: not cases)] = ()
    """Digests of the images that it was trained on; empty in records of 0.1.0."""
    procedure: Annotated[int, Field(ge=1, exclude_if=lambda procedure: procedure == 1)] = 1
    """1: training of before 0.2.0 (`dice-cross-entropy`, AdamW, one cycle, flips and quarter turns, no validation), whatever
    `training` says besides steps, batch and learning rate. 2: as `training` says."""
    last: Annotated[Digest | None, Field(exclude_if=lambda last: last is None)] = None
    """Digest of the weights after the last step, where those of the best validation are kept beside them."""
    validation: Annotated[dict[str, float | None] | None, Field(exclude_if=lambda figures: figures is None)] = None
    """Mean validation Dice of the kept weights, of each class by its name; None: there was no validation."""
    parts: Annotated[tuple[RunPart, ...], Field(exclude_if=lambda parts: not parts)] = ()
    """The parts of the run, in order: more than one where it was killed and went on."""
    curves: Annotated[Digest | None, Field(exclude_if=lambda curves: curves is None)] = None
    """Digest of `curves.json`."""
    parameters: Annotated[int | None, Field(ge=0, exclude_if=lambda parameters: parameters is None)] = None
    """Numbers of the network that training changes; None in records of before."""
    smoke: Annotated[bool, Field(exclude_if=lambda smoke: not smoke)] = False
    """Whether this was a trial run on a few patches. It is never released."""


def _missing(value: object) -> bool:
    return not value


class ClassCalibration(Record):
    """What calibration says of one class against everything else."""

    ece_before: float
    ece_after: float
    band_ece_before: float
    band_ece_after: float
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    """Voxels in which the class has at least this probability are in its conformal mask; None: no guarantee."""
    achieved_recall: float | None
    note: str


class CalibrationRecord(Record):
    """Temperature and conformal threshold, fitted on the calibration part."""

    temperature: Annotated[float, Field(gt=0)]
    ece_before: float
    ece_after: float
    band_ece_before: float
    """ECE among voxels within two voxels of the reference border."""
    band_ece_after: float
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    """Voxels with at least this probability are in the conformal mask; None when no guarantee can be given."""
    target_recall: Annotated[float, Field(gt=0, lt=1)]
    achieved_recall: float | None
    cases: tuple[str, ...]
    method: str
    note: str
    groups: Annotated[dict[str, str] | None, Field(exclude_if=lambda value: value is None)] = None
    """The independent group of each case, as the seal fixed it; None in records of before, which counted cases."""

    classes: Annotated[dict[str, ClassCalibration], Field(exclude_if=_missing)] = Field(default={})
    """Each of several classes by its name; then `threshold` and `achieved_recall` are None, and the errors are over all
    classes. Empty for one class."""

    def threshold_of(self, name: str) -> float | None:
        """The conformal threshold of a class, by its name where there are several."""
        return self.classes[name].threshold if self.classes else self.threshold

    @property
    def unit(self) -> str:
        """How many groups and cases there are, for people."""
        counted = f"{len(self.cases)} case" + ("" if len(self.cases) == 1 else "s")
        number = 0 if self.groups is None else len(set(self.groups.values()))
        return f"{number} group{'' if number == 1 else 's'}, {counted}" if number else counted


@implements("REQ-243")
def fewest_groups(target_recall: float) -> int:
    """The fewest calibration groups with which recall can be controlled: the first n above 1 / (1 - target) - 1 (CRC)."""
    return math.floor(1 / (1 - target_recall) - 1 + 1e-9) + 1
