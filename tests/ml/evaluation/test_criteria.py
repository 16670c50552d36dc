"""Criteria fail closed."""

from __future__ import annotations

import pytest

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.cases import CaseMeasures
from minivess.records.evaluation.evaluation import Conventions, Criterion, EvaluationRecord
from minivess.records.evaluation.statistics.summaries import Interval

pytestmark = pytest.mark.verifies("SU-33")

DIGEST = f"sha256:{'1' * 64}"


def record(*, undefined: bool = False) -> EvaluationRecord:
    cases = tuple(
        CaseMeasures(
            case=name,
            subject=name,
            values={"dice": 0.9, "cldice": 0.8, "nsd": 0.9, "hd95": hd},
            baseline_dice=0.7,
        )
        for name, hd in (("a", 2.0), ("b", None if undefined else 4.0))
    )
    two = Interval(mean=0.9, lower=0.85, upper=0.95, n=2)
    distances = Interval(mean=2.0, lower=2.0, upper=2.0, n=1) if undefined else Interval(mean=3, lower=2, upper=4, n=2)
    return EvaluationRecord(
        model=DIGEST,
        data=DIGEST,
        request="r",
        threshold=0.5,
        conventions=Conventions(tolerance=2.0, unit="um"),
        cases=cases,
        aggregates={"dice": two, "hd95": distances, "dice_over_baseline": two},
        baseline=two,
        ece=0.0,
        band_ece=0.0,
        best="a",
        worst="b",
    )


@pytest.mark.verifies("REQ-024")
@pytest.mark.parametrize(
    ("criterion", "met", "margin"),
    [
        (Criterion(measure="dice", at_least=0.85), True, 0.05),
        (Criterion(measure="dice", statistic="lower", at_least=0.85), True, 0.0),
        (Criterion(measure="dice", statistic="lower", at_least=0.9), False, -0.05),
        (Criterion(measure="hd95", statistic="upper", at_most=5.0), True, 1.0),
        (Criterion(measure="hd95", at_most=1.0), False, -2.0),
        (Criterion(measure="dice", at_least=0.5, at_most=0.8), False, -0.1),
    ],
)
def test_a_criterion_is_compared_with_its_statistic(criterion: Criterion, met: bool, margin: float) -> None:
    (judgement,) = judge(record(), [criterion])
    assert judgement.criterion is criterion
    assert judgement.met is met
    assert judgement.margin == pytest.approx(margin)


@pytest.mark.verifies("REQ-024")
def test_an_undefined_distance_never_meets_a_criterion() -> None:
    (judgement,) = judge(record(undefined=True), [Criterion(measure="hd95", at_most=100.0)])
    assert (judgement.value, judgement.met, judgement.margin) == (None, False, None)


def test_a_measure_that_is_missing_never_meets_a_criterion() -> None:
    (judgement,) = judge(record(), [Criterion(measure="cldice", at_least=0.0)])
    assert not judgement.met


def test_asking_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        judge(record(), [])
    with pytest.raises(UsageError):
        judge(record(), [Criterion(measure="dice")])
