"""The expected calibration error of one set of voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.ml.uncertainty.reliability import Reliability


def expected_calibration_error(
    probabilities: NDArray[Any], reference: NDArray[Any], weights: NDArray[np.float64] | None = None
) -> float:
    """Each voxel has weight 1 where none is given; see `Reliability`."""
    reliability = Reliability()
    reliability.add(probabilities, reference, weights)
    return reliability.ece
