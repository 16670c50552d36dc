"""Comparisons of what was registered before a look at the test set with what shall replace it: pure, and one way only.

Each function returns one sentence for everything that became laxer. An empty list means: whatever meets the new also meets
the old. What cannot be ordered (a seed, a convention) counts as laxer when it changes at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from minivess.foundation.implements import implements
from minivess.records.device.release_policy import (
    BaselineGate,
    ConformalGate,
    CountGate,
    Gate,
    MetricGate,
    ReleasePolicy,
    SubgroupGate,
)
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion
from minivess.records.evaluation.margins import Margin
from minivess.records.evaluation.measures import FORMER, OVER_BASELINE
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.lengths import UNIT_NAMES

Limits = Mapping[tuple[str, str], float]
"""What is limited and `at_least` or `at_most` -> the strictest such limit."""
_BASELINE = f"{OVER_BASELINE}, mean"
_CLASS = ", class "
"""What stands before the name of a class in what is limited. No measure and no statistic has it in its name."""
_FIXED_PLAN = ("mask", "mask_threshold", "seed", "intervals", "baseline", "reuse")
_FIXED_CONVENTIONS = (
    "foreground_connectivity",
    "both_empty",
    "one_empty",
    "border",
    "skeleton",
    "bootstrap_unit",
    "statistics",
)


@implements("REQ-185", "REQ-339")
def laxer_criteria(old: Iterable[Criterion], new: Iterable[Criterion]) -> list[str]:
    """What became laxer in acceptance criteria.

    A limit of the old must be there for the same measure, statistic and class, and at least as strict; more limits may be
    added. A limit of every class is a limit of each.
    """
    return _laxer(_of_criteria(old), _of_criteria(new))


@implements("REQ-185")
def laxer_policy(old: ReleasePolicy, new: ReleasePolicy) -> list[str]:
    """What became laxer in the gates and signatures of a release policy. Names of gates may change."""
    found = _laxer(_of_gates(old.gates), _of_gates(new.gates))
    asked = Counter((rule.role, rule.meaning) for rule in new.signatures.rules)
    for (role, meaning), count in Counter((rule.role, rule.meaning) for rule in old.signatures.rules).items():
        if asked[role, meaning] < count:
            found.append(f"signatures: {asked[role, meaning]} × {meaning.value} by {role.value} instead of {count}")
    return found


@implements("REQ-232")
def below_least(policy: ReleasePolicy) -> list[str]:
    """What a release policy lacks that every release requires. That it asks for two signatures is a rule of its record."""
    judged = any(gate.kind == "criteria" and gate.at_most == 0 for gate in policy.gates)
    return [] if judged else ["it does not judge the registered acceptance criteria"]


@implements("REQ-185")
def laxer_plan(old: AnalysisPlan, new: AnalysisPlan) -> list[str]:
    """What became laxer in an analysis plan, its acceptance criteria among it. Notes and publication may change."""
    was, now = old.conventions, new.conventions
    found = laxer_criteria(old.criteria, new.criteria)
    for name, before, after, worse in (
        ("bootstrap resamples", was.bootstrap, now.bootstrap, now.bootstrap < was.bootstrap),
        ("confidence", old.confidence, new.confidence, new.confidence < old.confidence),
        (
            "looks a release",
            old.looks.per_release,
            new.looks.per_release,
            new.looks.per_release > old.looks.per_release,
        ),
        ("looks in all", old.looks.total, new.looks.total, new.looks.total > old.looks.total),
    ):
        if worse:
            found.append(f"{name}: {after!r} instead of {before!r}")
    if was.within.unit != now.within.unit:
        found.append(f"unit of distances: {UNIT_NAMES[now.within.unit]} instead of {UNIT_NAMES[was.within.unit]}")
    elif now.within.value > was.within.value:
        found.append(f"tolerance: {now.within} instead of {was.within}")
    found += _laxer(_of_margins(old.margins), _of_margins(new.margins))
    planned = {FORMER.get(name, name) for name in new.measures}
    found += [f"measure {name} is no longer planned" for name in old.measures if FORMER.get(name, name) not in planned]
    for name, said in was.of_measure.items():
        if now.of_measure.get(name) != said:
            found.append(f"what {name} gives: {now.of_measure.get(name)!r} instead of {said!r}")
    if old.scores is not None and new.scores != old.scores:
        found.append(f"scores of probabilities: {new.scores!r} instead of {old.scores!r}")
    least, limit = was.failure_dice, now.failure_dice
    if least is not None and (limit is None or limit < least):
        found.append(f"Dice below which a case has failed: {limit!r} instead of {least!r}")
    for holder, other, names in ((old, new, _FIXED_PLAN), (was, now, _FIXED_CONVENTIONS)):
        for name in names:
            before, after = getattr(holder, name), getattr(other, name)
            if before != after:
                found.append(f"{name.replace('_', ' ')}: {after!r} instead of {before!r}")
    return found


@implements("REQ-186")
def gates_beyond_criteria(policy: ReleasePolicy, criteria: Iterable[Criterion]) -> list[str]:
    """What the gates on measures of the test set require beyond the acceptance criteria, one sentence each.

    With such a gate a look may meet every criterion, and the release fails all the same.
    """
    asked = _of_criteria(criteria)
    found = []
    for gate in policy.gates:
        if gate.kind == "calibration":
            found.append(
                f"gate {gate.id}: an expected calibration error of at most {gate.at_most!r} is no acceptance criterion"
            )
        elif isinstance(gate, ConformalGate | SubgroupGate):
            found += [
                f"gate {gate.id}: {what} of {_words(side)} {limit!r} is no acceptance criterion"
                for (what, side), limit in _of_gates((gate,)).items()
            ]
        elif isinstance(gate, MetricGate | BaselineGate):
            for (what, side), limit in _of_gates((gate,)).items():
                there = asked.get((what, side), asked.get((what.split(_CLASS)[0], side)))
                if there is None:
                    found.append(f"gate {gate.id}: {what} of {_words(side)} {limit!r} is no acceptance criterion")
                elif _laxer({(what, side): limit}, {(what, side): there}):
                    found.append(f"gate {gate.id}: {what} of {_words(side)} {limit!r}; the criterion is {there!r}")
    return found


def _laxer(old: Limits, new: Limits) -> list[str]:
    found = []
    for (what, side), limit in old.items():
        there = [new[key] for key in ((what, side), (what.split(_CLASS)[0], side)) if key in new]
        now = _strictest_of(side, there) if there else None
        if now is None:
            found.append(f"{what}: {_words(side)} {limit!r} is no longer required")
        elif not Bound(**{side: limit}).judge(now).met:
            found.append(f"{what}: {_words(side)} {now!r} instead of {limit!r}")
    return found


def _of_criteria(criteria: Iterable[Criterion]) -> Limits:
    return _strictest(
        (_what(one) + ("" if one.of_class is None else _CLASS + one.of_class), side, limit)
        for one in criteria
        for side, limit in (("at_least", one.at_least), ("at_most", one.at_most))
        if limit is not None
    )


@implements("REQ-317")
def _of_margins(margins: Iterable[Margin]) -> Limits:
    return _strictest((f"margin of {one.measure}", "at_most", one.loss) for one in margins)


def _of_gates(gates: Iterable[Gate]) -> Limits:
    return _strictest(row for gate in gates for row in _rows(gate))


@implements("REQ-319")
def _rows(gate: Gate) -> Iterator[tuple[str, str, float]]:
    if isinstance(gate, MetricGate):
        what = _what(gate) + ("" if gate.of_class is None else _CLASS + gate.of_class)
        if gate.at_least is not None:
            yield what, "at_least", gate.at_least
        if gate.at_most is not None:
            yield what, "at_most", gate.at_most
    elif isinstance(gate, BaselineGate):
        yield _BASELINE, "at_least", gate.at_least
    elif isinstance(gate, ConformalGate):
        yield f"{gate.kind}, {gate.statistic}", "at_least", gate.at_least
    elif isinstance(gate, SubgroupGate):
        yield f"{gate.kind}, {gate.measure} by {gate.attribute}", "at_most", gate.at_most
    else:
        standard = gate.standard if isinstance(gate, CountGate) else None
        yield gate.kind if standard is None else f"{gate.kind}, {standard}", "at_most", gate.at_most


def _strictest(rows: Iterable[tuple[str, str, float]]) -> Limits:
    found: dict[tuple[str, str], float] = {}
    for what, side, limit in rows:
        found[what, side] = _strictest_of(side, (found.get((what, side), limit), limit))
    return found


def _what(one: Criterion | MetricGate) -> str:
    """What is limited. A measure and its former name are one: plans compare the unit of distances."""
    return f"{FORMER.get(one.measure, one.measure)}, {one.statistic}"


def _strictest_of(side: str, limits: Iterable[float]) -> float:
    return max(limits) if side == "at_least" else min(limits)


def _words(side: str) -> str:
    return side.replace("_", " ")
