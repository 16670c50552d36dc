"""Reliability bins against the definition of the expected calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.uncertainty import reliability
from minivess.ml.uncertainty.reliability import Reliability, border_band
from minivess.records.evaluation.counted.counts import BINS

pytestmark = pytest.mark.verifies("SU-32")


@pytest.mark.verifies("REQ-024")
def test_ece_is_the_weighted_gap_over_bins_whatever_the_batches() -> None:
    rng = np.random.default_rng(0)
    probabilities, truth = rng.random((4, 10, 10)).astype(np.float32), rng.random((4, 10, 10)) < 0.3
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    expected = sum(
        (bins == b).sum() * abs(probabilities[bins == b].mean() - truth[bins == b].mean()) for b in np.unique(bins)
    )
    whole, parts = Reliability(), Reliability()
    whole.add(probabilities, truth)
    for probability, label in zip(probabilities, truth, strict=True):
        parts.add(probability, label)
    assert whole.ece == pytest.approx(expected / truth.size, abs=1e-6)
    assert parts.ece == pytest.approx(whole.ece)


def test_certain_and_right_is_perfectly_calibrated() -> None:
    truth = np.array([0, 1, 1, 0])
    reliability = Reliability()
    assert reliability.ece == 0.0
    reliability.add(truth.astype(np.float32), truth)
    assert reliability.ece == 0.0
    reliability.add(1.0 - truth, truth)
    assert reliability.ece == pytest.approx(0.5)


def test_the_band_lies_along_the_border() -> None:
    mask = np.zeros((1, 20, 20), np.bool_)
    assert not border_band(mask).any()
    mask[:, 4:16, 4:16] = True
    band = border_band(mask)
    assert band[0, 2, 10]
    assert band[0, 3, 10]
    assert not band[0, 1, 10]


@pytest.mark.parametrize("weighted", [False, True])
def test_voxels_are_counted_in_chunks(monkeypatch: pytest.MonkeyPatch, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    probabilities, truth = rng.random((3, 7, 9)).astype(np.float32), rng.random((3, 7, 9)) < 0.4
    weights = rng.integers(1, 5, (3, 7, 9)).astype(np.float64) if weighted else None
    whole, parts = Reliability(), Reliability()
    whole.add(probabilities, truth, weights)
    monkeypatch.setattr(reliability, "_CHUNK", 10)
    parts.add(probabilities, truth, weights)
    assert parts.counts.sum() == (189 if weights is None else weights.sum())
    assert (parts.counts == whole.counts).all()
    assert (parts.positives == whole.positives).all()
    assert parts.confidence == pytest.approx(whole.confidence)


def test_the_bins_of_a_record_are_those_that_were_counted() -> None:
    rng = np.random.default_rng(2)
    counted = Reliability()
    counted.add(rng.random(500), rng.random(500) < 0.5)
    read = Reliability.of(counted.rows)
    assert read.rows == counted.rows
    assert read.ece == pytest.approx(counted.ece, abs=1e-6)
