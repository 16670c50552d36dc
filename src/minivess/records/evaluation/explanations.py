"""What an explanation of a mask was made of, and whether it passed its sanity check."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Side, Slug, Statement
from minivess.records.evaluation.parts import EvaluatedPart

FORMAT: Literal["minivess-explanation/1"] = "minivess-explanation/1"
LARGEST_CORRELATION = 0.2
"""An attribution depends on the network where its rank correlation with that of a randomised network is at most this large."""
MethodName = Literal["integrated-gradients", "grad-cam++"]
TITLES: dict[MethodName, str] = {"integrated-gradients": "Integrated gradients", "grad-cam++": "Grad-CAM++"}
"""The name of each method for people."""
Correlation = Annotated[float, Field(ge=-1, le=1)]


class SanityCheck(Record):
    """Parameter randomisation (Adebayo et al. 2018, Sanity checks for saliency maps, arXiv 1810.03292).

    An attribution that stays the same when all weights are drawn anew shows the image and not what the network learned.
    """

    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Of the randomised networks."""
    correlations: Annotated[tuple[Correlation, ...], Field(min_length=1)]
    """Rank correlation (Spearman) of the attribution with that of each randomised network, voxel by voxel."""
    absolute: Annotated[tuple[Correlation, ...], Field(exclude_if=lambda value: not value)] = ()
    """The same of the absolute values, of attributions that have a sign."""

    @property
    def correlation(self) -> float:
        """The mean size over the randomised networks; correlations of other sign do not cancel."""
        return sum(map(abs, self.correlations)) / len(self.correlations)

    @property
    def passed(self) -> bool:
        """Whether it is at most 0.2."""
        return self.correlation <= LARGEST_CORRELATION

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.correlations) != len(self.seeds) or len(self.absolute) not in {0, len(self.seeds)}:
            raise ValueError("each randomised network has one correlation")
        return self


class Attribution(Record):
    """One method."""

    method: MethodName
    made: Statement
    """Steps, baseline or layer, in words."""
    completeness: Annotated[float | None, Field(exclude_if=lambda value: value is None)] = None
    """Of integrated gradients: what the attributions do not add up to, over the change of the score; 0 is exact."""
    check: SanityCheck


class ExplanationRecord(Record):
    """The attributions of one class in a patch of one case, by one member of the ensemble."""

    format: Literal["minivess-explanation/1"]
    model: Digest
    """Of the ensemble."""
    member: int
    """The seed of the member that is explained."""
    weights: Digest
    case: Slug
    part: EvaluatedPart
    image: Digest
    of_class: ShortText
    start: tuple[int, ...]
    """First voxel of the patch along each axis, on the grid that the network gets."""
    patch: tuple[Side, ...]
    voxels: Annotated[int, Field(ge=1)]
    """Of the predicted mask in the patch; the score is the sum of the logits of the class over them."""
    attributions: Annotated[tuple[Attribution, ...], Field(min_length=1)]
    left_out: Annotated[tuple[MethodName, ...], Field(exclude_if=lambda value: not value)] = ()
    """Methods that gave the same value in all voxels, so that there is nothing to see."""
    libraries: dict[str, str]
    """Versions by package."""
