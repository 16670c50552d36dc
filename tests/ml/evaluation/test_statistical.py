"""Statistical criteria: exact where the answer is known, closed where something is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.foundation.errors import UsageError
from minivess.ml.evaluation.statistical_criteria import judge_criterion
from minivess.records.evaluation.case_results import CaseResult
from minivess.records.evaluation.statistics.distributions import lower_rank
from minivess.records.evaluation.statistics.intervals import group_interval
from minivess.records.items.items import StatisticalCriterion
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-069", "SU-33")


def criterion(**changes: Any) -> StatisticalCriterion:
    said: dict[str, Any] = {
        "id": "SAC-01",
        "title": "t",
        "statement": "s",
        "verifies": ["REQ-001"],
        "measure": "dice",
        "statistic": "mean",
        "bound": "estimate",
        "at_least": 0.5,
        "minimum_cases": 1,
        "source": {"path": "requirements/criteria.yaml", "line": 2},
    }
    return StatisticalCriterion.model_validate(said | changes)


def cases(values: list[float | None], subjects: list[str] | None = None, **attributes: str) -> list[CaseResult]:
    who = subjects or [f"s{number}" for number in range(len(values))]
    return [
        CaseResult(case=f"c{number}", subject=subject, values={"dice": value}, attributes=attributes)
        for number, (value, subject) in enumerate(zip(values, who, strict=True))
    ]


@pytest.mark.parametrize(
    ("statistic", "limits", "met"),
    [
        ("mean", {"at_least": 0.6}, True),
        ("mean", {"at_least": 0.6 + 1e-9}, False),
        ("median", {"at_least": 0.7}, True),
        ("median", {"at_least": None, "at_most": 0.7}, True),
        ("mean", {"at_least": None, "at_most": 0.59}, False),
    ],
)
def test_an_estimate_is_compared_exactly(statistic: str, limits: dict[str, float | None], met: bool) -> None:
    found = judge_criterion(criterion(statistic=statistic, **limits), cases([0.25, 0.7, 0.85]), seed=0)
    assert [one.met for one in found.strata] == [met]


@pytest.mark.verifies("REQ-242", "REQ-244")
@pytest.mark.parametrize(("groups", "method"), [(10, "Student's t"), (30, "percentile bootstrap")])
def test_a_bound_of_the_mean_is_one_end_of_the_interval_over_groups(groups: int, method: str) -> None:
    generator = np.random.default_rng(3)
    values = list(generator.uniform(0.4, 0.9, 60))
    subjects = [f"s{number % groups}" for number in range(60)]
    for bound, limit in (("lower", {"at_least": 0.5}), ("upper", {"at_least": None, "at_most": 0.9})):
        one_sided = criterion(bound=bound, confidence=0.975, **limit)
        [stratum] = judge_criterion(one_sided, cases(values, subjects), seed=1, resamples=500).strata
        interval = group_interval(values, subjects, resamples=500, seed=1, level=0.95)
        assert stratum.value == pytest.approx(getattr(interval, bound), abs=1e-9)
        assert stratum.groups == groups
        assert f"{method}, {groups} groups, 60 cases, nominal coverage 95 %, simulated" in stratum.basis
        assert "confidence 97.5 %" in stratum.basis


@pytest.mark.verifies("REQ-246")
def test_a_bound_of_a_quantile_is_an_order_statistic_or_says_that_there_are_too_few() -> None:
    values = [number / 100 for number in range(30)]
    [median] = judge_criterion(criterion(statistic="median", bound="lower"), cases(values), seed=0).strata
    assert median.value == values[lower_rank(30, 0.5, 0.95) - 1]
    assert "order statistic 11 of 30 groups, 30 cases, confidence 95 %, exact" in median.basis
    high = criterion(statistic="quantile", quantile=0.9, bound="upper", at_least=None, at_most=0.3)
    [upper] = judge_criterion(high, cases(values), seed=0).strata
    assert (upper.value, upper.met) == (0.29, True)
    [few] = judge_criterion(high, cases(values[:28]), seed=0).strata
    assert (few.value, few.met) == (None, False)
    assert few.why == (
        "n too small: a bound of the 0.9 quantile with confidence 95 % needs 29 groups; there are 28 groups, 28 cases"
    )
    [estimate] = judge_criterion(
        criterion(statistic="quantile", quantile=0.9, at_least=0.2), cases(values), seed=0
    ).strata
    assert (estimate.value, estimate.met) == (0.26, True)


@pytest.mark.verifies("REQ-242", "REQ-246")
@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("bound", ["estimate", "lower"])
def test_more_cases_of_the_same_groups_change_nothing(statistic: str, bound: str) -> None:
    values: list[float | None] = [0.6, 0.8, 0.9, 0.7, 0.65, 0.5]
    made = criterion(statistic=statistic, bound=bound)
    [once] = judge_criterion(made, cases(values), seed=0, resamples=100).strata
    subjects = [f"s{number % 6}" for number in range(24)]
    [often] = judge_criterion(made, cases(values * 4, subjects), seed=0, resamples=100).strata
    assert often.value == pytest.approx(once.value, abs=1e-9)
    assert (once.groups, often.groups, often.cases) == (6, 6, 24)


def test_the_group_of_a_case_counts_where_it_has_one() -> None:
    [near] = judge_criterion(
        criterion(), [one.model_copy(update={"group": "g"}) for one in cases([0.6, 0.7])], seed=0
    ).strata
    assert (near.groups, near.cases) == (1, 2)


@pytest.mark.parametrize(("statistic", "quantile"), [("quantile", None), ("mean", 0.5), ("median", 0.9)])
def test_a_quantile_goes_with_its_statistic(statistic: str, quantile: float | None) -> None:
    with pytest.raises(ValidationError, match="goes with the statistic"):
        criterion(statistic=statistic, quantile=quantile)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=12), st.sampled_from(["mean", "median"]))
def test_bounds_enclose_the_estimate_and_a_seed_repeats_them(values: list[float], statistic: str) -> None:
    def value(bound: str) -> float:
        made = criterion(statistic=statistic, bound=bound)
        [one] = judge_criterion(made, cases(list(values)), seed=5, resamples=100).strata
        [again] = judge_criterion(made, cases(list(values)), seed=5, resamples=100).strata
        assert one == again
        assert one.value is not None
        return one.value

    assert value("lower") - 1e-9 <= value("estimate") <= value("upper") + 1e-9


@pytest.mark.parametrize(
    ("changes", "given_cases", "why"),
    [
        ({"at_least": None}, cases([0.5]), "needs one limit"),
        ({"at_most": 0.9}, cases([0.5]), "needs one limit"),
        ({}, [], "no cases"),
        ({}, [*cases([0.5]), *cases([0.6])], "twice"),
        ({"strata": ["scanner"]}, cases([0.5]), "no attribute 'scanner'"),
        ({}, [one.model_copy(update={"group": one.case}) for one in cases([0.5, 0.6], ["s", "s"])], "different groups"),
    ],
)
def test_what_cannot_be_judged_is_refused(changes: dict[str, Any], given_cases: list[CaseResult], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        judge_criterion(criterion(**changes), given_cases, seed=0)


@pytest.mark.parametrize(
    ("changes", "given_cases", "why"),
    [
        ({"bound": "lower"}, cases([0.9, 0.9], ["a", "a"]), "one group"),
        ({}, cases([0.9, None]), "undefined for c1"),
        ({}, cases([0.9]), ""),
        ({"measure": "unknown"}, cases([0.9]), "unknown is undefined"),
        ({"minimum_cases": 3}, cases([0.9, 0.9]), "2 cases, 3 are asked for"),
        ({"minimum_groups": 2}, cases([0.9] * 12, ["a"] * 12), "1 group, 2 are asked for"),
    ],
)
def test_what_is_missing_never_meets_it(changes: dict[str, Any], given_cases: list[CaseResult], why: str) -> None:
    [stratum] = judge_criterion(criterion(**changes), given_cases, seed=0, resamples=100).strata
    assert why in stratum.why
    assert stratum.met == (not why)
