"""Everything a trace graph knows as JSON-ready data, in the form `minivess-trace/2`: what pages and tables are made of.

Every item carries its own links, evidence and gaps, so that a page about it needs nothing else. An item's status is that of
its own evidence and of everything it is only met by: a need whose requirement failed has failed, and a risk whose control
is not verified is not controlled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from minivess.compliance.results.result_files import judge
from minivess.compliance.trace.justified_gaps import JudgedGap
from minivess.compliance.trace.link_reviews import RESTS_ON, LinkKey
from minivess.compliance.trace.links import Links
from minivess.compliance.trace.tree import Tree
from minivess.foundation.clock import timestamp
from minivess.records.items.items import (
    KINDS,
    Criterion,
    Estimate,
    FieldCount,
    Item,
    Requirement,
    Risk,
    RiskControl,
    SystemRequirement,
    UserNeed,
    link_fields,
    links_of,
)
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.items.trace import LogStory, Scenario, Signature

FORMAT = "minivess-trace/2"

RELATIONS: dict[str, tuple[str, str]] = {
    "derives-from": ("derives from", "is refined by"),
    "allocated-to": ("is allocated to", "takes up"),
    "part-of": ("is part of", "consists of"),
    "uses": ("uses", "is used by"),
    "affects": ("affects", "is affected by"),
    "changes": ("changes", "is changed by"),
    "resolves": ("resolves", "is resolved by"),
    "verifies": ("verifies", "is verified by"),
    "from-hazard": ("comes from", "leads to"),
    "follows": ("follows from", "leads to"),
    "situation": ("begins with", "is estimated in"),
    "harm": ("ends in", "is the harm of"),
    "controls": ("is controlled by", "controls"),
    "implemented-by": ("is implemented by", "implements"),
    "new-risks": ("brings", "is brought by"),
    "risk": ("counts", "was counted in"),
    "controlled-by": ("is countered by", "counters"),
    "rests-on": ("rests on", "carries"),
}
"""How a link reads from the item that declares it, and from the one it names."""

_LONG = ("statement", "rationale", "segregation", "purpose", "anomalies", "evaluation", "reason", "severity_reason")
_LONGER = (*_LONG, "information_reason", "benefit")
_ORDER = ("failed", "unacceptable", "stale", "untested", "acceptable", "passed", "none")


def view(
    tree: Tree,
    *,
    project: Mapping[str, Any] | None = None,
    coverage: Sequence[Mapping[str, Any]] = (),
    log: LogStory | None = None,
) -> dict[str, Any]:
    """The whole tree.

    Args:
        tree: the tree.
        project: name, version, commit, tree and time of what it is about, as far as known.
        coverage: how the clauses of standards stand, as `standards.coverage` tells them.
        log: what the log of the project says; None where none was read.
    """
    graph, gaps = tree.graph, tree.gaps
    by_item: defaultdict[str, list[JudgedGap]] = defaultdict(list)
    for one in gaps:
        by_item[one.gap.item].append(one)
    still_open = sum(one.open for one in gaps)
    status = _statuses(graph)
    signed: defaultdict[str, list[Signature]] = defaultdict(list)
    for signature in log.signatures if log is not None else ():
        signed[signature.item].append(signature)
    reviewed = _reviewed(graph, log)
    return {
        "format": FORMAT,
        "project": {"name": "", "version": None, "commit": None, "tree": None, "time": None, **(project or {})},
        "verdict": {
            "holds": not still_open,
            "gaps": still_open,
            "justified": len(gaps) - still_open,
            "suspects": len({key.item for key in graph.suspects}),
        },
        "kinds": [_kind(kind.prefix, kind.title, kind.plural) for kind in KINDS],
        "relations": [{"name": name, "forward": one, "backward": other} for name, (one, other) in RELATIONS.items()],
        "items": [
            {
                **_item(graph, item, status[item.id], by_item[item.id], reviewed),
                "signatures": [_signature(one) for one in signed[item.id]],
                "history": [asdict(one) for one in tree.revisions.get(item.id, ())],
            }
            for item in graph.items.all()
        ],
        "risk": _risk_matrix(graph),
        "coverage": [dict(row) for row in coverage],
        "report": _report(graph, log),
        "log": None if log is None else log.model_dump(mode="json", include={"origin", "size", "demo"}),
        "made": [one.model_dump(mode="json") for one in log.made] if log is not None else [],
        "signatures": [_signature(one) for one in signed[""]],
        "gaps": [{**_gap(one), "item": one.gap.item} for one in gaps],
    }


def _kind(prefix: str, title: str, plural: str) -> dict[str, str]:
    return {"kind": _word(title), "prefix": prefix, "title": title, "plural": plural}


def _word(title: str) -> str:
    return title.lower().replace(" ", "-")


_KIND = {kind.record: _word(kind.title) for kind in KINDS}


def _signature(signature: Signature) -> dict[str, Any]:
    return signature.model_dump(mode="json", exclude={"item"})


def _item(
    graph: Links, item: Item, status: str, gaps: list[JudgedGap], reviewed: Mapping[LinkKey, dict[str, Any]]
) -> dict[str, Any]:
    said = item.model_dump(mode="json", exclude={"id", "title", "source", *link_fields(type(item))})
    links = [_link(graph, item, field, target, reviewed) for field, target in links_of(item)]
    links += [_link(graph, item, RESTS_ON, name, reviewed) for name in item.rests_on if name in graph.artifacts]
    return {
        "id": item.id,
        "kind": _KIND[type(item)],
        "title": item.title,
        "status": status,
        "suspect": any(link["suspect"] for link in links),
        "text": [{"label": _label(name), "value": said[name]} for name in _LONGER if said.get(name)],
        "facts": [*_facts(said), *_drill(graph, item.id)],
        "standards": [],
        "source": item.source.model_dump(),
        "links": links,
        "scenarios": [_scenario(graph, one) for one in graph.scenarios_for(item.id)],
        "tests": [{"name": one.name, **one.source.model_dump()} for one in graph.tests_for(item.id)],
        "code": [{"name": one.name, **one.source.model_dump()} for one in graph.code_for(item.id)],
        "results": [
            one.model_dump(mode="json", include={"name", "node", "outcome", "seconds", "message", "evidence"})
            for one in graph.results_for(item.id)
        ],
        "gaps": [_gap(one) for one in gaps],
        "levels": _levels(graph, item) if isinstance(item, Risk) else [],
    }


def _facts(said: Mapping[str, Any]) -> list[dict[str, str]]:
    facts = []
    for name, value in said.items():
        if name in _LONGER or value in (None, [], ()) or isinstance(value, dict):
            continue
        if isinstance(value, list):
            if all(isinstance(one, str) for one in value):
                facts.append({"label": _label(name), "value": "; ".join(value)})
            continue
        shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        facts.append({"label": _label(name), "value": shown})
    return facts


def _drill(graph: Links, identifier: str) -> list[dict[str, str]]:
    """What came of taking a control away."""
    one = graph.drilled.get(identifier)
    if one is None:
        return []
    return [{"label": "When it is away", "value": f"{one.outcome} ({one.switch}): {one.said}"}]


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _link(
    graph: Links, item: Item, field: str, target: str, reviewed: Mapping[LinkKey, dict[str, Any]]
) -> dict[str, Any]:
    key = LinkKey(item.id, field, target)
    return {
        "relation": field.replace("_", "-"),
        "target": target,
        "suspect": graph.link_states.get(key) == "suspect",
        "reviewed": reviewed.get(key),
    }


def _reviewed(graph: Links, log: LogStory | None) -> dict[LinkKey, dict[str, Any]]:
    """Who reviewed each link last. A line of the file of reviews that no entry signs is by nobody."""
    if log is None:
        return {}
    found: dict[LinkKey, dict[str, Any]] = {}
    signed: set[tuple[LinkKey, str]] = set()
    for one in log.signatures:
        if one.meaning == "reviewed":
            relation, _, target = one.about.partition(" ")
            key = LinkKey(one.item, relation.replace("-", "_"), target)
            found[key] = {"by": one.actor, "time": timestamp(one.time), "entry": one.entry}
            signed.add((key, one.digest))
    unsigned = [key for key, digest in graph.reviews.items() if (key, digest) not in signed]
    return found | {key: {"by": None, "time": None, "entry": None} for key in unsigned}


def _scenario(graph: Links, scenario: Scenario) -> dict[str, Any]:
    results = graph.scenario_results(scenario.source)
    outcomes = {result.outcome for result in results}
    outcome = next((one for one in ("failed", "skipped", "passed") if one in outcomes), "not run")
    return {
        "name": scenario.name,
        "feature": scenario.feature,
        **scenario.source.model_dump(),
        "outcome": outcome,
        "seconds": round(sum(result.seconds for result in results), 3),
    }


def _gap(judged_gap: JudgedGap) -> dict[str, Any]:
    gap, why = judged_gap.gap, judged_gap.justification
    told = f" ({judged_gap.remark})" if judged_gap.open and why is not None else ""
    said = {"reason": why.reason, "owner": why.owner, "expires": why.expires.isoformat()} if why is not None else None
    shown = {"kind": gap.kind, "message": gap.message + told, **gap.source.model_dump()}
    return {**shown, "justified": None if judged_gap.open else said}


def _statuses(graph: Links) -> dict[str, str]:
    """The status of every item: its own, or a worse one of what it is only met by."""
    items = graph.items
    own = {identifier: _own_status(graph, item) for identifier, item in items.by_id.items()}
    needs: defaultdict[str, list[str]] = defaultdict(list)
    for item in items.all():
        for field, target in links_of(item):
            if field in {"derives_from", "verifies"}:
                needs[target].append(item.id)
            elif field in {"implemented_by", "controls", "controlled_by"}:
                needs[item.id].append(target)
    found: dict[str, str] = {}
    for start in items.by_id:
        _settle(start, own, needs, found)
    return found


def _settle(start: str, own: Mapping[str, str], needs: Mapping[str, list[str]], found: dict[str, str]) -> None:
    stack, standing = [(start, False)], set[str]()
    while stack:
        name, ready = stack.pop()
        if name in found or name not in own:
            continue
        below = [other for other in needs.get(name, ()) if other not in standing]
        if ready:
            standing.discard(name)
            words = [own[name], *(found.get(other, "none") for other in needs.get(name, ()))]
            found[name] = min((word for word in words if word != "none"), key=_ORDER.index, default="none")
        else:
            standing.add(name)
            stack.append((name, True))
            stack.extend((other, False) for other in below)


def _own_status(graph: Links, item: Item) -> str:
    if isinstance(item, Requirement) and item.verification == "test":
        return graph.verdict_for(item.id) if graph.report is not None else "untested"
    if isinstance(item, RiskControl):
        return graph.verdict_for(item.id) if graph.report is not None else "untested"
    if isinstance(item, Risk) and graph.items.plan is not None:
        return graph.items.plan.verdict(item.residual)
    if isinstance(item, Criterion):
        return "untested" if graph.criteria is None else graph.criteria[item.id].verdict
    if isinstance(item, UserNeed | SystemRequirement):
        return "none"
    results = graph.results_for(item.id)
    return judge(results) if results else "none"


def _levels(graph: Links, risk: Risk) -> list[dict[str, Any]]:
    plan = graph.items.plan
    if plan is None:
        return []
    stages = [("initial", risk.initial)]
    stages += [(f"after {name}", one) for name, one in zip(risk.controls, risk.after, strict=False)]
    stages.append(("residual", risk.residual))
    counts = [one for one in graph.items.of(FieldCount).values() if one.risk == risk.id]
    if counts:
        stages.append(("counted in use", plan.counted(risk, counts)))
    return [_level(plan, stage, one) for stage, one in stages]


def _level(plan: RiskPlan, stage: str, estimate: Estimate) -> dict[str, Any]:
    level = plan.level(estimate)
    return {
        "stage": stage,
        "severity": estimate.severity,
        "p1": estimate.p1,
        "p2": estimate.p2,
        "probability": plan.probability_of(estimate),
        "level": level.name,
        "acceptable": level.acceptable,
    }


def _risk_matrix(graph: Links) -> dict[str, Any] | None:
    plan = graph.items.plan
    if plan is None:
        return None
    initial: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    residual: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for risk in graph.items.risks.values():
        initial[risk.initial.severity, plan.probability_of(risk.initial)].append(risk.id)
        residual[risk.residual.severity, plan.probability_of(risk.residual)].append(risk.id)
    accepted = {level.name: level.acceptable for level in plan.levels}
    return {
        "severity": [step.word for step in plan.severity],
        "probability": [step.word for step in plan.probability.steps],
        "cells": [
            {
                "severity": severity,
                "probability": probability,
                "level": level,
                "acceptable": accepted[level],
                "initial": initial[severity, probability],
                "residual": residual[severity, probability],
            }
            for severity, row in enumerate(plan.matrix, start=1)
            for probability, level in enumerate(row, start=1)
        ],
    }


def _report(graph: Links, log: LogStory | None) -> dict[str, Any] | None:
    report = graph.report
    if report is None:
        return None
    outcomes = [result.outcome for result in report.results]
    return {
        **report.model_dump(mode="json", exclude={"results", "dirty"}),
        "entry": None if log is None else log.results,
        "stale": graph.stale,
        **{word: outcomes.count(word) for word in ("passed", "failed", "skipped")},
    }
