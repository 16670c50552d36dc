"""The status of every item: of its own evidence, or a worse one of what it is only met by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from minivess.compliance.results.result_files import judge
from minivess.compliance.trace.links import Links
from minivess.records.items.items import Item, Requirement, StatisticalCriterion, SystemRequirement, UserNeed
from minivess.records.items.kinds import links_of
from minivess.records.items.risk_items import Risk, RiskControl

_ORDER = ("failed", "unacceptable", "stale", "untested", "acceptable", "passed", "none")


def statuses(graph: Links) -> dict[str, str]:
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
        _resolve(start, own, needs, found)
    return found


def _resolve(start: str, own: Mapping[str, str], needs: Mapping[str, list[str]], found: dict[str, str]) -> None:
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
    if isinstance(item, StatisticalCriterion):
        return "untested" if graph.criteria is None else graph.criteria[item.id].verdict
    if isinstance(item, UserNeed | SystemRequirement):
        return "none"
    results = graph.results_for(item.id)
    return judge(results) if results else "none"
