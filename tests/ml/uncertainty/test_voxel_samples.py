"""A weighted sample of voxels: what it represents, and that a fit on it is the fit on all voxels."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.calibrators.registry import CALIBRATORS
from minivess.ml.inference.answers import to_probability
from minivess.ml.uncertainty.reliability import Reliability
from minivess.ml.uncertainty.voxel_samples import VoxelSample, draw_voxels
from tests.support.calibration_error import expected_calibration_error
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-32"), pytest.mark.verifies("REQ-239")]

Voxels = tuple[np.ndarray, np.ndarray]


def voxels(share: float, size: int = 1_000_000, seed: int = 0) -> Voxels:
    """Overconfident logits with a share of foreground, at least one voxel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(size) < max(1, round(share * size))
    return (rng.normal(-3, 2, size) + 4 * labels).astype(np.float32), labels


def drawn(pair: Voxels, size: int = 100_000, seed: int = 0) -> VoxelSample:
    return draw_voxels(np.random.default_rng(seed), *pair, size)


@settings(max_examples=40)
@given(
    foreground=st.integers(0, 400),
    background=st.integers(0, 400),
    size=st.integers(2, 300),
    levels=st.integers(1, 200),
    seed=st.integers(0, 9),
)
def test_a_sample_represents_every_voxel(foreground: int, background: int, size: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(foreground + background) < foreground)
    logits = rng.integers(0, levels, labels.size).astype(np.float32) ** 2
    sample = drawn((logits, labels), size, seed)
    assert sample.logits.size == min(size, labels.size)
    assert sample.weights[sample.labels].sum() == pytest.approx(foreground)
    assert sample.weights[~sample.labels].sum() == pytest.approx(background)
    assert (sample.weights >= 1).all()
    for inside in (True, False):
        values, counts = np.unique(sample.logits[sample.labels == inside], return_counts=True)
        most = dict(zip(*np.unique(logits[labels == inside], return_counts=True), strict=True))
        assert all(count <= most[one] for one, count in zip(values, counts, strict=True))  # without replacement
    if labels.size <= size:
        assert (sample.weights == 1).all()


def test_a_small_class_is_taken_whole() -> None:
    sample = drawn(voxels(2e-5))
    assert np.count_nonzero(sample.labels) == 20
    assert (sample.weights[sample.labels] == 1).all()
    assert sample.logits.size == 100_000
    assert sample.logits[~sample.labels].max() == voxels(2e-5)[0][20:].max()  # the few that decide a temperature


def test_a_sample_repeats_by_seed() -> None:
    pair = voxels(0.1, 5000)
    one, two, other = drawn(pair, 1000), drawn(pair, 1000), drawn(pair, 1000, seed=1)
    assert np.array_equal(one.logits, two.logits)
    assert not np.array_equal(one.logits, other.logits)


@pytest.mark.parametrize("calibrator", CALIBRATORS)
@pytest.mark.parametrize("share", [1e-6, 1e-4, 0.01, 0.5])
def test_a_fit_on_the_sample_is_the_fit_on_all_voxels(calibrator: str, share: float) -> None:
    pair = voxels(share, 1_000_000 if share < 1e-4 else 300_000)
    sample = drawn(pair, 30_000)
    fit = CALIBRATORS[calibrator].fit
    assert fit(sample.logits, sample.labels, sample.weights) == pytest.approx(fit(*pair), rel=2e-3)


@pytest.mark.parametrize("share", [1e-6, 0.01, 0.5])
def test_the_calibration_error_of_the_sample_is_that_of_all_voxels(share: float) -> None:
    logits, labels = voxels(share, 300_000)
    sample = drawn((logits, labels), 30_000)
    whole = expected_calibration_error(to_probability(logits), labels)
    assert expected_calibration_error(to_probability(sample.logits), sample.labels, sample.weights) == pytest.approx(
        whole, abs=5e-4
    )


def test_samples_of_cases_are_joined() -> None:
    one, two = drawn(voxels(0.1, 100)), drawn(voxels(0.5, 50))
    joined = VoxelSample.joined([one, two])
    assert joined.logits.size == 150
    assert joined.weights.sum() == 150
    assert np.count_nonzero(joined.labels) == 35


def test_a_weighted_voxel_counts_as_often_as_its_weight_says() -> None:
    probabilities, labels = np.array([0.1, 0.9, 0.9]), np.array([0, 1, 0])
    weighted, repeated = Reliability(), Reliability()
    weighted.add(probabilities, labels, np.array([3.0, 2.0, 1.0]))
    times = np.array([3, 2, 1])
    repeated.add(np.repeat(probabilities, times), np.repeat(labels, times))
    assert weighted.rows == repeated.rows
    assert weighted.ece == pytest.approx(repeated.ece)
