"""The graph: a whole chain has no gap, and each broken link is a gap with its file and line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.results.result_files import read_report
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.errors import InputError
from minivess.foundation.provenance import environment_digest, tree_digest
from minivess.records.items.trace import RecordedResult, ResultReport

pytestmark = pytest.mark.verifies("SU-16")

_SCENARIO = {"path": "features/sum.feature", "line": 3}


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _gaps(tree: Path, report: ResultReport | None = None) -> list[tuple[str, str, str]]:
    return [
        (f"{gap.source.path}:{gap.source.line}", gap.kind, gap.item) for gap in TraceGraph.load(tree, report).gaps()
    ]


def _result(outcome: str = "passed", **changes: Any) -> RecordedResult:
    fields = {"name": "Sums: Two and two", "node": "n", "ids": ("REQ-001", "RC-01"), "seconds": 0.1}
    return RecordedResult.model_validate({**fields, "outcome": outcome, "scenario": _SCENARIO, **changes})


def _report(tree: Path, *results: RecordedResult, **changes: Any) -> ResultReport:
    fields = {
        "commit": None,
        "dirty": None,
        "tree": tree_digest(tree),
        "environment": environment_digest(tree),
        "platform": "here",
        "time": datetime(2026, 11, 20, tzinfo=UTC),
        "tester": "somebody",
        "results": results,
    }
    return ResultReport.model_validate({**fields, **changes})


@pytest.mark.verifies("REQ-031")
def test_a_whole_chain_has_no_gap(tree: Path) -> None:
    assert _gaps(tree) == []
    assert _gaps(tree, _report(tree, _result())) == []


@pytest.mark.verifies("REQ-031", "RC-11")
@pytest.mark.parametrize(
    ("name", "edit", "gap"),
    [
        ("requirements/all.yaml", ("[UN-01]", "[UN-01, UN-02]"), ("6", "unknown-id", "UN-02")),
        ("risk/controls.yaml", ("[REQ-001]", "[REQ-001, REQ-009]"), ("2", "unknown-id", "REQ-009")),
        ("risk/risks.yaml", ("[RC-01]", "[RC-01, RC-09]"), ("2", "unknown-id", "RC-09")),
        ("features/sum.feature", ("@RC-01", "@RC-01 @REQ-010"), ("2", "unknown-id", "REQ-010")),
        ("features/sum.feature", ("@RC-01", "@RC-01 @req1"), ("2", "unknown-id", "req1")),
        ("src/thing/sums.py", ('"REQ-001"', '"REQ-001", "REQ-0001"'), ("3", "unknown-id", "REQ-0001")),
        ("tests/test_sums.py", ('"REQ-001"', '"REQ-002"'), ("3", "unknown-id", "REQ-002")),
        ("src/thing/sums.py", ('@implements("REQ-001")', ""), (None, "unimplemented-requirement", "REQ-001")),
        ("features/sum.feature", ("@RC-01", ""), (None, "unverified-control", "RC-01")),
        (
            "risk/risks.yaml",
            ("residual: {severity: 2, p1: 1", "residual: {severity: 2, p1: 2"),
            ("2", "unacceptable-risk", "RISK-01"),
        ),
        ("risk/risks.yaml", ("residual: {severity: 2", "residual: {severity: 1"), ("2", "missing-link", "RISK-01")),
    ],
)
def test_a_broken_link_is_a_gap_with_its_line(
    tree: Path, name: str, edit: tuple[str, str], gap: tuple[str | None, str, str]
) -> None:
    _edit(tree / name, *edit)
    line, kind, item = gap
    where = (
        {"REQ-001": "requirements/all.yaml:6", "RC-01": "risk/controls.yaml:2"}.get(item)
        if line is None
        else f"{name}:{line}"
    )
    assert (where, kind, item) in _gaps(tree)


@pytest.mark.verifies("REQ-031")
def test_a_requirement_without_scenario_and_test_is_untested(tree: Path) -> None:
    _edit(tree / "features/sum.feature", "@REQ-001 ", "")
    assert _gaps(tree) == []
    (tree / "tests/test_sums.py").unlink()
    assert _gaps(tree) == [("requirements/all.yaml:6", "untested-requirement", "REQ-001")]


@pytest.mark.verifies("REQ-031")
def test_needs_controls_and_risks_without_their_partner_are_missing_links(tree: Path) -> None:
    _edit(tree / "requirements/all.yaml", "[UN-01]", "[]")
    _edit(tree / "risk/risks.yaml", "controls: [RC-01]", "controls: []")
    gaps = _gaps(tree)
    assert ("requirements/all.yaml:2", "missing-link", "UN-01") in gaps
    assert ("risk/controls.yaml:2", "missing-link", "RC-01") in gaps
    assert ("risk/risks.yaml:2", "missing-link", "RISK-01") in gaps


@pytest.mark.verifies("REQ-031")
@pytest.mark.parametrize(
    ("name", "old", "new", "gap"),
    [
        ("requirements/all.yaml", "[UN-01]", "[UN-01, RC-01]", ("requirements/all.yaml:6", "wrong-target", "REQ-001")),
        ("risk/risks.yaml", "harm: HARM-01", "harm: HAZ-01", ("risk/risks.yaml:2", "wrong-target", "RISK-01")),
        (
            "requirements/all.yaml",
            "[UN-01]",
            "[UN-01, REQ-001]",
            ("requirements/all.yaml:6", "circular-link", "REQ-001"),
        ),
    ],
)
def test_links_lead_to_the_right_kind_and_never_back(
    tree: Path, name: str, old: str, new: str, gap: tuple[str, str, str]
) -> None:
    _edit(tree / name, old, new)
    assert gap in _gaps(tree)


@pytest.mark.verifies("REQ-031")
def test_a_longer_circle_is_told_whole_and_once(tree: Path) -> None:
    text = "".join(
        f"  - {{id: SI-0{number}, title: t, statement: s, safety_class: B, part_of: SI-0{number % 3 + 1}}}\n"
        for number in (1, 2, 3)
    )
    (tree / "requirements/architecture.yaml").write_text(f"software_items:\n{text}", encoding="utf-8")
    circles = [gap for gap in TraceGraph.load(tree).gaps() if gap.kind == "circular-link"]
    assert [gap.message for gap in circles] == ["links go in a circle: SI-01 → SI-02 → SI-03 → SI-01"]


@pytest.mark.verifies("REQ-031")
def test_a_part_of_a_lower_class_needs_a_reason(tree: Path) -> None:
    whole = "  - {id: SI-01, title: t, statement: s, safety_class: B}\n"
    part = "  - {id: SI-02, title: t, statement: s, safety_class: A, part_of: SI-01"
    path = tree / "requirements/architecture.yaml"
    path.write_text(f"software_items:\n{whole}{part}}}\n", encoding="utf-8")
    assert _gaps(tree) == [("requirements/architecture.yaml:3", "missing-link", "SI-02")]
    path.write_text(f"software_items:\n{whole}{part}, segregation: another process}}\n", encoding="utf-8")
    assert _gaps(tree) == []


def test_the_message_of_an_unknown_id_names_the_nearest(tree: Path) -> None:
    _edit(tree / "tests/test_sums.py", "REQ-001", "REQ-010")
    assert "did you mean `REQ-001`?" in TraceGraph.load(tree).gaps()[0].message


@pytest.mark.verifies("REQ-031")
def test_an_id_twice_and_a_scenario_name_twice_are_duplicates(tree: Path) -> None:
    (tree / "requirements/more.yaml").write_text("user_needs:\n  - {id: UN-01, title: t, statement: s}\n")
    feature = tree / "features/sum.feature"
    feature.write_text(feature.read_text() + "  Scenario: Two and two\n    Given two numbers\n")
    assert [gap[:2] for gap in _gaps(tree)] == [
        ("features/sum.feature:5", "duplicate-id"),
        ("requirements/more.yaml:2", "duplicate-id"),
    ]


@pytest.mark.verifies("REQ-033", "RC-11")
@pytest.mark.parametrize(
    ("outcome", "verdict", "kinds"),
    [
        ("passed", "passed", []),
        ("failed", "failed", ["failed-requirement", "unverified-control"]),
        ("skipped", "untested", ["untested-requirement", "unverified-control"]),
    ],
)
def test_only_passed_results_verify(tree: Path, outcome: str, verdict: str, kinds: list[str]) -> None:
    report = _report(tree, _result(outcome), _result(ids=("REQ-001",), scenario=None))
    graph = TraceGraph.load(tree, report)
    assert graph.verdict_for("REQ-001") == verdict
    assert sorted(gap.kind for gap in graph.gaps()) == kinds


@pytest.mark.verifies("REQ-033", "RC-11")
def test_results_of_another_tree_or_environment_do_not_count(tree: Path) -> None:
    report = _report(tree, _result())
    _edit(tree / "src/thing/sums.py", "a + b", "a - b")
    graph = TraceGraph.load(tree, report)
    assert graph.verdict_for("REQ-001") == graph.verdict_for("RC-01") == "stale"
    assert graph.results_for("REQ-001") == ()
    assert {gap.kind for gap in graph.gaps()} == {"untested-requirement", "unverified-control"}
    other = _report(tree, _result(), environment="sha256:" + "0" * 64)
    assert TraceGraph.load(tree, other).stale


@pytest.mark.verifies("REQ-031")
def test_a_scenario_that_no_test_ran_is_a_gap(tree: Path) -> None:
    result = _result(scenario={"path": "features/sum.feature", "line": 99})
    assert ("features/sum.feature:3", "unbound-scenario", "Two and two") in _gaps(tree, _report(tree, result))


@pytest.mark.verifies("REQ-192", "RC-11")
@pytest.mark.parametrize(("tag", "control", "gap"), [("slow", True, False), ("slow", False, True), ("wip", True, True)])
def test_a_slow_scenario_may_be_left_out_while_what_it_is_for_was_verified(
    tree: Path, tag: str, control: bool, gap: bool
) -> None:
    feature = tree / "features/sum.feature"
    more = f"\n  @REQ-001 @RC-01 @{tag}\n  Scenario: Many numbers\n    Given two numbers\n"
    feature.write_text(feature.read_text(encoding="utf-8") + more, encoding="utf-8")
    result = _result() if control else _result(ids=("REQ-001",))
    found = [item for _, kind, item in _gaps(tree, _report(tree, result)) if kind == "unbound-scenario"]
    assert found == (["Many numbers"] if gap else [])


@pytest.mark.verifies("RC-11")
def test_a_unit_test_alone_does_not_verify_a_control(tree: Path) -> None:
    graph = TraceGraph.load(tree, _report(tree, _result(scenario=None)))
    assert graph.verdict_for("RC-01") == "untested"
    assert graph.verdict_for("REQ-001") == "passed"


def test_results_are_read_back_and_malformed_ones_refused(tree: Path, tmp_path: Path) -> None:
    report = _report(tree, _result())
    (tmp_path / "r.json").write_text(report.model_dump_json())
    assert read_report(tmp_path / "r.json") == report
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(InputError, match=r"^r\.json: is no results file"):
        read_report(tmp_path / "r.json")
