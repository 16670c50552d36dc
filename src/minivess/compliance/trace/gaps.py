"""What a trace graph lacks. Each rule yields gaps with the file and line to mend; none looks at the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from minivess.compliance.items.items import Items
from minivess.compliance.risk.risk_file import risk_gaps
from minivess.compliance.trace.allocation import misallocated
from minivess.compliance.trace.links import Links
from minivess.compliance.trace.residual_risk import residual, unexamined
from minivess.foundation.choices import nearest
from minivess.foundation.implements import implements
from minivess.records.items.items import Item, Requirement, SoftwareItem, Source
from minivess.records.items.kinds import KINDS, kind_of, link_fields
from minivess.records.items.risk_items import (
    FieldCount,
    Harm,
    Hazard,
    HazardousSituation,
    Risk,
    RiskControl,
    SequenceOfEvents,
    Threat,
)
from minivess.records.items.trace import Gap

SLOW = "slow"
"""The tag of scenarios that a run may leave out."""
_MEANT_AS_ID = re.compile(rf"({'|'.join(kind.prefix for kind in KINDS)})[-_ ]?[0-9]+\Z", re.IGNORECASE)


@implements("REQ-031", "REQ-074", "RC-11")
def find_gaps(graph: Links) -> tuple[Gap, ...]:
    """All gaps of a graph, in order of file and line."""
    found = [
        *_empty(graph),
        *graph.items.duplicates,
        *_duplicate_scenarios(graph),
        *_unknown_ids(graph),
        *_wrong_targets(graph),
        *_circles(graph),
        *_lower_classes(graph),
        *_suspects(graph),
        *_unmet(graph),
        *_missing_links(graph),
        *_unimplemented(graph),
        *misallocated(graph),
        *_untested(graph),
        *_unverified(graph),
        *_unbound(graph),
        *_risks(graph),
        *unexamined(graph),
        *residual(graph),
        *_undisposed(graph),
    ]
    return tuple(sorted(found, key=lambda gap: (gap.source.path, gap.source.line, gap.kind, gap.item)))


@implements("REQ-220")
def _empty(graph: Links) -> Iterator[Gap]:
    """Kinds of which there is nothing: a check of nothing has shown nothing."""
    items = graph.items
    for what, one, folder, there in (
        ("requirements", "requirement", "requirements", items.requirements),
        ("risks", "risk", "risk", items.risks),
        ("controls", "risk control", "risk", items.controls),
        ("scenarios", "scenario", "features", graph.scenarios),
    ):
        if not there:
            message = f"there is no {one} in {folder}/, so that nothing was checked"
            yield Gap(kind="nothing-to-check", item=what, message=message, source=Source(path=folder, line=1))


def _duplicate_scenarios(graph: Links) -> Iterator[Gap]:
    """pytest-bdd keys scenarios by name within a feature: of two with one name, the first is never run."""
    seen: dict[tuple[str, str], int] = {}
    for scenario in graph.scenarios:
        key = (scenario.source.path, scenario.name)
        if key in seen:
            message = f"the scenario `{scenario.name}` is already on line {seen[key]}; only the last of them would run"
            yield Gap(kind="duplicate-id", item=scenario.name, message=message, source=scenario.source)
        seen.setdefault(key, scenario.source.line)


def _unknown_ids(graph: Links) -> Iterator[Gap]:
    known = list(graph.items.by_id)
    for identifier, named_by, source in _references(graph):
        hint = _hint(identifier, known)
        yield Gap(
            kind="unknown-id",
            item=identifier,
            message=f"{named_by} names {identifier}, which is not defined" + (f" ({hint})" if hint else ""),
            source=source,
        )


def _hint(identifier: str, known: list[str]) -> str:
    prefix = identifier.upper().partition("-")[0]
    alike = [other for other in known if other.startswith(prefix[:2])] or known
    hint = nearest(identifier.upper().replace("_", "-"), alike[:2000])
    return hint if hint.startswith("did you mean") else ""


def _references(graph: Links) -> Iterator[tuple[str, str, Source]]:
    """Every mention of an id that is not defined: (id, what mentions it, where)."""
    known = graph.items.by_id
    for name, links in graph.items.links.items():
        for field, identifier in links:
            if identifier not in known:
                yield identifier, f"{name} ({field})", known[name].source
    for tag in graph.tags:
        if tag.name not in known and _MEANT_AS_ID.match(tag.name):
            yield tag.name, "a tag", tag.source
    for what, marked in (("test", graph.tests), ("code", graph.code)):
        for mark in marked:
            for identifier in mark.ids:
                if identifier not in known:
                    yield identifier, f"the {what} {mark.name}", mark.source


def _wrong_targets(graph: Links) -> Iterator[Gap]:
    """Links to items of a kind that cannot stand there."""
    known = graph.items.by_id
    for name, links in graph.items.links.items():
        item = known[name]
        allowed = link_fields(type(item))
        for field, identifier in links:
            prefixes = allowed[field]
            if prefixes and identifier in known and identifier.partition("-")[0] not in prefixes:
                names = " or ".join(kind_of(prefix).title.lower() for prefix in prefixes)
                message = f"{name} ({field}) names {identifier}, where only a {names} is allowed"
                yield Gap(kind="wrong-target", item=name, message=message, source=item.source)


def _circles(graph: Links) -> Iterator[Gap]:
    """Links that lead back to where they began, each circle once, at its first item."""
    known, named = graph.items.by_id, graph.items.links
    done: set[str] = set()
    for start in named:
        path: list[str] = []
        standing: set[str] = set()
        stack: list[tuple[str, Iterator[tuple[str, str]]]] = []
        if start not in done:
            stack.append((start, iter(named[start])))
            path.append(start)
            standing.add(start)
        while stack:
            here, links = stack[-1]
            target = next((name for _, name in links if name in named and name not in done), None)
            if target is None:
                stack.pop()
                path.pop()
                standing.discard(here)
                done.add(here)
            elif target in standing:
                circle = [*path[path.index(target) :], target]
                message = f"links go in a circle: {' → '.join(circle)}"
                yield Gap(kind="circular-link", item=target, message=message, source=known[target].source)
            else:
                stack.append((target, iter(named[target])))
                path.append(target)
                standing.add(target)


def _lower_classes(graph: Links) -> Iterator[Gap]:
    """Parts of a lower safety class than the whole, without a reason (IEC 62304 4.3 d)."""
    parts = graph.items.of(SoftwareItem)
    for part in parts.values():
        whole = parts.get(part.part_of or "")
        if whole is not None and part.safety_class < whole.safety_class and part.segregation is None:
            message = (
                f"{part.id} is of class {part.safety_class}, {whole.id}, of which it is a part, of class "
                f"{whole.safety_class}: state in `segregation` how it is segregated"
            )
            yield Gap(kind="missing-link", item=part.id, message=message, source=part.source)


def _suspects(graph: Links) -> Iterator[Gap]:
    for key in graph.suspects:
        item = graph.items.by_id[key.item]
        message = f"{key.item} ({key.field}) names {key.target}, which has changed since the link was reviewed"
        yield Gap(kind="suspect-link", item=key.item, message=message, source=item.source)


def _unmet(graph: Links) -> Iterator[Gap]:
    """Statistical criteria that the results of cases do not meet."""
    for name, judged in (graph.criteria or {}).items():
        for one in judged.strata:
            if not one.met:
                where = ", ".join(f"{key} {value}" for key, value in one.stratum.items())
                message = f"{name} is not met{f' for {where}' if where else ''}: {one.why}"
                yield Gap(kind="unmet-criterion", item=name, message=message, source=graph.items.by_id[name].source)


def _missing_links(graph: Links) -> Iterator[Gap]:
    items = graph.items
    wanted = _named_by(items, RiskControl, Threat)
    for requirement in items.requirements.values():
        if not requirement.derives_from and requirement.id not in wanted:
            yield _gap(
                "missing-link", requirement, "derives from no need, implements no risk control, counters no threat"
            )
    derived = {name for links in items.links.values() for field, name in links if field == "derives_from"}
    for need in items.user_needs.values():
        if need.id not in derived:
            message = f"{need.id} is met by no requirement"
            yield Gap(kind="missing-link", item=need.id, message=message, source=need.source)
    used = _named_by(items, Risk, Threat)
    for control in items.controls.values():
        if control.id not in used:
            yield _gap("missing-link", control, "controls no risk")


def _named_by(items: Items, *kinds: type[Item]) -> set[str]:
    """The ids that items of these kinds name."""
    return {name for one, links in items.links.items() if isinstance(items.by_id[one], kinds) for _, name in links}


def _unimplemented(graph: Links) -> Iterator[Gap]:
    for requirement in graph.items.requirements.values():
        if not graph.code_for(requirement.id):
            yield _gap("unimplemented-requirement", requirement, 'has no code marked `implements("…")`')


def _untested(graph: Links) -> Iterator[Gap]:
    for requirement in graph.items.requirements.values():
        if requirement.verification != "test":
            continue
        if not graph.scenarios_for(requirement.id) and not graph.tests_for(requirement.id):
            yield _gap("untested-requirement", requirement, "has no scenario and no test")
        elif graph.report is not None and (lack := _lack(graph, requirement.id)) is not None:
            kind: Literal["failed-requirement", "untested-requirement"] = (
                "failed-requirement" if graph.verdict_for(requirement.id) == "failed" else "untested-requirement"
            )
            yield _gap(kind, requirement, lack)


def _unverified(graph: Links) -> Iterator[Gap]:
    for control in graph.items.controls.values():
        if not graph.scenarios_for(control.id):
            yield _gap("unverified-control", control, "has no scenario that shows its effect")
        elif graph.report is not None and (lack := _lack(graph, control.id)) is not None:
            yield _gap("unverified-control", control, lack)
        elif (drilled := graph.drilled.get(control.id)) is not None and drilled.outcome != "noticed":
            yield _gap("unverified-control", control, f"has no scenario that fails without it: {drilled.said}")


def _lack(graph: Links, identifier: str) -> str | None:
    """Why recorded results do not verify an id, in words that follow its name; None when they do."""
    verdict = graph.verdict_for(identifier)
    if verdict == "passed":
        return None
    if verdict == "stale":
        return "has results of another source tree or environment only"
    results = graph.results_for(identifier)
    if verdict == "failed":
        failed = [result.name for result in results if result.outcome == "failed"]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return f"failed in `{failed[0]}`{more}"
    skipped = [result.name for result in results if result.outcome == "skipped"]
    return f"was skipped in `{skipped[0]}`" if skipped else "has no recorded result"


@implements("REQ-192", "RC-11")
def _unbound(graph: Links) -> Iterator[Gap]:
    """Scenarios without a result. One that is marked slow may be left out of a run while everything it is for was verified."""
    if graph.report is None or graph.stale:
        return
    for scenario in graph.scenarios:
        others = SLOW in scenario.tags and all(
            graph.verdict_for(tag) == "passed" for tag in scenario.tags if tag != SLOW
        )
        if not others and not graph.scenario_results(scenario.source):
            message = f"no test ran the scenario `{scenario.name}`"
            yield Gap(kind="unbound-scenario", item=scenario.name, message=message, source=scenario.source)


def _risks(graph: Links) -> Iterator[Gap]:
    items = graph.items
    plan = items.plan
    if plan is None:
        return
    counts = tuple(items.of(FieldCount).values())
    for risk in items.risks.values():
        yield from risk_gaps(plan, risk, items.controls)
        controlled = any(name in items.controls for name in risk.controls)
        if not controlled and not plan.level(risk.initial).acceptable:
            message = f"{risk.id} is {plan.level(risk.initial).name} and has no control"
            yield Gap(kind="missing-link", item=risk.id, message=message, source=risk.source)
        seen = plan.counted(risk, counts)
        if plan.rank(seen) > plan.rank(risk.residual):
            message = (
                f"{risk.id} was taken to be {plan.level(risk.residual).name}; what was counted in use makes it "
                f"{plan.level(seen).name}"
            )
            yield Gap(kind="reopened-risk", item=risk.id, message=message, source=risk.source)


def _undisposed(graph: Links) -> Iterator[Gap]:
    """Hazards, sequences, situations and harms that lead to no risk: the analysis stopped half-way (ISO 14971 5.4, 7.6)."""
    kinds = (Hazard, SequenceOfEvents, HazardousSituation, Harm)
    named = {name for links in graph.items.links.values() for _, name in links}
    for item in graph.items.all():
        if isinstance(item, kinds) and item.id not in named:
            message = f"{item.id} ({item.title}) leads to no risk"
            yield Gap(kind="missing-link", item=item.id, message=message, source=item.source)


def _gap(
    kind: Literal[
        "missing-link", "unimplemented-requirement", "untested-requirement", "unverified-control", "failed-requirement"
    ],
    item: Requirement | RiskControl,
    lack: str,
) -> Gap:
    message = f"{item.id} ({item.title}) {lack}"
    return Gap(kind=kind, item=item.id, message=message, source=item.source)
