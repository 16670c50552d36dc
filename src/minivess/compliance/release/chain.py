"""The chain of a release: the entries that it rests on, found in the log and judged against it.

`propose_chain` is the one place that searches the log. `check_chain` judges a chain, whoever proposed it: a pack is judged
by it as `release build` and `release check` are.

Entries in one role are alike when they are about the same (`earlier_entries.subject_of`): the same contents of a file, the
same plan, the same request. Making the same file again supersedes nothing; a later entry about other contents does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minivess.compliance.release import chain_checks as checks
from minivess.compliance.release.earlier_entries import (
    EarlierEntries,
    LookEntries,
    TrainingRun,
    last,
    named,
    payload_of,
    read_from,
    refer,
    run_records,
    subject_of,
    unaccounted,
)
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.preparation import ReleaseChain, ReleasePrepared, RunAccount
from minivess.records.device.registration import PolicyRegistered
from minivess.records.device.release_policy import ReleasePolicy
from minivess.records.device.workspace_files import STEPS
from minivess.records.evaluation.evaluation import AnalysisPlan
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookRequested
from minivess.records.people.approval import UnsealGrant, UnsealRequest
from minivess.records.references import ROLES, EntryReference

PREPARED = "release.prepare"
OPTIONAL = frozenset({"drill", "qualification"})
"""Roles that a release can leave empty."""


@dataclass(frozen=True)
class JudgedChain:
    """A chain that holds: the body of each entry, and what its payload says."""

    known: EarlierEntries
    """The log that it was judged against."""
    references: ReleaseChain
    bodies: dict[str, EntryBody]
    """By role, for the roles that one entry is in."""
    runs: tuple[TrainingRun, ...]
    """Every training run of the log, killed ones too."""
    looks: tuple[LookEntries, ...]
    """Every look of the log, in order."""
    model: str
    """Digest of the exported model."""
    request: UnsealRequest
    grant: UnsealGrant
    plan: AnalysisPlan
    policy: ReleasePolicy
    seal: DataSealed
    evaluated: Evaluated

    def output(self, role: str, name: str) -> str | None:
        """The digest of an output of the entry in a role; None when it names none."""
        return named(self.bodies[role].outputs, name) if role in self.bodies else None

    @property
    def members(self) -> tuple[TrainingRun, ...]:
        """The runs that the ensemble uses."""
        return tuple(run for run in self.runs if run.in_ensemble(self.bodies["ensemble"]))

    @property
    def member_records(self) -> tuple[str, ...]:
        """The names of the run records of the members, in order of name."""
        read = frozenset(run_records(self.bodies["ensemble"].inputs))
        outputs = (one for run in self.members if run.ended is not None for one in run.ended.outputs)
        return tuple(sorted({one.name for one in outputs if one.digest in read}))

    @property
    def unaccounted(self) -> tuple[TrainingRun, ...]:
        """The runs that are neither in the ensemble nor given a disposition."""
        return unaccounted(self.runs, self.bodies["ensemble"])


@implements("REQ-226")
def propose_chain(entries: Sequence[Entry] | EarlierEntries, version: str) -> ReleaseChain:
    """Find the entries that a release of the newest exported model would rest on.

    Args:
        entries: the log, from entry 0 to the last one before the preparation.
        version: the version of the device that is released.

    Raises:
        RefusedError: a step was not done; the hint names the command. `check_chain` says whether the entries fit each other.
    """
    known = EarlierEntries.of(entries)
    found = {role: body for role in checks.NEWEST if (body := known.newest(role)) is not None}
    exported = known.newest("export")
    model = None if exported is None else subject_of("export", exported)
    look = _look(known, version, model)
    if look is not None and look.request is not None and look.evaluation is not None:
        asked, index = payload_of(look.request, LookRequested).request, look.request.index
        found |= {"approval": look.approval, "request": look.request, "evaluation": look.evaluation}
        for role, subject in (("criteria", asked.plan), ("policy", asked.policy), ("seal", asked.data)):
            found |= _if_any(role, known.about(role, subject, before=index) or known.newest(role))
        found |= _if_any("export", known.about("export", model, before=look.evaluation.index) or exported)
    for link in checks.LINKS:
        reader = found.get(link.reader)
        if reader is not None and link.maker not in found:
            read = read_from(link.maker, reader)
            made = known.about(link.maker, read, before=reader.index)
            found |= _if_any(link.maker, made or known.newest(link.maker))
    _require(role for role in ReleaseChain.model_fields if role in ROLES and role not in found)
    runs = [run for run in known.runs if run.ended is not None and run.outcome is not Outcome.REFUSED]
    _require(() if runs else ("run",))
    return ReleaseChain(
        **{role: refer(body) for role, body in found.items()},
        runs=tuple(_account(run, found["ensemble"]) for run in runs),
        looks=tuple(one.account for one in known.looks),
    )


@implements("REQ-226")
def judge_chain(entries: Sequence[Entry]) -> tuple[ReleasePrepared, JudgedChain]:
    """Judge the chain of a log that ends with the preparation of a release.

    Raises:
        VerificationError: the last entry prepares no release, or its chain does not hold.
    """
    final = entries[-1].body if entries else None
    if final is None or (final.action, final.outcome) != (PREPARED, Outcome.COMPLETED):
        what = "the log is empty" if final is None else f"entry {final.index} is {final.action} ({final.outcome.value})"
        raise VerificationError(f"the last entry of the log must be a completed {PREPARED}: {what}")
    prepared = payload_of(final, ReleasePrepared)
    return prepared, check_chain(entries[:-1], prepared.chain, prepared.device.version, final.context.model)


@implements("REQ-226", "REQ-227", "RC-96")
def check_chain(
    entries: Sequence[Entry] | EarlierEntries, chain: ReleaseChain, version: str, model: str | None
) -> JudgedChain:
    """Judge a chain against the log.

    Args:
        entries: the log, from entry 0 to the last one before the preparation.
        chain: the entries that the release rests on.
        version: the version of the device that is released.
        model: the digest of the exported graph that is released; None: that of the chain's export.

    Raises:
        VerificationError: names the first entry that does not fit, with both sides.
    """
    known = EarlierEntries.of(entries)
    bodies = checks.check_references(known, chain)
    checks.check_newest(known, bodies)
    released = checks.check_model(bodies, model)
    checks.check_links(known, bodies)
    checks.check_members(known, bodies["ensemble"])
    request = checks.check_request(known, bodies, version, released)
    grant = checks.check_look(known, bodies, request, released)
    checks.check_named(known, bodies)
    checks.check_runs(known, chain, bodies["ensemble"])
    checks.check_looks(known, chain)
    criteria = payload_of(bodies["criteria"], CriteriaRegistered)
    if criteria.plan is None:
        raise VerificationError(f"entry {bodies['criteria'].index} registers no analysis plan")
    return JudgedChain(
        known=known,
        references=chain,
        bodies=bodies,
        runs=known.runs,
        looks=known.looks,
        model=released,
        request=request,
        grant=grant,
        plan=criteria.plan,
        policy=payload_of(bodies["policy"], PolicyRegistered).policy,
        seal=payload_of(bodies["seal"], DataSealed),
        evaluated=payload_of(bodies["evaluation"], Evaluated),
    )


def _look(known: EarlierEntries, version: str, model: str | None) -> LookEntries | None:
    """The newest look with a result: of this release and this model where there is one, else of this release, else any."""
    evaluated = [one for one in known.looks if one.request is not None and one.evaluation is not None]

    def fits(look: LookEntries) -> tuple[bool, bool]:
        asked = None if look.request is None else payload_of(look.request, LookRequested).request
        return asked is not None and asked.release == version, asked is not None and asked.model == model

    best = max(map(fits, evaluated), default=None)
    return last(one for one in evaluated if fits(one) == best)


def _account(run: TrainingRun, ensemble: EntryBody) -> RunAccount:
    disposition = None if run.in_ensemble(ensemble) else _refer(run.disposition)
    if run.ended is None:
        raise VerificationError(f"the training run of entry {run.begun} has not ended")
    return RunAccount(run=refer(run.ended), disposition=disposition)


def _refer(body: EntryBody | None) -> EntryReference | None:
    return None if body is None else refer(body)


def _if_any(role: str, body: EntryBody | None) -> dict[str, EntryBody]:
    return {} if body is None else {role: body}


def _require(missing: Iterable[str]) -> None:
    """Refuse a log that lacks a step before a release."""
    actions = {ROLES[role] for role in missing if role not in OPTIONAL}
    for step in STEPS:
        if step.action in actions:
            raise RefusedError(f"the log has no completed {step.action} that this release can rest on", hint=step.line)
