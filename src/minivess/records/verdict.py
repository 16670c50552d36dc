"""The outcome of a verification: every check, in order, with what it found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.foundation.implements import implements
from minivess.records.base import Record

OWN_KEYS = "the pack's own keys"
"""The trust that was used when the verifier brought no keys."""
WITH_OWN_KEYS = f" with {OWN_KEYS}"
"""Follows a verdict in the words of a comparison."""


class Check(Record):
    """One thing that was checked. `detail` says in words what was found, naming the first offender on failure."""

    name: str
    passed: bool
    detail: str


class VerdictState(StrEnum):
    """What a verdict comes to."""

    VERIFIED = "VERIFIED"
    LIMITED = "LIMITED"
    """Every check passed, and something was not checked for lack of what it takes."""
    REVOKED = "REVOKED"
    """Every check passed, and a later entry of the log revokes the release."""
    NOT_RELEASABLE = "NOT RELEASABLE"
    """Every check passed, and the state of the source tree does not allow a release."""
    NOT_VERIFIED = "NOT VERIFIED"
    """A check failed."""


class Verdict(Record):
    """All checks, and what could not be checked."""

    subject: str
    checks: tuple[Check, ...]
    trusted: bool
    """Whether keys came from the verifier (`--trust`), not only from what was verified."""
    trust: str = ""
    """The keys that were used, in words: the trust file with the start of its digest, or the pack's own keys."""
    layout: int | None = None
    """The layout of an evidence pack; None where it is not known, and for other subjects."""
    unchecked: tuple[str, ...] = ()
    """Names of the checks that the pack's layout does not allow."""
    limits: tuple[str, ...] = ()
    """What was not checked for other reasons, in words."""
    revoked: Annotated[tuple[str, ...], Field(exclude_if=lambda value: not value)] = ()
    """The entries that revoke the release, in words; empty where no newer log was asked."""
    waived: Annotated[tuple[str, ...], Field(exclude_if=lambda value: not value)] = ()
    """Gates that fail and are waived by an entry, in words. They do not change the state."""
    not_releasable: tuple[str, ...] = ()
    """Reasons for which the state of the source tree does not allow a release, in words."""

    @property
    @implements("REQ-152", "REQ-221", "REQ-575")
    def state(self) -> VerdictState:
        """What the verdict comes to. Without any check it is NOT VERIFIED."""
        if not self.checks or self.first_failure is not None:
            return VerdictState.NOT_VERIFIED
        if self.revoked:
            return VerdictState.REVOKED
        if self.not_releasable:
            return VerdictState.NOT_RELEASABLE
        return VerdictState.LIMITED if self.limits or self.unchecked else VerdictState.VERIFIED

    @property
    def holds(self) -> bool:
        """Whether everything was checked and every check passed."""
        return self.state is VerdictState.VERIFIED

    @property
    def first_failure(self) -> Check | None:
        """The first check that failed."""
        return next((check for check in self.checks if not check.passed), None)

    @property
    def reservations(self) -> tuple[str, ...]:
        """Why a verdict whose checks all passed is not VERIFIED, and which gates are waived, in words."""
        unchecked = f"not checked in a pack of layout {self.layout}: {', '.join(self.unchecked)}"
        waived = (f"WAIVED {one}" for one in self.waived)
        return (*self.revoked, *self.not_releasable, *((unchecked,) if self.unchecked else ()), *self.limits, *waived)

    @implements("REQ-221")
    def accepted(self, *, least_layout: int | None = None) -> bool:
        """Whether the verdict is VERIFIED, or LIMITED by nothing else than a layout that the verifier allows.

        Args:
            least_layout: the least layout that is enough; None: a limited verdict is not enough.
        """
        if self.state is not VerdictState.LIMITED or least_layout is None or self.layout is None:
            return self.holds
        return not self.limits and self.layout >= least_layout
