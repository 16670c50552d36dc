"""What a qualification of this software found, and what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.artifact import Tool
from minivess.records.base import Moment, Record, ShortText, Statement

FORMAT = "minivess-qualification/1"
CheckKind = Literal["phantom", "known answer", "tampering"]
"""Data with known truth; stored values from elsewhere; changed evidence that has to be refused."""
ProcessRisk = Literal["high", "not high"]
"""High: a failure of the function may lead to a quality problem that foreseeably compromises safety (FDA, Computer Software
Assurance)."""


class CheckOutcome(Record):
    """One check, and what it found."""

    name: ShortText
    kind: CheckKind
    title: ShortText
    compared: Annotated[int, Field(ge=0)]
    """How many comparisons it made."""
    passed: bool
    detail: str
    """In words what was found; of a failed check, the first difference."""


class ToolFunction(Record):
    """What this software is used for in a quality system, and what follows when it fails."""

    name: ShortText
    intended_use: Statement
    failure: Statement
    """What can follow from a failure."""
    process_risk: ProcessRisk
    checks: tuple[ShortText, ...]
    """Names of the checks that are made of it here; empty: none is."""
    requirements: tuple[ShortText, ...]
    """Ids of its requirements in the evidence pack of this software."""


class QualifiedEnvironment(Record):
    """The machine and the software on it."""

    python: ShortText
    system: ShortText
    machine: ShortText
    libraries: dict[str, str]
    """The version of each library that this software names as its own need, as installed."""
    lock: Digest | None = None
    """Of the lock file of the source tree; None where there is none."""


class QualificationReport(Record):
    """The outcome of all checks, with the use and the risk of what was checked."""

    format: Literal["minivess-qualification/1"]
    tool: Tool
    code: Digest
    """Of the installed files of the package."""
    project: str | None
    """The device for which it was made; None: it was made outside of a project, and nothing signs it."""
    time: Moment
    environment: QualifiedEnvironment
    functions: tuple[ToolFunction, ...]
    checks: tuple[CheckOutcome, ...]

    @property
    def failed(self) -> tuple[CheckOutcome, ...]:
        """The checks that did not pass."""
        return tuple(one for one in self.checks if not one.passed)

    @property
    def passed(self) -> bool:
        """Whether there are checks and all of them passed."""
        return bool(self.checks) and not self.failed
