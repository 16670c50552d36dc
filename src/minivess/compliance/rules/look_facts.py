"""What the log says of one look at the test set: its request, its grant, its openings and runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from minivess.compliance.identity.register import Register
from minivess.compliance.identity.tenure import plain_name
from minivess.compliance.proofs.canonical import digest_of
from minivess.records.artifact import Artifact
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.looks import Evaluated
from minivess.records.people.approval import UnsealGrant, UnsealRequest

INPUT = "test-set/"
"""What the name of an input begins with that is a request of a look."""


@dataclass(frozen=True)
class Requested:
    """A request, where it stands, and who signed its entry."""

    index: int
    actor: str
    request: UnsealRequest


@dataclass(frozen=True)
class Granted:
    """A grant, where it stands, and who signed its entry."""

    index: int
    actor: str
    grant: UnsealGrant


@dataclass(frozen=True)
class Opening:
    """The entry from which a look counts: an approval, or an opening of version 0.1.0. `actor` asked for it."""

    index: int
    actor: str
    request: str
    time: datetime


@dataclass(frozen=True)
class EvaluationRun:
    """One evaluation under a request: how it ended, and its result when it was completed."""

    index: int
    actor: str
    outcome: Outcome
    result: Evaluated | None = None
    started: int | None = None


@dataclass(frozen=True)
class Registered:
    """An analysis plan, and where it was registered first."""

    index: int
    plan: AnalysisPlan


@dataclass(frozen=True)
class Look:
    """One look with everything the log says about it."""

    opening: Opening
    number: int
    """The how-manieth of its test set."""
    requested: Requested | None
    granted: Granted | None
    outcome: Literal["evaluated", "failed", "refused", "no result"]
    result: Evaluated | None
    """The first completed one counts."""
    discrepancies: tuple[int, ...] = ()
    """Entries of later evaluations under the same approval that came to other figures."""
    runs: int = 0
    """Evaluations that were completed."""

    @property
    def mode(self) -> str:
        """How the test set was read: `released`, `custodian`, or `opened` in version 0.1.0."""
        mode = None if self.granted is None else self.granted.grant.mode
        return "opened" if mode is None else mode

    @property
    def met(self) -> bool | None:
        """Whether every criterion was met; None without a result, or without criteria in it."""
        if self.result is None or not self.result.criteria:
            return None
        return all(one.met for one in self.result.criteria)


def criteria_digest(criteria: tuple[Criterion, ...]) -> str:
    """The digest a request names its acceptance criteria by: of their canonical JSON, in their order."""
    return digest_of([criterion.model_dump(mode="json") for criterion in criteria])


def input_of(request: str) -> str:
    """How an evaluation names the request it is made under among its inputs."""
    return f"{INPUT}{request}"


def subject_of(asked: UnsealRequest) -> Artifact:
    """What an approver signs: the request, by its digest."""
    return Artifact(name=f"test-set/{asked.id}", digest=digest_of(asked))


def same_figures(first: Evaluated, other: Evaluated) -> bool:
    """Whether two results of one look say the same."""
    return first == other


def same_person(register: Register, first: str, second: str) -> bool:
    """Whether two ids are one person as far as the log knows: the same id, printed name or encryption key, ever.

    The register takes no two valid people of one name; this also catches who was revoked and enrolled again under another
    id. Who enrols under a false name is caught by nobody but the one who enrols them.
    """

    def known(identifier: str) -> set[str]:
        held = [one.identity for one in register.tenures.values() if one.identity.id == identifier]
        names = {plain_name(one.name) for one in held}
        return names | {one.encryption_key.key_id for one in held if one.encryption_key is not None}

    return first == second or bool(known(first) & known(second))
