"""Evidence that plans and instructions of the source tree show, once they answer every part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from minivess.compliance.standards.collectors.inputs import Collector, EvidenceSources
from minivess.compliance.standards.collectors.source_files import source_text
from minivess.compliance.standards.required_documents import Document, documents, unanswered


def answered(document: Document, source: Path) -> bool:
    """Whether a document is in a source tree and answers every part."""
    return (source / document.path).is_file() and not unanswered(document.parts, source_text(source, document.path))


def _documentation_level(sources: EvidenceSources) -> bool:
    """The document states a level for software without serious risks; with one the level has to be enhanced."""
    plan, risks = sources.tree.items.plan, sources.tree.items.risks
    if plan is None or not risks:
        return True
    serious = plan.serious_from
    return serious is not None and all(risk.initial.severity < serious for risk in risks.values())


def _of(document: Document) -> Collector:
    def shows(sources: EvidenceSources) -> bool:
        return answered(document, sources.tree.source) and (
            document.evidence != "documentation-level" or _documentation_level(sources)
        )

    return shows


COLLECTORS: Mapping[str, Collector] = MappingProxyType({one.evidence: _of(one) for one in documents()})
