"""Evidence that the items themselves show: which names of `evidence()` the lists in requirements/ and risk/ make present.

Nothing is shown by nothing: a rule about every item of a kind needs at least one of that kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.standards.collectors.item_facts import ItemFacts, package_key
from minivess.records.items.item_parts import Cause
from minivess.records.items.items import (
    Anomaly,
    ChangeRequest,
    Item,
    Requirement,
    RequirementCategory,
    SoftwareItem,
    SoftwareUnit,
    SoupItem,
    UserNeed,
)
from minivess.records.items.risk_items import Hazard, HazardousSituation, Risk, RiskControl, SequenceOfEvents, Threat

_KINDS_OF_CAUSE = frozenset({Cause.SPECIFICATION, Cause.DEFECT, Cause.SOUP, Cause.HARDWARE, Cause.MISUSE})
"""Those of IEC 62304 7.1.2."""


def considered(items: Iterable[Item]) -> dict[str, tuple[str, ...]]:
    """By id of a hazard of machine learning: the hazards of the risk file that consider it (`covers`)."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        if isinstance(item, Hazard):
            for name in item.covers:
                found[name].append(item.id)
    return {name: tuple(ids) for name, ids in found.items()}


def _every[T](listed: Collection[T], rule: Callable[[T], bool]) -> bool:
    """Whether the list is not empty, and the rule holds for each of it."""
    return bool(listed) and all(rule(one) for one in listed)


def _wholes(facts: ItemFacts) -> dict[str, str | None]:
    """By id of a software item or unit: what it is part of."""
    parts: dict[str, str | None] = {item.id: item.part_of for item in facts.of(SoftwareItem)}
    return parts | {unit.id: unit.part_of for unit in facts.of(SoftwareUnit)}


def _requirements(facts: ItemFacts) -> bool:
    return bool(facts.of(UserNeed)) and bool(facts.of(Requirement))


def _safety_class(facts: ItemFacts) -> bool:
    """IEC 62304 4.3 d: a part inherits the class of the whole unless it is kept apart."""
    classes = {item.id: item.safety_class for item in facts.of(SoftwareItem)}
    return _every(
        facts.of(SoftwareItem),
        lambda item: (
            item.segregation is not None or item.safety_class >= classes.get(item.part_of or "", facts.safety_class)
        ),
    )


def _categories(facts: ItemFacts) -> bool:
    return {one.category for one in facts.of(Requirement)} == set(RequirementCategory)


def _allocated(facts: ItemFacts) -> bool:
    items = _wholes(facts).keys()
    return _every(facts.of(Requirement), lambda one: not items.isdisjoint(one.allocated_to))


def _interfaces(facts: ItemFacts) -> bool:
    return _every(facts.of(SoftwareItem), lambda item: bool(item.interfaces))


def _units(facts: ItemFacts) -> bool:
    divided = set(_wholes(facts).values())
    return _every(facts.of(SoftwareItem), lambda item: item.id in divided) and bool(facts.of(SoftwareUnit))


def _soup(facts: ItemFacts) -> bool:
    return facts.dependencies <= {package_key(one.package) for one in facts.of(SoupItem)} and bool(facts.of(SoupItem))


def _platforms(facts: ItemFacts) -> bool:
    return _soup(facts) and all(one.platform is not None for one in facts.of(SoupItem))


def _anomalies_read(facts: ItemFacts) -> bool:
    """IEC 62304 7.1.3: a judgement is about one version; where another one is locked, it is none."""
    return _soup(facts) and all(
        one.anomalies_read is not None and one.anomalies_read.version == facts.locked.get(package_key(one.package))
        for one in facts.of(SoupItem)
    )


def _new_risks(facts: ItemFacts) -> bool:
    return _every(facts.of(RiskControl), lambda one: bool(one.new_risks) != (one.no_new_risks is not None))


def _makers(facts: ItemFacts) -> bool:
    return _soup(facts) and all(one.maker is not None for one in facts.of(SoupItem))


def _situations(facts: ItemFacts) -> bool:
    """ISO 14971:2019 7.6: no hazardous situation without a risk that is judged."""
    judged = {risk.situation for risk in facts.of(Risk)}
    return _every(facts.of(HazardousSituation), lambda one: one.id in judged)


def _causes(facts: ItemFacts) -> bool:
    """IEC 62304 7.1.2: every sequence of events says what sets it going, and every kind the clause names was found."""
    sequences = facts.of(SequenceOfEvents)
    return (
        _every(sequences, lambda one: bool(one.causes))
        and {cause for one in sequences for cause in one.causes} >= _KINDS_OF_CAUSE
    )


def _items_in_risk(facts: ItemFacts) -> bool:
    """IEC 62304 7.1.1, 7.3.3: from the situation over control and requirement to the software item."""
    allocated = {one.id for one in facts.of(Requirement) if one.allocated_to}
    used = set(chain.from_iterable(risk.controls for risk in facts.of(Risk)))
    controls = [control for control in facts.of(RiskControl) if control.id in used]
    return _every(controls, lambda control: allocated.issuperset(control.implemented_by))


def _threats(facts: ItemFacts) -> bool:
    """A threat to a part is one to the whole."""
    whole = _wholes(facts)
    reached: set[str] = set()
    for name in chain.from_iterable(threat.affects for threat in facts.of(Threat)):
        here: str | None = name
        while here is not None and here not in reached:
            reached.add(here)
            here = whole.get(here)
    return _every(facts.of(SoftwareItem), lambda item: item.id in reached)


def _resolved(facts: ItemFacts) -> bool:
    done = set(chain.from_iterable(one.resolves for one in facts.of(ChangeRequest) if one.status == "verified"))
    return _every([one for one in facts.of(Anomaly) if one.status == "closed"], lambda one: one.id in done)


def _verified(facts: ItemFacts) -> bool:
    """Requests that wait or were turned down show nothing."""
    done = [one for one in facts.of(ChangeRequest) if one.status in ("implemented", "verified")]
    return _every(done, lambda one: one.status == "verified")


RULES: Mapping[str, Callable[[ItemFacts], bool]] = {
    "requirements": _requirements,
    "safety-class": _safety_class,
    "requirement-categories": _categories,
    "items-allocated": _allocated,
    "interfaces": _interfaces,
    "units": _units,
    "soup-needs": _soup,
    "soup-platform": _platforms,
    "soup-anomalies": _anomalies_read,
    "soup-makers": _makers,
    "new-risks-considered": _new_risks,
    "situations-disposed": _situations,
    "items-in-risk": _items_in_risk,
    "causes-considered": _causes,
    "threat-model": _threats,
    "problem-reports": lambda facts: bool(facts.of(Anomaly)),
    "anomalies-evaluated": lambda facts: bool(facts.of(Anomaly)),
    "problems-resolved": _resolved,
    "change-requests": lambda facts: bool(facts.of(ChangeRequest)),
    "changes-verified": _verified,
}
"""What must hold of the items for each name. SOUP items and problem reports carry the rest by their type."""


def _of(rule: Callable[[ItemFacts], bool]) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        return rule(sources.item_facts)

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType({name: _of(rule) for name, rule in RULES.items()})
