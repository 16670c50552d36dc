"""How far two readers of a case agree, in the counts of the measures that need no tolerance."""

from __future__ import annotations

from minivess.foundation.implements import implements
from minivess.ml.reading.case import Case
from minivess.records.data.dataset import ReaderCounts
from minivess.records.evaluation.evaluation import Conventions

_ANY = Conventions(tolerance=1.0, unit="px")
"""The rule of the skeleton of every seal that is made now. The tolerance is that of no measure here."""


@implements("REQ-418")
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
            )
        )
    return tuple(made)
