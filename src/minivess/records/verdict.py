"""The outcome of a verification: every check, in order, with what it found."""

from __future__ import annotations

from minivess.records.base import Record


class Check(Record):
    """One thing that was checked. `detail` says in words what was found, naming the first offender on failure."""

    name: str
    passed: bool
    detail: str


class Verdict(Record):
    """All checks. It holds when there is at least one and none failed."""

    subject: str
    checks: tuple[Check, ...]
    trusted: bool
    """Whether keys came from the verifier (`--trust`), not only from what was verified."""

    @property
    def holds(self) -> bool:
        """Whether everything that was checked holds (nothing checked means it does not)."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def first_failure(self) -> Check | None:
        """The first check that failed."""
        return next((check for check in self.checks if not check.passed), None)
