"""The tuned threshold is the best one there is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.evaluation.baseline import threshold_mask, tune_thresholds
from minivess.ml.measures.dice import dice
from minivess.ml.preprocessing.normalisation import normalise

pytestmark = pytest.mark.verifies("SU-33")


@pytest.mark.verifies("REQ-025")
def test_no_other_threshold_does_better(vessels: Callable[[int], tuple[np.ndarray, np.ndarray]]) -> None:
    cases = [vessels(seed) for seed in (1, 2, 3)]
    (best,) = tune_thresholds(cases)
    reached = np.mean([dice(threshold_mask(image, best), mask) for image, mask in cases])
    for other in np.linspace(-2, 6, 60):
        rival = np.mean([dice(normalise(image) >= other, mask) for image, mask in cases])
        assert rival <= reached + 2e-3


@pytest.mark.verifies("REQ-025")
def test_the_threshold_does_not_depend_on_the_intensity_unit(
    vessels: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> None:
    image, mask = vessels(5)
    (threshold,) = tune_thresholds([(image, mask)])
    (again,) = tune_thresholds([(image * 37 + 1000, mask)])
    assert dice(threshold_mask(image, again), mask) == pytest.approx(
        dice(threshold_mask(image, threshold), mask), abs=2e-3
    )


def test_nothing_to_tune_on_is_refused() -> None:
    with pytest.raises(UsageError):
        tune_thresholds([])
    with pytest.raises(InputError, match="contrast"):
        tune_thresholds([(np.ones((4, 4, 4)), np.ones((4, 4, 4)))])
    with pytest.raises(InputError, match="shape"):
        tune_thresholds([(np.arange(64.0).reshape(4, 4, 4), np.ones((4, 4, 5)))])
