"""Acceptance criteria against an evaluation: a pure comparison that fails closed. Imports no numerical library."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.statistics.bounds import Bound, BoundVerdict
from minivess.records.evaluation.statistics.summaries import ClassFigures, Interval


class Judgement(NamedTuple):
    """How one criterion came out.

    `value` is what was measured (None when it is undefined, which never meets a criterion); `margin` is the distance
    to the nearest bound, positive inside and negative outside. A criterion of all classes is judged by the worst one.
    """

    criterion: Criterion
    value: float | None
    met: bool
    margin: float | None
    basis: str
    """Class, method, groups, cases, nominal and simulated coverage, for people; empty where nothing was measured."""


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


@implements("REQ-339", "RC-142")
def worst_class[T](found: Iterable[T], verdict_of: Callable[[T], BoundVerdict]) -> T | None:
    """What is judged instead of all classes: the one with the smallest margin, of several the first.

    A class whose figure is unknown comes before all others, so that nothing is met without it.

    Args:
        found: something of each class.
        verdict_of: how it compares with the bound.
    """

    def margin(one: T) -> float:
        known = verdict_of(one).margin
        return -math.inf if known is None else known

    return min(found, key=margin, default=None)


class _ClassValue(NamedTuple):
    name: str | None
    value: float | None
    interval: Interval | None


def _judge_one(record: EvaluationRecord, criterion: Criterion) -> Judgement:
    if criterion.at_least is None and criterion.at_most is None:
        raise UsageError(f"the criterion on {criterion.measure} has no bound", hint="give `at_least` or `at_most`")
    bound = Bound(criterion.at_least, criterion.at_most)
    values = [
        _ClassValue(name, statistic_of(record, figures, criterion.measure, criterion.statistic), interval)
        for name, figures in sorted(record.by_class.items(), key=lambda pair: str(pair[0]))
        if criterion.of_class in {None, name}
        for interval in (figures.aggregates.get(criterion.measure),)
    ]
    found = worst_class(values, lambda one: bound.judge(one.value)) or _ClassValue(None, None, None)
    verdict = bound.judge(found.value)
    basis = "" if found.interval is None else found.interval.basis
    if found.name is not None:
        basis = f"class {found.name}, {basis}" if basis else f"class {found.name}"
    return Judgement(criterion, found.value, met=verdict.met, margin=verdict.margin, basis=basis)


def statistic_of(
    record: EvaluationRecord, figures: ClassFigures, measure: str, statistic: Literal["mean", "lower", "upper"]
) -> float | None:
    """A figure of a class, with a limit of its interval or the mean; None where the measure is undefined in any case."""
    interval = figures.aggregates.get(measure)
    if interval is None or interval.n < len(record.tested):
        return None
    return {"mean": interval.mean, "lower": interval.lower, "upper": interval.upper}[statistic]
