"""Scores of probabilities that were counted in bins, against their definitions over single voxels and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.uncertainty import probability_scores
from minivess.ml.uncertainty.probability_scores import count_scores
from minivess.records.evaluation.counted.scores import (
    FINE_BINS,
    LEAST_LIKELY,
    RANGES,
    adaptive_error,
    average_precision,
    brier_score,
    log_loss,
    precision_recall,
)
from tests.support.lazy_modules import lazily
from tests.support.properties import given
from tests.support.properties import strategies as st

with lazily("sklearn.metrics"):
    from sklearn import metrics

pytestmark = [pytest.mark.verifies("SU-32"), pytest.mark.verifies("REQ-382")]

EDGES = (0.0, 1e-9, 0.01, 0.07, 0.29, 0.5, 0.57, 0.58, 0.99, 1 - 2**-24, 1.0)


def drawn(seed: int, voxels: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a sparse structure that are too extreme by half, (10, n)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-2, 2, voxels)
    truth = rng.random(voxels) < 1 / (1 + np.exp(-logits))
    return (1 / (1 + np.exp(-1.5 * logits))).astype(np.float32).reshape(10, -1), truth.reshape(10, -1)


@pytest.mark.parametrize("seed", range(3))
def test_brier_score_and_log_loss_are_those_of_the_voxels(seed: int) -> None:
    probabilities, truth = drawn(seed)
    held, flat = count_scores(probabilities, truth), probabilities.ravel().astype(np.float64)
    assert brier_score(held) == pytest.approx(metrics.brier_score_loss(truth.ravel(), flat), abs=1e-9)
    assert log_loss(held) == pytest.approx(metrics.log_loss(truth.ravel(), flat), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_and_its_curve_are_those_of_the_fine_bins(seed: int) -> None:
    probabilities, truth = drawn(seed)
    held, flat = count_scores(probabilities, truth), truth.ravel()
    binned = np.minimum((probabilities.ravel().astype(np.float64) * FINE_BINS).astype(int), FINE_BINS - 1)
    assert average_precision(held) == pytest.approx(metrics.average_precision_score(flat, binned), abs=1e-12)
    assert average_precision(held) == pytest.approx(
        metrics.average_precision_score(flat, probabilities.ravel()), abs=0.01
    )
    for point in precision_recall(held):
        predicted = probabilities.ravel().astype(np.float64) >= point.threshold
        assert point.recall == (predicted & flat).sum() / flat.sum()
        assert point.precision == (predicted & flat).sum() / predicted.sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_adaptive_error_is_near_that_of_ranges_of_equal_number(seed: int) -> None:
    probabilities, truth = drawn(seed)
    order = np.argsort(probabilities.ravel(), kind="stable")
    values, right = probabilities.ravel()[order].astype(np.float64), truth.ravel()[order]
    ranges = np.array_split(np.arange(values.size), RANGES)
    exact = float(np.mean([abs(values[one].mean() - right[one].mean()) for one in ranges]))
    assert adaptive_error(count_scores(probabilities, truth)) == pytest.approx(exact, rel=0.2)
    assert exact > 0.03


def test_a_bin_with_most_voxels_leaves_the_other_ranges_to_the_rest() -> None:
    """95 of 100 voxels are in the first bin. The other five have gaps of both signs, which one range would cancel."""
    probabilities = np.array([0.0] * 95 + [0.2, 0.4, 0.6, 0.8, 1.0])
    truth = np.array([False] * 95 + [True, False, True, False, False])
    held = count_scores(probabilities, truth)
    assert adaptive_error(held) == pytest.approx((0.8 + 0.4 + 0.4 + 0.8 + 1.0) / 100)


@given(
    st.lists(st.tuples(st.sampled_from(EDGES) | st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 7),
)
def test_every_count_is_one_that_a_record_takes_and_chunks_change_nothing_that_matters(
    voxels: list[tuple[float, bool]], chunk: int
) -> None:
    values, truth = (np.array(column) for column in zip(*voxels, strict=True))
    whole = count_scores(values, truth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probability_scores, "_CHUNK", chunk)
        parts = count_scores(values, truth)
    assert [(row.voxels, row.positives) for row in parts.bins] == [(row.voxels, row.positives) for row in whole.bins]
    assert abs(parts.brier - whole.brier) <= 1
    assert abs(parts.nll - whole.nll) <= 1
    likely = np.where(truth, values, 1 - values)
    assert whole.nll == pytest.approx(-1e6 * np.log(np.maximum(likely, LEAST_LIKELY)).sum(), abs=1)
    assert (whole.voxels, whole.positives) == (len(voxels), sum(truth))


def test_certain_and_wrong_has_a_finite_log_loss() -> None:
    assert log_loss(count_scores(np.array([0.0, 1.0]), np.array([True, False]))) == pytest.approx(-np.log(LEAST_LIKELY))


def test_without_voxels_or_reference_a_score_is_undefined() -> None:
    empty = count_scores(np.zeros(0), np.zeros(0, np.bool_))
    assert [brier_score(empty), log_loss(empty), adaptive_error(empty), average_precision(empty)] == [None] * 4
    background = count_scores(np.array([0.1, 0.9]), np.zeros(2, np.bool_))
    assert average_precision(background) is None
    assert precision_recall(background)[50] == (0.5, 0.0, None)
    assert precision_recall(background)[95] == (0.95, None, None)
