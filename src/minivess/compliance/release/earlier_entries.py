"""The entries of a log before a release is prepared: training runs, looks at the test set, and the newest of each action."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.base import Record
from minivess.records.device.preparation import LookAccount
from minivess.records.device.registration import PolicyRegistered
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, EXPORT, MANIFEST, ONNX, SPLIT, VALIDATION
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookRequested
from minivess.records.log.payloads.models import Disposition
from minivess.records.people.approval import UnsealGrant
from minivess.records.references import ROLES, EntryReference

_RUN = "/run.json"
"""How the names of run records end."""


@dataclass(frozen=True)
class TrainingRun:
    """One training run: the entry that began it, the one that ended it, and the disposition that names it."""

    begun: int
    """Index of the entry that announced it; of the one that ended it, where none did."""
    ended: EntryBody | None = None
    """None for a run that was killed."""
    disposition: EntryBody | None = None
    """The newest one."""

    @property
    def outcome(self) -> Outcome:
        """How it ended; `started` for a run that was killed."""
        return Outcome.STARTED if self.ended is None else self.ended.outcome

    @property
    def records(self) -> frozenset[str]:
        """Digests of the run records that it made."""
        if self.ended is None or self.ended.outcome is not Outcome.COMPLETED:
            return frozenset()
        return frozenset(run_records(self.ended.outputs))

    def in_ensemble(self, ensemble: EntryBody | None) -> bool:
        """Whether an ensemble read a run record of this run; of an ensemble of version 0.1.0, its weights."""
        if ensemble is None or self.ended is None:
            return False
        read = frozenset(run_records(ensemble.inputs))
        if read:
            return bool(read & self.records)
        weights = self.ended.context.model
        return self.outcome is Outcome.COMPLETED and any(one.digest == weights for one in ensemble.inputs)

    def names(self, index: int) -> bool:
        """Whether an index is that of one of its entries."""
        return index == self.begun or (self.ended is not None and index == self.ended.index)


@dataclass(frozen=True)
class LookEntries:
    """A look at the test set: its approval, its request, and the first result under it."""

    approval: EntryBody
    grant: UnsealGrant
    request: EntryBody | None
    evaluation: EntryBody | None
    """The first completed one counts."""
    repeated: tuple[EntryBody, ...] = ()
    """Later completed evaluations under the same approval."""

    @property
    def account(self) -> LookAccount:
        """The look as the preparation of a release lists it."""
        evaluation = None if self.evaluation is None else refer(self.evaluation)
        return LookAccount(approval=refer(self.approval), evaluation=evaluation)

    @property
    def discrepancies(self) -> tuple[int, ...]:
        """Entries of later evaluations that came to other figures than the first."""
        first = None if self.evaluation is None else self.evaluation.payload
        return tuple(body.index for body in self.repeated if body.payload != first)


@dataclass(frozen=True)
class EarlierEntries:
    """The bodies of a log's entries, from entry 0 on."""

    bodies: tuple[EntryBody, ...]

    @classmethod
    def of(cls, entries: Sequence[Entry] | EarlierEntries) -> EarlierEntries:
        """The bodies of entries, from entry 0 on; what was read already is kept."""
        return entries if isinstance(entries, EarlierEntries) else cls(tuple(entry.body for entry in entries))

    @cached_property
    def runs(self) -> tuple[TrainingRun, ...]:
        """Every training run, in order."""
        return training_runs(self.bodies)

    @cached_property
    def history(self) -> LookHistory:
        """Requests, approvals, registrations and looks."""
        return LookHistory.fold(Entry.model_construct(body=body, signature="") for body in self.bodies)

    @cached_property
    def looks(self) -> tuple[LookEntries, ...]:
        """Every look at the test set, in order."""
        results: dict[str, list[EntryBody]] = {}
        for body in self.completed("evaluation"):
            results.setdefault(payload_of(body, Evaluated).request, []).append(body)
        found: dict[str, LookEntries] = {}
        for opening in self.history.opened:
            name = opening.request
            granted, asked = self.history.grants.get(name), self.history.requests.get(name)
            if granted is None or name in found:
                continue
            made = results.get(name, [])
            found[name] = LookEntries(
                self.bodies[granted.index],
                granted.grant,
                None if asked is None else self.bodies[asked.index],
                made[0] if made else None,
                tuple(made[1:]),
            )
        return tuple(found.values())

    def completed(self, action: str, *, before: int | None = None) -> Iterator[EntryBody]:
        """Completed entries of an action, in order.

        Args:
            action: its name.
            before: the index of the first entry that does not count; None: all count.
        """
        return (body for body in self.bodies[:before] if body.action == action and body.outcome is Outcome.COMPLETED)

    def newest(self, role: str) -> EntryBody | None:
        """The newest completed entry that can be in a role of a release."""
        return last(self.completed(ROLES[role]))

    def about(self, role: str, subject: str | None, *, before: int | None = None) -> EntryBody | None:
        """The newest completed entry in a role, before another or of all, that is about this subject; None: there is none."""
        made = self.completed(ROLES[role], before=before)
        return last(body for body in made if subject is not None and subject_of(role, body) == subject)


def training_runs(bodies: Iterable[EntryBody]) -> tuple[TrainingRun, ...]:
    """Every training run of a log, in order. One that was refused before it was announced never began."""
    runs: dict[int, TrainingRun] = {}
    for body in bodies:
        if body.action == "training":
            if body.outcome is Outcome.REFUSED and body.started is None:
                continue
            begun = body.index if body.started is None else body.started
            runs[begun] = TrainingRun(begun, None if body.outcome is Outcome.STARTED else body)
        elif body.action == "run.disposition" and body.outcome is Outcome.COMPLETED:
            index = payload_of(body, Disposition).run
            runs |= {begun: replace(run, disposition=body) for begun, run in runs.items() if run.names(index)}
    return tuple(runs.values())


def unaccounted(runs: Iterable[TrainingRun], ensemble: EntryBody | None) -> tuple[TrainingRun, ...]:
    """Runs that are neither in the ensemble nor given a disposition.

    Failed and killed runs count as well: leaving one out requires a signed reason.
    """
    return tuple(run for run in runs if run.disposition is None and not run.in_ensemble(ensemble))


def run_records(artifacts: Iterable[Artifact]) -> Iterator[str]:
    """The digests of the run records among some artifacts."""
    return (one.digest for one in artifacts if one.name.endswith(_RUN))


def unaccounted_runs(entries: Sequence[Entry] | EarlierEntries) -> tuple[int, ...]:
    """The first entries of training runs that neither the newest ensemble uses nor a disposition names."""
    known = EarlierEntries.of(entries)
    return tuple(run.begun for run in unaccounted(known.runs, known.newest("ensemble")))


def refer(body: EntryBody) -> EntryReference:
    """A reference to an entry."""
    return EntryReference(index=body.index, digest=digest_of(body))


def payload_of[R: Record](body: EntryBody, kind: type[R]) -> R:
    """What an entry says.

    Raises:
        VerificationError: it does not say what such an entry must.
    """
    try:
        return kind.model_validate(body.payload)
    except ValidationError:
        raise VerificationError(f"entry {body.index} ({body.action}) does not say what such an entry must") from None


FILES: Final = {
    "ingest": MANIFEST,
    "validation": VALIDATION,
    "split": SPLIT,
    "ensemble": ENSEMBLE,
    "calibration": CALIBRATION,
    "export": ONNX,
}
"""Roles of entries that are about a file they made."""


def subject_of(role: str, body: EntryBody) -> str | None:
    """What a completed entry in a role is about: a digest, or the id of a request. Two entries about the same are alike.

    Returns:
        The digest of the file of `FILES` that it made; of a seal the root; of a registration the digest of the analysis plan
        or of the release policy; of a request and its approval the request's id. None where it names none.
    """
    return _named(role, body.outputs, body) if role in FILES else _SUBJECTS[role](body)


def read_from(role: str, body: EntryBody) -> str | None:
    """The digest of the file of `FILES` that an entry read from the entry in a role."""
    return _named(role, body.inputs, body)


def _named(role: str, artifacts: Iterable[Artifact], body: EntryBody) -> str | None:
    return named_model(artifacts, body.context.model) if role == "export" else named(artifacts, FILES[role])


@implements("REQ-341", "RC-143")
def named_model(artifacts: Iterable[Artifact], model: str | None) -> str | None:
    """The digest of the model among what an export made, or what an evaluation read.

    The record of the export is the model where the context of the entry says so. In entries of before the graph is.

    Args:
        artifacts: outputs of the export, or inputs of the evaluation.
        model: what the context of the entry names.
    """
    known = tuple(artifacts)
    record = named(known, EXPORT)
    return record if record is not None and record == model else named(known, ONNX)


def _plan(body: EntryBody) -> str | None:
    plan = payload_of(body, CriteriaRegistered).plan
    return None if plan is None else digest_of(plan)


_SUBJECTS: Final[dict[str, Callable[[EntryBody], str | None]]] = {
    "seal": lambda body: payload_of(body, DataSealed).root,
    "criteria": _plan,
    "policy": lambda body: digest_of(payload_of(body, PolicyRegistered).policy),
    "request": lambda body: payload_of(body, LookRequested).request.id,
    "approval": lambda body: payload_of(body, LookApproved).grant.request,
}


def named(artifacts: Iterable[Artifact], name: str) -> str | None:
    """The digest of the artifact of this name; None when there is none."""
    return next((one.digest for one in artifacts if one.name == name), None)


def last[T](items: Iterable[T]) -> T | None:
    """The last of some items; None when there are none."""
    kept = deque(items, maxlen=1)
    return kept[0] if kept else None
