"""What validation of a data set found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug


class Severity(StrEnum):
    """What a validation finding does: `block` stops the pipeline."""

    NOTE = "note"
    WARNING = "warning"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Severity).index(self)


class RuleChange(Record):
    """What a project makes of a rule (`data.rules` in minivess.yaml). There is no way to silence one."""

    severity: Severity
    """The new severity of the rule."""
    reason: ShortText | None = None
    """Why; needed where a rule that blocks shall block no longer."""


class ChangedRule(Record):
    """A rule whose severity this project changed."""

    rule: Slug
    usual: Severity
    severity: Severity
    reason: ShortText | None = None


class Finding(Record):
    """One thing validation noticed about a case (or, with `case` None, about the set)."""

    rule: Slug
    severity: Severity
    case: Slug | None
    message: ShortText
    plane: Annotated[int, Field(ge=0)] | None = None
    """Index along z of the plane that shows it, where one does."""
    others: tuple[Slug, ...] = ()
    """Further cases it is about, for example the other one of a pair."""
    file: Annotated[ShortText | None, Field(exclude_if=lambda file: file is None)] = None
    """The file it is in, below the folder of the data; left out of the JSON where there is none."""
    hint: Annotated[ShortText | None, Field(exclude_if=lambda hint: hint is None)] = None
    """What to do here, where that is more than the rule's; left out of the JSON where there is none."""
    cases: Annotated[tuple[Slug, ...], Field(exclude_if=lambda cases: not cases)] = ()
    """The cases that a finding about the set was made of; left out of the JSON where there are none."""


class ValidationReport(Record):
    """What was checked and found."""

    dataset: Digest
    rules: tuple[Slug, ...]
    findings: tuple[Finding, ...]
    changed: tuple[ChangedRule, ...] = ()
    """Rules that do not have their usual severity here."""
    cases: Annotated[int, Field(ge=1)] | None = None
    """How many cases the rules ran over; None in reports of version 0.1.0."""

    @property
    def blocked(self) -> bool:
        """Whether any finding stops the pipeline."""
        return any(finding.severity is Severity.BLOCK for finding in self.findings)
