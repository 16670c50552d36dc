"""The project file, `minivess.yaml`: one screen that says what the device is and what it is made from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.evaluation import Criterion
from minivess.records.model import ModelSpec, TrainingSpec, Triple
from minivess.records.witness import WitnessPolicy


class Device(Record):
    """The medical device software under release."""

    name: Slug
    version: Slug
    manufacturer: ShortText
    intended_use: Statement
    safety_class: Literal["A", "B", "C"]


class CaseSource(Record):
    """One case as found on disk; paths are relative to `data.root`."""

    id: Slug
    subject: Slug
    acquisition: Slug | None = None
    """Defaults to the case id; give the same name to cases cut from one acquisition."""
    image: PurePosixPath
    label: PurePosixPath
    metadata: PurePosixPath | None = None
    """OME-XML with the spacing, when the image does not carry it."""
    spacing_um: tuple[float, float, float] | None = None
    """Stated spacing (z, y, x); wins over nothing: a file that says otherwise is an error."""


class Synthetic(Record):
    """Two-photon volumes from the generator instead of files."""

    subjects: Annotated[int, Field(ge=3, le=500)] = 16
    seed: int = 7
    shape: Triple = (48, 96, 96)
    photons: Annotated[float, Field(gt=0)] = 4.0
    """Expected photons a voxel in the brightest vessel at the surface."""
    psf_sigma_z_um: Annotated[float, Field(gt=0)] = 5.0


class Data(Record):
    """Where cases come from: a list of files or the generator."""

    name: Slug
    licence: ShortText
    source: ShortText
    modality: ShortText = "two-photon microscopy"
    root: str | None = None
    cases: tuple[CaseSource, ...] = ()
    synthetic: Synthetic | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Data:
        if (self.synthetic is None) == (not self.cases):
            raise ValueError("give either `cases` (with `root`) or `synthetic`")
        if self.cases and self.root is None:
            raise ValueError("`cases` needs `root`, the folder their paths start from")
        return self


class Split(Record):
    """Subjects by part; those not named train. With numbers instead of names, subjects are drawn by seed."""

    seed: int = 0
    calibration: tuple[Slug, ...] | int = 2
    test: tuple[Slug, ...] | int = 4


class Calibration(Record):
    """What the conformal threshold must reach."""

    target_recall: Annotated[float, Field(gt=0, lt=1)] = 0.9
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.9


class Evaluation(Record):
    """How the test set is judged."""

    tolerance_um: Annotated[float, Field(gt=0)] = 2.0
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]


class Project(Record):
    """Everything `minivess.yaml` may say."""

    device: Device
    source: str = "."
    """Folder with requirements/, risk/, features/, templates/ and uv.lock, relative to the project file."""
    data: Data
    split: Split = Split()
    model: ModelSpec = ModelSpec()
    training: TrainingSpec = TrainingSpec()
    calibration: Calibration = Calibration()
    evaluation: Evaluation
    witnesses: WitnessPolicy | None = None
    """Who must vouch for the log's checkpoints before they are released."""
