"""How far two readers of a case agree: counts, and distances from which every measure of surfaces follows later.

The second mask is not kept, and the tolerance of NSD is registered after the ingest. So the border voxels are counted by their
distance, up to a distance that no sensible tolerance exceeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minivess.foundation.implements import implements
from minivess.ml.reading.case import Case
from minivess.records.data.dataset import ReaderCounts, ReaderSurfaces
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.tolerance import reach_of

if TYPE_CHECKING:
    from minivess.ml.measures.case_pairs import CasePair

_ANY = Conventions(tolerance=1.0, unit="px")
"""The rule of the skeleton of every seal that is made now. The tolerance is that of no measure here."""
REACH = 8
"""Border voxels are counted by their distance up to so many times the smallest spacing."""


@implements("REQ-418", "REQ-314")
def reader_counts(case: Case) -> tuple[ReaderCounts, ...]:
    """The second reader's mask counted against the first one's, for each class; empty where there is one reader."""
    if case.second is None:
        return ()
    from minivess.ml.measures import cldice, dice
    from minivess.ml.measures.case_pairs import CasePair

    made = []
    for one in case.classes:
        pair = CasePair.of(case.second == one.value, case.label == one.value, case.spacing)
        voxels, lines = dice.count(pair, _ANY), cldice.count(pair, _ANY)
        made.append(
            ReaderCounts(
                value=one.value,
                overlap=(voxels.tp, voxels.fp, voxels.fn),
                skeleton=(lines.predicted_inside, lines.predicted, lines.reference_inside, lines.reference),
                surfaces=surfaces_of(pair),
            )
        )
    return tuple(made)


@implements("REQ-314")
def surfaces_of(pair: CasePair) -> ReaderSurfaces:
    """The distances between the borders of two masks, in the unit of their spacing.

    Args:
        pair: the second reader's mask as prediction, the first one's as reference.
    """
    import numpy as np

    from minivess.ml.measures import distances, hd95

    means, far = distances.count(pair, _ANY), hd95.count(pair, _ANY)
    reach, within = REACH * min(pair.spacing), list[tuple[float, int, int]]()
    if all(pair.filled):
        second, first = (np.sort(one) for one in pair.surface_distances)
        occurring = np.unique(np.concatenate([second, first]))
        occurring = occurring[occurring <= reach_of(reach)]
        counts = (np.searchsorted(one, occurring, side="right").tolist() for one in (second, first))
        within = list(zip(occurring.tolist(), *counts, strict=True))
    return ReaderSurfaces(
        hd=means.hd,
        hd95=far.value,
        assd=means.assd,
        masd=means.masd,
        borders=tuple(int(np.count_nonzero(one)) for one in pair.borders),
        reach=reach,
        within=tuple(within),
    )
