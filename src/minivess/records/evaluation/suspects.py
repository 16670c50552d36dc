"""Cases in the order of how much their mask contradicts a predictor that has not seen them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug, Statement

FORMAT: Literal["minivess-suspects/1"] = "minivess-suspects/1"
PredictorName = Literal["cross-fitted", "model"]
"""A simple classifier of voxels that is fitted to the other groups, or the exported model on cases that it did not learn from."""


class SuspectRegion(Record):
    """The largest connected region in which the predictor is sure of another class than the mask states."""

    start: tuple[int, ...]
    """First voxel of its box along each axis."""
    stop: tuple[int, ...]
    """Voxel after the last one of its box."""
    voxels: Annotated[int, Field(ge=1)]
    labelled: ShortText
    """The class that most of its voxels have in the mask, or `background`."""
    expected: ShortText
    """The class that the predictor expects in most of its voxels, or `background`."""

    @property
    def middle(self) -> tuple[int, ...]:
        """The voxel in the middle of its box."""
        return tuple((low + high - 1) // 2 for low, high in zip(self.start, self.stop, strict=True))


class SuspectCase(Record):
    """One case."""

    case: Slug
    group: Slug
    quality: Annotated[float, Field(ge=0, le=1)]
    """Of the mask, from 0 (contradicted) to 1: the soft minimum over voxels of the probability that the predictor gives to the
    class of the mask (Lad & Mueller 2023)."""
    disagreement: Annotated[float, Field(ge=0, le=1)]
    """1 minus the mean soft Dice of the classes, between the mask and the probabilities."""
    region: Annotated[SuspectRegion | None, Field(exclude_if=lambda value: value is None)] = None
    """Where to look first; None where the predictor is sure of no other class."""


class SuspectsRecord(Record):
    """All cases that were looked at, the most suspicious first."""

    format: Literal["minivess-suspects/1"]
    data: Digest
    """Root of the cases of the manifest."""
    predictor: PredictorName
    model: Annotated[Digest | None, Field(exclude_if=lambda value: value is None)] = None
    """The exported model, where it is the predictor."""
    method: Statement
    seed: int
    cases: Annotated[tuple[SuspectCase, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ranked(self) -> Self:
        order = [(one.quality, one.case) for one in self.cases]
        if order != sorted(order):
            raise ValueError("the cases are not in the order of their quality")
        if len({one.case for one in self.cases}) < len(self.cases):
            raise ValueError("a case occurs twice")
        if (self.model is None) == (self.predictor == "model"):
            raise ValueError("the exported model is named where it is the predictor, and not otherwise")
        return self
