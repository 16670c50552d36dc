"""Acceptance criteria against an evaluation: a pure comparison that fails closed. Imports no numerical library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.bounds import Bound
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord


class Judgement(NamedTuple):
    """How one criterion came out.

    `value` is what was measured (None when it is undefined, which never meets a criterion); `margin` is the distance
    to the nearest bound, positive inside and negative outside.
    """

    criterion: Criterion
    value: float | None
    met: bool
    margin: float | None
    basis: str
    """Method, groups, cases, nominal and simulated coverage, for people; empty where nothing was measured."""


def judge(record: EvaluationRecord, criteria: Sequence[Criterion]) -> list[Judgement]:
    """Compare an evaluation with its acceptance criteria, in their order.

    A measure that is undefined for any case (HD95 with an empty mask) is undefined as an aggregate too: dropping the
    failures would flatter the rest.

    Raises:
        UsageError: there are no criteria, or one names no bound, so that anything would pass.
    """
    if not criteria:
        raise UsageError("no acceptance criteria were given, so nothing can be judged", hint="register criteria first")
    return [_judge_one(record, criterion) for criterion in criteria]


def _judge_one(record: EvaluationRecord, criterion: Criterion) -> Judgement:
    value = _value(record, criterion)
    if criterion.at_least is None and criterion.at_most is None:
        raise UsageError(f"the criterion on {criterion.measure} has no bound", hint="give `at_least` or `at_most`")
    verdict = Bound(criterion.at_least, criterion.at_most).judge(value)
    interval = record.aggregates.get(criterion.measure)
    basis = "" if interval is None else interval.basis
    return Judgement(criterion, value, met=verdict.met, margin=verdict.margin, basis=basis)


def _value(record: EvaluationRecord, criterion: Criterion) -> float | None:
    interval = record.aggregates.get(criterion.measure)
    if interval is None or interval.n < len(record.cases):
        return None
    return {"mean": interval.mean, "lower": interval.lower, "upper": interval.upper}[criterion.statistic]
