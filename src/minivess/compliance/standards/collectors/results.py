"""Evidence that recorded results of the tree show. Results of another tree or environment show nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.trace.tree import Tree
from minivess.records.items.items import SoftwareItem, SoftwareUnit
from minivess.records.items.risk_items import RiskControl


def _complete(tree: Tree) -> bool:
    return not any(one.open for one in tree.gaps)


def _recorded(tree: Tree) -> bool:
    return bool(tree.graph.counted)


def _all_passed(tree: Tree) -> bool:
    return _recorded(tree) and all(result.outcome == "passed" for result in tree.graph.counted)


def _no_failure(tree: Tree) -> bool:
    return _recorded(tree) and not any(result.outcome == "failed" for result in tree.graph.counted)


def _controls_verified(tree: Tree) -> bool:
    return _passed(tree, tree.items.controls)


def _controls_effective(tree: Tree) -> bool:
    return bool(tree.graph.drilled) and all(_effective(tree, one) for one in tree.items.controls.values())


def _effective(tree: Tree, control: RiskControl) -> bool:
    """Whether a test fails without the control, or its item says why it cannot be taken away."""
    drilled = tree.graph.drilled.get(control.id)
    return drilled is not None and drilled.outcome == "noticed" if control.switch else control.no_switch is not None


def _units_passed(tree: Tree) -> bool:
    return _passed(tree, tree.items.of(SoftwareUnit))


def _systems_passed(tree: Tree) -> bool:
    return _passed(tree, [one.id for one in tree.items.of(SoftwareItem).values() if not one.part_of])


def _links_reviewed(tree: Tree) -> bool:
    states = tree.graph.link_states
    return bool(states) and all(state == "reviewed" for state in states.values())


def _passed(tree: Tree, names: Mapping[str, object] | list[str]) -> bool:
    return bool(names) and all(tree.graph.verdict_for(name) == "passed" for name in names)


def _when_counted(rule: Callable[[Tree], bool]) -> Collector:
    """A collector that looks at nothing while there is no report of this very tree."""

    def shows(sources: EvidenceSources) -> bool:
        graph = sources.tree.graph
        return graph.report is not None and not graph.stale and rule(sources.tree)

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType(
    {
        name: _when_counted(rule)
        for name, rule in {
            "trace-complete": _complete,
            "results": _recorded,
            "all-passed": _all_passed,
            "failures-reported": _no_failure,
            "controls-verified": _controls_verified,
            "controls-effective": _controls_effective,
            "unit-results": _units_passed,
            "architecture-checked": _systems_passed,
            "links-reviewed": _links_reviewed,
        }.items()
    }
)
