"""What people state about vulnerabilities of components (`risk/vex.yaml`), in the words of CycloneDX (VEX)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.item_parts import Day

AdvisoryId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9._:-]{2,79}$")]
State = Literal["resolved", "resolved_with_pedigree", "exploitable", "in_triage", "false_positive", "not_affected"]
Why = Literal[
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
]
Response = Literal["can_not_fix", "will_not_fix", "update", "rollback", "workaround_available"]
CLOSED: frozenset[State] = frozenset({"resolved_with_pedigree", "false_positive", "not_affected"})
"""States in which a vulnerability that a scan finds needs no further work. What is `resolved` is not found any more."""


class VexStatement(Record):
    """What a person states about one vulnerability of one version of a component."""

    vulnerability: AdvisoryId
    """Its id, or an alias: CVE, GHSA or PYSEC."""
    component: ShortText
    """The name of the package in the lock file."""
    version: ShortText
    """The version that was analysed; the statement counts for this one alone."""
    state: State
    """The result of the analysis."""
    justification: Why | None = None
    """Why it is not affected."""
    response: tuple[Response, ...] = ()
    """What is done about it."""
    detail: Statement
    """What was looked at, and what follows for the device."""
    by: Slug
    """Who analysed it."""
    day: Day
    """The day of the analysis."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.state == "not_affected") != (self.justification is not None):
            raise ValueError("`not_affected` needs a justification, and no other state has one")
        if self.state == "exploitable" and not self.response:
            raise ValueError("`exploitable` needs a response")
        return self


class VexFile(Record):
    """The statements of a source tree."""

    statements: Annotated[tuple[VexStatement, ...], Field(max_length=10_000)] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        named = [(one.vulnerability, one.component, one.version) for one in self.statements]
        twice = next((one for one in named if named.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice[0]} of {twice[1]} {twice[2]} is stated twice")
        return self
