"""Temperature scaling and reliability."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.calibrators.temperature import fit_temperature, negative_log_likelihood
from minivess.ml.inference.predictor import to_probability
from minivess.ml.uncertainty.reliability import Reliability, border_band, expected_calibration_error
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-32")


def _calibrated(seed: int, size: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2.5, size).astype(np.float32)
    return logits, (rng.random(size) < to_probability(logits)).astype(np.uint8)


@pytest.mark.verifies("REQ-019", "RC-09")
@settings(max_examples=10, deadline=None)
@given(temperature=st.floats(0.3, 4), seed=st.integers(0, 20))
def test_the_true_temperature_is_found(temperature: float, seed: int) -> None:
    logits, labels = _calibrated(seed)
    found = fit_temperature(logits * temperature, labels)
    assert found == pytest.approx(temperature, rel=0.1)
    around = [negative_log_likelihood(logits * temperature, labels, found * factor) for factor in (0.97, 1, 1.03)]
    assert around[1] == min(around)


@pytest.mark.parametrize("labels", [np.zeros(100), np.ones(100)])
def test_one_class_alone_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(InputError, match="both classes"):
        fit_temperature(np.linspace(-3, 3, 100), labels)


def test_logits_that_calibration_cannot_help_are_refused() -> None:
    labels = np.arange(1000) % 2
    with pytest.raises(InputError, match="no temperature"):
        fit_temperature(np.random.default_rng(0).normal(0, 5, 1000), labels)
    with pytest.raises(InputError, match="no temperature"):
        fit_temperature(np.where(labels, 5.0, -5.0), labels)
    with pytest.raises(InputError, match="NaN"):
        fit_temperature(np.where(labels, np.nan, 0.0), labels)
    with pytest.raises(InputError, match="shape"):
        fit_temperature(np.zeros(5), labels)


def test_calibration_error_of_known_cases() -> None:
    assert expected_calibration_error(np.full(10, 0.8), np.array([1] * 8 + [0] * 2)) == pytest.approx(0)
    assert expected_calibration_error(np.full(10, 0.8), np.zeros(10)) == pytest.approx(0.8)
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([0, 1])) == 0
    assert Reliability().ece == 0


def test_bins_tell_where_probabilities_are_wrong() -> None:
    reliability = Reliability()
    reliability.add(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 0]))
    low, high = reliability.bins
    assert (low.count, low.frequency) == (2, 0)
    assert (high.count, high.frequency) == (2, 0.5)
    assert low.lower <= 0.1 < low.upper
    assert high.confidence == pytest.approx(0.9)


def test_the_band_hugs_the_border_on_both_sides() -> None:
    mask = np.zeros((21, 21, 21), bool)
    mask[5:16, 5:16, 5:16] = True
    band = border_band(mask)
    assert band[10, 10, 5:8].all()
    assert not band[10, 10, 8:13].any()
    assert band[10, 10, 3:5].all()
    assert not band[10, 10, :3].any()
    assert not border_band(np.zeros((5, 5, 5))).any()
