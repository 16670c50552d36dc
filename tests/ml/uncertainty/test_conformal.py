"""The recall threshold: thinning is conservative, MAPIE's answer is the textbook one, limits are respected."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.uncertainty.conformal import (
    THRESHOLDS,
    ConformalThreshold,
    foreground_scores,
    threshold_from_scores,
)
from minivess.records.models.model import fewest_groups
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-32")


def _threshold(
    scores: Sequence[NDArray[np.float64] | None], *, target_recall: float = 0.9, confidence: float = 0.9
) -> ConformalThreshold:
    """The threshold where each case is a group of its own."""
    groups = [f"g{number}" for number in range(len(scores))]
    return threshold_from_scores(scores, groups, target_recall=target_recall, confidence=confidence)


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
    outcome = _threshold(scores, target_recall=0.9, confidence=0.9)
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
    strong = _threshold(many, target_recall=0.8, confidence=0.9)
    weak = _threshold(many[:15], target_recall=0.8, confidence=0.9)
    assert "RCPS" in strong.method
    assert strong.threshold is not None
    assert weak.threshold is not None
    assert np.mean(np.stack(many) >= strong.threshold) >= 0.8


def test_cases_without_foreground_are_left_out_and_said_so() -> None:
    outcome = _threshold([*_scores(20), None, None], target_recall=0.8, confidence=0.9)
    assert outcome.threshold is not None
    assert "2 without foreground" in outcome.note


@pytest.mark.parametrize("bad", [np.full(200, np.nan), np.full(200, 1.5), np.full(10, 0.5)])
def test_scores_that_are_no_probabilities_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(InputError):
        _threshold([*_scores(20), bad], target_recall=0.9, confidence=0.9)


@pytest.mark.parametrize(("target", "confidence"), [(0, 0.9), (1, 0.9), (0.9, 0), (0.9, 1)])
def test_targets_outside_the_unit_interval_are_refused(target: float, confidence: float) -> None:
    with pytest.raises(UsageError):
        _threshold(_scores(20), target_recall=target, confidence=confidence)


@pytest.mark.verifies("REQ-243", "RC-106")
@pytest.mark.parametrize("cases", [12, 200])
def test_any_number_of_cases_of_one_group_gives_no_guarantee(cases: int) -> None:
    outcome = threshold_from_scores(_scores(cases), ["animal"] * cases, target_recall=0.9, confidence=0.9)
    assert (outcome.threshold, outcome.achieved) == (None, None)
    assert outcome.note == f"no guarantee: n too small, 1 calibration group ({cases} cases); recall 0.9 needs 10 groups"


@pytest.mark.verifies("REQ-243", "RC-106")
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 50), st.integers(1, 4), st.randoms(use_true_random=False))
def test_repeated_cases_and_another_order_change_no_threshold(seed: int, times: int, shuffle: random.Random) -> None:
    scores = _scores(14, seed=seed)
    alone = _threshold(scores, target_recall=0.85)
    rows = [(case, f"g{number}") for number, case in enumerate(scores) for _ in range(times)]
    shuffle.shuffle(rows)
    again = threshold_from_scores(*zip(*rows, strict=True), target_recall=0.85, confidence=0.9)
    assert again.threshold == alone.threshold
    assert f"14 calibration groups ({14 * times} cases)" in again.note


@pytest.mark.verifies("REQ-243")
def test_the_recall_of_a_group_is_the_mean_of_its_cases() -> None:
    """Conformal risk control written out over groups of unequal size: each group counts once."""
    scores, groups = _scores(30, seed=4), [f"g{min(number, 14)}" for number in range(30)]
    grid = np.arange(THRESHOLDS) / THRESHOLDS
    held = {name: [one for one, group in zip(scores, groups, strict=True) if group == name] for name in groups}
    risk = np.mean(
        [[np.mean([np.mean(case <= value) for case in cases]) for value in grid] for cases in held.values()], axis=0
    )
    fine = 15 / 16 * risk + 1 / 16 < 1 - 0.8
    outcome = threshold_from_scores(scores, groups, target_recall=0.8, confidence=0.9)
    assert outcome.threshold == grid[np.flatnonzero(fine)[-1]]


@pytest.mark.verifies("REQ-243")
def test_a_group_counts_when_one_of_its_cases_has_foreground() -> None:
    scores = [case for one in _scores(12) for case in (one, None)]
    outcome = threshold_from_scores(
        scores, [f"g{number // 2}" for number in range(24)], target_recall=0.8, confidence=0.9
    )
    assert outcome.threshold == _threshold(_scores(12), target_recall=0.8).threshold
    assert "12 calibration groups (12 cases; 12 without foreground left out)" in outcome.note
    with pytest.raises(UsageError, match="24 cases have 3 groups"):
        threshold_from_scores(scores, ["a", "b", "c"], target_recall=0.8, confidence=0.9)


@pytest.mark.verifies("REQ-243")
def test_the_guarantee_holds_on_new_animals_where_one_animal_gave_it_wrongly() -> None:
    """Animals differ: with 12 animals the recall on new ones reaches the target on average."""
    rng = np.random.default_rng(1)

    def stack(middle: float) -> NDArray[np.float64]:
        return np.sort(np.clip(rng.normal(middle, 0.12, 200), 0, 1))

    reached = []
    for _ in range(15):
        middles = rng.normal(0.75, 0.12, 12)
        scores = [stack(middle) for middle in middles for _ in range(2)]
        found = threshold_from_scores(
            scores, [f"a{number // 2}" for number in range(24)], target_recall=0.9, confidence=0.9
        )
        assert found.threshold is not None
        reached.append(np.mean([np.mean(stack(middle) >= found.threshold) for middle in rng.normal(0.75, 0.12, 60)]))
    assert np.mean(reached) >= 0.9


@pytest.mark.verifies("REQ-243")
@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95])
def test_the_fewest_groups_are_those_from_which_a_threshold_can_follow(target: float) -> None:
    perfect, fewest = [np.ones(50)] * 40, fewest_groups(target)
    enough, few = (_threshold(perfect[:count], target_recall=target) for count in (fewest, fewest - 1))
    assert enough.threshold == (THRESHOLDS - 1) / THRESHOLDS
    assert (few.threshold, "n too small" in few.note) == (None, True)
