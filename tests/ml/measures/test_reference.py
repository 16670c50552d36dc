"""Parity with the Metrics Reloaded package: this test exists only where that package is installed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from minivess.foundation.errors import CouldNotCheckError
from minivess.ml.measures.cldice import cldice
from minivess.ml.measures.dice import dice
from minivess.ml.measures.hd95_um import hd95_um
from minivess.ml.measures.metrics_reloaded import reference_available, reference_measures
from minivess.ml.measures.nsd import nsd

pytestmark = pytest.mark.verifies("SU-33")

Vessels = Callable[[int], tuple[np.ndarray, np.ndarray]]

if reference_available():

    def test_our_measures_equal_the_reference_implementation(vessels: Vessels) -> None:
        spacing = (5.0, 1.0, 1.0)
        _, mask = vessels(1)
        prediction = ndimage.shift(mask.astype(np.uint8), (0, 1, 1), order=0).astype(np.bool_)
        ours = {
            "dice": dice(prediction, mask),
            "cldice": cldice(prediction, mask),
            "nsd": nsd(prediction, mask, spacing, 1.2),
            "hd95_um": hd95_um(prediction, mask, spacing),
        }
        assert ours == pytest.approx(reference_measures(prediction, mask, spacing, 1.2))

else:

    def test_without_the_package_the_oracle_says_so(vessels: Vessels) -> None:
        _, mask = vessels(1)
        with pytest.raises(CouldNotCheckError, match="not installed"):
            reference_measures(mask, mask, (5.0, 1.0, 1.0), 1.0)
