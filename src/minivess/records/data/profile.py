"""What the images of a data set are like, in figures: the reference that later data are compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug


class Histogram(Record):
    """Counts of values in bins of equal width.

    Bin i holds the values from (first + i) × width up to, but not including, (first + i + 1) × width. Widths are powers
    of two and bins begin at multiples of them, so that histograms of any two images can be added exactly.
    """

    first: int
    width: Annotated[float, Field(gt=0)]
    counts: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class Quantiles(Record):
    """Values below which a share of the voxels lies: `p01` 1 %, `p50` half."""

    p01: float
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float


class Spread(Record):
    """How one figure spreads over cases."""

    cases: Annotated[int, Field(ge=1)]
    """Cases that have the figure."""
    minimum: float
    p05: float
    median: float
    p95: float
    maximum: float


class CaseProfile(Record):
    """The figures of one case; None where one is undefined (no mask, no noise)."""

    case: Slug
    quantiles: Quantiles
    mean: float
    deviation: float
    noise: float
    snr: float | None
    cnr: float | None
    sharpness: float | None
    foreground: Annotated[float, Field(ge=0, le=1)]


class GroupProfile(Record):
    """The figures of a group of cases."""

    kind: Literal["set", "modality", "site", "scanner"]
    name: ShortText
    cases: Annotated[int, Field(ge=1)]
    subjects: Annotated[int, Field(ge=1)]
    voxels: Annotated[int, Field(ge=1)]
    histogram: Histogram
    """Of all voxels of all cases; at most 128 bins."""
    intensity: dict[str, Spread]
    """Spread over cases of each quantile, the mean and the standard deviation."""
    sizes: dict[str, Spread]
    """Voxels along each axis, by axis."""
    spacing: dict[str, Spread]
    """By axis and unit, for example `z um`."""
    foreground: Spread
    classes: dict[str, float]
    """Share of each declared class in the foreground of all cases together."""
    noise: Spread
    snr: Spread | None
    cnr: Spread | None
    sharpness: Spread | None


class DatasetProfile(Record):
    """What a data set is like: as a whole, by modality, site and scanner, and case by case. The same cases give the
    same bytes.
    """

    dataset: Digest
    formulas: dict[str, str]
    """What each figure means, by name."""
    groups: Annotated[tuple[GroupProfile, ...], Field(min_length=1)]
    """The whole set first."""
    cases: tuple[CaseProfile, ...]
    left_out: tuple[Slug, ...] = ()
    """Cases whose arrays could not be read."""
