"""The stored table of the reference implementation: 21 pairs of masks with its values of 15 measures.

It was made with MetricsReloaded 0.1.0, which the file names. `DIFFERENCES` lists each value that is ours on purpose;
docs/concepts/measures.md gives the reasons.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures
from minivess.records.evaluation.evaluation import Conventions

_TABLE = Path(__file__).parents[1] / "fixtures" / "measures" / "reference_measures.json"
TOLERANCE = 2.0
"""Of the normalised surface distance, as the table states it."""
IN_TABLE = {
    "dice": "dsc",
    "cldice": "centreline_dsc",
    "nsd": "normalised_surface_distance",
    "hd95": "measured_hausdorff_distance_perc",
}
"""Our measures that the table has, with its names."""
DIFFERENCES = {
    ("3d other vessels", "cldice"): 0.0,
    ("3d single voxel, neighbour", "cldice"): 0.0,
    ("3d disjoint", "cldice"): 0.0,
    ("3d box of even width", "cldice"): 20 / 21,
}
"""Where the reference has no number (NaN): our value. Disjoint masks have 0; a body of even width has a skeleton."""


@dataclass(frozen=True)
class ReferencePair:
    """A pair of masks with the values of the reference implementation, by its names; None where it gave NaN."""

    masks: CasePair
    values: dict[str, float | None]

    @property
    def ours(self) -> dict[str, float | None]:
        """Our values of the measures that the table has."""
        counted = count_measures(self.masks, Conventions(tolerance=TOLERANCE, unit="um"), IN_TABLE)
        return {name: one.measure for name, one in counted.items()}


def expected(name: str) -> dict[str, float | None]:
    """The values that our measures must have for the pair of a name."""
    values = table()[name].values
    return {ours: DIFFERENCES.get((name, ours), values[theirs]) for ours, theirs in IN_TABLE.items()}


@cache
def table() -> dict[str, ReferencePair]:
    """The pairs by name."""
    return {pair["name"]: _pair(pair) for pair in json.loads(_TABLE.read_text(encoding="utf-8"))["pairs"]}


def _pair(pair: dict[str, Any]) -> ReferencePair:
    spacing: Any = tuple(float(step) for step in pair["spacing"])
    masks = CasePair.of(_mask(pair, "prediction"), _mask(pair, "reference"), spacing)
    return ReferencePair(masks, pair["values"])


def _mask(pair: dict[str, Any], which: str) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(pair[which]), np.uint8), count=int(np.prod(pair["shape"])))
    return bits.reshape(pair["shape"]).astype(np.bool_)
