"""Arithmetic without a mathematical library: as exact as one, and chance with the right distribution."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from minivess.ml.synthesis import exact, optics
from minivess.ml.synthesis.exact import Purpose, Stream
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-28")


@given(st.floats(-600, 600))
def test_exp_is_exp(x: float) -> None:
    assert float(exact.exp(x)) == pytest.approx(math.exp(x), rel=1e-15)


@given(st.floats(1e-300, 1e300))
def test_log_is_log(x: float) -> None:
    assert float(exact.log(x)) == pytest.approx(math.log(x), rel=2e-15, abs=1e-16)


@given(st.floats(0.1, 30), st.floats(0.25, 4))
def test_power_is_power(base: float, exponent: float) -> None:
    assert float(exact.power(base, exponent)) == pytest.approx(base**exponent, rel=1e-14)


def test_normal_numbers_have_the_quantiles_of_the_normal_distribution() -> None:
    drawn = np.sort(Stream(3, Purpose.TEXTURE).normal(200_000))
    for share in (0.001, 0.05, 0.5, 0.9, 0.999):
        wanted = NormalDist().inv_cdf(share)
        spread = math.sqrt(share * (1 - share) / 200_000) / NormalDist().pdf(wanted)
        assert drawn[int(share * 200_000)] == pytest.approx(wanted, abs=5 * spread)
    assert np.abs(drawn).max() < 4.4


@pytest.mark.parametrize("mean", [0.01, 0.5, 4.0, 63.9, 64.1, 900.0])
def test_poisson_counts_have_the_moments_of_the_poisson_distribution(mean: float) -> None:
    counts = Stream(5, Purpose.DETECTOR).poisson(np.full((100, 1000), mean))
    assert counts.shape == (100, 1000)
    assert (counts == np.rint(counts)).all()
    assert counts.min() >= 0
    assert counts.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / 1e5))
    assert counts.var() == pytest.approx(mean, rel=0.1 if mean < 0.1 else 0.03)


def test_small_means_have_the_exact_probabilities() -> None:
    counts = Stream(6, Purpose.DETECTOR).poisson(np.full(200_000, 1.5))
    for k in range(6):
        wanted = math.exp(-1.5) * 1.5**k / math.factorial(k)
        assert (counts == k).mean() == pytest.approx(wanted, abs=5 * math.sqrt(wanted / 200_000))


def test_streams_of_different_purposes_and_seeds_differ_and_each_repeats() -> None:
    first = Stream((7, 1), Purpose.NETWORK).uniform(50)
    assert np.array_equal(first, Stream((7, 1), Purpose.NETWORK).uniform(50))
    assert not np.array_equal(first, Stream((7, 1), Purpose.LEAKS).uniform(50))
    assert not np.array_equal(first, Stream((7, 2), Purpose.NETWORK).uniform(50))
    assert 0 < first.min() < first.max() < 1


@pytest.mark.parametrize("wrap", [False, True])
def test_blur_is_the_gaussian_filter_everybody_uses(wrap: bool) -> None:
    from scipy.ndimage import gaussian_filter

    volume = Stream(8, Purpose.TEXTURE).normal(9, 31, 30).astype(np.float32)
    ours = optics.blur(volume, (2.5, 0.5, 0.0), wrap=wrap)
    theirs = gaussian_filter(volume, (2.5, 0.5, 0.0), mode="wrap" if wrap else "nearest")
    assert np.allclose(ours, theirs, atol=1e-5)


def test_spread_is_the_standard_deviation_that_blurred_noise_has() -> None:
    noise = Stream(9, Purpose.TEXTURE).normal(40, 64, 64).astype(np.float32)
    blurred = optics.blur(noise, (0.8, 1.6, 1.6), wrap=True)
    assert blurred.std() == pytest.approx(optics.spread((0.8, 1.6, 1.6)), rel=0.05)
