"""The measures of an evaluation: name, counts, unit, direction and words of each. `ml.measures` counts them in two masks.

To add a measure with counts of its own, add a row here and a module of the same name with a function `count` in
`ml/measures/`. The row names a class of counts (`records.evaluation.counted.counts`), which has the formula. To add a measure
that follows from counts that are there already, add a row that names these counts as its `source`, with a formula.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from minivess.records.data.dataset import Capabilities
from minivess.records.evaluation.counted.counts import (
    BoundaryCounts,
    CaseNumbers,
    CentrelineCounts,
    Distance,
    MeasureCounts,
    NetworkCounts,
    ObjectCounts,
    OverlapCounts,
    SurfaceCounts,
    SurfaceDistances,
    TopologyCounts,
)
from minivess.records.evaluation.counted.formulas import TRUE_NEGATIVES, Deviation, Formula, Measured, Share
from minivess.records.evaluation.counted.scores import SCORES
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
    counts: type[CaseNumbers]
    """What is counted of each case; with the formula of the measure, unless the row has one."""
    source: str = ""
    """The name of its counts in a case, which it shares with other measures. Empty: that of the measure."""
    formula: Formula | None = None
    """How it follows from shared counts. None: as the counts say."""
    convention: str = ""
    """What the evaluation says of empty and tiny masks, and of masks at the edge of the field. Empty: the sentences of all
    evaluations say it."""
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
    def counted_as(self) -> str:
        """The name of its counts in a case."""
        return self.source or self.name

    @property
    def formula_in_words(self) -> str:
        """How it follows from its counts, for people."""
        if self.formula is not None:
            return self.formula.words
        assert issubclass(self.counts, MeasureCounts)  # noqa: S101  counts of one measure have its formula
        return self.counts.formula

    def value(self, counts: CaseNumbers, voxels: int) -> float | None:
        """The value in a case; None where it is undefined.

        Args:
            counts: those under `counted_as`, of the class `counts`.
            voxels: of the image.
        """
        if self.formula is not None:
            return self.formula.of(counts, voxels)
        assert isinstance(counts, MeasureCounts)  # noqa: S101  as above
        return counts.measure

    @property
    def needs_reference(self) -> bool:
        """Whether a case without a voxel of the class in the reference can be without a value."""
        of_background = isinstance(self.formula, Share) and TRUE_NEGATIVES in self.formula.whole
        return self.can_be_undefined and not of_background

    @property
    def direction(self) -> str:
        """Which values are better, for people."""
        return "higher is better" if self.higher_is_better else "lower is better"


_EMPTY_SHARE = "1 when both masks are empty, 0 when one is"
_EMPTY_DISTANCE = "0 when both masks are empty, undefined when one is; beyond the edge of the field is background"
_NO_REFERENCE = "undefined where the reference is empty"
_LINE = "a mask with a voxel has a skeleton (see `skeleton`)"
_LOWER: dict[str, Any] = {"higher_is_better": False, "largest": None, "can_be_undefined": True}
_DISTANCE: dict[str, Any] = {**_LOWER, "is_distance": True, "digits": 1}
_SHARED: dict[str, type[CaseNumbers]] = {
    "dice": OverlapCounts,
    "cldice": CentrelineCounts,
    "distances": SurfaceDistances,
    "topology": TopologyCounts,
    "network": NetworkCounts,
}
"""The counts that several measures share, by their name in a case."""


def _of(source: str, formula: Formula, convention: str, **more: Any) -> dict[str, Any]:
    """What a measure that follows from shared counts has of them."""
    shared = {"counts": _SHARED[source], "source": source, "formula": formula, "convention": convention}
    return {**shared, "can_be_undefined": getattr(formula, "empty", None) is None, **more}


def _error(source: str, what: str, convention: str, **more: Any) -> dict[str, Any]:
    return _of(source, Deviation(what, **more), convention, **_LOWER | {"can_be_undefined": not more})


MEASURES: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure("dice", "Dice", "Dice", OverlapCounts),
        Measure("cldice", "clDice", "clDice", CentrelineCounts),
        Measure("nsd", "Normalised surface distance", "NSD", SurfaceCounts),
        Measure("hd95", "95th percentile Hausdorff distance", "HD95", Distance, **_DISTANCE),
        Measure(
            "iou", "Intersection over union", "IoU", **_of("dice", Share("tp", ("tp", "fp", "fn"), 1.0), _EMPTY_SHARE)
        ),
        Measure("sensitivity", "Sensitivity", "Sensitivity", **_of("dice", Share("tp", ("tp", "fn")), _NO_REFERENCE)),
        Measure(
            "specificity",
            "Specificity",
            "Specificity",
            **_of(
                "dice",
                Share("tn", ("tn", "fp")),
                "over all voxels of the image; undefined where the reference fills it",
            ),
        ),
        Measure(
            "ppv",
            "Positive predictive value",
            "PPV",
            **_of("dice", Share("tp", ("tp", "fp")), "undefined where the prediction is empty"),
        ),
        Measure(
            "volume_error",
            "Relative volume error (in a plane: area)",
            "Volume error",
            **_error(
                "dice",
                "",
                f"absolute difference by the reference; {_NO_REFERENCE}, 1 where only the prediction is",
            ),
        ),
        Measure("hd", "Hausdorff distance", "HD", **_of("distances", Measured("hd"), _EMPTY_DISTANCE, **_DISTANCE)),
        Measure(
            "assd",
            "Average symmetric surface distance",
            "ASSD",
            **_of("distances", Measured("assd"), _EMPTY_DISTANCE, **_DISTANCE | {"digits": 2}),
        ),
        Measure(
            "masd",
            "Mean average surface distance",
            "MASD",
            **_of("distances", Measured("masd"), _EMPTY_DISTANCE, **_DISTANCE | {"digits": 2}),
        ),
        Measure(
            "boundary_iou",
            "Boundary IoU",
            "Boundary IoU",
            BoundaryCounts,
            convention=f"of the border voxels alone; {_EMPTY_SHARE}",
        ),
        Measure(
            "skeleton_precision",
            "Skeleton precision (topology precision)",
            "Skeleton precision",
            **_of(
                "cldice",
                Share("predicted_inside", ("predicted",)),
                f"{_LINE}; undefined where the prediction is empty",
            ),
        ),
        Measure(
            "skeleton_recall",
            "Skeleton recall (topology sensitivity)",
            "Skeleton recall",
            **_of("cldice", Share("reference_inside", ("reference",)), f"{_LINE}; {_NO_REFERENCE}"),
        ),
        Measure(
            "betti0_error",
            "Betti-0 error (components)",
            "Betti-0 error",
            **_error(
                "topology",
                "components",
                "difference of the numbers of 26-connected components (8-connected in a plane); an empty mask has 0",
                relative=False,
            ),
        ),
        Measure(
            "betti1_error",
            "Betti-1 error (tunnels, in a plane holes)",
            "Betti-1 error",
            **_error(
                "topology",
                "tunnels",
                "difference of the numbers of tunnels (holes in a plane); beyond the edge of the field is background; an "
                "empty mask has 0",
                relative=False,
            ),
        ),
        Measure(
            "object_f1",
            "F1 of objects",
            "Object F1",
            ObjectCounts,
            "objects",
            convention="26-connected components (8 in a plane) match where their IoU is above 0.5, one voxel is an object; "
            + _EMPTY_SHARE,
        ),
        Measure(
            "branch_error",
            "Relative error of the number of branches",
            "Branch error",
            **_error("network", "branches", f"of the skeleton, a single voxel is a branch; {_NO_REFERENCE}"),
        ),
        Measure(
            "length_error",
            "Relative error of the length of the skeleton",
            "Length error",
            **_error(
                "network",
                "length",
                "between the centres of voxels; undefined where the skeleton of the reference has no length",
            ),
        ),
        Measure(
            "radius_error",
            "Relative error of the mean radius",
            "Radius error",
            **_error(
                "network",
                "radius",
                "mean over the skeleton of the distance to the nearest background voxel, also beyond the edge; undefined "
                "where a mask is empty",
            ),
        ),
    )
}
"""Every measure by its name, in the order in which reports show them."""

USUAL = ("dice", "cldice", "nsd", "hd95")
"""The measures of a project that names none."""

FORMER = {"hd95_um": "hd95"}
"""Names of measures in records of before, and what the measures are called now. `hd95_um` is in micrometres."""


def measure_of(name: str) -> Measure | None:
    """The row of a measure by its name or its former name, which it keeps; None where there is no such measure."""
    row = MEASURES.get(FORMER.get(name, name))
    return row if row is None or row.name == name else replace(row, name=name)


def sources_of(names: Collection[str]) -> tuple[str, ...]:
    """The names of the counts from which some measures follow, each once, in the order of reports."""
    return tuple(dict.fromkeys(row.counted_as for row in measures_of(names)))


def counts_under(source: str) -> type[CaseNumbers] | None:
    """The class of the counts of a name in a case; None where no measure has such counts."""
    return next((row.counts for row in MEASURES.values() if row.counted_as == FORMER.get(source, source)), None)


def following_from(sources: Collection[str]) -> tuple[Measure, ...]:
    """Every measure that follows from counts of these names, in the order of reports."""
    former = [name for name in sources if name in FORMER]
    return measures_of([*former, *(row.name for row in MEASURES.values() if row.counted_as in sources)])


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

_HEADINGS = {
    OVER_BASELINE: "Dice over the tuned intensity threshold",
    FAILURES: "Share of groups that failed",
    **{name: score.title for name, score in SCORES.items()},
}


def range_of(name: str) -> tuple[float, float]:
    """The smallest and the largest possible value of a measure or aggregate."""
    if name == OVER_BASELINE:
        return -1.0, 1.0
    row = measure_of(name) or SCORES.get(name)
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

AggregateName = Annotated[str, _Vocabulary((OVER_BASELINE, FAILURES, *SCORES))]
"""The name of a measure, of the paired difference to the baseline, of the share of failed groups or of a score of probabilities:
what acceptance criteria can name."""
