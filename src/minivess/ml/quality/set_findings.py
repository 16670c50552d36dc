"""A rule that many cases break is one fact about the set: one finding with a histogram in place of hundreds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from minivess.foundation.implements import implements
from minivess.records.data.findings import Found
from minivess.records.data.validation import Severity

_FEW, _SHARE, _MANY = 8, 0.05, 20
_SHOWN = 4
_BINS = 5
_DECADES_FROM = 30.0
"""Ratio of the largest to the smallest value from which the bins of a histogram are powers of ten."""


@implements("REQ-301")
def about_the_set(found: Iterable[Found], grades: Mapping[str, Severity], cases: int) -> list[Found]:
    """Findings, with one for all findings of a rule that many cases break and that does not block.

    Findings that block stay as they are, because each is corrected at its case. So do findings about pairs.

    Args:
        found: the findings.
        grades: severity by rule.
        cases: number of cases of the set.
    """
    kept: list[Found] = []
    by_rule: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        single = one.case is not None and not one.others and not one.stops
        (by_rule[one.rule] if single and grades[one.rule] is not Severity.BLOCK else kept).append(one)
    for rule, members in by_rule.items():
        names = sorted({one.case for one in members if one.case is not None})
        if is_common(len(names), cases):
            kept.append(
                Found(rule, None, _sentence(members, names, cases), others=tuple(names[:_SHOWN]), cases=tuple(names))
            )
        else:
            kept.extend(members)
    return kept


def is_common(count: int, cases: int) -> bool:
    """Whether a rule is broken by so many cases that this is a fact about the set: more than 20, or at least 8 and more
    than 5 % of all.
    """
    return count > _MANY or (count >= _FEW and count > _SHARE * cases)


def _sentence(members: Sequence[Found], names: Sequence[str], cases: int) -> str:
    values = [one.value for one in members if one.value is not None and math.isfinite(one.value)]
    count = f"{len(names)} of {cases} cases"
    if len(values) < len(members) or not values:
        return f"{count}; for example {names[0]}: {members[0].message}"
    of = members[0].measure or "value"
    return f"{count}; {of}: {histogram(values)}"


def histogram(values: Sequence[float]) -> str:
    """How many values are in each bin, as text; empty bins are left out.

    Bins are powers of ten where all values are positive and lie far apart, else five bins of one width.

    Args:
        values: finite numbers, at least one.
    """
    low, high, whole = min(values), max(values), all(float(value).is_integer() for value in values)
    if low == high:
        return f"{_figure(low)}: {len(values)}"
    if low > 0 and high / low >= _DECADES_FROM:
        edges = [10.0**power for power in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 2)]
        whole = False
    else:
        width = math.ceil((high - low + 1) / _BINS) if whole else (high - low) / _BINS
        edges = [low + width * step for step in range(_BINS + 1)]
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_right(edges, value) - 1, 0), len(counts) - 1)] += 1
    shown = zip(edges, edges[1:], counts, strict=False)
    return ", ".join(f"{_span(start, end - whole)}: {count}" for start, end, count in shown if count)


def _span(low: float, high: float) -> str:
    return _figure(low) if low == high else f"{_figure(low)} to {_figure(high)}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
