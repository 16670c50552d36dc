"""Relations that each measure must keep, and the pairs of masks that they are tried on.

A measure that is not in `RELATIONS` must keep every relation exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures
from minivess.records.evaluation.counts import MeasureCounts
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


RELATIONS: dict[str, Relations] = {
    "cldice": Relations(turned=0.06, refined=_refined_cldice),
    "nsd": Relations(refined=_refined_nsd),
    "hd95": Relations(every_component=False, refined=_refined_hd95),
}
"""The measures that keep a relation within a bound only. Documented in docs/concepts/measures.md."""


def spacing_of(mask: np.ndarray) -> tuple[float, ...]:
    """The voxel size of a mask, by its number of axes."""
    return SPACING[-mask.ndim :]


def counted(name: str, pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE) -> MeasureCounts:
    """What the measure of a name counts in a pair of prediction and reference."""
    step: Any = spacing or spacing_of(pair[0])
    return count_measures(CasePair.of(*pair, step), Conventions(tolerance=tolerance, unit="um"), [name])[name]


def value(name: str, pair: Pair, spacing: tuple[float, ...] = (), tolerance: float = TOLERANCE) -> float | None:
    """The value of the measure of a name."""
    return counted(name, pair, spacing, tolerance).measure


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
