"""Which measures suit a class, by the problem fingerprint of Metrics Reloaded (Maier-Hein et al. 2024, Nature Methods 21:195).

Of the fingerprint, the items that this software can derive from masks: size and width of structures against the voxel, shape,
share of the image, and cases without the class. What it cannot derive is asked in the advice: whether a wrong boundary or a
lost branch does harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.ml.planning.structures import ClassShape
from minivess.records.evaluation.counts import CentrelineCounts, Distance, MeasureCounts, OverlapCounts, SurfaceCounts
from minivess.records.evaluation.measures import MEASURES

RARE = 0.01
"""Below this share of the image a class is rare."""


class MeasureAdvice(NamedTuple):
    """What is advised about one measure for one class."""

    measure: str
    of_class: str
    use: bool
    reason: str


def _overlap(shape: ClassShape) -> tuple[bool, str]:
    if shape.narrow:
        return True, f"but {shape.voxels_across:.1f} voxels wide: one voxel at the edge changes it much"
    if shape.share < RARE:
        return True, f"rare ({100 * shape.share:.2g} %): the background does not count in it"
    return True, "the overlap of masks; the background does not count in it"


def _centreline(shape: ClassShape) -> tuple[bool, str]:
    if shape.long:
        return True, f"{shape.lengths:.0f} times longer than wide: lost branches count in it"
    return False, "the class is compact: it has no centreline that matters"


def _surface(shape: ClassShape) -> tuple[bool, str]:
    if shape.narrow:
        return True, "narrow: a tolerance of one voxel forgives what readers cannot see"
    return True, "the boundary counts: choose the tolerance by two readers"


def _distance(shape: ClassShape) -> tuple[bool, str]:
    if shape.absent:
        return False, f"undefined where the class is absent ({shape.absent} of {shape.cases} examined cases)"
    if shape.long:
        return False, "one lost branch decides it: clDice and NSD say more"
    return True, "the worst of the boundary, without the last 5 %"


_RULES: dict[type[MeasureCounts], Callable[[ClassShape], tuple[bool, str]]] = {
    OverlapCounts: _overlap,
    CentrelineCounts: _centreline,
    SurfaceCounts: _surface,
    Distance: _distance,
}
"""What is advised of a measure, by what it counts."""


def measure_advice(data: DataFingerprint) -> tuple[MeasureAdvice, ...]:
    """Advice about each measure of this software that has a rule, for each class."""
    made = []
    for shape in data.classes:
        for row in MEASURES.values():
            rule = _RULES.get(row.counts)
            if rule is None:
                continue
            if data.unit not in row.takes.units:
                made.append(MeasureAdvice(row.name, shape.name, False, "needs images of known physical size"))
                continue
            use, reason = rule(shape)
            made.append(MeasureAdvice(row.name, shape.name, use, reason))
    return tuple(made)
