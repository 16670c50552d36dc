"""How a data set is divided."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug
from minivess.records.data.likeness import NearDuplicate


class Stratum(StrEnum):
    """What parts and folds can be balanced by; `foreground`: low, middle or high share of foreground."""

    SITE = "site"
    SCANNER = "scanner"
    MODALITY = "modality"
    FOREGROUND = "foreground"


class Split(Record):
    """Subjects by part; those not named train. With numbers instead of names, subjects are drawn by seed."""

    seed: int = 0
    """Seed of the draw."""
    calibration: tuple[Slug, ...] | int = 2
    """The subjects of the calibration part, or how many are drawn."""
    test: tuple[Slug, ...] | int = 4
    """The subjects of the test part, or how many are drawn."""
    stratify_by: tuple[Stratum, ...] = ()
    """Parts and folds that are drawn get their share of every combination of these."""
    folds: Annotated[int, Field(ge=0, le=50)] = 0
    """Folds of the training part for cross-validation; 0: none."""
    inner_folds: Annotated[int, Field(ge=0, le=50)] = 0
    """Folds within the training cases of every fold, for nested cross-validation; 0: none."""
    published: PurePosixPath | None = None
    """CSV or JSON of a published split (case, part and perhaps fold), from the project folder; parts that it does not
    name are drawn from its training part."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 1 in {self.folds, self.inner_folds}:
            raise ValueError("one fold is none: give at least 2")
        if self.inner_folds and not (self.folds or self.published):
            raise ValueError("inner folds need `folds`")
        return self


class Part(StrEnum):
    """The parts of a split."""

    TRAIN = "train"
    CALIBRATION = "calibration"
    TEST = "test"


class Fold(Record):
    """One fold of the training part: the cases it holds out, and the folds of the cases it trains on."""

    held_out: tuple[Slug, ...]
    inner: tuple[tuple[Slug, ...], ...] = ()


class SplitCase(Record):
    """What exactly stands behind a case's id."""

    id: Slug
    image: Digest
    label: Digest


class SplitManifest(Record):
    """Which case is in which part; what belongs together never straddles parts. `root` covers everything else."""

    dataset: Digest
    seed: int
    train: tuple[Slug, ...]
    calibration: tuple[Slug, ...]
    test: tuple[Slug, ...]
    folds: tuple[Fold, ...] = ()
    near: tuple[NearDuplicate, ...] = ()
    """Images that show the same thing and therefore stay together."""
    cases: tuple[SplitCase, ...] = ()
    plan: Digest | None = None
    """Digest of the plan it was made by, and of the published split when there is one."""
    root: Digest

    def part(self, part: Part) -> tuple[str, ...]:
        """The case ids of one part."""
        return {Part.TRAIN: self.train, Part.CALIBRATION: self.calibration, Part.TEST: self.test}[part]


class Share(Record):
    """What one part or fold holds."""

    name: str
    groups: int
    """Independent groups: what statistics count."""
    subjects: int
    cases: int
    foreground: float
    """Mean share of foreground."""
    strata: dict[str, int]
    """Cases by stratum."""
