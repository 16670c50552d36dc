"""What is counted of one case, and how each measure follows from its counts. Standard library only.

Each class holds the counts of one kind of measure and states its formula. `records.evaluation.measures` names the class of
each measure. The same formulas are in `templates/verify/verify.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from minivess.records.base import Record

Count = Annotated[int, Field(strict=True, ge=0, le=2**53 - 1)]
"""A whole number that every JSON reader keeps exactly."""

Amount = Annotated[float, Field(strict=True, ge=0)]
"""A distance or length, in the unit of the evaluation."""

BINS = 15
"""Bins of equal width over the foreground probability."""

MILLION = 10**6
"""Sums of probabilities are written in millionths, as whole numbers."""


class CaseNumbers(Record):
    """What is counted or measured of two masks of one case, for one measure or several."""

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """What cannot be counted in masks of so many voxels (prediction, reference); None when all of it can."""
        return None


class MeasureCounts(CaseNumbers, ABC):
    """Counts from which one measure follows by itself; others may follow from them too."""

    formula: ClassVar[str]
    """How the measure follows from the counts, for people."""

    @property
    @abstractmethod
    def measure(self) -> float | None:
        """The value of the measure; None where it is undefined."""


class OverlapCounts(MeasureCounts):
    """Voxels of two masks: in both, in the prediction alone, in the reference alone."""

    formula: ClassVar[str] = "2 tp / (2 tp + fp + fn); 1 when all are 0"

    tp: Count
    fp: Count
    fn: Count

    @property
    def predicted(self) -> int:
        """Voxels of the prediction."""
        return self.tp + self.fp

    @property
    def reference(self) -> int:
        """Voxels of the reference."""
        return self.tp + self.fn

    @property
    def either(self) -> int:
        """Voxels of at least one of the masks."""
        return self.tp + self.fp + self.fn

    @property
    def measure(self) -> float:
        """Dice, in 0..1."""
        total = 2 * self.tp + self.fp + self.fn
        return 2.0 * self.tp / total if total else 1.0


class CentrelineCounts(MeasureCounts):
    """Voxels of the skeleton of each mask, and those of them that are inside the other mask."""

    formula: ClassVar[str] = (
        "2 a b / (a + b) with a = predicted_inside / predicted and b = reference_inside / reference; a share of 0 voxels "
        "is 0; 1 when all counts are 0; 0 when a + b is 0"
    )

    predicted_inside: Count
    predicted: Count
    reference_inside: Count
    reference: Count

    @model_validator(mode="after")
    def _parts(self) -> Self:
        _part_of("predicted_inside", self.predicted_inside, "predicted", self.predicted)
        _part_of("reference_inside", self.reference_inside, "reference", self.reference)
        return self

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has a skeleton if and only if it has foreground."""
        return _unfit((self.predicted, self.reference), (predicted, reference))

    @property
    def measure(self) -> float:
        """clDice, in 0..1."""
        if not self.predicted and not self.reference:
            return 1.0
        precision = self.predicted_inside / self.predicted if self.predicted else 0.0
        sensitivity = self.reference_inside / self.reference if self.reference else 0.0
        if precision + sensitivity == 0:
            return 0.0
        return 2.0 * precision * sensitivity / (precision + sensitivity)


class SurfaceCounts(MeasureCounts):
    """Border voxels of each mask, and those of them within the tolerance of the other border."""

    formula: ClassVar[str] = (
        "(predicted_within + reference_within) / (predicted + reference); 1 when all counts are 0; 0 when predicted or "
        "reference is 0"
    )

    predicted_within: Count
    predicted: Count
    reference_within: Count
    reference: Count

    @model_validator(mode="after")
    def _parts(self) -> Self:
        _part_of("predicted_within", self.predicted_within, "predicted", self.predicted)
        _part_of("reference_within", self.reference_within, "reference", self.reference)
        return self

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has a border if and only if it has foreground."""
        return _unfit((self.predicted, self.reference), (predicted, reference))

    @property
    def measure(self) -> float:
        """Normalised surface distance, in 0..1."""
        if not self.predicted and not self.reference:
            return 1.0
        if not self.predicted or not self.reference:
            return 0.0
        return (self.predicted_within + self.reference_within) / (self.predicted + self.reference)


class Distance(MeasureCounts):
    """A distance, which does not follow from counts: the value itself."""

    formula: ClassVar[str] = "value, as it was measured"

    value: Amount | None
    """None where it is undefined."""

    @property
    def measure(self) -> float | None:
        """The distance."""
        return self.value

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """A value where one mask alone is empty."""
        if self.value is None or (predicted == 0) == (reference == 0):
            return None
        return f"a value for masks of {predicted} and {reference} voxels"


class SurfaceDistances(CaseNumbers):
    """Distances between the two borders, which do not follow from counts: the values themselves."""

    hd: Amount | None
    """The largest distance."""
    assd: Amount | None
    """The mean over the border voxels of both masks."""
    masd: Amount | None
    """The mean of the two directed means."""

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """A value where one mask alone is empty, or none otherwise."""
        wanted = (predicted == 0) == (reference == 0)
        odd = [name for name, value in self if (value is not None) != wanted]
        if not odd:
            return None
        return f"{'no' if wanted else 'a'} value of {odd[0]} for masks of {predicted} and {reference} voxels"


class BoundaryCounts(MeasureCounts):
    """Border voxels of each mask, and those that are border voxels of both."""

    formula: ClassVar[str] = "both / (predicted + reference - both); 1 when all are 0"

    both: Count
    predicted: Count
    reference: Count

    @model_validator(mode="after")
    def _parts(self) -> Self:
        _part_of("both", self.both, "predicted", self.predicted)
        _part_of("both", self.both, "reference", self.reference)
        return self

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has a border if and only if it has foreground."""
        return _unfit((self.predicted, self.reference), (predicted, reference))

    @property
    def measure(self) -> float:
        """Boundary IoU, in 0..1."""
        either = self.predicted + self.reference - self.both
        return self.both / either if either else 1.0


class ObjectCounts(MeasureCounts):
    """Objects that match one another, of the prediction alone and of the reference alone."""

    formula: ClassVar[str] = OverlapCounts.formula

    tp: Count
    fp: Count
    fn: Count

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has an object if and only if it has foreground."""
        return _unfit((self.tp + self.fp, self.tp + self.fn), (predicted, reference))

    @property
    def measure(self) -> float:
        """The F1 of objects, in 0..1."""
        total = 2 * self.tp + self.fp + self.fn
        return 2.0 * self.tp / total if total else 1.0


class TopologyCounts(CaseNumbers):
    """Betti numbers of each mask: components, tunnels (in a plane holes) and, in a volume, cavities."""

    predicted_components: Count
    predicted_tunnels: Count
    predicted_cavities: Count
    reference_components: Count
    reference_tunnels: Count
    reference_cavities: Count

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has a component if and only if it has foreground. An empty mask has no tunnel or cavity."""
        for name, whole in (("predicted", predicted), ("reference", reference)):
            inner = getattr(self, f"{name}_tunnels") + getattr(self, f"{name}_cavities")
            if inner and not whole:
                return f"{inner} tunnels and cavities of a mask without a voxel"
        return _unfit((self.predicted_components, self.reference_components), (predicted, reference))


class NetworkCounts(CaseNumbers):
    """Branches, length and mean radius of the skeleton of each mask; lengths in the unit of the evaluation."""

    predicted_branches: Count
    predicted_length: Amount
    predicted_radius: Amount | None
    """None for an empty mask."""
    reference_branches: Count
    reference_length: Amount
    reference_radius: Amount | None
    """None for an empty mask."""

    def contradiction(self, predicted: int, reference: int) -> str | None:
        """See `_unfit`: a mask has a branch and a radius if and only if it has foreground, and no length without it."""
        for name, whole in (("predicted", predicted), ("reference", reference)):
            radius, length = getattr(self, f"{name}_radius"), getattr(self, f"{name}_length")
            if (radius is None) != (whole == 0) or (length and not whole):
                return f"a {name} radius or length that a mask of {whole} voxels does not have"
        return _unfit((self.predicted_branches, self.reference_branches), (predicted, reference))


class RecallCounts(MeasureCounts):
    """Voxels of the reference that are in a mask (`tp`) and that are not (`fn`)."""

    formula: ClassVar[str] = "tp / (tp + fn); undefined when both are 0"

    tp: Count
    fn: Count

    @property
    def reference(self) -> int:
        """Voxels of the reference."""
        return self.tp + self.fn

    @property
    def measure(self) -> float | None:
        """Recall, in 0..1; None without a reference."""
        return self.tp / self.reference if self.reference else None


class BinCounts(NamedTuple):
    """One bin of a reliability diagram."""

    voxels: Count
    probability: Count
    """The sum of the voxels' probabilities in millionths, rounded to a whole number."""
    positives: Count
    """Voxels that are foreground in the reference."""


def whole_bins(bins: tuple[BinCounts, ...]) -> tuple[BinCounts, ...]:
    """The bins, if none has more positives than voxels, or more probability than one for each voxel.

    Raises:
        ValueError: names the bin.
    """
    for place, row in enumerate(bins):
        _part_of(f"positives of bin {place}", row.positives, "its voxels", row.voxels)
        _part_of(f"probability of bin {place}", row.probability, "one for each voxel", row.voxels * MILLION)
    return bins


Bins = Annotated[tuple[BinCounts, ...], Field(min_length=BINS, max_length=BINS), AfterValidator(whole_bins)]
"""The bins in order of probability, from 0 to 1."""


def _part_of(name: str, part: int, other: str, whole: int) -> None:
    if part > whole:
        raise ValueError(f"{name} ({part}) is more than {other} ({whole})")


def _unfit(parts: tuple[int, int], wholes: tuple[int, int]) -> str | None:
    """The first of prediction and reference whose part has more voxels than the mask, or none although the mask has some."""
    for name, part, whole in zip(("prediction", "reference"), parts, wholes, strict=True):
        if part > whole or (part == 0) != (whole == 0):
            return f"{part} voxels of the {name}, which has {whole}"
    return None
