"""The measures of an evaluation: name, counts, unit, direction and words of each. `ml.measures` counts each in two masks.

To add a measure, add a row here and a module of the same name with a function `count` in `ml/measures/`. The row names a
class of counts (`records.evaluation.counts`), which has the formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from minivess.records.data.dataset import Capabilities
from minivess.records.evaluation.counts import CentrelineCounts, Distance, MeasureCounts, OverlapCounts, SurfaceCounts

ONE_CLASS = Capabilities(axes=("zyx", "yx"), classes=1)
"""Two binary masks of a volume or a plane, of any unit."""
DISTANCES = Capabilities(axes=("zyx", "yx"), units=("um",), classes=1)
"""The same with a known voxel size: for distances in micrometres."""


@dataclass(frozen=True)
class Measure:
    """What people and gates need to know of a measure of two masks."""

    name: str
    """As logs, packs, criteria and gates name it: an identifier in lower case."""
    title: str
    short: str
    """For figures and tables."""
    counts: type[MeasureCounts]
    """What is counted of each case, with the formula of the measure."""
    higher_is_better: bool = True
    unit: str = ""
    """Empty for a share."""
    largest: float | None = 1.0
    """The largest possible value; None when there is no such value. The smallest is 0."""
    digits: int = 3
    """Digits after the decimal point."""
    can_be_undefined: bool = False
    """Whether a case can be without a value, for example when one of its masks is empty."""
    takes: Capabilities = ONE_CLASS
    """The cases it can be computed for."""

    @property
    def heading(self) -> str:
        """The title with its unit."""
        return _with_unit(self.title, self.unit)

    @property
    def short_heading(self) -> str:
        """The short title with its unit."""
        return _with_unit(self.short, self.unit)

    @property
    def direction(self) -> str:
        """Which values are better, for people."""
        return "higher is better" if self.higher_is_better else "lower is better"


def _with_unit(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure("dice", "Dice", "Dice", OverlapCounts),
        Measure("cldice", "clDice", "clDice", CentrelineCounts),
        Measure("nsd", "Normalised surface distance", "NSD", SurfaceCounts, takes=DISTANCES),
        Measure(
            "hd95_um",
            "95th percentile Hausdorff distance",
            "HD95",
            Distance,
            higher_is_better=False,
            unit="µm",
            largest=None,
            digits=1,
            can_be_undefined=True,
            takes=DISTANCES,
        ),
    )
}
"""Every measure by its name, in the order in which reports show them."""

DICE = "dice"
"""The measure that every evaluation has: it ranks the cases and tunes the baseline."""

OVER_BASELINE = "dice_over_baseline"
"""The aggregate of the paired difference in Dice to the tuned intensity threshold."""


FAILURES = "failures"
"""The aggregate of the share of groups that failed."""

_HEADINGS = {OVER_BASELINE: "Dice over the tuned intensity threshold", FAILURES: "Share of groups that failed"}


def range_of(name: str) -> tuple[float, float]:
    """The smallest and the largest possible value of a measure or aggregate."""
    if name == OVER_BASELINE:
        return -1.0, 1.0
    largest = MEASURES[name].largest if name in MEASURES else 1.0
    return 0.0, math.inf if largest is None else largest


def heading_of(name: str) -> str:
    """The title with its unit of a measure or aggregate; the name itself when it is neither."""
    return MEASURES[name].heading if name in MEASURES else _HEADINGS.get(name, name)


@dataclass(frozen=True)
class _Vocabulary:
    """Validates that a word is the name of a measure, or one of a few others."""

    others: tuple[str, ...] = ()

    def _check(self, word: str) -> str:
        known = (*MEASURES, *self.others)
        if word not in known:
            *first, last = (f"'{name}'" for name in known)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(first)} or {last}"})
        return word

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string that is checked against the table when it is read."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The names as an enumeration."""
        return {"type": "string", "enum": [*MEASURES, *self.others]}


MeasureName = Annotated[str, _Vocabulary()]
"""The name of a measure."""

AggregateName = Annotated[str, _Vocabulary((OVER_BASELINE, FAILURES))]
"""The name of a measure, of the paired difference to the baseline or of the share of failed groups: what acceptance criteria can
name."""
