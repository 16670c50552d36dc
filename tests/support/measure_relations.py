"""Relations that each measure must keep, and the pairs of masks that they are tried on.

A measure that is not in `RELATIONS` must keep every relation exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import Any

import numpy as np

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures, measure_values
from minivess.records.evaluation.counted.counts import CaseNumbers
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES
from tests.support.lazy_modules import lazily

with lazily("scipy"):
    from scipy import ndimage

Pair = tuple[np.ndarray, np.ndarray]
Turn = tuple[tuple[int, ...], tuple[int, ...]]
"""The order of the axes, and the axes that are flipped afterwards."""

SPACING = (2.0, 1.0, 0.5)
"""Of volumes; planes have the last two."""
TOLERANCE = 0.25
"""Below every step of the grid, so that no two different voxels agree."""


@dataclass(frozen=True)
class Relations:
    """How far a measure may be from a relation that holds for masks in the continuum."""

    symmetric: bool = True
    """Whether prediction and reference may be exchanged."""
    every_component: bool = True
    """Whether the loss of any component makes the value worse; a percentile ignores a small one."""
    turned: float = 0.0
    """How much the value of the vessels may change by a flip or turn."""
    refined: Callable[[Pair, float], tuple[float, float]] | None = None
    """Between which values the measure of a pair is when each voxel becomes 2 x 2 x 2 voxels of half the size, at a
    tolerance. None: it does not change."""
    defined_alone: bool = True
    """Whether every mask beside itself has a value; else it has none where a mask is empty, full or a single voxel."""
    sees_empty: bool = True
    """Whether an empty prediction is worse than a perfect one for every reference with a voxel."""
    sees_damage: bool = True
    """Whether a larger missing part is never better, and the loss of a few planes is worse than none."""
    apart: str = "worst"
    """What a voxel beside a voxel has: the worst share or one step (`worst`), the best value (`best`), none (`none`), or a
    share of the other background voxels (`background`)."""


def _refined_cldice(pair: Pair, tolerance: float) -> tuple[float, float]:
    before = number("cldice", pair)
    return before - 0.08, before + 0.08


def _refined_nsd(pair: Pair, tolerance: float) -> tuple[float, float]:
    """A border voxel becomes 4 to 8 of them (2 to 4 in a plane), each at most a quarter of the diagonal from its centre.

    So a distance changes by at most half of the diagonal, and the weight of a border voxel among the others is at most
    doubled or halved.
    """
    half = _half_diagonal(pair)
    low, high = (number("nsd", pair, (), tolerance + by) if tolerance + by > 0 else 0.0 for by in (-half, half))
    return low / (2 - low), 2 * high / (1 + high)


def _refined_hd95(pair: Pair, tolerance: float) -> tuple[float, float]:
    """By the same argument, the 5 % of the largest distances were 2.56 % to 9.6 % of them before."""
    step: Any = spacing_of(pair[0])
    directed = CasePair.of(*pair, step).surface_distances
    half = _half_diagonal(pair)
    return (
        max(float(np.percentile(one, 90, method="lower")) for one in directed) - half,
        max(float(np.percentile(one, 98, method="higher")) for one in directed) + half,
    )


def _half_diagonal(pair: Pair) -> float:
    return float(np.linalg.norm(spacing_of(pair[0]))) / 2


def _refined_hd(pair: Pair, tolerance: float) -> tuple[float, float]:
    """Each distance changes by at most half of the diagonal."""
    before = number("hd", pair)
    return before - _half_diagonal(pair), before + _half_diagonal(pair)


def _refined_mean(name: str) -> Callable[[Pair, float], tuple[float, float]]:
    """The same, and the weight of a border voxel among the others is at most doubled or halved."""

    def bounds(pair: Pair, tolerance: float) -> tuple[float, float]:
        before, half = number(name, pair), _half_diagonal(pair)
        return before / 2 - half, 2 * before + half

    return bounds


def _within(name: str, slack: float) -> Callable[[Pair, float], tuple[float, float]]:
    """A bound that was seen for vessels of five voxels."""

    def bounds(pair: Pair, tolerance: float) -> tuple[float, float]:
        before = number(name, pair)
        return before - slack, before + slack

    return bounds


_ONE_SIDE = Relations(symmetric=False, defined_alone=False)
RELATIONS: dict[str, Relations] = {
    "cldice": Relations(turned=0.06, refined=_refined_cldice),
    "nsd": Relations(refined=_refined_nsd),
    "hd95": Relations(every_component=False, refined=_refined_hd95),
    "sensitivity": _ONE_SIDE,
    "specificity": replace(_ONE_SIDE, every_component=False, sees_empty=False, sees_damage=False, apart="background"),
    "ppv": replace(_ONE_SIDE, every_component=False, sees_damage=False),
    "volume_error": replace(_ONE_SIDE, apart="best"),
    "hd": Relations(refined=_refined_hd),
    "assd": Relations(refined=_refined_mean("assd")),
    "masd": Relations(refined=_refined_mean("masd")),
    "boundary_iou": Relations(refined=_within("boundary_iou", 0.1)),
    "skeleton_precision": replace(
        _ONE_SIDE, every_component=False, sees_damage=False, turned=0.1, refined=_within("skeleton_precision", 0.15)
    ),
    "skeleton_recall": replace(_ONE_SIDE, turned=0.1, refined=_within("skeleton_recall", 0.15)),
    "betti0_error": Relations(sees_damage=False, apart="best"),
    "betti1_error": Relations(every_component=False, sees_empty=False, sees_damage=False, apart="best"),
    "object_f1": Relations(sees_damage=False),
    "branch_error": replace(
        _ONE_SIDE, apart="best", sees_damage=False, turned=0.6, refined=_within("branch_error", 0.6)
    ),
    "length_error": replace(
        _ONE_SIDE, every_component=False, apart="none", turned=0.25, refined=_within("length_error", 0.15)
    ),
    "radius_error": replace(
        _ONE_SIDE,
        every_component=False,
        sees_damage=False,
        apart="best",
        turned=0.1,
        refined=_within("radius_error", 0.15),
    ),
}
"""The measures that keep a relation within a bound only, or not. Documented in docs/concepts/measures.md."""


def spacing_of(mask: np.ndarray) -> tuple[float, ...]:
    """The voxel size of a mask, by its number of axes."""
    return SPACING[-mask.ndim :]


def counted(name: str, pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE) -> CaseNumbers:
    """What the measure of a name counts in a pair of prediction and reference."""
    masks, conventions = _measured(pair, spacing, tolerance)
    return count_measures(masks, conventions, [name])[MEASURES[name].counted_as]


def values(
    pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE, names: Iterable[str] = MEASURES
) -> dict[str, float | None]:
    """The value of each measure."""
    return dict(measure_values(*_measured(pair, spacing, tolerance), names))


def value(name: str, pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE) -> float | None:
    """The value of the measure of a name."""
    return values(pair, spacing, tolerance, [name])[name]


def _measured(pair: Pair, spacing: tuple[float, ...], tolerance: float) -> tuple[CasePair, Conventions]:
    step: Any = spacing or spacing_of(pair[0])
    return CasePair.of(*pair, step), Conventions(tolerance=tolerance, unit="um")


def number(name: str, pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE) -> float:
    """The value where there must be one."""
    found = value(name, pair, spacing, tolerance)
    assert found is not None
    return found


def perfect(name: str) -> float:
    """The best value of a measure."""
    row = MEASURES[name]
    return float(row.largest or 0) if row.higher_is_better else 0.0


def badness(name: str, found: float) -> float:
    """How far a value is from the best one."""
    return abs(perfect(name) - found)


def is_perfect_alone(name: str, found: float | None, mask: np.ndarray) -> bool:
    """Whether a value is the best one, or none where a mask beside itself may have none."""
    if found is not None:
        return found == perfect(name)
    length = name == "length_error"
    return not RELATIONS[name].defined_alone and (length or not mask.any() or bool(mask.all()))


def is_worst(name: str, found: float | None) -> bool:
    """Whether a value is one for a prediction without a voxel, and a reference with some, or the other way round."""
    row = MEASURES[name]
    if found is None:
        return row.can_be_undefined
    if not RELATIONS.get(name, Relations()).sees_empty:
        return True
    return found == 0 if row.higher_is_better else found > 0


def turns(axes: int) -> Iterator[Turn]:
    """Every combination of flips and quarter turns: 48 of a volume, 8 of a plane."""
    for order in permutations(range(axes)):
        for flipped in product((False, True), repeat=axes):
            yield order, tuple(axis for axis in range(axes) if flipped[axis])


def turned(mask: np.ndarray, turn: Turn) -> np.ndarray:
    """A mask after a turn."""
    order, flipped = turn
    return np.flip(mask.transpose(order), flipped)


def turned_back(mask: np.ndarray, turn: Turn) -> np.ndarray:
    """A mask before a turn."""
    order, flipped = turn
    return np.flip(mask, flipped).transpose(np.argsort(order))


def refined(mask: np.ndarray) -> np.ndarray:
    """A mask on a grid of half the steps."""
    for axis in range(mask.ndim):
        mask = mask.repeat(2, axis)
    return mask


def vessels(seed: int, shape: tuple[int, ...] = (12, 32, 32)) -> np.ndarray:
    """Three tubes, five voxels wide, by seed."""
    rng = np.random.default_rng(seed)
    mask, last = np.zeros(shape, np.bool_), np.array(shape) - 1
    for _ in range(3):
        start, end = rng.uniform(0, 1, len(shape)) * last, rng.uniform(0, 1, len(shape)) * last
        start[-1], end[-1] = 0, last[-1]
        for share in np.linspace(0, 1, 80):
            mask[tuple(np.rint(start + share * (end - start)).astype(int))] = True
    return ndimage.binary_dilation(mask, iterations=2)


def vessel_pair(seed: int, axes: int = 3) -> Pair:
    """Vessels that were found one voxel beside, without an end, and with a speck that is none."""
    true = vessels(seed, (12, 32, 32)[-axes:])
    found = np.roll(true, 1, axis=-1)
    found[..., 26:] = False
    found[..., 1:3, 28:30] = True
    return found, true


def component_bodies() -> dict[str, np.ndarray]:
    """Bodies of even width, most of which Lee's thinning removes wholly."""
    bodies: dict[str, np.ndarray] = {}
    for size in ((2, 2, 2), (4, 4, 4), (2, 2, 10), (4, 4, 10), (2, 4, 10), (1, 4, 10), (2, 8, 8), (4, 6, 8)):
        bodies["box of {} x {} x {}".format(*size)] = np.pad(np.ones(size, np.bool_), 1)
    distance = np.linalg.norm(np.indices((16, 16, 16)) - 7.5, axis=0)
    bodies["ball"] = distance < 6
    bodies["shell"] = (distance < 7) & (distance > 4)
    bodies["plane of 16 x 16"] = np.ones((1, 16, 16), np.bool_)
    bodies["vessel through the stack"] = np.pad(np.ones((6, 4, 4), np.bool_), ((0, 0), (3, 3), (3, 3)))
    return bodies
