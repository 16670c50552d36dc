"""Betti numbers of two masks, from which the Betti-0 and the Betti-1 error follow (Clough et al., TPAMI 2022)."""

from __future__ import annotations

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.shapes.betti import betti_numbers
from minivess.records.evaluation.counted.counts import TopologyCounts
from minivess.records.evaluation.evaluation import Conventions


def count(pair: CasePair, conventions: Conventions) -> TopologyCounts:
    """The Betti numbers of prediction and reference; the conventions have no influence."""
    predicted, true = (
        betti_numbers(mask, found) for mask, (_, found) in zip(pair.cropped, pair.components, strict=True)
    )
    return TopologyCounts(
        predicted_components=predicted.components,
        predicted_tunnels=predicted.tunnels,
        predicted_cavities=predicted.cavities,
        reference_components=true.components,
        reference_tunnels=true.tunnels,
        reference_cavities=true.cavities,
    )
