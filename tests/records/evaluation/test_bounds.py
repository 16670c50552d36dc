"""The one comparison of a figure with a bound."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st

from minivess.records.evaluation.statistics.bounds import Bound
from tests.support.properties import given

pytestmark = pytest.mark.verifies("SU-04")

figures = st.floats(-1e6, 1e6)


@given(figures, figures)
def test_a_limit_is_part_of_the_bound(value: float, limit: float) -> None:
    assert Bound(at_least=limit).judge(value).met == (value >= limit)
    assert Bound(at_most=limit).judge(value).met == (value <= limit)
    assert Bound(at_least=limit).judge(limit).margin == 0


@given(figures, figures, figures)
def test_two_limits_are_both_asked_and_the_nearest_gives_the_margin(value: float, low: float, high: float) -> None:
    verdict = Bound(low, high).judge(value)
    assert verdict.met == (low <= value <= high)
    assert verdict.margin == min(value - low, high - value)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_unknown_meets_no_bound(value: float | None) -> None:
    for bound in (Bound(at_least=0.0), Bound(at_most=0.0), Bound(0.0, 1.0), Bound()):
        verdict = bound.judge(value)
        assert not verdict.met
        assert verdict.margin is None
