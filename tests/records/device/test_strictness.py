"""What counts as laxer: whatever meets the new meets the old, or the difference is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.compliance.release.gates import judge as judge_gates
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import (
    BaselineGate,
    CalibrationGate,
    CountGate,
    MetricGate,
    ParityGate,
    ReleasePolicy,
)
from minivess.records.device.strictness import gates_beyond_criteria, laxer_criteria, laxer_plan, laxer_policy
from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.cases import CaseMeasures
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions, Criterion, EvaluationRecord, Looks
from minivess.records.evaluation.measures import MEASURES
from minivess.records.evaluation.statistics.summaries import ClassFigures, Interval
from minivess.records.models.exports.export import ExportRecord
from minivess.records.people.approval import Policy, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.source_states import CLEAN

pytestmark = pytest.mark.verifies("SU-04")
VALUES = (0.0, 0.1, 0.2, 0.5, 0.8, 0.9)
STATISTICS = ("mean", "lower", "upper")
DIGEST = "sha256:" + 64 * "0"

values = st.sampled_from(VALUES)
limits = st.one_of(st.tuples(values, st.none()), st.tuples(st.none(), values), st.tuples(values, values))
criteria = st.lists(
    st.builds(
        lambda measure, statistic, limit, named: Criterion(
            measure=measure, statistic=statistic, at_least=limit[0], at_most=limit[1], **named
        ),
        st.sampled_from(("dice", "hd95", "dice_over_baseline")),
        st.sampled_from(STATISTICS),
        limits,
        st.sampled_from(({}, {}, {"of_class": "artery"}, {"of_class": "vein"})),
    ),
    min_size=1,
    max_size=4,
)
metric = st.builds(
    lambda measure, statistic, limit, least: {
        "kind": "metric",
        "measure": measure,
        "statistic": statistic,
        ("at_least" if least else "at_most"): limit,
    },
    st.sampled_from(("dice", "hd95")),
    st.sampled_from(STATISTICS),
    values,
    st.booleans(),
)
gates = st.lists(
    st.one_of(
        metric,
        values.map(lambda limit: {"kind": "baseline", "at_least": limit}),
        values.map(lambda limit: {"kind": "parity", "at_most": limit}),
        values.map(lambda limit: {"kind": "calibration", "at_most": limit}),
        st.builds(
            lambda kind, limit: {"kind": kind, "at_most": limit},
            st.sampled_from(("criteria", "test-set", "runs")),
            st.integers(0, 3),
        ),
    ),
    min_size=1,
    max_size=4,
)
rules = st.lists(
    st.builds(
        PolicyRule, role=st.sampled_from([Role.REVIEWER, Role.RELEASE_MANAGER]), meaning=st.sampled_from(Meaning)
    ),
    min_size=2,
    max_size=4,
)
policies = st.builds(
    lambda some, signed: ReleasePolicy.model_validate(
        {
            "signatures": Policy(name="release", rules=tuple(signed)),
            "gates": [{"id": f"gate-{number}", **gate} for number, gate in enumerate(some)],
        }
    ),
    gates,
    rules,
)


@st.composite
def evaluations(draw: st.DrawFn) -> EvaluationRecord:
    def interval() -> Interval:
        return Interval(mean=draw(values), lower=draw(values), upper=draw(values), n=1)

    def figures() -> dict[str, Any]:
        return {
            "aggregates": {name: interval() for name in (*MEASURES, "dice_over_baseline")},
            "baseline": interval(),
            "conformal_recall": None,
            "ece": draw(values),
            "band_ece": 0.0,
        }

    classes = ("artery", "vein") if draw(st.booleans()) else ()
    return EvaluationRecord(
        model=DIGEST,
        data=DIGEST,
        request="open-1",
        threshold=0.5,
        conventions=Conventions(tolerance=2.0, unit="um"),
        cases=(CaseMeasures(case="a", subject="a", values=dict.fromkeys(MEASURES, 1.0), baseline_dice=0),),
        best="a",
        worst="a",
        classes={name: ClassFigures(**figures()) for name in classes},
        **figures(),
    )


def met(evaluation: EvaluationRecord, some: Sequence[Criterion]) -> bool:
    return all(one.met for one in judge(evaluation, some))


@pytest.mark.verifies("REQ-185", "REQ-339")
@given(criteria, criteria, evaluations())
def test_what_meets_criteria_that_are_not_laxer_meets_the_old(
    old: list[Criterion], new: list[Criterion], evaluation: EvaluationRecord
) -> None:
    named = {one.of_class for one in (*old, *new)} - {None}
    if not named <= set(evaluation.classes):  # a class that the data do not have is refused before it is registered
        return
    if not laxer_criteria(old, new) and met(evaluation, new):
        assert met(evaluation, old)


@st.composite
def facts(draw: st.DrawFn) -> GateFacts:
    export: dict[str, Any] = {
        "onnx": DIGEST,
        "opset": 18,
        "input_shape": (1,),
        "max_abs_difference": draw(values),
        "tolerance": 1.0,
        "flipped_voxels": 0,
        "tested_patches": 1,
        "seconds_torch": 1.0,
        "seconds_onnx": 1.0,
    }
    return GateFacts(
        evaluation=draw(evaluations()),
        unmet=tuple(f"criterion {number}" for number in range(draw(st.integers(0, 4)))),
        export=ExportRecord.model_validate(export),
        openings=draw(st.integers(0, 4)),
        registered=4,
        undisposed=tuple(range(draw(st.integers(0, 4)))),
        runs=4,
        source=CLEAN,
    )


@pytest.mark.verifies("REQ-185")
@given(policies, policies, facts())
def test_what_passes_gates_that_are_not_laxer_passes_the_old(
    old: ReleasePolicy, new: ReleasePolicy, found: GateFacts
) -> None:
    if not laxer_policy(old, new) and all(one.passed for one in judge_gates(new, found)):
        assert all(one.passed for one in judge_gates(old, found))
        asked = [(rule.role, rule.meaning) for rule in new.signatures.rules]
        for rule in old.signatures.rules:
            asked.remove((rule.role, rule.meaning))


@pytest.mark.verifies("REQ-185")
@given(criteria, criteria, criteria)
def test_not_laxer_is_an_order(one: list[Criterion], two: list[Criterion], three: list[Criterion]) -> None:
    assert laxer_criteria(one, one) == []
    assert laxer_criteria(one, one + two) == []
    if not laxer_criteria(one, two) and not laxer_criteria(two, three):
        assert laxer_criteria(one, three) == []


@pytest.mark.verifies("REQ-185")
@given(policies, st.data())
def test_every_gate_and_signature_that_is_loosened_is_named(policy: ReleasePolicy, chosen: st.DataObject) -> None:
    number = chosen.draw(st.integers(0, len(policy.gates) - 1))
    gate = policy.gates[number]
    looser = {
        name: getattr(gate, name) + (1 if name == "at_most" else -1) / (1 if isinstance(gate, CountGate) else 100)
        for name in ("at_least", "at_most")
        if getattr(gate, name, None) is not None
    }
    changed = gate.model_copy(update=looser)
    others = [one for one in policy.gates if not _same_thing(one, gate)]
    alone = policy.model_copy(update={"gates": (*others, gate)})
    (told,) = laxer_policy(alone, policy.model_copy(update={"gates": (*others, changed)}))
    assert "instead of" in told
    (told,) = laxer_policy(alone, policy.model_copy(update={"gates": tuple(others)}))
    assert "no longer required" in told
    fewer = policy.signatures.model_copy(update={"rules": policy.signatures.rules[1:]})
    (told,) = laxer_policy(policy, policy.model_copy(update={"signatures": fewer}))
    assert policy.signatures.rules[0].role.value in told


def _same_thing(one: Any, other: Any) -> bool:
    sides = {"at_least", "at_most"}
    return {name: value for name, value in one.model_dump().items() if name not in sides | {"id"}} == {
        name: value for name, value in other.model_dump().items() if name not in sides | {"id"}
    } and {name for name in sides if getattr(one, name, None) is not None} == {
        name for name in sides if getattr(other, name, None) is not None
    }


def plan(**changes: Any) -> AnalysisPlan:
    fields: dict[str, Any] = {
        "mask_threshold": 0.5,
        "conventions": Conventions(tolerance=2.0, unit="um"),
        "seed": 0,
        "looks": Looks(per_release=1, total=3),
        "criteria": (Criterion(measure="dice", at_least=0.8),),
    }
    return AnalysisPlan.model_validate(fields | changes)


BY_GROUP = Conventions(tolerance=2.0, unit="um", bootstrap_unit="group", statistics="mean of groups", failure_dice=0.5)


@pytest.mark.verifies("REQ-185")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"criteria": (Criterion(measure="dice", at_least=0.7),)}, "dice, mean: at least 0.7 instead of 0.8"),
        ({"criteria": (Criterion(measure="cldice", at_least=0.8),)}, "dice, mean: at least 0.8 is no longer required"),
        ({"conventions": Conventions(tolerance=3.0, unit="um")}, "tolerance: 3 µm instead of 2 µm"),
        ({"conventions": Conventions(tolerance=2.0, unit="mm")}, "unit of distances: mm instead of µm"),
        ({"conventions": Conventions(tolerance=1.0, unit="px")}, "unit of distances: px instead of µm"),
        (
            {"conventions": Conventions(tolerance=2.0, unit="um", bootstrap=100)},
            "bootstrap resamples: 100 instead of 2000",
        ),
        ({"looks": Looks(per_release=1, total=4)}, "looks in all: 4 instead of 3"),
        ({"looks": Looks(per_release=2, total=3)}, "looks a release: 2 instead of 1"),
        ({"confidence": 0.9}, "confidence: 0.9 instead of 0.95"),
        ({"measures": ("cldice", "nsd", "hd95")}, "measure dice is no longer planned"),
        ({"mask_threshold": 0.4}, "mask threshold: 0.4 instead of 0.5"),
        ({"seed": 1}, "seed: 1 instead of 0"),
        ({"mask": "another"}, "mask: 'another' instead of"),
        ({"intervals": "another"}, "intervals: 'another' instead of"),
        ({"baseline": "another"}, "baseline: 'another' instead of"),
        ({"reuse": "another"}, "reuse: 'another' instead of"),
        ({"conventions": BY_GROUP.model_copy(update={"failure_dice": 0.4})}, "a case has failed: 0.4 instead of 0.5"),
        ({"conventions": BY_GROUP.model_copy(update={"failure_dice": None})}, "a case has failed: None instead of 0.5"),
        *(
            (
                {"conventions": Conventions(tolerance=2.0, unit="um", **{name: value})},
                f"{name.replace('_', ' ')}: {value!r}",
            )
            for name, value in [
                ("foreground_connectivity", 6),
                ("both_empty", "another"),
                ("one_empty", "another"),
                ("border", "another"),
                ("skeleton", "another"),
                ("bootstrap_unit", "voxel"),
            ]
        ),
    ],
)
def test_a_laxer_plan_is_named(changes: dict[str, Any], named: str) -> None:
    said = changes.get("conventions")
    before = plan(conventions=BY_GROUP) if said is not None and said.bootstrap_unit == "group" else plan()
    (told,) = laxer_plan(before, plan(**changes))
    assert named in told


@pytest.mark.verifies("REQ-185")
def test_a_stricter_plan_is_not_laxer() -> None:
    stricter = plan(
        criteria=(Criterion(measure="dice", at_least=0.9), Criterion(measure="nsd", at_least=0.5)),
        conventions=Conventions(tolerance=1.0, unit="um", bootstrap=5000),
        looks=Looks(per_release=1, total=2),
        confidence=0.99,
        notes="more words",
        published="nothing",
    )
    assert laxer_plan(plan(), stricter) == []


@pytest.mark.verifies("REQ-186")
def test_gates_that_ask_more_than_the_criteria_are_named() -> None:
    policy = ReleasePolicy(
        signatures=Policy(
            name="release",
            rules=(
                PolicyRule(role=Role.REVIEWER, meaning=Meaning.REVIEW),
                PolicyRule(role=Role.RELEASE_MANAGER, meaning=Meaning.APPROVAL),
            ),
        ),
        gates=(
            CountGate(kind="criteria", id="criteria"),
            MetricGate(kind="metric", id="dice", measure="dice", at_least=0.85),
            MetricGate(kind="metric", id="far", measure="hd95", at_most=10),
            MetricGate(kind="metric", id="thin", measure="cldice", at_least=0.8),
            BaselineGate(kind="baseline", id="gain", at_least=0.08),
            CalibrationGate(kind="calibration", id="ece", at_most=0.05),
            ParityGate(kind="parity", id="parity", at_most=1e-4),
        ),
    )
    asked = [
        Criterion(measure="dice", at_least=0.8),
        Criterion(measure="cldice", at_least=0.8),
        Criterion(measure="dice_over_baseline", at_least=0.1),
    ]
    assert gates_beyond_criteria(policy, asked) == [
        "gate dice: dice, mean of at least 0.85; the criterion is 0.8",
        "gate far: hd95, mean of at most 10.0 is no acceptance criterion",
        "gate ece: an expected calibration error of at most 0.05 is no acceptance criterion",
    ]


@pytest.mark.verifies("REQ-186")
@given(policies, criteria, facts())
def test_without_such_gates_meeting_the_criteria_passes_them(
    policy: ReleasePolicy, asked: list[Criterion], found: GateFacts
) -> None:
    assert found.evaluation is not None

    def consistent[F: (EvaluationRecord, ClassFigures)](figures: F) -> F:
        """The figures with the paired difference that follows from the means."""
        gained = figures.aggregates["dice_over_baseline"].model_copy(
            update={"mean": figures.aggregates["dice"].mean - figures.baseline.mean}
        )
        return figures.model_copy(update={"aggregates": {**figures.aggregates, "dice_over_baseline": gained}})

    classes = {name: consistent(one) for name, one in found.evaluation.classes.items()}
    evaluation = consistent(found.evaluation).model_copy(update={"classes": classes})
    if not gates_beyond_criteria(policy, asked) and met(evaluation, asked):
        results = judge_gates(policy, found.model_copy(update={"evaluation": evaluation}))
        assert all(one.passed for one in results if one.kind in {"metric", "baseline", "calibration"})


@pytest.mark.verifies("REQ-185", "REQ-242")
def test_other_statistics_are_named() -> None:
    counted = Conventions(tolerance=2.0, unit="um", bootstrap_unit="group", statistics="mean of groups")
    before = Conventions(tolerance=2.0, unit="um", bootstrap_unit="group")
    (told,) = laxer_plan(plan(conventions=counted), plan(conventions=before))
    assert told == "statistics: 'mean of cases' instead of 'mean of groups'"


@pytest.mark.verifies("REQ-185", "REQ-245")
def test_a_higher_limit_of_failures_is_not_laxer() -> None:
    stricter = BY_GROUP.model_copy(update={"failure_dice": 0.7})
    assert laxer_plan(plan(conventions=BY_GROUP), plan(conventions=stricter)) == []


@pytest.mark.verifies("REQ-242", "REQ-245")
@pytest.mark.parametrize(
    "wrong",
    [
        {"statistics": "mean of groups"},
        {"failure_dice": 0.5},
        {"statistics": "mean of groups", "bootstrap_unit": "group", "failure_dice": 0.0},
        {"statistics": "another"},
    ],
)
def test_conventions_that_count_something_else_than_groups_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Conventions(tolerance=2.0, unit="um", **wrong)
