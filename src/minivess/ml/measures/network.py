"""Branches, length and mean radius of the vessels of two masks, from their skeletons."""

from __future__ import annotations

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.shapes.skeletons import network
from minivess.records.evaluation.counted.counts import NetworkCounts
from minivess.records.evaluation.evaluation import Conventions


def count(pair: CasePair, conventions: Conventions) -> NetworkCounts:
    """What is measured along both skeletons, by the rule of the skeleton that the conventions name.

    Raises:
        UsageError: there is no such rule.
    """
    lines = pair.skeletons(conventions.skeleton)
    predicted, true = (network(mask, line, pair.spacing) for mask, line in zip(pair.cropped, lines, strict=True))
    return NetworkCounts(
        predicted_branches=predicted.branches,
        predicted_length=predicted.length,
        predicted_radius=predicted.radius,
        reference_branches=true.branches,
        reference_length=true.length,
        reference_radius=true.radius,
    )
