"""What validation of a data set found."""

from __future__ import annotations

from enum import StrEnum

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug


class Severity(StrEnum):
    """What a validation finding does: `block` stops the pipeline."""

    NOTE = "note"
    WARNING = "warning"
    BLOCK = "block"


class Finding(Record):
    """One thing validation noticed about a case (or, with `case` None, about the set)."""

    rule: Slug
    severity: Severity
    case: Slug | None
    message: ShortText


class ValidationReport(Record):
    """What was checked and found."""

    dataset: Digest
    rules: tuple[Slug, ...]
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> bool:
        """Whether any finding stops the pipeline."""
        return any(finding.severity is Severity.BLOCK for finding in self.findings)
