"""The project file, `minivess.yaml`: one screen that says what the device is and what it is made from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.data.source import Data
from minivess.records.data.split import Split
from minivess.records.device.witnesses import WitnessPolicy
from minivess.records.evaluation.evaluation import Criterion, Looks
from minivess.records.models.model import TrainingSpec
from minivess.records.models.specifications import DEFAULT, ModelSpec


class Device(Record):
    """The medical device software under release."""

    name: Slug
    version: Slug
    manufacturer: ShortText
    intended_use: Statement
    safety_class: Literal["A", "B", "C"]


class Calibration(Record):
    """What the conformal threshold must reach."""

    target_recall: Annotated[float, Field(gt=0, lt=1)] = 0.9
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9


class Evaluation(Record):
    """How the test set is judged."""

    tolerance_um: Annotated[float, Field(gt=0)] = 2.0
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    looks: Looks = Looks()
    notes: Statement | None = None
    """What else the analysis plan says: a paragraph for the approver."""


class Project(Record):
    """Everything `minivess.yaml` may say."""

    device: Device
    source: str = "."
    """Folder with requirements/, risk/, features/, templates/ and uv.lock, relative to the project file."""
    data: Data
    split: Split = Split()
    model: ModelSpec = DEFAULT
    training: TrainingSpec = TrainingSpec()
    calibration: Calibration = Calibration()
    evaluation: Evaluation
    witnesses: WitnessPolicy | None = None
    """Who must vouch for the log's checkpoints before they are released."""
