"""The recall threshold: thinning is conservative, MAPIE's answer is the textbook one, limits are respected."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.uncertainty.conformal import THRESHOLDS, foreground_scores, threshold_from_scores
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-32")


def _scores(cases: int, *, seed: int = 0, size: int = 200) -> list[NDArray[np.float64] | None]:
    rng = np.random.default_rng(seed)
    return [np.sort(rng.beta(6 * rng.uniform(0.5, 1.5), 2, size)) for _ in range(cases)]


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300),
    threshold=st.floats(0, 1, width=32),
    size=st.sampled_from([7, 50, 1000]),
)
def test_thinned_scores_never_promise_more_recall_and_lose_less_than_one_in_size(
    values: list[float], threshold: float, size: int
) -> None:
    array = np.array(values, dtype=np.float32)
    kept = foreground_scores(array, np.ones_like(array), size=size)
    assert kept is not None
    assert kept.size == size
    true, thinned = np.mean(array > threshold), np.mean(kept > threshold)
    assert true - 1 / size < thinned + 1e-12
    assert thinned <= true + 1e-12


def test_a_case_without_foreground_has_no_scores() -> None:
    assert foreground_scores(np.ones((2, 2, 2)), np.zeros((2, 2, 2))) is None


@pytest.mark.verifies("REQ-020", "RC-01")
@pytest.mark.parametrize("seed", range(3))
def test_mapie_answers_as_conformal_risk_control_is_written(seed: int) -> None:
    scores = _scores(25, seed=seed)
    outcome = threshold_from_scores(scores, target_recall=0.9, confidence=0.9)
    grid = np.arange(THRESHOLDS) / THRESHOLDS
    risk = np.array([[np.mean(case <= value) for case in scores if case is not None] for value in grid]).mean(axis=1)
    fine = 25 / 26 * risk + 1 / 26 < 1 - 0.9
    assert outcome.threshold == grid[np.flatnonzero(fine)[-1]]
    assert outcome.achieved is not None
    assert outcome.achieved >= 0.9
    assert "conformal risk control" in outcome.method
    assert "not claimed" in outcome.note


@pytest.mark.verifies("REQ-020")
def test_with_many_cases_the_stronger_statement_is_made_and_is_more_careful() -> None:
    many = [case * 0.2 + 0.8 for case in _scores(400, size=50) if case is not None]
    strong = threshold_from_scores(many, target_recall=0.8, confidence=0.9)
    weak = threshold_from_scores(many[:15], target_recall=0.8, confidence=0.9)
    assert "RCPS" in strong.method
    assert strong.threshold is not None
    assert weak.threshold is not None
    assert np.mean(np.stack(many) >= strong.threshold) >= 0.8


def test_cases_without_foreground_are_left_out_and_said_so() -> None:
    outcome = threshold_from_scores([*_scores(20), None, None], target_recall=0.8, confidence=0.9)
    assert outcome.threshold is not None
    assert "2 without foreground" in outcome.note


@pytest.mark.parametrize("bad", [np.full(200, np.nan), np.full(200, 1.5), np.full(10, 0.5)])
def test_scores_that_are_no_probabilities_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(InputError):
        threshold_from_scores([*_scores(20), bad], target_recall=0.9, confidence=0.9)


@pytest.mark.parametrize(("target", "confidence"), [(0, 0.9), (1, 0.9), (0.9, 0), (0.9, 1)])
def test_targets_outside_the_unit_interval_are_refused(target: float, confidence: float) -> None:
    with pytest.raises(UsageError):
        threshold_from_scores(_scores(20), target_recall=target, confidence=confidence)
