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


def _volume(shape: ClassShape) -> tuple[bool, str]:
    if shape.absent:
        return False, f"undefined where the class is absent ({shape.absent} of {shape.cases} examined cases)"
    if shape.long:
        return False, "the length and radius of vessels say more than their volume"
    return True, "the size of a compact structure is what is reported of it"


def _same_as_dice(shape: ClassShape) -> tuple[bool, str]:
    return False, "orders the cases as Dice does"


def _specificity(shape: ClassShape) -> tuple[bool, str]:
    if shape.share < RARE:
        return False, f"near 1 for every model: the class is rare ({100 * shape.share:.2g} %)"
    return False, "the size of the background decides it"


def _one_kind(shape: ClassShape) -> tuple[bool, str]:
    return False, "choose it where missed and false voxels do different harm; Dice counts both"


def _largest(shape: ClassShape) -> tuple[bool, str]:
    return False, "one voxel decides it: HD95 leaves out the largest 5 %"


def _mean_distance(shape: ClassShape) -> tuple[bool, str]:
    return False, "far voxels hide among many near ones: NSD says how many are near"


def _boundary(shape: ClassShape) -> tuple[bool, str]:
    if shape.narrow:
        return False, "nearly all voxels are border: it repeats the overlap"
    return False, "one voxel of shift is a fault in it: NSD has a tolerance"


def _branches(shape: ClassShape) -> tuple[bool, str]:
    if shape.long:
        return True, "tells lost branches from false ones"
    return False, "the class is compact: it has no branches"


def _topology(shape: ClassShape) -> tuple[bool, str]:
    if shape.long:
        return True, "counts broken and joined branches, which overlap hides"
    return False, "the class is compact: overlap and border say enough"


def _spurs(shape: ClassShape) -> tuple[bool, str]:
    if shape.long:
        return False, "spurs of the skeleton change it: use the length"
    return False, "the class is compact: it has no branches"


def _size_of_vessels(shape: ClassShape) -> tuple[bool, str]:
    if shape.absent:
        return False, f"undefined where the class is absent ({shape.absent} of {shape.cases} examined cases)"
    if shape.long:
        return True, "what is reported of vessels"
    return False, "the class is compact: report its volume"


def _objects(shape: ClassShape) -> tuple[bool, str]:
    if shape.parts > 1 and not shape.long:
        return True, f"{shape.parts} parts in a case: a lost part counts in it, whatever its size"
    if shape.long:
        return False, "parts of a network are no objects"
    return False, "one part in a case: there is nothing to count"


_RULES: dict[str, Callable[[ClassShape], tuple[bool, str]]] = {
    "dice": _overlap,
    "cldice": _centreline,
    "nsd": _surface,
    "hd95": _distance,
    "iou": _same_as_dice,
    "sensitivity": _one_kind,
    "specificity": _specificity,
    "ppv": _one_kind,
    "volume_error": _volume,
    "hd": _largest,
    "assd": _mean_distance,
    "masd": _mean_distance,
    "boundary_iou": _boundary,
    "skeleton_precision": _branches,
    "skeleton_recall": _branches,
    "betti0_error": _topology,
    "betti1_error": _topology,
    "object_f1": _objects,
    "branch_error": _spurs,
    "length_error": _size_of_vessels,
    "radius_error": _size_of_vessels,
}
"""What is advised of each measure."""


def measure_advice(data: DataFingerprint) -> tuple[MeasureAdvice, ...]:
    """Advice about each measure of this software that has a rule, for each class."""
    made = []
    for shape in data.classes:
        for row in MEASURES.values():
            rule = _RULES.get(row.name)
            if rule is None:
                continue
            if data.unit not in row.takes.units:
                made.append(MeasureAdvice(row.name, shape.name, False, "needs images of known physical size"))
                continue
            use, reason = rule(shape)
            made.append(MeasureAdvice(row.name, shape.name, use, reason))
    return tuple(made)
