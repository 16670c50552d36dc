"""Parts of the data set that may be evaluated at any time, because the sealed test set is none of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

EvaluatedPart = Literal["validation", "calibration"]
"""`validation`: cases of the training part that the members were validated on. `calibration`: the calibration part."""

NOT_A_TEST = "Not the test set: these figures meet no acceptance criterion and no release gate."
"""The mark of every page that shows such an evaluation."""

PART_NOTES = MappingProxyType[EvaluatedPart, str](
    {
        "validation": (
            "These cases belong to the training part. The members did not learn from them, but the weights that were kept "
            "are those that did best on them. So the figures are too good by an unknown amount."
        ),
        "calibration": (
            "The members did not learn from these cases. Calibration, conformal thresholds and the baseline of each case "
            "were fitted on the other groups of the calibration part (cross-fitting)."
        ),
    }
)
"""What a reader of the figures must know of each part."""
