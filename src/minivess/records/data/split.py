"""How a data set is divided."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug
from minivess.records.data.likeness import NearDuplicate, OverruledPair, StatedPair

_EXCEPTIONS = frozenset({"not_copies", "same"})


class Stratum(StrEnum):
    """What parts and folds can be balanced by; `foreground`: low, middle or high share of foreground; `age`: its band."""

    SITE = "site"
    SCANNER = "scanner"
    MODALITY = "modality"
    FOREGROUND = "foreground"
    DISEASE = "disease"
    SEX = "sex"
    AGE = "age"


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
    not_copies: tuple[StatedPair, ...] = ()
    """Pairs of cases that are no near duplicates although the search finds them alike: `[case, other, reason]`."""
    same: tuple[StatedPair, ...] = ()
    """Pairs of cases that show the same object and stay together: `[case, other, reason]`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 1 in {self.folds, self.inner_folds}:
            raise ValueError("one fold is none: give at least 2")
        if self.inner_folds and not (self.folds or self.published):
            raise ValueError("inner folds need `folds`")
        stated: set[frozenset[str]] = set()
        for case, other, _ in (*self.not_copies, *self.same):
            cases = frozenset((case, other))
            if len(cases) == 1:
                raise ValueError(f"`not_copies` and `same` need two different cases, not {case} twice")
            if cases in stated:
                raise ValueError(f"`not_copies` and `same` name {case} and {other} more than once")
            stated.add(cases)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_unused_exceptions(handler(self))


def without_unused_exceptions(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a record without empty `not_copies` and `same`: a split of an earlier version keeps its digest."""
    return {name: value for name, value in fields.items() if value or name not in _EXCEPTIONS}


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
    """Images that show the same object and therefore stay together."""
    not_copies: tuple[OverruledPair, ...] = ()
    """Pairs that a person states to be no copies: they are not among `near`."""
    cases: tuple[SplitCase, ...] = ()
    plan: Digest | None = None
    """Digest of the plan it was made by, and of the published split when there is one."""
    root: Digest

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_unused_exceptions(handler(self))

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
