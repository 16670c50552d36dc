"""The gates: exact at their limits, closed on anything unknown."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from minivess.compliance.release.gates import gates_of, judge, load_policy, outcomes_of, stopping
from minivess.foundation.errors import InputError
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import BUILT_IN_KINDS, ReleasePolicy
from minivess.records.device.source_state import SourceState
from minivess.records.evaluation.cases import CaseMeasures
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.items.loaded_files import LoadedFiles
from minivess.records.items.trace import RecordedResult
from tests.support.builders.release_builder import POLICY, make_release
from tests.support.properties import given
from tests.support.properties import strategies as st
from tests.support.source_states import uncommitted

pytestmark = pytest.mark.verifies("SU-22")

SIGNATURES = {
    "name": "release",
    "rules": [
        {"role": "independent-reviewer", "meaning": "review"},
        {"role": "release-manager", "meaning": "approval"},
    ],
}


@pytest.fixture
def facts(tmp_path: Path) -> GateFacts:
    return make_release(tmp_path).facts


def _one(gate: dict[str, object], facts: GateFacts) -> GateResult:
    return judge(_policy([gate]), facts)[0]


def _policy(gates: list[dict[str, object]]) -> ReleasePolicy:
    return ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": gates})


@pytest.mark.verifies("REQ-035")
def test_the_committed_policy_asks_for_what_the_plan_says() -> None:
    gates = {gate.id: gate for gate in load_policy(POLICY).gates}
    limits = {name: getattr(gate, "at_least", None) or getattr(gate, "at_most", None) for name, gate in gates.items()}
    assert limits["dice"] == 0.85
    assert limits["cldice"] == 0.80
    assert limits["dice-over-baseline"] == 0.08
    assert limits["parity"] == 1e-4
    assert limits["test-set"] == 1
    assert {"trace", "risks", "runs", "scenarios"} <= set(gates)


@pytest.mark.verifies("REQ-035")
@given(mean=st.floats(0, 1), limit=st.floats(0, 1))
def test_a_bound_holds_exactly_when_the_value_reaches_it(mean: float, limit: float) -> None:
    facts = _dice(mean)
    least = _one({"kind": "metric", "id": "a", "measure": "dice", "at_least": limit}, facts)
    most = _one({"kind": "metric", "id": "a", "measure": "dice", "at_most": limit}, facts)
    assert least.passed == (mean >= limit)
    assert most.passed == (mean <= limit)
    assert least.margin is not None
    assert (least.margin >= 0) == least.passed
    assert bool(least.mend) == (not least.passed)


@pytest.mark.verifies("REQ-035")
def test_a_failing_gate_says_by_how_much_and_what_mends_it() -> None:
    result = _one({"kind": "metric", "id": "dice", "measure": "dice", "at_least": 0.9}, _dice(0.85))
    assert (
        "0.850 over 4 cases, required: ≥ 0.900, missed by 0.050 (percentile bootstrap, 4 cases, nominal coverage 95 %, "
        "not simulated)" in result.message
    )
    assert "train" in result.mend


def test_an_interval_over_no_case_is_no_figure() -> None:
    facts = _dice(1.0, n=0)
    assert not _one({"kind": "metric", "id": "a", "measure": "dice", "at_least": 0.0}, facts).passed
    assert not _one({"kind": "baseline", "id": "a", "at_least": -1.0}, facts).passed


def test_a_measure_that_was_not_taken_fails(facts: GateFacts) -> None:
    assert facts.evaluation is not None
    without = facts.evaluation.model_copy(update={"aggregates": {}})
    result = _one(
        {"kind": "metric", "id": "a", "measure": "nsd", "at_least": 0.1},
        facts.model_copy(update={"evaluation": without}),
    )
    assert not result.passed
    assert result.value is None


@pytest.mark.verifies("REQ-035", "RC-11")
def test_gaps_are_named_with_their_place(facts: GateFacts) -> None:
    gap = "r.yaml:7 REQ-9 is untested"
    result = _one({"kind": "trace", "id": "trace"}, facts.model_copy(update={"gaps": (gap,) * 5}))
    assert not result.passed
    assert "r.yaml:7 REQ-9 is untested" in result.message
    assert "and 2 more" in result.message


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_only_passed_is_passed(facts: GateFacts, outcome: str) -> None:
    assert facts.report is not None
    bad = RecordedResult(name="x", node="n", ids=(), outcome=outcome, seconds=0.0)
    report = facts.report.model_copy(update={"results": (*facts.report.results, bad)})
    assert not _one({"kind": "scenarios", "id": "s"}, facts.model_copy(update={"report": report})).passed
    empty = facts.report.model_copy(update={"results": ()})
    assert not _one({"kind": "scenarios", "id": "s"}, facts.model_copy(update={"report": empty})).passed


@pytest.mark.parametrize(
    ("kind", "change"),
    [("test-set", {"openings": 2}), ("runs", {"undisposed": (4, 5)}), ("lineage", {"undelivered": (8, 9)})],
)
def test_counts_beyond_their_limit_fail(facts: GateFacts, kind: str, change: dict[str, object]) -> None:
    gate = {"kind": kind, "id": "g", "at_most": 1}
    assert _one(gate, facts).passed
    assert not _one(gate, facts.model_copy(update=change)).passed


@pytest.mark.parametrize(
    "gates",
    [
        [],
        [{"kind": "trace", "id": "a"}, {"kind": "risk", "id": "a"}],
        [{"kind": "metric", "id": "a", "measure": "dice"}],
        [{"kind": "metric", "id": "a", "measure": "dice", "at_least": 0.1, "at_most": 0.2}],
        [{"kind": "charm", "id": "a"}],
        [{"kind": "trace", "id": "a", "at_least": 1}],
    ],
)
def test_a_policy_that_says_nothing_or_two_things_is_refused(gates: list[object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ReleasePolicy.model_validate({"signatures": SIGNATURES, "gates": gates})


def test_a_policy_of_one_signature_is_refused(tmp_path: Path) -> None:
    text = POLICY.read_text(encoding="utf-8").replace("    - role: release-manager\n      meaning: approval\n", "")
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="at least two people"):
        load_policy(tmp_path / "policy.yaml")


def _dice(mean: float, n: int = 4) -> GateFacts:
    from minivess.records.evaluation.evaluation import Conventions, EvaluationRecord

    digest = "sha256:" + "0" * 64
    interval = Interval(mean=mean, lower=0.0, upper=1.0, n=n)
    return GateFacts(
        evaluation=EvaluationRecord(
            model=digest,
            data=digest,
            request="r",
            threshold=0.5,
            conventions=Conventions(tolerance=1.0, unit="um"),
            cases=(),
            aggregates={"dice": interval},
            baseline=interval,
            ece=0.0,
            band_ece=0.0,
            best="a",
            worst="a",
        )
    )


def test_a_bound_that_nobody_can_know_is_not_met() -> None:
    known = _dice(0.9)
    assert known.evaluation is not None
    interval = Interval(mean=0.9, lower=None, upper=None, n=4)
    facts = GateFacts(evaluation=known.evaluation.model_copy(update={"aggregates": {"dice": interval}}))
    result = _one({"id": "dice", "kind": "metric", "measure": "dice", "statistic": "lower", "at_least": 0.1}, facts)
    assert not result.passed
    assert "one group" in result.message


def test_a_measure_that_is_undefined_in_a_case_is_not_met_by_the_others() -> None:
    known = _dice(0.9)
    assert known.evaluation is not None
    rows = tuple(
        CaseMeasures(case=f"c{i}", subject=f"s{i}", values={"dice": 0.9, "hd95": None}, baseline_dice=0.5)
        for i in range(5)
    )
    distance = Interval(mean=2.0, lower=1.0, upper=3.0, n=4)
    changed = known.evaluation.model_copy(update={"aggregates": {"hd95": distance}, "cases": rows})
    gate = {"id": "hd95", "kind": "metric", "measure": "hd95", "at_most": 5.0}
    result = _one(gate, GateFacts(evaluation=changed))
    assert not result.passed
    assert "undefined in 1 of 5 cases" in result.message


def test_a_justified_gap_does_not_fail_the_gate_and_is_always_told() -> None:
    facts = GateFacts(
        gaps=(), requirements=2, justified=("REQ-001 has no scenario (justified by rosa until 2027-01-01: a reason)",)
    )
    result = _one({"id": "trace", "kind": "trace", "at_most": 0}, facts)
    assert result.passed
    assert "1 justified: REQ-001 has no scenario" in result.message


@pytest.mark.parametrize(
    ("kind", "facts", "message"),
    [
        ("criteria", GateFacts(unmet=(), registered=3), "All 3 acceptance criteria met"),
        ("criteria", GateFacts(unmet=(), registered=1), "1 acceptance criterion met"),
        (
            "criteria",
            GateFacts(unmet=("dice, mean: 0.800",), registered=3),
            "Unmet acceptance criteria: 1 of 3 acceptance criteria, required: ≤ 0",
        ),
        ("trace", GateFacts(gaps=(), requirements=12), "No gap in the traceability of 12 requirements"),
        ("runs", GateFacts(undisposed=(), runs=3), "All 3 training runs used or with a disposition"),
        (
            "runs",
            GateFacts(undisposed=(7,), runs=2),
            "Training runs without a disposition: 1 of 2 training runs, required: ≤ 0, missed by 1: entry 7",
        ),
        ("test-set", GateFacts(openings=0), "No look at the sealed test set; the gates of figures fail without a look"),
        (
            "lineage",
            GateFacts(undelivered=(), lineage_runs=9),
            "All 9 entries with a lineage run have their lineage event",
        ),
    ],
)
def test_the_message_of_a_count_is_a_sentence(kind: str, facts: GateFacts, message: str) -> None:
    assert _one({"id": "g", "kind": kind, "at_most": 0}, facts).message.startswith(message)


GATES: list[dict[str, object]] = [
    {"kind": "criteria", "id": "criteria"},
    {"kind": "metric", "id": "dice", "measure": "dice", "at_least": 0.85},
    {"kind": "metric", "id": "hd95", "measure": "hd95", "statistic": "upper", "at_most": 9.0},
    {"kind": "baseline", "id": "over", "at_least": 0.08},
    {"kind": "parity", "id": "parity", "at_most": 1e-4},
    {"kind": "calibration", "id": "ece", "at_most": 0.1},
    {"kind": "trace", "id": "trace"},
    {"kind": "risk", "id": "risks"},
    {"kind": "test-set", "id": "test-set", "at_most": 1},
    {"kind": "runs", "id": "runs"},
    {"kind": "scenarios", "id": "scenarios"},
    {"kind": "lineage", "id": "lineage"},
]


@pytest.mark.verifies("REQ-230", "RC-11")
def test_every_gate_fails_without_its_fact_and_the_built_in_ones_are_judged() -> None:
    results = judge(_policy(GATES), GateFacts())
    assert [one.id for one in results[: len(GATES)]] == [gate["id"] for gate in GATES]
    assert {one.id for one in results[len(GATES) :]} == set(BUILT_IN_KINDS)
    assert not any(one.passed for one in results)
    outcomes = outcomes_of(results)
    assert {one.value for one in outcomes} == {one.margin for one in outcomes} == {None}
    assert {one.kind for one in outcomes if one.basis == "attested"} <= {"trace", "source"}
    assert "trace" in {one.kind for one in outcomes if one.basis == "attested"}


@pytest.mark.verifies("REQ-230")
def test_a_built_in_gate_that_the_policy_lists_is_judged_once() -> None:
    policy = _policy([{"kind": "counts", "id": "counts"}, *GATES])
    kinds = [gate.kind for gate in gates_of(policy)]
    assert kinds.count("counts") == 1
    assert kinds[0] == "counts"


@pytest.mark.parametrize(
    "gate",
    [
        {"kind": "counts", "id": "counts", "at_most": 1},
        {"kind": "trace", "id": "counts"},
        {"kind": "metric", "id": "counts", "measure": "dice", "at_least": 0.1},
    ],
)
def test_a_built_in_gate_has_no_exception_and_no_double(gate: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="counts"):
        _policy([gate])


@pytest.mark.verifies("REQ-230", "RC-98")
@pytest.mark.parametrize("missing", ["cases", "groups", "requirements", "risks", "controls", "scenarios"])
def test_a_release_without_one_of_the_counted_fails(facts: GateFacts, missing: str) -> None:
    assert facts.evaluation is not None
    assert facts.risks is not None
    assert facts.report is not None
    assert _built_in(facts).passed
    no_cases = facts.evaluation.model_copy(update={"cases": ()})
    without = {
        "cases": {"evaluation": no_cases},
        "groups": {"evaluation": no_cases},
        "requirements": {"requirements": 0},
        "risks": {"risks": facts.risks.model_copy(update={"risks": ()})},
        "controls": {"risks": facts.risks.model_copy(update={"controls": ()})},
        "scenarios": {"report": facts.report.model_copy(update={"results": ()})},
    }[missing]
    result = _built_in(facts.model_copy(update=without))
    assert not result.passed
    assert result.value is not None
    assert result.value >= 1
    assert f"no {missing}" in result.message


def _built_in(facts: GateFacts) -> GateResult:
    [result] = [one for one in judge(_policy(GATES), facts) if one.kind == "counts"]
    return result


@pytest.mark.verifies("REQ-230", "RC-11")
@given(limit=st.floats(1e-9, 1e3), above=st.booleans())
def test_a_figure_at_its_limit_passes_and_the_next_one_beyond_fails(limit: float, above: bool) -> None:
    side, beyond = ("at_most", math.inf) if above else ("at_least", -math.inf)
    gate = {"kind": "metric", "id": "a", "measure": "dice", side: limit}
    at = _one(gate, _dice(limit))
    past = _one(gate, _dice(math.nextafter(limit, beyond)))
    [shown] = outcomes_of([at])
    assert (at.passed, shown.margin, shown.value) == (True, "0", shown.limit)
    assert not past.passed


@pytest.mark.verifies("REQ-230")
@given(value=st.floats(-1e6, 1e6), limit=st.floats(-1e6, 1e6))
def test_what_passes_also_passes_by_the_numbers_that_a_pack_shows(value: float, limit: float) -> None:
    for side in ("at_least", "at_most"):
        [shown] = outcomes_of([_one({"kind": "metric", "id": "a", "measure": "dice", side: limit}, _dice(value))])
        assert not shown.passed or _within(shown.comparison, shown.value, shown.limit)


def _within(comparison: str, value: str | None, limit: str) -> bool:
    assert value is not None
    return float(value) >= float(limit) if comparison == "at least" else float(value) <= float(limit)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_figure_can_be_undefined_or_infinite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Interval(mean=value, lower=None, upper=None, n=1)


@pytest.mark.verifies("REQ-230")
def test_only_the_source_may_fail_in_a_demonstration(facts: GateFacts) -> None:
    failing = judge(_policy(GATES), GateFacts())
    assert stopping(failing, demo=False) == failing
    assert stopping(failing, demo=True) == tuple(one for one in failing if one.kind != "source")
    assert stopping(judge(_policy([{"kind": "trace", "id": "trace"}]), facts), demo=False) == ()


@pytest.mark.verifies("REQ-218")
def test_the_gate_of_the_source_is_judged_with_and_without_a_line_in_the_policy(facts: GateFacts) -> None:
    trace: dict[str, object] = {"kind": "trace", "id": "trace"}
    for gates in ([trace], [trace, {"kind": "source", "id": "commit"}]):
        results = [one for one in judge(_policy(gates), facts) if one.kind == "source"]
        assert [(one.passed, one.basis) for one in results] == [(True, "attested")]
        assert results[0].message.startswith("The source is one commit")


@pytest.mark.verifies("REQ-218")
def test_the_gate_of_the_source_allows_no_exception() -> None:
    with pytest.raises(ValueError, match="the gate `source` allows no exception"):
        _policy([{"kind": "source", "id": "source", "at_most": 1}])


@pytest.mark.verifies("REQ-218", "REQ-219")
def test_the_gate_of_the_source_names_each_reason_and_how_to_fix_it(facts: GateFacts) -> None:
    assert facts.source is not None
    assert facts.report is not None
    refused = LoadedFiles(runner="pytest", refused=("a.py: is elsewhere",), refusals=1)
    strangers = SourceState.of(**facts.source.model_dump(exclude={"not_releasable", "strangers"}), strangers=1)
    for change, value, words, mend in (
        ({"source": uncommitted(facts.source)}, 1, "1 change is uncommitted: src/thing/sums.py", "commit what differs"),
        ({"source": None}, None, "not known", "in a clone"),
        (
            {"source": strangers, "report": facts.report.model_copy(update={"loaded": refused})},
            1,
            "a.py: is elsewhere",
            "uv sync --locked",
        ),
    ):
        result = next(
            one
            for one in judge(_policy([{"kind": "trace", "id": "trace"}]), facts.model_copy(update=change))
            if one.kind == "source"
        )
        assert not result.passed
        assert result.value == value
        assert words in result.message
        assert mend in result.mend


@pytest.mark.verifies("REQ-218", "REQ-219")
def test_results_that_do_not_state_what_was_loaded_count_as_a_file_without_an_origin(facts: GateFacts) -> None:
    assert facts.report is not None
    assert facts.report.strangers == 0
    assert facts.report.model_copy(update={"loaded": LoadedFiles(runner="other")}).strangers == 0
    assert facts.report.model_copy(update={"loaded": None}).strangers == 1


@pytest.mark.verifies("REQ-218")
def test_a_demonstration_is_built_from_an_uncommitted_tree_and_stopped_by_every_other_gate(facts: GateFacts) -> None:
    assert facts.source is not None
    wrong = facts.model_copy(update={"source": uncommitted(facts.source), "undelivered": (1,)})
    gates = judge(_policy([{"kind": "lineage", "id": "lineage"}]), wrong)
    assert [one.kind for one in stopping(gates, demo=False)] == ["lineage", "source"]
    assert [one.kind for one in stopping(gates, demo=True)] == ["lineage"]
