"""Temperature scaling and reliability."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.calibrators.temperature import fit_temperature, negative_log_likelihood
from minivess.ml.inference.answers import to_probability
from minivess.ml.uncertainty.reliability import Reliability, border_band
from tests.support.calibration_error import expected_calibration_error
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


@pytest.mark.verifies("REQ-240")
@pytest.mark.parametrize(("labels", "missing"), [(np.zeros(100), "foreground"), (np.ones(100), "background")])
def test_one_class_alone_is_refused(labels: np.ndarray, missing: str) -> None:
    with pytest.raises(InputError, match=f"both classes, and no voxel is {missing}") as caught:
        fit_temperature(np.linspace(-3, 3, 100), labels)
    assert caught.value.hint == f"add calibration cases with {missing}"


LABELS = np.arange(1000) % 2


@pytest.mark.verifies("REQ-240")
@pytest.mark.parametrize(
    ("logits", "reason"),
    [
        (np.where(LABELS, 5.0, -5.0), "they separate the classes perfectly"),
        (_calibrated(0, 1000)[0] / 1000, "more than 20 times too small"),
        (-np.where(LABELS, 5.0, -5.0), "not higher in the foreground than in the background"),
        (_calibrated(0, 1000)[0] * 1000, "more than 20 times too large"),
    ],
)
def test_logits_that_calibration_cannot_help_are_refused_for_the_true_reason(logits: np.ndarray, reason: str) -> None:
    labels = LABELS if abs(logits[0]) == 5 else _calibrated(0, 1000)[1]
    foreground = f"(foreground is {np.count_nonzero(labels) / 1000:.2g} of the voxels)"
    with pytest.raises(InputError, match=r"no temperature from 0\.05 to 20") as caught:
        fit_temperature(logits, labels)
    assert reason in caught.value.message
    assert foreground in caught.value.message
    weights = np.where(labels, 0.25, 1.5)  # as of a group of several cases
    share = weights[labels > 0].sum() / weights.sum()
    with pytest.raises(InputError, match=re.escape(f"(foreground is {share:.2g} of the voxels)")):
        fit_temperature(logits, labels, weights)


def test_logits_without_any_relation_to_the_labels_are_refused() -> None:
    with pytest.raises(InputError, match="no temperature"):
        fit_temperature(np.random.default_rng(0).normal(0, 5, 1000), LABELS)


@pytest.mark.parametrize(
    ("logits", "weights", "reason"),
    [
        (np.where(LABELS, np.nan, 0.0), None, "NaN"),
        (np.zeros(5), None, "shape"),
        (np.zeros(1000), np.ones(5), "weights of shape"),
        (np.zeros(1000), np.zeros(1000), "a weight"),
        (np.zeros(1000), np.full(1000, np.inf), "a weight"),
    ],
)
def test_arrays_that_cannot_be_fitted_are_refused(logits: np.ndarray, weights: np.ndarray | None, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        fit_temperature(logits, LABELS, weights)


@pytest.mark.verifies("REQ-239")
@settings(max_examples=10)
@given(seed=st.integers(0, 20))
def test_a_weight_counts_as_repetitions(seed: int) -> None:
    logits, labels = _calibrated(seed, 2000)
    times = np.random.default_rng(seed).integers(1, 9, labels.size)
    repeated = np.repeat(3 * logits, times), np.repeat(labels, times)
    assert fit_temperature(3 * logits, labels, times) == pytest.approx(fit_temperature(*repeated), rel=1e-4)
    assert negative_log_likelihood(logits, labels, 2.0, times) == pytest.approx(
        negative_log_likelihood(np.repeat(logits, times), np.repeat(labels, times), 2.0)
    )


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
