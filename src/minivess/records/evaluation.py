"""Measures per case, aggregates with intervals, and the criteria they are judged by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug

Measure = Literal["dice", "cldice", "nsd", "hd95_um"]
MEASURES: tuple[Measure, ...] = ("dice", "cldice", "nsd", "hd95_um")
HIGHER_IS_BETTER: dict[Measure, bool] = {"dice": True, "cldice": True, "nsd": True, "hd95_um": False}


class CaseMeasures(Record):
    """Measures of one case; `hd95_um` in micrometres, None where it is undefined (one mask empty)."""

    case: Slug
    subject: Slug
    dice: float
    cldice: float
    nsd: float
    hd95_um: float | None
    baseline_dice: float
    """Dice of the best single intensity threshold, tuned on the calibration part."""


class Interval(Record):
    """A mean over `n` cases with a 95 % percentile bootstrap interval, resampled by subject.

    With cases of fewer than two subjects there is nothing to resample, so there is no interval: `lower` and `upper` are
    None, and whatever asks for a bound is not met.
    """

    mean: float
    lower: float | None
    upper: float | None
    n: int

    def words(self, digits: int = 3) -> str:
        """The interval for people, without the mean."""
        if self.lower is None or self.upper is None:
            return "no interval: one subject"
        return f"{self.lower:.{digits}f} to {self.upper:.{digits}f}"


class Criterion(Record):
    """An acceptance criterion fixed before the test set is opened."""

    measure: Measure | Literal["dice_over_baseline"]
    statistic: Literal["mean", "lower", "upper"] = "mean"
    at_least: float | None = None
    at_most: float | None = None


class Conventions(Record):
    """Choices that change numbers, and so belong beside them."""

    tolerance_um: Annotated[float, Field(gt=0)]
    """Surface tolerance of NSD."""
    foreground_connectivity: Literal[6, 18, 26] = 26
    both_empty: ShortText = "dice, clDice and NSD are 1; HD95 is 0"
    one_empty: ShortText = "dice, clDice and NSD are 0; HD95 is undefined and listed as such"
    border: ShortText = "foreground with background among its six face neighbours; outside the volume is background"
    skeleton: ShortText = "scikit-image skeletonize, Lee's method"
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    bootstrap_unit: ShortText = "subject"


class EvaluationRecord(Record):
    """The outcome of one opening of the test set."""

    model: Digest
    data: Digest
    request: Slug
    threshold: float
    conventions: Conventions
    cases: tuple[CaseMeasures, ...]
    aggregates: dict[str, Interval]
    baseline: Interval
    conformal_recall: Interval | None = None
    """Recall of the conformal mask; None when calibration could give no guarantee, so that there is no such mask."""
    ece: float
    band_ece: float
    best: Slug
    worst: Slug
