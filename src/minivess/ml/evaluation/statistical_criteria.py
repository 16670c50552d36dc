"""Statistical acceptance criteria judged from the results of single cases; it fails closed.

What is counted is the independent group: the value of a group is the mean of its cases. A bound of the mean is a one-
sided end of the interval of `records.evaluation.statistics.intervals`: Student's t below 20 groups, else percentile
bootstrap. A bound of the median or of another quantile is an order statistic, which is exact for every distribution
(David & Nagaraja 2003, section 7.1); where there are too few groups for one, there is no bound.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.case_results import CaseResult, CriterionVerdict, StratumVerdict
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.evaluation.statistics.distributions import fewest_values, lower_rank
from minivess.records.evaluation.statistics.intervals import group_interval
from minivess.records.evaluation.statistics.summaries import percent
from minivess.records.items.items import StatisticalCriterion

RESAMPLES = 10_000
CLASS = "class"
"""The stratum and the column of a table that say which of several classes was measured."""


class _Value(NamedTuple):
    """The statistic or its bound, why there is none, and how it was made."""

    value: float | None
    why: str = ""
    basis: str = ""


@implements("REQ-069", "REQ-242", "REQ-246")
def judge_criterion(
    criterion: StatisticalCriterion, cases: Sequence[CaseResult], *, seed: int, resamples: int = RESAMPLES
) -> CriterionVerdict:
    """Judge a criterion in every stratum, and of several classes in each.

    Args:
        criterion: what is asked.
        cases: every case of the evaluation; none may be left out because it went badly.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        UsageError: the criterion names no limit, or both; cases lack an attribute that strata are made of; a case occurs
            twice; cases of one subject are in different groups; or there is no case.
    """
    if (criterion.at_least is None) == (criterion.at_most is None):
        raise UsageError(f"{criterion.id} needs one limit", hint="give either `at_least` or `at_most`")
    if not cases:
        raise UsageError(f"there are no cases to judge {criterion.id} by")
    if len({(one.case, one.of_class) for one in cases}) != len(cases):
        raise UsageError(
            "a case occurs twice in the results", hint="give one result a case, of several classes one a class"
        )
    classes = {one.of_class for one in cases}
    if len({one.case for one in cases}) * len(classes) != len(cases):
        raise UsageError("a case lacks the result of a class that others have", hint="give one result a case and class")
    units: dict[str, str] = {}
    for one in cases:
        if units.setdefault(one.subject, one.unit) != one.unit:
            raise UsageError(f"cases of subject {one.subject} are in different groups", hint="one subject is one group")
    strata: defaultdict[tuple[str, ...], list[CaseResult]] = defaultdict(list)
    for one in cases:
        lacking = [name for name in criterion.strata if name not in one.attributes]
        if lacking:
            raise UsageError(f"case {one.case} has no attribute {lacking[0]!r}, which {criterion.id} asks for")
        key = tuple(one.attributes[name] for name in criterion.strata)
        strata[key if one.of_class is None else (*key, one.of_class)].append(one)
    names = criterion.strata if None in classes else tuple(dict.fromkeys((*criterion.strata, CLASS)))
    judged = tuple(
        _judge(criterion, dict(zip(names, key, strict=False)), members, seed, resamples)
        for key, members in sorted(strata.items())
    )
    verdict = "passed" if all(one.met for one in judged) else "failed"
    return CriterionVerdict.model_validate({"criterion": criterion.id, "verdict": verdict, "strata": judged})


def _judge(
    criterion: StatisticalCriterion, stratum: dict[str, str], cases: Sequence[CaseResult], seed: int, resamples: int
) -> StratumVerdict:
    found = _value(criterion, cases, seed, resamples)
    groups = len({one.unit for one in cases})
    bound, why = Bound(criterion.at_least, criterion.at_most), found.why
    if len(cases) < criterion.minimum_cases:
        why = f"{len(cases)} cases, {criterion.minimum_cases} are asked for"
    elif groups < criterion.minimum_groups:
        why = f"{groups} group{'' if groups == 1 else 's'}, {criterion.minimum_groups} are asked for"
    elif found.value is not None and not bound.judge(found.value).met:
        side = "below" if bound.side == "at least" else "above"
        why = f"{found.value:.4f} is {side} {bound.limit} ({found.basis})"
    return StratumVerdict(
        stratum=stratum,
        cases=len(cases),
        groups=groups,
        value=found.value,
        met=not why and found.value is not None,
        why=why,
        basis=found.basis,
    )


def _value(criterion: StatisticalCriterion, cases: Sequence[CaseResult], seed: int, resamples: int) -> _Value:
    held: dict[str, list[float]] = {}
    for one in cases:
        value = one.values.get(criterion.measure)
        if value is None:
            return _Value(None, f"{criterion.measure} is undefined for {one.case}")
        if not math.isfinite(value):
            return _Value(None, f"{criterion.measure} is not a number for {one.case}")
        held.setdefault(one.unit, []).append(value)
    means = sorted(math.fsum(values) / len(values) for values in held.values())
    counted = f"{len(means)} group{'' if len(means) == 1 else 's'}, {len(cases)} case{'' if len(cases) == 1 else 's'}"
    if criterion.share is not None:
        return _quantile(criterion, criterion.share, means, counted)
    if criterion.bound == "estimate":
        return _Value(math.fsum(means) / len(means), basis=f"mean over {counted}")
    pairs = [(name, value) for name, values in held.items() for value in values]
    interval = group_interval(
        [value for _, value in pairs],
        [name for name, _ in pairs],
        resamples=resamples,
        seed=seed,
        level=2 * criterion.confidence - 1,
    )
    bound = interval.lower if criterion.bound == "lower" else interval.upper
    if bound is None:
        return _Value(None, "one group, so there is no interval", counted)
    return _Value(bound, basis=f"one end of {interval.basis}, confidence {percent(criterion.confidence)}")


def _quantile(criterion: StatisticalCriterion, share: float, means: Sequence[float], counted: str) -> _Value:
    """A quantile of the group means in ascending order, or an order statistic that bounds it."""
    name = "median" if share == 0.5 else f"{share:g} quantile"
    if criterion.bound == "estimate":
        value = median(means) if share == 0.5 else means[math.ceil(share * len(means)) - 1]
        return _Value(value, basis=f"{name} over {counted}")
    lower = criterion.bound == "lower"
    tail = share if lower else 1 - share
    rank, confidence = lower_rank(len(means), tail, criterion.confidence), percent(criterion.confidence)
    if rank == 0:
        fewest = fewest_values(tail, criterion.confidence)
        why = f"n too small: a bound of the {name} with confidence {confidence} needs {fewest} groups; there are {counted}"
        return _Value(None, why, counted)
    place = rank if lower else len(means) + 1 - rank
    return _Value(means[place - 1], basis=f"order statistic {place} of {counted}, confidence {confidence}, exact")
