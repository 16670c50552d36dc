"""The Metrics Reloaded reference implementation as an oracle, where its package is installed.

`MetricsReloaded` is slow and answers NaN for the clDice of disjoint masks, so nothing here depends on it; it serves
to check our measures against an independent hand.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.measures.surface import Spacing


def reference_available() -> bool:
    """Whether the `MetricsReloaded` package can be imported."""
    return find_spec("MetricsReloaded") is not None


def reference_measures(
    prediction: NDArray[Any], reference: NDArray[Any], spacing_um: Spacing, tolerance_um: float
) -> dict[str, float]:
    """Dice, clDice, NSD and HD95 of two non-empty masks (z, y, x), as the reference package computes them.

    Raises:
        CouldNotCheckError: the package is not installed.
    """
    if not reference_available():
        raise CouldNotCheckError(
            "the MetricsReloaded package is not installed", hint="install it to compare with its measures"
        )
    measures = import_module("MetricsReloaded.metrics.pairwise_measures").BinaryPairwiseMeasures(
        prediction.astype(np.int8),
        reference.astype(np.int8),
        pixdim=list(spacing_um),
        dict_args={"nsd": tolerance_um, "hd_perc": 95},
    )
    return {
        "dice": float(measures.dsc()),
        "cldice": float(measures.centreline_dsc()),
        "nsd": float(measures.normalised_surface_distance()),
        "hd95_um": float(measures.measured_hausdorff_distance_perc()),
    }
