"""Normalisation: invariance, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.preprocessing.normalisation import normalise
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-97")


@given(gain=st.floats(0.1, 100), offset=st.floats(-50, 50), seed=st.integers(0, 100))
def test_gain_and_offset_do_not_matter(gain: float, offset: float, seed: int) -> None:
    volume = np.random.default_rng(seed).gamma(2.0, 5.0, (6, 10, 10))
    np.testing.assert_allclose(normalise(volume * gain + offset), normalise(volume), atol=2e-3)


def test_the_result_is_standardised_single_precision_and_the_input_unchanged() -> None:
    volume = np.random.default_rng(0).poisson(4, (8, 20, 20)).astype(np.uint16)
    before = volume.copy()
    result = normalise(volume)
    assert result.dtype == np.float32
    assert abs(float(result.mean())) < 1e-5
    assert float(result.std()) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(volume, before)


def test_a_hot_pixel_hardly_matters() -> None:
    volume = np.random.default_rng(0).normal(10, 1, (8, 20, 20))
    hot = volume.copy()
    hot[4, 10, 10] = 1e6
    difference = np.abs(normalise(hot) - normalise(volume))
    difference[4, 10, 10] = 0
    assert difference.max() < 0.05


def test_a_constant_volume_becomes_zeros() -> None:
    assert not normalise(np.full((4, 4, 4), 7.1)).any()


@pytest.mark.parametrize(
    "volume",
    [np.zeros(4), np.zeros((0, 4, 4)), np.full((4, 4, 4), np.nan), np.array([[[0.0, np.inf]]])],
    ids=["one axis", "empty", "nan", "infinity"],
)
def test_malformed_volumes_are_refused(volume: np.ndarray) -> None:
    with pytest.raises(InputError):
        normalise(volume)
