"""Statistical criteria: exact where the answer is known, closed where something is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.evaluation.statistical_criteria import judge_criterion
from minivess.records.evaluation.case_results import CaseResult
from minivess.records.evaluation.intervals import mean_interval
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


def test_the_lower_bound_is_that_of_the_bootstrap_over_subjects() -> None:
    generator = np.random.default_rng(3)
    values = list(generator.uniform(0.4, 0.9, 30))
    subjects = [f"s{number // 3}" for number in range(30)]
    one_sided = criterion(bound="lower", confidence=0.975)
    [stratum] = judge_criterion(one_sided, cases(values, subjects), seed=1).strata
    interval = mean_interval(values, subjects, resamples=10_000, seed=2)
    assert stratum.value == pytest.approx(interval.lower, abs=0.01)
    assert stratum.subjects == 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=3, max_size=12), st.sampled_from(["mean", "median"]))
def test_bounds_enclose_the_estimate_and_a_seed_repeats_them(values: list[float], statistic: str) -> None:
    def value(bound: str) -> float:
        made = criterion(statistic=statistic, bound=bound)
        [one] = judge_criterion(made, cases(list(values)), seed=5, resamples=500).strata
        [again] = judge_criterion(made, cases(list(values)), seed=5, resamples=500).strata
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
    ],
)
def test_what_cannot_be_judged_is_refused(changes: dict[str, Any], given_cases: list[CaseResult], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        judge_criterion(criterion(**changes), given_cases, seed=0)


@pytest.mark.parametrize(
    ("changes", "given_cases", "why"),
    [
        ({"bound": "lower"}, cases([0.9, 0.9], ["a", "a"]), "one subject"),
        ({}, cases([0.9, None]), "undefined for c1"),
        ({}, cases([0.9]), ""),
        ({"measure": "unknown"}, cases([0.9]), "unknown is undefined"),
        ({"minimum_cases": 3}, cases([0.9, 0.9]), "2 cases, 3 are asked for"),
    ],
)
def test_what_is_missing_never_meets_it(changes: dict[str, Any], given_cases: list[CaseResult], why: str) -> None:
    [stratum] = judge_criterion(criterion(**changes), given_cases, seed=0).strata
    assert why in stratum.why
    assert stratum.met == (not why)
