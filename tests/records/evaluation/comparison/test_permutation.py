"""The permutation test and Holm's correction: exact where all signs are counted, honest where some are drawn."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from scipy import stats

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.comparison.permutation import EXACT_UP_TO, holm, sign_flips
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-149", "REQ-390")

DIFFERENCES = st.lists(st.integers(-40, 40).map(lambda whole: whole / 1000), min_size=1, max_size=11)


def by_enumeration(differences: list[float]) -> float:
    whole = [round(1000 * one) for one in differences]
    sums = [
        abs(sum(s * one for s, one in zip(signs, whole, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(whole))
    ]
    return sum(one >= abs(sum(whole)) for one in sums) / len(sums)


@settings(max_examples=80)
@given(DIFFERENCES)
def test_all_signs_are_counted(differences: list[float]) -> None:
    found = sign_flips(differences, seed=0)
    assert found.exact
    assert found.p == by_enumeration(differences)
    assert found.p >= found.smallest == min(1.0, 2 / 2 ** len(differences))


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_it_is_the_test_of_scipy(differences: list[float]) -> None:
    """SciPy takes the smaller tail twice; for signs both tails are equal. Its own tolerance joins almost equal sums."""
    spread = [one + 1e-4 * place for place, one in enumerate(differences)]
    made = stats.permutation_test((np.array(spread),), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(spread, seed=0).p == pytest.approx(made.pvalue, abs=2 / 2 ** len(spread))


@settings(max_examples=40)
@given(DIFFERENCES, st.randoms())
def test_order_direction_and_unit_change_nothing(differences: list[float], shuffle: random.Random) -> None:
    p = sign_flips(differences, seed=0).p
    other = [-1000 * one for one in differences]
    shuffle.shuffle(other)
    assert sign_flips(other, seed=0).p == p


def test_rounding_makes_no_two_equal_sums_differ() -> None:
    """0.1 + 0.2 is not 0.3 as doubles: without rounding one of the four extreme sums would be lost."""
    assert sign_flips([0.1, 0.2, -0.3], seed=0).p == 1.0
    assert sign_flips([0.3 - 0.2, 0.2 - 0.1], seed=0).p == 0.5


def test_above_thirty_groups_signs_are_drawn_and_p_is_never_0() -> None:
    few, many = [0.01] * EXACT_UP_TO, [0.01] * (EXACT_UP_TO + 1)
    assert sign_flips(few, seed=0) == (2 / 2**EXACT_UP_TO, True, 2 / 2**EXACT_UP_TO)
    found = sign_flips(many, seed=0, draws=99)
    assert (found.p, found.exact, found.smallest) == (0.01, False, 0.01)


def test_a_drawn_sum_that_is_equal_counts() -> None:
    """Of 31 groups one differs: every sum is as large as the one that was measured."""
    found = sign_flips([0.01, *[0.0] * EXACT_UP_TO], seed=0, draws=99)
    assert (found.p, found.exact) == (1.0, False)


def test_drawn_signs_agree_with_counted_ones() -> None:
    draw = random.Random(5)  # noqa: S311  repeatable
    differences = [draw.gauss(0.012, 0.05) for _ in range(EXACT_UP_TO)]
    exact = sign_flips(differences, seed=0).p
    drawn = sign_flips([*differences, 0.0], seed=1)  # a difference of 0 changes no sum
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 9999) ** 0.5 + 1e-4)
    assert drawn == sign_flips([*differences, 0.0], seed=1)
    assert drawn.p != sign_flips([*differences, 0.0], seed=2).p


def test_equal_models_are_called_different_as_often_as_the_level_says() -> None:
    """2,000 comparisons of equal models over 8 groups of unequal spread: at most the level, and not far below it."""
    draw, wrong = random.Random(7), 0  # noqa: S311  repeatable
    for _ in range(2000):
        wrong += sign_flips([draw.gauss(0, 0.01 * (1 + group)) for group in range(8)], seed=0).p <= 0.05
    assert 0.032 <= wrong / 2000 <= 0.062


def test_nothing_has_no_p() -> None:
    with pytest.raises(UsageError, match="no differences"):
        sign_flips([], seed=0)


@pytest.mark.verifies("REQ-391")
def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@pytest.mark.verifies("REQ-391")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_none_and_bonferroni_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= one <= min(1.0, len(ps) * p) for p, one in zip(ps, corrected, strict=True))
    for first, second in itertools.pairwise(sorted(range(len(ps)), key=lambda place: ps[place])):
        assert corrected[first] <= corrected[second]
    assert corrected[ps.index(min(ps))] == min(1.0, len(ps) * min(ps))


@pytest.mark.verifies("REQ-391")
def test_holm_holds_the_level_over_all_tests() -> None:
    """Of 2,000 families of 4 true hypotheses at most 5 in 100 have a rejection, and uncorrected about 18."""
    draw = random.Random(3)  # noqa: S311  repeatable
    families = [[draw.random() for _ in range(4)] for _ in range(2000)]
    assert sum(min(holm(ps)) <= 0.05 for ps in families) / 2000 <= 0.062
    assert sum(min(ps) <= 0.05 for ps in families) / 2000 >= 0.15
