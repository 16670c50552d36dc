"""What is open in a release: clauses by standard, anomalies with their conditions, links without a signed review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from minivess.compliance.documents.content.facts import OPEN
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.release.signing_text import TimeEvidence, time_evidence
from minivess.compliance.site.coverage import CoverageRow, coverage_rows
from minivess.compliance.site.view import TraceView, status_word
from minivess.foundation.implements import implements
from minivess.records.device.attested import ReviewCount
from minivess.records.items.trace_data import TraceItem, TraceSignature


@dataclass(frozen=True)
class OpenAnomaly:
    """A known problem that the release keeps."""

    item: TraceItem
    safety_related: bool
    condition: str
    """What it means for safety, and why it may remain while it is open (IEC 62304 5.8.3)."""
    resolved_by: tuple[tuple[str, str], ...]
    """Change requests that resolve it, each with its status."""


@dataclass(frozen=True)
class RiskLevelCount:
    """How many risks have a level before and after control."""

    level: str
    acceptable: bool
    before: int
    after: int


@dataclass(frozen=True)
class OpenPoints:
    """Everything that is open, what is left of the risks, and who attested times and signed."""

    clauses: list[CoverageRow]
    anomalies: tuple[OpenAnomaly, ...]
    reviews: ReviewCount
    suspect: int
    """Links whose target changed since their review."""
    levels: tuple[RiskLevelCount, ...]
    times: tuple[TimeEvidence, ...]
    signed: tuple[tuple[str, TraceSignature], ...]
    """The name of each person who signed before the release was built, with the signature."""

    @property
    def unreviewed(self) -> int:
        """Links without a signed review of their present content."""
        return self.reviews.links - self.reviews.signed

    @property
    def open_clauses(self) -> int:
        """Clauses of all standards that are open."""
        return sum(row.open for row in self.clauses)


@implements("REQ-513", "RC-212")
def open_points(dossier: Dossier) -> OpenPoints:
    """What is open in a release."""
    view, inputs = dossier.trace, dossier.inputs
    names = {person.id: person.name for person in dossier.log.people}
    return OpenPoints(
        clauses=coverage_rows(view.trace.coverage),
        anomalies=tuple(_anomalies(view)),
        reviews=link_reviews(view),
        suspect=sum(edge.suspect for item in view.items for edge in item.links),
        levels=_levels(view, {level.name: level.acceptable for level in dossier.risks.plan.levels}),
        times=time_evidence(inputs.chain, inputs.chain.known.bodies),
        signed=tuple((names.get(one.actor, one.actor), one) for one in view.trace.signatures),
    )


def link_reviews(view: TraceView) -> ReviewCount:
    """The links of all items, and how many of them have a signed review that holds."""
    links = [edge for item in view.items for edge in item.links]
    signed = [
        edge for edge in links if edge.reviewed is not None and edge.reviewed.entry is not None and not edge.suspect
    ]
    return ReviewCount(signed=len(signed), links=len(links))


def _anomalies(view: TraceView) -> list[OpenAnomaly]:
    requests = [item for item in view.items if item.kind == "change-request"]
    found = []
    for item in view.items:
        if item.kind == "anomaly" and OPEN in item.facts:
            facts = {one.label: one.value for one in item.facts}
            texts = {one.label: one.value for one in item.text}
            resolving = [one for one in requests if any(edge.target == item.id for edge in one.links)]
            found.append(
                OpenAnomaly(
                    item=item,
                    safety_related=facts.get("Safety related") == "yes",
                    condition=texts.get("Evaluation", ""),
                    resolved_by=tuple((one.id, _status(one)) for one in resolving),
                )
            )
    return found


def _status(item: TraceItem) -> str:
    facts = {one.label: one.value for one in item.facts}
    return facts.get("Status") or status_word(item.status)


def _levels(view: TraceView, plan: Mapping[str, bool]) -> tuple[RiskLevelCount, ...]:
    counts = Counter((level.stage, level.level) for item in view.items for level in item.levels)
    return tuple(
        RiskLevelCount(name, acceptable, counts["initial", name], counts["residual", name])
        for name, acceptable in plan.items()
    )
