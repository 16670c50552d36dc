"""Statistical acceptance criteria judged from the results of single cases; it fails closed.

Intervals are by percentile bootstrap over subjects (Efron & Tibshirani 1993, chapter 13): cases of one subject go together,
since they are not independent. A one-sided bound of confidence c is the (1 - c) or c quantile of the resampled statistic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.bounds import Bound
from minivess.records.evaluation.case_results import CaseResult, CriterionVerdict, StratumVerdict
from minivess.records.items.items import StatisticalCriterion

RESAMPLES = 10_000
_BLOCK = 500

_Floats = NDArray[np.float64]


@implements("REQ-069")
def judge_criterion(
    criterion: StatisticalCriterion, cases: Sequence[CaseResult], *, seed: int, resamples: int = RESAMPLES
) -> CriterionVerdict:
    """Judge a criterion in every stratum.

    Args:
        criterion: what is asked.
        cases: every case of the evaluation; none may be left out because it went badly.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        UsageError: the criterion names no limit, or both; cases lack an attribute that strata are made of; a case stands
            twice; or there is no case.
    """
    if (criterion.at_least is None) == (criterion.at_most is None):
        raise UsageError(f"{criterion.id} needs one limit", hint="give either `at_least` or `at_most`")
    if not cases:
        raise UsageError(f"there are no cases to judge {criterion.id} by")
    if len({one.case for one in cases}) != len(cases):
        raise UsageError("a case occurs twice in the results", hint="give one result a case")
    strata: defaultdict[tuple[str, ...], list[CaseResult]] = defaultdict(list)
    for one in cases:
        lacking = [name for name in criterion.strata if name not in one.attributes]
        if lacking:
            raise UsageError(f"case {one.case} has no attribute {lacking[0]!r}, which {criterion.id} asks for")
        strata[tuple(one.attributes[name] for name in criterion.strata)].append(one)
    judged = tuple(
        _judge(criterion, dict(zip(criterion.strata, key, strict=True)), members, seed, resamples)
        for key, members in sorted(strata.items())
    )
    verdict = "passed" if all(one.met for one in judged) else "failed"
    return CriterionVerdict.model_validate({"criterion": criterion.id, "verdict": verdict, "strata": judged})


def _judge(
    criterion: StatisticalCriterion, stratum: dict[str, str], cases: Sequence[CaseResult], seed: int, resamples: int
) -> StratumVerdict:
    subjects = len({one.subject for one in cases})
    value, why = _value(criterion, cases, seed, resamples)
    bound = Bound(criterion.at_least, criterion.at_most)
    if len(cases) < criterion.minimum_cases:
        why = f"{len(cases)} cases, {criterion.minimum_cases} are asked for"
    elif value is not None and not bound.judge(value).met:
        why = f"{value:.4f} is {'below' if bound.side == 'at least' else 'above'} {bound.limit}"
    return StratumVerdict(
        stratum=stratum, cases=len(cases), subjects=subjects, value=value, met=not why and value is not None, why=why
    )


def _value(
    criterion: StatisticalCriterion, cases: Sequence[CaseResult], seed: int, resamples: int
) -> tuple[float | None, str]:
    """The statistic or its bound, and why there is none."""
    values = [one.values.get(criterion.measure) for one in cases]
    missing = next((one.case for one, value in zip(cases, values, strict=True) if value is None), None)
    if missing is not None:
        return None, f"{criterion.measure} is undefined for {missing}"
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        return None, f"{criterion.measure} is not a number for some case"
    statistic = np.median if criterion.statistic == "median" else np.mean
    if criterion.bound == "estimate":
        return float(statistic(found)), ""
    groups = [np.flatnonzero([one.subject == name for one in cases]) for name in sorted({one.subject for one in cases})]
    if len(groups) < 2:
        return None, "one subject, so there is no interval"
    quantile = 1 - criterion.confidence if criterion.bound == "lower" else criterion.confidence
    return float(np.quantile(_resampled(found, groups, criterion.statistic, seed, resamples), quantile)), ""


def _resampled(values: _Floats, groups: list[NDArray[np.int64]], statistic: str, seed: int, resamples: int) -> _Floats:
    """The statistic of `resamples` draws of as many subjects as there are, with replacement; shape (resamples,)."""
    generator = np.random.default_rng(seed)
    found = np.empty(resamples)
    alone = all(len(group) == 1 for group in groups)
    flat = np.concatenate(groups) if alone else None
    for start in range(0, resamples, _BLOCK):
        count = min(_BLOCK, resamples - start)
        drawn = generator.integers(0, len(groups), size=(count, len(groups)))
        if flat is not None:
            sample = values[flat[drawn]]
            found[start : start + count] = np.median(sample, axis=1) if statistic == "median" else sample.mean(axis=1)
            continue
        for place, row in enumerate(drawn):
            sample = values[np.concatenate([groups[number] for number in row])]
            found[start + place] = np.median(sample) if statistic == "median" else sample.mean()
    return found
