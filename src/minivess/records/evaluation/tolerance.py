"""The surface tolerance of an evaluation: as the project file states it, or as it follows from the cases."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import CaseRecord
from minivess.records.lengths import MICROMETRES, MM_FROM, Length, LengthUnit

STEPS = 2.0
"""The tolerance is so many times the smallest spacing."""
_DIGITS = 6
_ROUNDING = 1e-5
"""A tolerance that follows from the cases is rounded by less than this share of it, and so are distances in other units."""


@implements("REQ-324", "RC-136")
def tolerance_of(stated: Length | None, cases: Sequence[CaseRecord]) -> Length:
    """The tolerance that was stated; else twice the smallest spacing of a case, as the median over the cases.

    It is in millimetres where that spacing is at least 100 µm, else in micrometres, to six significant digits. For cases
    without a physical size it is two pixels.

    Raises:
        UsageError: nothing is stated, and there are no cases, or cases with and without a physical size.
    """
    if stated is not None:
        return stated
    units = {case.unit for case in cases}
    if len(units) != 1:
        reason = (
            "cases with and without a physical size have no common tolerance" if units else "there are no cases yet"
        )
        raise UsageError(
            f"evaluation.tolerance is not stated, and {reason}", hint="state it, for example `tolerance: 2 µm`"
        )
    if units == {"px"}:
        return Length(STEPS, "px")
    smallest = median(min(case.spacing) for case in cases)
    unit: LengthUnit = "mm" if smallest >= MM_FROM else "um"
    return Length(float(f"{STEPS * smallest / MICROMETRES[unit]:.{_DIGITS}g}"), unit)


def fits(tolerance: Length, case: CaseRecord) -> bool:
    """Whether distances in a case can be measured in the unit of a tolerance."""
    return (tolerance.unit == "px") == (case.unit == "px")


@implements("REQ-315")
def reach_of(tolerance: float) -> float:
    """The largest distance that is within a tolerance: a hundred-thousandth of the tolerance more.

    Two voxels of 0.33203125 mm are 0.6640625 mm apart, and twice the spacing to six digits is 0.664062 mm. Three steps of
    0.1 mm are 0.30000000000000004 mm. Without the difference such a voxel would be outside by its rounding alone.

    Args:
        tolerance: in any unit, which is that of the answer.
    """
    return tolerance * (1 + _ROUNDING)
