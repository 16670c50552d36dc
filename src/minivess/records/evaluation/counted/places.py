"""Where in a case the errors are, as whole numbers: by radius, depth, size of the component, and near the border.

Missed voxels are counted among those of the reference, false ones among those of the prediction. Each table divides all of
them, so that its sums are those of the counts of Dice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.counted.counts import Count, OverlapCounts
from minivess.records.lengths import UNIT_NAMES, LengthUnit

TENTHS = 10
"""Parts of the depth of a volume."""
RADII = (0.0, *(step * 2.0**power for power in range(-6, 13) for step in (1.0, 1.5)))
"""The lower limits of the bins of the radius, in the unit of the tolerance: 0, then 1 and 1.5 times each power of two from
1/64 to 4096. A lower limit is included."""
BORDER, INTERIOR = 0, 1
"""The bins of the table `border`: within the border band of the reference, and elsewhere."""

Table = Literal["radius", "depth", "size", "components", "border"]
Kind = Literal["missed", "false"]
TABLES: dict[Table, str] = {
    "radius": "radius of the vessel",
    "depth": "depth in the volume",
    "size": "size of the component",
    "components": "size of whole components",
    "border": "distance to the border",
}
"""What each table divides the voxels by, for people; `components` counts components instead of voxels."""


class Place(NamedTuple):
    """A bin of a table that has any voxels."""

    bin: Count
    whole: Annotated[Count, Field(ge=1)]
    """Voxels, or components."""
    wrong: Count
    """Those of them that are missed, or false. A component is when all its voxels are."""


def _table(places: tuple[Place, ...]) -> tuple[Place, ...]:
    if any(one.bin >= other.bin for one, other in pairwise(places)):
        raise ValueError("the bins of a table are in ascending order, none twice")
    for one in places:
        if one.wrong > one.whole:
            raise ValueError(f"bin {one.bin} has more errors ({one.wrong}) than voxels ({one.whole})")
    return places


Places = Annotated[tuple[Place, ...], AfterValidator(_table)]
"""The bins of a table in ascending order, without those that are empty."""
_Optional = Field(default=(), exclude_if=lambda places: not places)


class MissedPlaces(Record):
    """Voxels of the reference, and those of them that the prediction has not."""

    radius: Places
    """By the radius of the reference at the nearest voxel of its skeleton; bins of `RADII`."""
    depth: Places = _Optional
    """By tenths of the first axis; left out for a plane."""
    size: Places
    """By the voxels of their component: bin k has the components of 10^k to below 10^(k+1) voxels."""
    components: Places
    """Components of the reference by the same bins; wrong where the prediction has none of their voxels."""
    border: Places
    """In the border band of the reference (bin 0), and in its interior (bin 1)."""


class FalsePlaces(Record):
    """Voxels of the prediction, and those of them that the reference has not."""

    depth: Places = _Optional
    """As for missed voxels."""
    size: Places
    """By the voxels of the component of the prediction."""
    components: Places
    """Components of the prediction; wrong where the reference has none of their voxels."""
    border: Places
    """In the border band of the reference (bin 0), and elsewhere (bin 1)."""


class ErrorsByPlace(Record):
    """Where the missed and the false voxels of a case and class are."""

    missed: MissedPlaces
    false: FalsePlaces

    def table(self, kind: Kind, name: Table) -> tuple[Place, ...]:
        """The bins of a table; none where the kind has no such table."""
        found: tuple[Place, ...] = getattr(getattr(self, kind), name, ())
        return found

    @implements("REQ-417")
    def contradiction(self, overlap: OverlapCounts) -> str | None:
        """What does not fit the counts of Dice; None when everything does."""
        wholes = {"missed": (overlap.tp + overlap.fn, overlap.fn), "false": (overlap.tp + overlap.fp, overlap.fp)}
        for kind, (voxels, wrong) in wholes.items():
            for name, places in getattr(self, kind):
                if name == "components" or (name == "depth" and not places):
                    continue
                found = sum(one.whole for one in places), sum(one.wrong for one in places)
                if found != (voxels, wrong):
                    return f"{found[1]} of {found[0]} voxels {kind} by {name}, and {wrong} of {voxels} in dice"
        return None


def radius_bin(radius: float) -> int:
    """The bin of a radius, in the unit of the tolerance; the last one for all that is larger."""
    return sum(lower <= radius for lower in RADII) - 1


def words_of(table: Table, number: int, unit: LengthUnit) -> str:
    """A bin for people: `2 to 3 µm`, `10 to 99 voxels`."""
    if table == "radius":
        return _range([f"{limit:g}" for limit in RADII], number, UNIT_NAMES[unit])
    if table == "depth":
        return f"tenth {number + 1} of {TENTHS}"
    if table == "border":
        return "in the border band" if number == BORDER else "elsewhere"
    first = 10**number
    return f"{first} to {10 * first - 1} voxels"


def _range(limits: Sequence[str], number: int, unit: str) -> str:
    if number + 1 >= len(limits):
        return f"{limits[-1]} {unit} and more"
    return f"{limits[number]} to {limits[number + 1]} {unit}"
