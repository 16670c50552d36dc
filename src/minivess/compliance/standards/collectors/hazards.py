"""Evidence that the hazards of machine learning were considered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from minivess.compliance.standards.catalogue import ml_hazards
from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.standards.collectors.items import considered
from minivess.compliance.standards.coverage import Facts, coverage, nothing_open


def _considered(sources: EvidenceSources) -> bool:
    """Whether an item of the risk file, or a justification, answers each hazard of the catalogue."""
    tree = sources.tree
    facts = Facts(
        justifications=tuple(one for one in tree.graph.justifications if not one.gap),
        considered=considered(tree.items.all()),
    )
    return nothing_open(coverage(ml_hazards(), facts, safety_class=sources.safety_class, today=tree.today))


COLLECTORS: Mapping[str, Collector] = MappingProxyType({"ml-hazards-considered": _considered})
