"""The traceability matrix as JSON-ready data: what the portal and the pack's page render.

`risks`, `controls`, `requirements` and `user_needs` list items with their links both ways; `rows` is the same as a flat
table, one row for each chain risk, control, requirement, and for each requirement that controls no risk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from minivess.compliance.traceability.gaps import find_gaps
from minivess.compliance.traceability.links import Links
from minivess.compliance.traceability.reports import judge
from minivess.records.items import Estimate, story
from minivess.records.risk_plan import RiskPlan
from minivess.records.traceability import CodeLink, Scenario, TestLink, TestResult

FORMAT = "minivess-matrix/1"


def matrix(graph: Links) -> dict[str, Any]:
    """Everything a graph knows, as dictionaries, lists, text and numbers."""
    items = graph.items
    implementing: defaultdict[str, list[str]] = defaultdict(list)
    for control in items.controls.values():
        for name in control.implemented_by:
            implementing[name].append(control.id)
    controlled: defaultdict[str, list[str]] = defaultdict(list)
    for risk in items.risks.values():
        for name in risk.controls:
            controlled[name].append(risk.id)
    derived: defaultdict[str, list[str]] = defaultdict(list)
    for requirement in items.requirements.values():
        for name in requirement.derives_from:
            derived[name].append(requirement.id)
    gaps = find_gaps(graph)
    requirements = {
        item.id: {**item.model_dump(mode="json"), "controls": implementing[item.id], **_evidence(graph, item.id)}
        for item in items.requirements.values()
    }
    controls = {
        item.id: {**item.model_dump(mode="json"), "risks": controlled[item.id], **_evidence(graph, item.id)}
        for item in items.controls.values()
    }
    return {
        "format": FORMAT,
        "report": _report(graph),
        "summary": _summary(graph, Counter(gap.kind for gap in gaps)),
        "user_needs": [
            {**item.model_dump(mode="json"), "requirements": derived[item.id]} for item in items.user_needs.values()
        ],
        "risks": [
            {
                **item.model_dump(mode="json"),
                **story(item, items.by_id),
                "initial": _estimate(items.plan, item.initial),
                "residual": _estimate(items.plan, item.residual),
                "verdict": items.plan.verdict(item.residual) if items.plan else None,
            }
            for item in items.risks.values()
        ],
        "controls": list(controls.values()),
        "requirements": list(requirements.values()),
        "scenarios": [_scenario(graph, scenario) for scenario in graph.scenarios],
        "rows": list(_rows(graph, implementing)),
        "gaps": [gap.model_dump(mode="json") for gap in gaps],
    }


def _rows(graph: Links, implementing: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    items = graph.items
    for risk in items.risks.values():
        controls = [items.controls[name] for name in risk.controls if name in items.controls]
        if not controls:
            yield _row(graph, risk.id, None, None)
        for control in controls:
            for name in control.implemented_by:
                yield _row(graph, risk.id, control.id, name)
    for requirement in items.requirements:
        if not implementing.get(requirement):
            yield _row(graph, None, None, requirement)


def _row(graph: Links, risk: str | None, control: str | None, requirement: str | None) -> dict[str, Any]:
    record = graph.items.requirements.get(requirement or "")
    found = graph.items.risks.get(risk or "")
    return {
        "risk": risk,
        "hazard": story(found, graph.items.by_id)["hazard"] if found else None,
        "control": control,
        "control_verdict": graph.verdict_for(control) if control else None,
        "requirement": requirement,
        "title": record.title if record else None,
        "verdict": graph.verdict_for(requirement) if requirement else None,
        "scenarios": [item.name for item in graph.scenarios_for(requirement or "")],
        "tests": [item.name for item in graph.tests_for(requirement or "")],
        "code": [item.name for item in graph.code_for(requirement or "")],
    }


def _evidence(graph: Links, identifier: str) -> dict[str, Any]:
    return {
        "verdict": graph.verdict_for(identifier),
        "scenarios": [_scenario(graph, scenario) for scenario in graph.scenarios_for(identifier)],
        "tests": [_link(link) for link in graph.tests_for(identifier)],
        "code": [_link(link) for link in graph.code_for(identifier)],
        "results": [_result(result) for result in graph.results_for(identifier)],
    }


def _scenario(graph: Links, scenario: Scenario) -> dict[str, Any]:
    results = graph.scenario_results(scenario.source)
    return {
        **scenario.model_dump(mode="json"),
        "outcome": judge(results) if results else "not run",
        "seconds": round(sum(result.seconds for result in results), 3),
    }


def _link(link: CodeLink | TestLink) -> dict[str, Any]:
    return {"name": link.name, "source": link.source.model_dump()}


def _result(result: TestResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "node": result.node,
        "outcome": result.outcome,
        "seconds": result.seconds,
        "message": result.message,
    }


def _estimate(plan: RiskPlan | None, estimate: Estimate) -> dict[str, Any]:
    shown: dict[str, Any] = estimate.model_dump()
    if plan is not None:
        shown |= {"probability": plan.probability_of(estimate), "level": plan.level(estimate).name}
    return shown


def _report(graph: Links) -> dict[str, Any] | None:
    report = graph.report
    if report is None:
        return None
    outcomes = Counter(result.outcome for result in report.results)
    return {
        **report.model_dump(mode="json", exclude={"results"}),
        "stale": graph.stale,
        "passed": outcomes["passed"],
        "failed": outcomes["failed"],
        "skipped": outcomes["skipped"],
    }


def _summary(graph: Links, gaps: Counter[str]) -> dict[str, Any]:
    items = graph.items
    verdicts = Counter(graph.verdict_for(name) for name in items.requirements)
    return {
        "user_needs": len(items.user_needs),
        "requirements": len(items.requirements),
        "requirements_by_verdict": dict(sorted(verdicts.items())),
        "risks": len(items.risks),
        "controls": len(items.controls),
        "controls_verified": sum(graph.verdict_for(name) == "passed" for name in items.controls),
        "scenarios": len(graph.scenarios),
        "gaps": sum(gaps.values()),
        "gaps_by_kind": dict(sorted(gaps.items())),
    }
