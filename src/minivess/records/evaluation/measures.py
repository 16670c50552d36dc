"""The measures of an evaluation: name, counts, unit, direction and words of each. `ml.measures` counts each in two masks.

To add a measure, add a row here and a module of the same name with a function `count` in `ml/measures/`. The row names a
class of counts (`records.evaluation.counts`), which has the formula.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from minivess.records.data.dataset import Capabilities
from minivess.records.evaluation.counts import CentrelineCounts, Distance, MeasureCounts, OverlapCounts, SurfaceCounts
from minivess.records.lengths import UNIT_NAMES, LengthUnit

_DIGITS_OF_MM = 3
ANY_CASE = Capabilities()
"""Two masks of a class, in a volume or a plane of any channels, of any unit; each of several classes is one of its own."""


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
    is_distance: bool = False
    """Whether its values are distances, in the unit of the tolerance of the evaluation; else they are shares."""
    largest: float | None = 1.0
    """The largest possible value; None when there is no such value. The smallest is 0."""
    digits: int = 3
    """Digits after the decimal point."""
    can_be_undefined: bool = False
    """Whether a case can be without a value, for example when one of its masks is empty."""
    takes: Capabilities = ANY_CASE
    """The cases it can be computed for."""

    def heading(self, unit: LengthUnit | None = None) -> str:
        """The title; of a distance with the unit of the evaluation, where one is given."""
        return self._with_unit(self.title, unit)

    def short_heading(self, unit: LengthUnit | None = None) -> str:
        """The short title, with the unit likewise."""
        return self._with_unit(self.short, unit)

    def digits_in(self, unit: LengthUnit) -> int:
        """Digits after the decimal point in a unit: millimetres need as many as a share."""
        return _DIGITS_OF_MM if self.is_distance and unit == "mm" else self.digits

    def _with_unit(self, title: str, unit: LengthUnit | None) -> str:
        return f"{title} ({UNIT_NAMES[unit]})" if self.is_distance and unit is not None else title

    @property
    def direction(self) -> str:
        """Which values are better, for people."""
        return "higher is better" if self.higher_is_better else "lower is better"


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure("dice", "Dice", "Dice", OverlapCounts),
        Measure("cldice", "clDice", "clDice", CentrelineCounts),
        Measure("nsd", "Normalised surface distance", "NSD", SurfaceCounts),
        Measure(
            "hd95",
            "95th percentile Hausdorff distance",
            "HD95",
            Distance,
            higher_is_better=False,
            is_distance=True,
            largest=None,
            digits=1,
            can_be_undefined=True,
        ),
    )
}
"""Every measure by its name, in the order in which reports show them."""

FORMER = {"hd95_um": "hd95"}
"""Names of measures in records of before, and what the measures are called now. `hd95_um` is in micrometres."""


def measure_of(name: str) -> Measure | None:
    """The row of a measure by its name or its former name, which it keeps; None where there is no such measure."""
    row = MEASURES.get(FORMER.get(name, name))
    return row if row is None or row.name == name else replace(row, name=name)


def in_order(names: Collection[str]) -> list[str]:
    """Those of some names that are measures, in the order in which reports show them."""
    places = {name: place for place, name in enumerate(MEASURES)}
    known = {name: FORMER.get(name, name) for name in names}
    return sorted((name for name, now in known.items() if now in places), key=lambda name: places[known[name]])


def measures_of(names: Collection[str]) -> tuple[Measure, ...]:
    """The rows of those of some names that are measures, in the order in which reports show them."""
    return tuple(row for name in in_order(names) if (row := measure_of(name)) is not None)


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
    row = measure_of(name)
    largest = 1.0 if row is None else row.largest
    return 0.0, math.inf if largest is None else largest


def heading_of(name: str, unit: LengthUnit | None = None) -> str:
    """The title of a measure or aggregate, with the unit of an evaluation; the name itself when it is neither."""
    row = measure_of(name)
    return _HEADINGS.get(name, name) if row is None else row.heading(unit)


def name_in(name: str, unit: LengthUnit) -> str:
    """The name of a measure or aggregate; of a distance with its unit, for example `hd95 (mm)`."""
    row = MEASURES.get(name)
    return name if row is None or not row.is_distance else f"{name} ({UNIT_NAMES[unit]})"


@dataclass(frozen=True)
class _Vocabulary:
    """Validates that a word is the name of a measure, or one of a few others."""

    others: tuple[str, ...] = ()

    def _check(self, word: str) -> str:
        known = (*MEASURES, *self.others)
        if word not in known and word not in FORMER:
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
