"""Quantiles and exact bounds: equal to SciPy's, and to the definition where it can be counted out."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from scipy import stats

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.statistics.distributions import binomial_upper, fewest_values, lower_rank, student_t
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-04")

LEVELS = (0.5, 0.9, 0.95, 1 - 0.05 / 3, 0.9999)


@pytest.mark.verifies("REQ-244")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 18, 61])
def test_student_t_is_that_of_scipy(level: float, freedom: int) -> None:
    assert student_t(level, freedom) == pytest.approx(stats.t.isf((1 - level) / 2, freedom), rel=1e-12)


@pytest.mark.verifies("REQ-245")
@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from(LEVELS))
def test_the_bound_of_a_share_is_that_of_scipy(counts: tuple[int, int], level: float) -> None:
    interval = stats.binomtest(*counts, alternative="less").proportion_ci(level, method="exact")
    assert binomial_upper(*counts, level) == pytest.approx(interval.high, abs=1e-12)


@pytest.mark.verifies("REQ-245")
def test_none_of_six_failed_leaves_39_percent() -> None:
    assert round(100 * binomial_upper(0, 6, 0.95)) == 39
    assert binomial_upper(3, 3, 0.95) == 1.0


@pytest.mark.verifies("REQ-246")
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.sampled_from([0.1, 0.5, 0.75, 0.9]), st.sampled_from([0.6, 0.9, 0.95, 0.99]))
def test_a_rank_bounds_a_quantile_with_the_confidence_and_the_next_does_not(
    number: int, quantile: float, confidence: float
) -> None:
    share = Fraction(str(quantile))

    def at_least(rank: int) -> Fraction:
        return sum(
            (math.comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(rank, number + 1)),
            Fraction(0),
        )

    rank = lower_rank(number, quantile, confidence)
    assert at_least(rank) >= Fraction(str(confidence))
    assert rank == number or at_least(rank + 1) < Fraction(str(confidence))


@pytest.mark.verifies("REQ-246")
def test_so_many_groups_bound_a_quantile() -> None:
    """1 - 0.9^n reaches .95 at n = 29, and 1 - 0.5^n at n = 5 (Wilks 1941)."""
    assert [fewest_values(quantile, 0.95) for quantile in (0.1, 0.5, 0.9)] == [29, 5, 2]
    assert lower_rank(28, 0.1, 0.95) == 0


@pytest.mark.parametrize(("level", "freedom"), [(0, 3), (1, 3), (0.95, 0)])
def test_what_has_no_quantile_is_refused(level: float, freedom: int) -> None:
    with pytest.raises(UsageError):
        student_t(level, freedom)


@pytest.mark.parametrize(("failed", "number", "level"), [(2, 1, 0.9), (-1, 3, 0.9), (0, 0, 0.9), (0, 3, 1)])
def test_what_is_no_share_is_refused(failed: int, number: int, level: float) -> None:
    with pytest.raises(UsageError):
        binomial_upper(failed, number, level)
