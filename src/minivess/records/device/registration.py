"""What is fixed before the test set is looked at: the terms of the seal, and the release policy."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug
from minivess.records.data.validation import Severity
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.evaluation.evaluation import Statistics, level_of_all


class LoweredRule(Record):
    """A validation rule that this project made less grave than usual."""

    rule: Slug
    usual: Severity
    severity: Severity


class SealTerms(Record):
    """What holds for every look at one sealed test part. Nothing of it can be made laxer without sealing other cases."""

    split: Digest
    """Root of the split."""
    looks: Annotated[int, Field(ge=1)]
    """How many looks there may be in all."""
    level: Annotated[float, Field(gt=0, lt=1)]
    """Of every interval: 1 - 0.05/looks."""
    groups: Digest
    """Of the canonical JSON of each case's group, by case: cases of one group are never in different parts."""
    unit: ShortText
    """What the bootstrap resamples."""
    statistics: Annotated[Statistics, Field(exclude_if=lambda value: value == "mean of cases")] = "mean of cases"
    """How means and intervals are made. Seals of before do not say, and keep `mean of cases`."""
    lowered: Annotated[tuple[LoweredRule, ...], Field(max_length=500)] = ()

    @model_validator(mode="after")
    def _level_fits(self) -> Self:
        if self.level != level_of_all(self.looks):
            raise ValueError("the level of the intervals does not follow from the number of looks")
        return self


class PolicyRegistered(Record):
    """The gates and signatures of a release, fixed before the test set is looked at."""

    policy: ReleasePolicy
