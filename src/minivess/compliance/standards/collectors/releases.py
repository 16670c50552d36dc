"""Evidence that the pack of a release shows. Beside its signatures everything in it must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources, PackEvidence
from minivess.records.items.items import Anomaly

_SIGNATURES = "release signatures"


def _holds(pack: PackEvidence, _: EvidenceSources) -> bool:
    return not pack.failed - {_SIGNATURES}


def _anomalies_listed(pack: PackEvidence, sources: EvidenceSources) -> bool:
    known = sources.tree.items.of(Anomaly).values()
    return _holds(pack, sources) and all(one.id in pack.release_notes for one in known if one.status == "open")


def _signed(pack: PackEvidence, _: EvidenceSources) -> bool:
    return not pack.failed


def _verified(pack: PackEvidence, _: EvidenceSources) -> bool:
    return not pack.failed and pack.verifies_alone


def _of_a_release(rule: Callable[[PackEvidence, EvidenceSources], bool]) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        return sources.pack is not None and rule(sources.pack, sources)

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType(
    {
        name: _of_a_release(rule)
        for name, rule in {
            "release-record": _holds,
            "sbom": _holds,
            "anomalies-listed": _anomalies_listed,
            "release-signed": _signed,
            "pack-verified": _verified,
        }.items()
    }
)
