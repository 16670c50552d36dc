"""Evidence that signatures in the log show: what people approved, as far as it has not changed since."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from minivess.compliance.standards.approved_subjects import approved, required_approvals
from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources

NAMES = ("plan-approved", "changes-approved", "requirements-reviewed", "risk-reviewed", "problem-trends")


def _approved(name: str) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        holding = {subject for subject, one in approved(sources.signatures).items() if not one.out_of_date}
        subjects = required_approvals(sources.tree.items)[name]
        return bool(subjects) and subjects <= holding

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType({name: _approved(name) for name in NAMES})
