"""What a trace graph lacks. Each rule yields gaps with the file and line to mend; none looks at the disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from minivess.compliance.traceability.links import Links
from minivess.foundation.implements import implements
from minivess.foundation.strict_yaml import nearest
from minivess.records.risk_plan import missing_reasons
from minivess.records.traceability import Gap, Requirement, RiskControl, Source

_MEANT_AS_ID = re.compile(r"(un|req|risk|rc|haz|si)[-_ ]?[0-9]+\Z", re.IGNORECASE)


@implements("REQ-031", "RC-11")
def find_gaps(graph: Links) -> tuple[Gap, ...]:
    """All gaps of a graph, in order of file and line."""
    found = [
        *graph.items.duplicates,
        *_duplicate_scenarios(graph),
        *_unknown_ids(graph),
        *_missing_links(graph),
        *_unimplemented(graph),
        *_untested(graph),
        *_unverified(graph),
        *_unbound(graph),
        *_risks(graph),
    ]
    return tuple(sorted(found, key=lambda gap: (gap.source.path, gap.source.line, gap.kind, gap.item)))


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
    items = graph.items
    known = [item.id for item in items.all()]
    ids = frozenset(known)
    for identifier, named_by, source in _references(graph):
        if identifier not in ids:
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
    """Every mention of an id: (id, what mentions it, where)."""
    items = graph.items
    for requirement in items.requirements.values():
        for identifier in requirement.derives_from:
            yield identifier, f"{requirement.id} (derives_from)", requirement.source
    for control in items.controls.values():
        for identifier in control.implemented_by:
            yield identifier, f"{control.id} (implemented_by)", control.source
    for risk in items.risks.values():
        for identifier in risk.controls:
            yield identifier, f"{risk.id} (controls)", risk.source
    for tag in graph.tags:
        if _MEANT_AS_ID.match(tag.name):
            yield tag.name, "a tag", tag.source
    for test in graph.tests:
        for identifier in test.ids:
            yield identifier, f"the test {test.name}", test.source
    for code in graph.code:
        for identifier in code.ids:
            yield identifier, f"the code {code.name}", code.source


def _missing_links(graph: Links) -> Iterator[Gap]:
    items = graph.items
    derived = set[str]()
    for requirement in items.requirements.values():
        derived.update(requirement.derives_from)
        if not any(name in items.user_needs or name in items.controls for name in requirement.derives_from):
            yield _gap("missing-link", requirement, "derives from no user need and no risk control")
    used = {name for risk in items.risks.values() for name in risk.controls}
    for control in items.controls.values():
        if not any(name in items.requirements for name in control.implemented_by):
            yield _gap("missing-link", control, "is implemented by no requirement")
        if control.id not in used:
            yield _gap("missing-link", control, "controls no risk")
    for need in items.user_needs.values():
        if need.id not in derived:
            message = f"{need.id} is met by no requirement"
            yield Gap(kind="missing-link", item=need.id, message=message, source=need.source)


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


def _unbound(graph: Links) -> Iterator[Gap]:
    if graph.report is None or graph.stale:
        return
    for scenario in graph.scenarios:
        if not graph.scenario_results(scenario.source):
            message = f"no test ran the scenario `{scenario.name}`"
            yield Gap(kind="unbound-scenario", item=scenario.name, message=message, source=scenario.source)


def _risks(graph: Links) -> Iterator[Gap]:
    items = graph.items
    plan = items.plan
    if plan is None:
        return
    for risk in items.risks.values():
        kinds = tuple(items.controls[name].kind for name in risk.controls if name in items.controls)
        for message in missing_reasons(risk, kinds):
            yield Gap(kind="missing-link", item=risk.id, message=message, source=risk.source)
        if not kinds and not plan.level(risk.initial).acceptable:
            message = f"{risk.id} is {plan.level(risk.initial).name} and has no control"
            yield Gap(kind="missing-link", item=risk.id, message=message, source=risk.source)
        if not plan.level(risk.residual).acceptable:
            message = f"{risk.id} remains {plan.level(risk.residual).name} with its controls"
            yield Gap(kind="unacceptable-risk", item=risk.id, message=message, source=risk.source)


def _gap(
    kind: Literal[
        "missing-link", "unimplemented-requirement", "untested-requirement", "unverified-control", "failed-requirement"
    ],
    item: Requirement | RiskControl,
    lack: str,
) -> Gap:
    message = f"{item.id} ({item.title}) {lack}"
    return Gap(kind=kind, item=item.id, message=message, source=item.source)
