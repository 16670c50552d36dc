"""The rows of an evaluation, in two forms: counts (format 2), and ratios as version 0.1.0 wrote them.

A case has one row; with several classes, one row a class, in which the class is counted against everything else.

Both forms have `case`, `subject`, `group`, `values`, `dice` and `baseline_dice`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    model_serializer,
    model_validator,
)

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.records.attributes import Attributes
from minivess.records.base import Record, ShortText, Slug
from minivess.records.evaluation.counted.counts import Bins, CaseNumbers, OverlapCounts, RecallCounts
from minivess.records.evaluation.counted.places import ErrorsByPlace
from minivess.records.evaluation.counted.scores import SCORES, ScoreCounts, contradiction_of
from minivess.records.evaluation.measures import (
    DICE,
    Measure,
    MeasureName,
    counts_under,
    following_from,
    in_order,
    measure_of,
)


def _stated(name: object) -> object:
    """Refuse a class that is stated as nothing: what is left out has one spelling."""
    if name is None:
        raise ValueError("leave `of_class` out, or name a class")
    return name


OfClass = Annotated[ShortText | None, BeforeValidator(_stated), Field(exclude_if=lambda value: value is None)]
"""The name of one of several classes; left out where there is one, or where all are meant."""


def absent(value: object) -> bool:
    """Whether a field is left out of the JSON."""
    return value is None


def there[T](value: T) -> T:
    """Refuse a field that is stated as nothing: what is left out has one spelling."""
    if value is None:
        raise ValueError("leave it out, or give it a value")
    return value


Shape = Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(min_length=2, max_length=3)]
"""The number of voxels along each axis, (z, y, x) or (y, x)."""
Spacing = Annotated[tuple[Annotated[float, Field(strict=True, gt=0)], ...], Field(min_length=2, max_length=3)]
"""The distance between neighbours along each axis, in the unit of the tolerance."""

UNITS = ("subject", "group")
"""What the bootstrap can resample: fields of a case."""


def _row(name: str) -> Measure:
    """The row of a name that was checked."""
    row = measure_of(name)
    assert row is not None  # noqa: S101  `MeasureName` refuses other names
    return row


def _checked_values(values: dict[str, float | None]) -> Mapping[str, float | None]:
    """The values of a case, read-only and in the order of the table of measures."""
    if values.get(DICE) is None:
        raise ValueError(f"a case needs a value of {DICE}")
    for name, value in values.items():
        if value is None and not _row(name).can_be_undefined:
            raise ValueError(f"{name} is defined for every case, so it needs a value")
    return MappingProxyType({name: values[name] for name in in_order(values)})


MeasuredValues = Annotated[dict[MeasureName, float | None], AfterValidator(_checked_values)]
"""The value of each measure by its name; None where a measure is undefined."""


class CaseMeasures(Record):
    """Measures of one case. In JSON the values are keys of the case itself, as version 0.1.0 wrote them."""

    case: Slug
    subject: Slug
    values: MeasuredValues
    baseline_dice: float
    """Dice of the best single intensity threshold, tuned on the calibration part."""

    @property
    def dice(self) -> float:
        """The Dice, which every case has."""
        return cast("float", self.values[DICE])

    @property
    def group(self) -> str:
        """The subject: records of version 0.1.0 have no group."""
        return self.subject

    @property
    def of_class(self) -> None:
        """Records of version 0.1.0 have one class."""
        return None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "values" in data:
            return data
        own = {name: data[name] for name in cls.model_fields if name in data}
        return {**own, "values": {name: value for name, value in data.items() if name not in own}}

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return {"case": self.case, "subject": self.subject, **self.values, "baseline_dice": self.baseline_dice}


def _of_their_kind(data: Any) -> Any:
    """Counts as records of the class that their name stands for."""
    if not isinstance(data, Mapping):
        return data
    kinds = {name: counts_under(name) for name in data}
    if unknown := [name for name, kind in kinds.items() if kind is None]:
        raise ValueError(f"no measure has the counts {unknown[0]!r}")
    return {name: kind.model_validate(data[name]) for name, kind in kinds.items() if kind is not None}


def _checked_counts(counts: dict[str, CaseNumbers]) -> Mapping[str, CaseNumbers]:
    """The counts of a case, read-only and in the order of the table of measures."""
    if DICE not in counts:
        raise ValueError(f"a case needs counts of {DICE}")
    places = {row.counted_as: place for place, row in reversed(list(enumerate(following_from(counts))))}
    return MappingProxyType({name: counts[name] for name in sorted(counts, key=places.__getitem__)})


def _agreed(counts: dict[str, CaseNumbers]) -> Mapping[str, CaseNumbers]:
    """The counts of readers, read-only and in the order of the table of measures."""
    return _checked_counts(counts) if counts else MappingProxyType({})


def _plain(counts: Mapping[str, CaseNumbers]) -> dict[str, dict[str, int | float | None]]:
    return {name: held.model_dump() for name, held in counts.items()}


CountsByName = Annotated[
    dict[str, CaseNumbers],
    BeforeValidator(_of_their_kind),
    AfterValidator(_checked_counts),
    PlainSerializer(_plain),
]
"""What was counted of a case, by the name of the counts. Several measures can follow from one of them."""

ReaderAgreement = Annotated[
    dict[str, CaseNumbers],
    BeforeValidator(_of_their_kind),
    AfterValidator(_agreed),
    PlainSerializer(_plain),
    Field(exclude_if=lambda counts: not counts),
]
"""What was counted of the masks of two readers, by the name of the counts; left out of the JSON where there is none."""


class CaseCounts(Record):
    """What was counted of one case. Its measures are computed from the counts and are not written.

    Counts that contradict one another are refused: the reference has the same number of voxels in the counts of Dice, of
    the baseline, of the conformal mask and in the bins; the masks have no more voxels than the bins; the border is part of
    the volume; a mask with foreground has a skeleton and a border, and no distance to an empty mask.
    """

    case: Slug
    of_class: OfClass = None
    """The class that was counted against everything else, by its name. None: there is one class."""
    subject: Slug
    group: Slug
    """The cases of one group are in one part of the split. The seal fixes the groups."""
    counts: CountsByName
    baseline: OverlapCounts
    """Of the best single intensity threshold, tuned on the calibration part."""
    conformal: RecallCounts | None
    """Of the conformal mask; None when calibration could give no guarantee, so that there is no such mask."""
    bins: Bins
    """Of all voxels."""
    border_bins: Bins
    """Of the voxels along the border of the reference."""
    scores: Annotated[ScoreCounts | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Of the probabilities of all voxels. None: records of before."""
    border_scores: Annotated[ScoreCounts | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Of the probabilities of the voxels along the border of the reference; there with `scores`."""
    shape: Annotated[Shape | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Of the volume or picture. None: records of before."""
    spacing: Annotated[Spacing | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """With which surfaces were measured; there with `shape`."""
    attributes: Attributes = Field(default={})
    """Site, scanner, disease, age band and others of the case, from which subgroups are made."""
    errors: Annotated[ErrorsByPlace | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Where the missed and the false voxels are; None in records of before."""
    readers: ReaderAgreement = Field(default={}, validate_default=True)
    """The counts of a second reader's mask against the reference, by measure; empty where there is one reader."""

    @property
    def overlap(self) -> OverlapCounts:
        """The counts of Dice, which every case has."""
        return cast("OverlapCounts", self.counts[DICE])

    @property
    def values(self) -> Mapping[str, float | None]:
        """The value of each measure that follows from the counts, in the order of the table of measures; None where it is
        undefined. An evaluation shows those that its plan names."""
        voxels = self.voxels
        return {row.name: row.value(self.counts[row.counted_as], voxels) for row in following_from(self.counts)}

    @property
    def score_values(self) -> Mapping[str, float | None]:
        """The value of each score of its probabilities by its name; None where one is undefined. Empty in records of before."""
        if self.scores is None or self.border_scores is None:
            return {}
        held = {True: self.border_scores, False: self.scores}
        return {name: score.value(held[score.along_border]) for name, score in SCORES.items()}

    @property
    def dice(self) -> float:
        """The Dice, which every case has."""
        return self.overlap.measure

    @property
    def baseline_dice(self) -> float:
        """Dice of the best single intensity threshold, tuned on the calibration part."""
        return self.baseline.measure

    def unit(self, name: str) -> str:
        """The subject or group of the case, whichever the bootstrap resamples.

        Raises:
            UsageError: the name is neither.
        """
        units = {"subject": self.subject, "group": self.group}
        return choose(units, name, what="bootstrap unit")

    @property
    def voxels(self) -> int:
        """Voxels of the volume."""
        return sum(row.voxels for row in self.bins)

    @implements("REQ-214", "REQ-374", "REQ-381")
    @model_validator(mode="after")
    def _fit(self) -> Self:
        if not self.voxels:
            raise ValueError(f"case {self.case} has no voxels")
        reference = self.overlap.reference
        others = {
            "baseline": self.baseline.reference,
            "conformal": reference if self.conformal is None else self.conformal.reference,
            "bins": sum(row.positives for row in self.bins),
        }
        for name, found in others.items():
            if found != reference:
                raise ValueError(
                    f"case {self.case}: the reference has {reference} voxels in dice, and {found} in {name}"
                )
        for name, counts in (("dice", self.overlap), ("baseline", self.baseline)):
            if counts.either > self.voxels:
                raise ValueError(
                    f"case {self.case}: the masks of {name} have {counts.either} voxels, and the bins {self.voxels}"
                )
        for name, counted in self.counts.items():
            said = counted.contradiction(self.overlap.predicted, reference)
            if said is not None:
                raise ValueError(f"case {self.case}: {name} has {said}")
        for row in following_from(self.counts):
            if not row.can_be_undefined and row.value(self.counts[row.counted_as], self.voxels) is None:
                raise ValueError(f"{row.name} is defined for every case, so it needs a value")
        for place, (near, everywhere) in enumerate(zip(self.border_bins, self.bins, strict=True)):
            if near.voxels > everywhere.voxels or near.positives > everywhere.positives:
                raise ValueError(f"case {self.case}: bin {place} has more voxels along the border than in the volume")
        return self

    @implements("REQ-417", "REQ-418")
    @model_validator(mode="after")
    def _places_and_readers_fit(self) -> Self:
        if self.errors is not None and (said := self.errors.contradiction(self.overlap)) is not None:
            raise ValueError(f"case {self.case} has {said}")
        read, reference = self.readers.get(DICE), self.overlap.reference
        if isinstance(read, OverlapCounts) and (read.reference != reference or read.either > self.voxels):
            raise ValueError(
                f"case {self.case}: the first reader's mask has {read.reference} voxels, both have {read.either}, and the "
                f"reference has {reference} of {self.voxels}"
            )
        return self

    @implements("REQ-383", "REQ-384")
    @model_validator(mode="after")
    def _optional_parts_fit(self) -> Self:
        if (self.scores is None) != (self.border_scores is None) or (self.shape is None) != (self.spacing is None):
            raise ValueError(
                f"case {self.case} has scores without those of the border, a shape without spacing, or one of these"
            )
        if self.scores is not None and self.border_scores is not None:
            said = contradiction_of(self.scores, self.border_scores, self.bins, self.border_bins)
            if said is not None:
                raise ValueError(f"case {self.case}: {said}")
        if self.shape is not None and self.spacing is not None:
            if len(self.shape) != len(self.spacing):
                raise ValueError(f"case {self.case} has {len(self.shape)} axes and {len(self.spacing)} spacings")
            if math.prod(self.shape) != self.voxels:
                raise ValueError(
                    f"case {self.case}: its shape has {math.prod(self.shape)} voxels, and the bins {self.voxels}"
                )
        return self


def _form(data: Any) -> str:
    """The form of a case: counts where there are any, else ratios."""
    if isinstance(data, CaseCounts):
        return "counts"
    return "counts" if isinstance(data, Mapping) and "counts" in data else "ratios"


EvaluatedCase = Annotated[
    Annotated[CaseCounts, Tag("counts")] | Annotated[CaseMeasures, Tag("ratios")], Discriminator(_form)
]
"""A case in either form."""


@implements("REQ-214", "REQ-338", "RC-141")
def check_rows(rows: Sequence[CaseCounts]) -> None:
    """Refuse rows that contradict one another.

    Each case has one row of each class, with the same measures. The rows of a case have the same voxels, and its classes
    exclude each other: all references together, and all predictions together, have no more voxels than the volume.

    Raises:
        ValueError: names the case.
    """
    first: dict[str | None, CaseCounts] = {}
    held: dict[str, dict[str | None, CaseCounts]] = {}
    for row in rows:
        alike, place = first.setdefault(row.of_class, row), "" if row.of_class is None else f" in class {row.of_class}"
        if held.setdefault(row.case, {}).setdefault(row.of_class, row) is not row:
            raise ValueError(f"case {row.case} occurs twice{place}")
        if set(row.counts) != set(rows[0].counts):
            raise ValueError(f"case {row.case} has other measures than case {rows[0].case}")
        if (row.conformal is None) != (alike.conformal is None):
            raise ValueError(f"of the cases {alike.case} and {row.case} only one has counts of a conformal mask{place}")
        if (row.scores is None, row.shape is None) != (rows[0].scores is None, rows[0].shape is None):
            raise ValueError(f"of the cases {rows[0].case} and {row.case} only one has scores, or a shape{place}")
    if None in first and len(first) > 1:
        raise ValueError("some cases have classes, and others have none")
    for name, of_class in held.items():
        same = list(of_class.values())
        if len(same) < len(first):
            raise ValueError(f"case {name} has no row of class {min(str(one) for one in set(first) - set(of_class))}")
        if len({(row.subject, row.group, row.voxels, row.shape, row.spacing) for row in same}) > 1:
            raise ValueError(f"case {name} has rows of different subjects, groups, shapes or numbers of voxels")
        if any(row.attributes != same[0].attributes for row in same):
            raise ValueError(f"case {name} has rows of different attributes")
        references = sum(row.overlap.reference for row in same)
        predictions = sum(row.overlap.tp + row.overlap.fp for row in same)
        if len(same) > 1 and max(references, predictions) > same[0].voxels:
            raise ValueError(f"case {name} has classes that overlap: they have more voxels together than the volume")
