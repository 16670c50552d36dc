"""Whether requirements are met where the architecture says so (IEC 62304 5.3.1, 5.3.6).

A requirement names the software items or units that meet it (`allocated_to`); its code says by `implements(...)` where it
really stands. The unit that lists a module, or the package around it, says which part of the architecture that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from minivess.compliance.trace.links import Links
from minivess.foundation.implements import implements
from minivess.records.items.items import Requirement, SoftwareItem, SoftwareUnit
from minivess.records.items.trace import Gap


@implements("REQ-110")
def misallocated(graph: Links) -> Iterator[Gap]:
    """Requirements that are allocated to nothing, or whose code stands elsewhere; nothing where no units are declared."""
    units = graph.items.of(SoftwareUnit)
    if not units:
        return
    owners = {module: unit.id for unit in units.values() for module in unit.modules}
    wholes = _wholes(graph)
    for requirement in graph.items.requirements.values():
        for lack in _lacks(graph, requirement, owners, wholes):
            message = f"{requirement.id} ({requirement.title}) {lack}"
            yield Gap(kind="misallocated-requirement", item=requirement.id, message=message, source=requirement.source)


def _lacks(
    graph: Links, requirement: Requirement, owners: Mapping[str, str], wholes: Mapping[str, str | None]
) -> Iterator[str]:
    """What is wrong with one allocation, in words that follow the requirement's name."""
    stands: dict[str, str] = {}
    for code in graph.code_for(requirement.id):
        unit = _unit_of(code.name, owners)
        if unit is None:
            yield f"is implemented in {code.name}, which belongs to no software unit"
        else:
            stands.setdefault(unit, code.name)
    if not requirement.allocated_to:
        where = f"; its code is in {', '.join(sorted(stands))}" if stands else ""
        yield f"is allocated to no software item or unit{where}"
        return
    reached = {unit: {unit, *_around(unit, wholes)} for unit in stands}
    for unit, names in reached.items():
        if names.isdisjoint(requirement.allocated_to):
            yield f"is implemented in {unit} ({stands[unit]}), to which it is not allocated"
    for name in requirement.allocated_to if stands else ():
        if name in wholes and not any(name in names for names in reached.values()):
            yield f"is allocated to {name}, where no code implements it"


def _unit_of(name: str, owners: Mapping[str, str]) -> str | None:
    """The unit whose module is the nearest one around a dotted name."""
    while name:
        if name in owners:
            return owners[name]
        name = name.rpartition(".")[0]
    return None


def _wholes(graph: Links) -> dict[str, str | None]:
    """By id of a software item or unit: what it is part of."""
    items: dict[str, str | None] = {one.id: one.part_of for one in graph.items.of(SoftwareItem).values()}
    return items | {one.id: one.part_of for one in graph.items.of(SoftwareUnit).values()}


def _around(name: str, wholes: Mapping[str, str | None]) -> Iterator[str]:
    """The items that a unit is part of, the nearest first."""
    seen = {name}
    here = wholes.get(name)
    while here is not None and here not in seen:
        yield here
        seen.add(here)
        here = wholes.get(here)
