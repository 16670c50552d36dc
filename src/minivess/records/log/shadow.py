"""What a serving log says of a candidate model that ran beside the one in production."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Observation, Record, ShortText

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class ShadowClass(Record):
    """How the masks of two models agreed on one class."""

    name: ShortText
    images: Annotated[int, Field(ge=1)]
    """Images on which at least one of the two found the class."""
    mean_dice: Share
    """Mean over these images of the Dice coefficient between the two masks."""
    least_dice: Share
    """The least of them."""


class ShadowCompared(Observation):
    """Answers of a candidate, compared with those of the model in production. No client gets them."""

    since: Moment
    until: Moment
    candidate: Digest
    """Of the model that ran beside."""
    compared: Count
    """Images that both models judged."""
    changed: Count
    """Of these, images that one model answered and the other refused as outside its intended use."""
    dropped: Count
    """Images that the candidate did not judge, because too many waited."""
    failed: Count
    """Images on which the candidate failed."""
    classes: tuple[ShadowClass, ...]
    """Of images that both answered; classes that neither found are left out."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.until < self.since or self.changed > self.compared:
            raise ValueError("a count ends before it begins, or more decisions changed than were compared")
        return self
