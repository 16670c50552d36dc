"""The stored table of the reference implementation: 21 pairs of masks with its values of 15 measures.

It was made with MetricsReloaded 0.1.0, which the file names. `deliberate_differences.csv` beside it lists each value that is
ours on purpose, with the reason.
"""

from __future__ import annotations

import base64
import csv
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import measure_values
from minivess.records.evaluation.evaluation import Conventions

_FOLDER = Path(__file__).parents[1] / "fixtures" / "measures"
TOLERANCE = 2.0
"""Of the normalised surface distance, as the table states it."""
CLOSE = 1e-9
IN_TABLE = {
    "dice": "dsc",
    "cldice": "centreline_dsc",
    "nsd": "normalised_surface_distance",
    "hd95": "measured_hausdorff_distance_perc",
    "iou": "intersection_over_union",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive_predictive_value",
    "volume_error": "absolute_volume_difference_ratio",
    "hd": "measured_hausdorff_distance",
    "assd": "measured_average_distance",
    "masd": "measured_masd",
    "boundary_iou": "boundary_iou",
    "skeleton_precision": "topology_precision",
    "skeleton_recall": "topology_sensitivity",
}
"""Our measures that the table has, with its names."""


class Difference(NamedTuple):
    """A value that is ours on purpose."""

    reference: float | None
    """None: the reference has no number (NaN)."""
    ours: float
    reason: str


@dataclass(frozen=True)
class ReferencePair:
    """A pair of masks with the values of the reference implementation, by its names; None where it gave NaN."""

    masks: CasePair
    values: dict[str, float | None]

    @property
    def ours(self) -> dict[str, float | None]:
        """Our values of the measures that the table has."""
        return dict(measure_values(self.masks, Conventions(tolerance=TOLERANCE, unit="um"), IN_TABLE))


@cache
def differences() -> dict[tuple[str, str], Difference]:
    """The values that are ours on purpose, by pair and measure."""
    text = (_FOLDER / "deliberate_differences.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {
        (row["pair"], row["measure"]): Difference(
            None if row["reference"] == "NaN" else float(row["reference"]), float(row["ours"]), row["reason"]
        )
        for row in rows
    }


def expected(name: str) -> dict[str, float | None]:
    """The values that our measures must have for the pair of a name."""
    values = table()[name].values
    found = {ours: differences().get((name, ours)) for ours in IN_TABLE}
    return {ours: values[theirs] if (one := found[ours]) is None else one.ours for ours, theirs in IN_TABLE.items()}


@cache
def table() -> dict[str, ReferencePair]:
    """The pairs by name."""
    return {
        pair["name"]: _pair(pair)
        for pair in json.loads((_FOLDER / "reference_measures.json").read_text(encoding="utf-8"))["pairs"]
    }


def _pair(pair: dict[str, Any]) -> ReferencePair:
    spacing: Any = tuple(float(step) for step in pair["spacing"])
    masks = CasePair.of(_mask(pair, "prediction"), _mask(pair, "reference"), spacing)
    return ReferencePair(masks, pair["values"])


def _mask(pair: dict[str, Any], which: str) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(pair[which]), np.uint8), count=int(np.prod(pair["shape"])))
    return bits.reshape(pair["shape"]).astype(np.bool_)
