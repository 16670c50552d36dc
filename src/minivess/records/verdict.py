"""The outcome of a verification: every check, in order, with what it found."""

from __future__ import annotations

from enum import StrEnum

from minivess.foundation.implements import implements
from minivess.records.base import Record


class Check(Record):
    """One thing that was checked. `detail` says in words what was found, naming the first offender on failure."""

    name: str
    passed: bool
    detail: str


class VerdictState(StrEnum):
    """What a verdict comes to."""

    HOLDS = "holds"
    LIMITED = "limited"
    """Every check holds, and something was not checked for lack of what it takes."""
    FAILS = "fails"


class Verdict(Record):
    """All checks, and what could not be checked."""

    subject: str
    checks: tuple[Check, ...]
    trusted: bool
    """Whether keys came from the verifier (`--trust`), not only from what was verified."""
    limits: tuple[str, ...] = ()
    """What was not checked, in words."""

    @property
    @implements("REQ-152")
    def state(self) -> VerdictState:
        """Whether everything holds, holds as far as it was checked, or fails (nothing checked is a failure)."""
        if not self.checks or not all(check.passed for check in self.checks):
            return VerdictState.FAILS
        return VerdictState.LIMITED if self.limits else VerdictState.HOLDS

    @property
    def holds(self) -> bool:
        """Whether everything holds and nothing was left unchecked."""
        return self.state is VerdictState.HOLDS

    @property
    def first_failure(self) -> Check | None:
        """The first check that failed."""
        return next((check for check in self.checks if not check.passed), None)
