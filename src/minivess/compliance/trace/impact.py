"""What a change reaches: items that depend on it, links to look at again, tests to run and things to sign again.

An item depends on what it names (a control on the requirements that implement it, a risk on its controls); and what an
item derives from is only met while the item is (IEC 62304 6.2.3, 7.4, 8.2.3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from minivess.compliance.items.items import Items
from minivess.compliance.trace.links import Links
from minivess.foundation.choices import nearest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.items.items import Attestation, Requirement
from minivess.records.items.kinds import links_of
from minivess.records.items.risk_items import RiskControl

_MET_BY = frozenset({"derives_from", "part_of", "verifies"})
"""Fields whose target is only as good as the item that names it."""


@dataclass(frozen=True)
class Impact:
    """What has to be done again, each in the order of the files."""

    changed: tuple[str, ...]
    affected: tuple[str, ...]
    """Everything that depends on a change, the changed items first."""
    review: tuple[tuple[str, str, str], ...]
    """Links into changed items: item, field, target."""
    verify: tuple[str, ...]
    """Requirements and controls whose scenarios and tests have to be run."""
    tests: tuple[str, ...]
    """Those scenarios and tests, by name."""
    sign: tuple[str, ...]
    """Attestations that rest on something affected."""

    @property
    def selection(self) -> str:
        """The option that makes pytest run these tests alone."""
        return f"--verifies={','.join(self.verify)}"


@implements("REQ-068")
def impact_of(graph: Links, changed: Iterable[str]) -> Impact:
    """What a change of these items reaches.

    Raises:
        UsageError: there is no such item.
    """
    items = graph.items
    begun = tuple(dict.fromkeys(changed))
    for identifier in begun:
        if identifier not in items.by_id:
            raise UsageError(f"there is no item {identifier}", hint=nearest(identifier, list(items.by_id)))
    reached = _reached(items, begun)
    affected = (*begun, *(name for name in items.by_id if name in reached and name not in begun))
    verify = tuple(name for name in affected if isinstance(items.by_id[name], Requirement | RiskControl))
    named = [one.name for name in verify for one in graph.scenarios_for(name)]
    named += [one.name for name in verify for one in graph.tests_for(name)]
    return Impact(
        changed=begun,
        affected=affected,
        review=tuple(
            (item.id, field, target) for item in items.all() for field, target in links_of(item) if target in begun
        ),
        verify=verify,
        tests=tuple(dict.fromkeys(named)),
        sign=tuple(name for name in affected if isinstance(items.by_id[name], Attestation)),
    )


def changed_between(before: Items, after: Items) -> tuple[str, ...]:
    """Ids of items that are in both and say something else, or only in the second, in its order."""
    return tuple(
        identifier
        for identifier, item in after.by_id.items()
        if (old := before.by_id.get(identifier)) is None
        or old.model_dump(exclude={"source"}) != item.model_dump(exclude={"source"})
    )


def _reached(items: Items, begun: Iterable[str]) -> set[str]:
    """Everything that names it, in turn; then what those are needed for, without coming down again from there."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    needed_for: defaultdict[str, list[str]] = defaultdict(list)
    for item in items.all():
        for field, target in links_of(item):
            names[target].append(item.id)
            if field in _MET_BY:
                needed_for[item.id].append(target)
    return _closure(_closure(set(begun), names), needed_for)


def _closure(begun: set[str], leads: Mapping[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    pending = list(begun)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending.extend(leads.get(name, ()))
    return reached
