"""Measures per case, aggregates with intervals, and the criteria they are judged by."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.evaluation.cases import UNITS, CaseCounts, EvaluatedCase, OfClass, absent, check_rows, there
from minivess.records.evaluation.margins import Margin
from minivess.records.evaluation.measures import (
    FORMER,
    USUAL,
    AggregateName,
    Measure,
    MeasureName,
    following_from,
    measures_of,
)
from minivess.records.evaluation.parts import PART_NOTES, EvaluatedPart
from minivess.records.evaluation.statistics.summaries import CONFIDENCE, FEW_GROUPS, ClassFigures, Interval, percent
from minivess.records.lengths import UNIT_NAMES, Length, LengthUnit
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

FORMAT = "minivess-evaluation/2"
"""Of records whose cases hold counts. Records of version 0.1.0 name no format, and their cases hold ratios."""

BOOTSTRAP_UNIT = "group"
"""What a statistic counts: the independent group, as the seal fixes it (`records.data.groups`)."""
Statistics = Literal["mean of cases", "mean of groups"]
"""How a mean and its interval are made (docs/concepts/evaluation-record.md). `mean of groups`: the value of a group is the
mean of its cases, and each group weighs the same. `mean of cases`: each case weighs the same; percentile bootstrap."""
STATISTICS: Statistics = "mean of groups"
"""Of every seal that is made now."""
FAILURE_DICE = 0.5
"""A case with a lower Dice has failed, unless the project file says another limit."""
INTERVALS: dict[Statistics, str] = {
    "mean of cases": "percentile bootstrap of the mean over cases, resampled by subject",
    "mean of groups": (
        f"mean over group means: Student's t below {FEW_GROUPS} groups, else percentile bootstrap, each beside the other; "
        "share of failed groups: Clopper-Pearson"
    ),
}
"""What an analysis plan says of its intervals."""
MOST_RESAMPLES = 100_000
"""So that a verifier computes an interval in seconds."""


@implements("REQ-183")
def level_of_all(total: int) -> float:
    """The level of each interval where `total` looks at one test set are allowed: 1 - 0.05/total (Bonferroni; Dunn 1961).

    The intervals of all looks hold together with at least 95 %. What it does not correct for: that what earlier looks
    showed may have guided the model (Dwork et al. 2015); docs/concepts/threat-model.md.
    """
    return 1 - (1 - CONFIDENCE) / total


def level_of_look(look: int) -> float:
    """The level of each interval at the `look`-th look under a seal of version 0.1.0, which fixed no total: 1 - 0.05/look."""
    return 1 - (1 - CONFIDENCE) / look


def reuse_in_words(look: int, total: int | None = None) -> str:
    """What a reader of the figures must know of other looks at the same test set.

    Args:
        look: which look it was.
        total: how many looks the seal allows; None for seals of version 0.1.0.
    """
    guided = (
        "What earlier looks showed may have guided this model, and no interval corrects for that (Dwork et al. 2015)."
    )
    if total is not None:
        if total == 1:
            return "This was the only look at this test set that its seal allows."
        said = (
            f"This was look {look} of at most {total} at this test set: every interval has a level of "
            f"{percent(level_of_all(total))}, at which those of {total} looks hold together with {percent(CONFIDENCE)} "
            "(Bonferroni; Dunn 1961)."
        )
        return said if look == 1 else f"{said} {guided}"
    if look == 1:
        return "This was the first look at this test set."
    return (
        f"This was look {look} at the same test set: intervals are widened to {percent(level_of_look(look))}, at which "
        f"those of {look} looks hold together with {percent(CONFIDENCE)} (Bonferroni; Dunn 1961). {guided}"
    )


REUSE = "every look at one test set: intervals of level 1 - 0.05/K, where K looks are allowed (Bonferroni; Dunn 1961)"
REUSE_0_1_0 = "look k at one test set: intervals of level 1 - 0.05/k (Bonferroni; Dunn 1961)"
"""What plans say of seals of version 0.1.0, which fixed no total of looks."""


class Criterion(Record):
    """An acceptance criterion fixed before the test set is opened."""

    measure: AggregateName
    """The measure that is limited."""
    of_class: OfClass = None
    """The class whose figures are limited, by its name. Without it, every class must meet the criterion."""
    statistic: Literal["mean", "lower", "upper"] = "mean"
    """The mean, or a limit of its interval."""
    at_least: float | None = None
    """The smallest value that is accepted."""
    at_most: float | None = None
    """The largest value that is accepted."""

    @property
    def named(self) -> str:
        """Measure, class and statistic, for people: `dice of artery, mean`."""
        place = "" if self.of_class is None else f" of {self.of_class}"
        return f"{self.measure}{place}, {self.statistic}"


SKELETON = "scikit-image skeletonize, Lee's method; a component that it removes is thinned one simple voxel at a time"
SKELETON_BEFORE = "scikit-image skeletonize, Lee's method"
"""Of seals that state no statistics. Their projects keep it: a removed component has no skeleton, a removed mask is its own."""


class Conventions(Record):
    """Choices that change numbers, and so belong beside them."""

    tolerance: Annotated[float | None, Field(gt=0, exclude_if=absent)] = None
    """Surface tolerance of NSD, in `unit`."""
    unit: Annotated[LengthUnit | None, Field(exclude_if=absent)] = None
    """The unit of the tolerance and of all distances. None: records of before, with `tolerance_um`."""
    tolerance_um: Annotated[float | None, Field(gt=0, exclude_if=absent)] = None
    """The tolerance in micrometres, as records of before state it."""
    foreground_connectivity: Literal[6, 18, 26] = 26
    both_empty: ShortText = "dice, clDice and NSD are 1; HD95 is 0"
    one_empty: ShortText = "dice, clDice and NSD are 0; HD95 is undefined and listed as such"
    of_measure: Annotated[dict[MeasureName, ShortText], Field(exclude_if=lambda value: not value)] = Field(default={})
    """The same of each further measure of the plan, as its row in the table of measures says it."""
    border: ShortText = "foreground with background among its six face neighbours; outside the volume is background"
    skeleton: ShortText = SKELETON
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    bootstrap_unit: ShortText = "subject"
    statistics: Annotated[Statistics, Field(exclude_if=lambda value: value == "mean of cases")] = "mean of cases"
    """How means and intervals are made. Seals and plans of before do not say, and keep `mean of cases`."""
    failure_dice: Annotated[float | None, Field(gt=0, le=1, exclude_if=absent)] = None
    """A case with a lower Dice has failed; a group has when one of its cases has. None: failures are not counted."""

    @implements("REQ-324")
    @model_validator(mode="after")
    def _fit(self) -> Self:
        if (self.tolerance is None) != (self.unit is None) or (self.tolerance is None) == (self.tolerance_um is None):
            raise ValueError("a tolerance needs its unit: state `tolerance` and `unit`")
        if self.statistics == "mean of groups" and self.bootstrap_unit != "group":
            raise ValueError(f"means of groups cannot be resampled by {self.bootstrap_unit}")
        if self.failure_dice is not None and self.statistics != "mean of groups":
            raise ValueError("failures are counted by group, so `failure_dice` needs the statistics `mean of groups`")
        return self

    @property
    def within(self) -> Length:
        """The surface tolerance with its unit."""
        if self.tolerance is None or self.unit is None:
            assert self.tolerance_um is not None  # noqa: S101  `_fit` requires it
            return Length(self.tolerance_um, "um")
        return Length(self.tolerance, self.unit)


class CriterionOutcome(Record):
    """How one criterion came out; an undefined value meets none."""

    criterion: Criterion
    value: float | None
    met: bool


class Looks(Record):
    """How often the sealed test set may be opened for one release of the device, and in all."""

    per_release: Annotated[int, Field(ge=1)] = 1
    """The number of looks for one release."""
    total: Annotated[int, Field(ge=1)] = 3
    """The number of looks in all."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.per_release > self.total:
            raise ValueError("a release cannot have more looks than there are in all")
        return self


MASKS = {
    "one": "voxels with a calibrated probability of at least `mask_threshold`",
    "several": "of each voxel the class, or the background, with the highest calibrated probability",
}
"""How the mask is made of the probabilities of one class, or of several."""

PUBLISHED_BEFORE = "measures of every case; pictures of the best and the worst case with their masks"
"""What plans of before say of what becomes known of the test set."""
PUBLISHED = (
    "measures of every case; a small picture of every case with its masks, and large ones of the best, the median, the worst "
    "and two random cases; none in a custodian run"
)
"""What becomes known of the test set."""


SCORED = "Brier score, negative log likelihood, adaptive calibration error and average precision of each case, also at borders"
"""What a plan says of the scores of probabilities."""


class AnalysisPlan(Record):
    """How the test set will be judged. Made from the project file, and in the log before anybody asks to open it."""

    measures: tuple[MeasureName, ...] = USUAL
    mask: ShortText = MASKS["one"]
    mask_threshold: Annotated[float, Field(gt=0, lt=1)]
    conventions: Conventions
    intervals: ShortText = INTERVALS["mean of cases"]
    confidence: float = CONFIDENCE
    reuse: ShortText = REUSE
    baseline: ShortText = "the best single intensity threshold, tuned on the calibration part"
    published: ShortText = PUBLISHED_BEFORE
    seed: int
    looks: Looks
    criteria: tuple[Criterion, ...]
    notes: Statement | None = None
    """What else was planned, in the words of the project file."""
    scores: Annotated[ShortText | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Which scores of probabilities each case has. None: plans of before, whose cases have none."""
    margins: Annotated[tuple[Margin, ...], Field(exclude_if=lambda value: not value)] = ()
    """By which a comparison with another model judges non-inferiority; the smallest of several counts."""

    @implements("REQ-324")
    @model_validator(mode="after")
    def _units(self) -> Self:
        unfit = set(FORMER.values()) if self.conventions.unit is None else set(FORMER)
        named = {one.measure for one in self.criteria} | {one.measure for one in self.margins}
        if found := unfit & (named | {*self.measures}):
            unit = UNIT_NAMES[self.conventions.within.unit]
            raise ValueError(f"{min(found)} does not fit a tolerance in {unit}: state the unit once")
        return self


class IntensityThreshold(Record):
    """The best single intensity threshold for a class: the baseline."""

    threshold: float
    """On the scale of the normalised channel."""
    channel: Annotated[int, Field(ge=0)] = 0
    bright: bool = True
    """Whether the class is at the threshold and above; False: at it and below."""


class ClassThresholds(Record):
    """What was tuned for one class on the calibration part."""

    baseline: IntensityThreshold
    conformal: Annotated[float, Field(ge=0, le=1)] | None = None
    """Probability of the class from which a voxel is in its conformal mask; None when calibration could give no guarantee."""


class EvaluationPlan(Record):
    """One evaluation: the registered analysis plan, the model and data it is about, thresholds, and which look it is."""

    analysis: AnalysisPlan
    model: Digest
    data: Digest
    """Root of the sealed test part."""
    request: Slug
    """The request under which the test set was opened."""
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES
    """Channels, axes and classes of the model."""
    thresholds: Annotated[tuple[ClassThresholds, ...], Field(min_length=1)]
    """Of each class, in the order of the task."""
    look: Annotated[int, Field(ge=1)] = 1
    looks: Annotated[int, Field(ge=1)] | None = None
    """How many looks the seal allows; None under seals of version 0.1.0."""
    groups: dict[Slug, Slug]
    """The group of each case of the data set, as the seal fixed them."""
    part: EvaluatedPart | None = None
    """The part that is evaluated; None: the sealed test part."""
    cross_fitted: dict[Slug, tuple[ClassThresholds, ...]] = Field(default={})
    """Thresholds of single cases, fitted on other groups. They replace `thresholds`."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        for found in (self.thresholds, *self.cross_fitted.values()):
            if len(found) != len(self.task.classes):
                raise ValueError(f"{len(self.task.classes)} classes need as many thresholds, not {len(found)}")
        return self

    def thresholds_of(self, case: str) -> tuple[ClassThresholds, ...]:
        """What was tuned for each class, for a case."""
        return self.cross_fitted.get(case, self.thresholds)

    @property
    def level(self) -> float:
        """The level of every interval."""
        return level_of_look(self.look) if self.looks is None else level_of_all(self.looks)


class EvaluationRecord(Record):
    """The outcome of one opening of the test set.

    In format 2 the cases hold counts, from which every figure follows (`records.evaluation.recomputation`).
    """

    format: Annotated[Literal["minivess-evaluation/2"] | None, Field(exclude_if=lambda value: value is None)] = None
    """None in records of version 0.1.0, whose cases hold ratios."""
    model: Digest
    data: Digest
    request: Slug
    threshold: float
    conventions: Conventions
    cases: tuple[EvaluatedCase, ...]
    aggregates: dict[str, Interval]
    baseline: Interval
    conformal_recall: Interval | None = None
    """Recall of the conformal mask; None when calibration could give no guarantee, so that there is no such mask."""
    ece: float
    band_ece: float
    best: Slug
    worst: Slug
    look: Annotated[int, Field(ge=1)] = 1
    """Which look at this test set it was."""
    looks: Annotated[int, Field(ge=1)] | None = None
    """How many looks the seal allows; None under seals of version 0.1.0."""
    part: Annotated[EvaluatedPart | None, Field(exclude_if=absent)] = None
    """The part that was evaluated; None: the sealed test part. `request` then names the part, and no gate takes the record."""
    measured: Annotated[tuple[MeasureName, ...], Field(exclude_if=lambda value: not value)] = ()
    """The measures of its plan, in the order of reports. Empty: those by which the counts of its cases are named."""
    classes: Annotated[dict[str, ClassFigures], Field(exclude_if=lambda value: not value)] = Field(default={})
    """Each of several classes by its name, in the order of their values: the same figures over the rows of the class. Then
    the figures of the record itself are over the rows of all classes. Empty for one class."""

    @property
    def by_class(self) -> dict[str | None, ClassFigures]:
        """The figures of each class by its name; of one class under None."""
        held: dict[str | None, ClassFigures] = {}
        held.update(self.classes.items())
        alone = {name: getattr(self, name) for name in ClassFigures.model_fields}
        return held or {None: ClassFigures.model_construct(**alone)}

    @property
    def tested(self) -> tuple[str, ...]:
        """The cases by name, each once, in the order of the rows."""
        return tuple(dict.fromkeys(row.case for row in self.cases))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures of its plan, in the order of reports."""
        held = (row.counts if isinstance(row, CaseCounts) else row.values for row in self.cases)
        return measures_of(self.measured or {name for names in held for name in names})

    @property
    def unit(self) -> LengthUnit:
        """The unit of all distances."""
        return self.conventions.within.unit

    @property
    def level(self) -> float:
        """The level of every interval."""
        return level_of_look(self.look) if self.looks is None else level_of_all(self.looks)

    @property
    def groups(self) -> tuple[str, ...]:
        """The independent groups of its cases, in order of name."""
        return tuple(sorted({case.group for case in self.cases}))

    @property
    def certainty(self) -> str:
        """The level of the intervals, for people."""
        return percent(self.level)

    @property
    def reuse(self) -> str:
        """What a reader must know of other looks at the same test set, or of the part that was evaluated."""
        return reuse_in_words(self.look, self.looks) if self.part is None else PART_NOTES[self.part]

    @implements("REQ-214")
    @model_validator(mode="after")
    def _one_form(self) -> Self:
        counted = sum(isinstance(case, CaseCounts) for case in self.cases)
        if self.format is None:
            if counted:
                raise ValueError(f"cases with counts need the format {FORMAT}")
            return self
        if counted < len(self.cases) or not counted:
            raise ValueError(f"the format {FORMAT} needs cases, each with counts")
        if self.conventions.bootstrap_unit not in UNITS:
            raise ValueError(f"the bootstrap unit {self.conventions.bootstrap_unit!r} is none of {', '.join(UNITS)}")
        if self.conventions.bootstrap > MOST_RESAMPLES:
            raise ValueError(f"{self.conventions.bootstrap} resamples are more than {MOST_RESAMPLES}")
        rows = [case for case in self.cases if isinstance(case, CaseCounts)]
        check_rows(rows)
        lacking = set(self.measured) - {row.name for row in following_from(rows[0].counts)}
        if lacking:
            raise ValueError(f"{min(lacking)} does not follow from the counts of the cases")
        return self
