"""The checks of a release's chain, each against the log: what an entry read, and what the entry in the other role made.

`chain.check_chain` calls them in order. Each refuses with a sentence that names both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.release.earlier_entries import (
    FILES,
    EarlierEntries,
    last,
    payload_of,
    read_from,
    run_records,
    subject_of,
)
from minivess.compliance.rules.look_facts import criteria_digest
from minivess.compliance.rules.references import REFERENCE
from minivess.foundation.errors import VerificationError
from minivess.records.device.preparation import ReleaseChain
from minivess.records.device.workspace_files import ONNX
from minivess.records.log.entry import EntryBody, Outcome
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookRequested
from minivess.records.log.payloads.models import Disposition
from minivess.records.people.approval import UnsealGrant, UnsealRequest
from minivess.records.references import ROLES, EntryReference


class Link(NamedTuple):
    """The entry in the role `reader` rests on the entry in the role `maker`."""

    reader: str
    maker: str


LINKS = (
    Link("evaluation", "export"),
    Link("export", "calibration"),
    Link("export", "ensemble"),
    Link("calibration", "ensemble"),
    Link("seal", "split"),
    Link("calibration", "split"),
    Link("split", "ingest"),
    Link("validation", "ingest"),
)
"""Entries that read the file of the other (`earlier_entries.FILES`), from the model back to the cases."""

PAYLOADS = (
    Link("request", "criteria"),
    Link("request", "policy"),
    Link("request", "export"),
    Link("request", "calibration"),
    Link("request", "seal"),
    Link("approval", "request"),
    Link("evaluation", "request"),
    Link("evaluation", "approval"),
)
"""Entries whose payload or context says what the other is about."""

NEWEST = ("validation", "scenarios", "drill", "qualification")
"""Roles in which a release rests on the newest completed entry of the log."""

LASTING = ("export", "calibration", "ensemble", "split", "ingest", "seal")
"""Roles in which no later entry may be about something else."""


def check_references(known: EarlierEntries, chain: ReleaseChain) -> dict[str, EntryBody]:
    """The entry in each role that one entry is in.

    Raises:
        VerificationError: a reference names no earlier entry, another digest, another action, or an entry that was not
            completed; a training run may have failed.
    """
    for role, reference in chain.references():
        where = f"entry {reference.index}, which the release names as its {role},"
        if reference.index >= len(known.bodies):
            raise VerificationError(f"{where} is not before the release was prepared")
        body = known.bodies[reference.index]
        if body.action != ROLES[role]:
            raise VerificationError(f"{where} is {body.action} and not {ROLES[role]}")
        if digest_of(body) != reference.digest:
            raise VerificationError(f"{where} has the digest {digest_of(body)} and not {reference.digest}")
        ends = {Outcome.COMPLETED, Outcome.FAILED} if role == "run" else {Outcome.COMPLETED}
        if body.outcome not in ends:
            raise VerificationError(f"{where} was not completed: it says {body.outcome.value}")
    single = {role: getattr(chain, role, None) for role in ROLES}
    return {role: known.bodies[one.index] for role, one in single.items() if isinstance(one, EntryReference)}


def check_newest(known: EarlierEntries, bodies: Mapping[str, EntryBody]) -> None:
    """Compare the entries in the roles of `NEWEST` with the newest of their action.

    Raises:
        VerificationError: there is a newer one.
    """
    for role in NEWEST:
        newest, used = known.newest(role), bodies.get(role)
        if newest is not None and (used is None or used.index != newest.index):
            rests = "no" if used is None else f"entry {used.index} as its"
            raise VerificationError(f"the release names {rests} {role}, and entry {newest.index} is the newest {role}")


def check_model(bodies: Mapping[str, EntryBody], model: str | None) -> str:
    """The digest of the released model.

    Raises:
        VerificationError: the export or the evaluation is of another model.
    """
    export, evaluation = bodies["export"], bodies["evaluation"]
    exported = subject_of("export", export)
    released = exported if model is None else model
    if released is None:
        raise VerificationError(f"the export of entry {export.index} names no {ONNX}")
    for role, body, found in (("export", export, exported), ("evaluation", evaluation, evaluation.context.model)):
        if found != released:
            raise VerificationError(
                f"the {role} of entry {body.index} is of model {found}, the release is of model {released}"
            )
    return released


def check_links(known: EarlierEntries, bodies: Mapping[str, EntryBody]) -> None:
    """Compare what each entry read with what the entry in the other role made.

    Raises:
        VerificationError: they differ, the maker comes later, or a later entry made something else.
    """
    for reader, maker in LINKS:
        one, other, file = bodies[reader], bodies[maker], FILES[maker]
        read, made = read_from(maker, one), subject_of(maker, other)
        if made is None or read != made:
            raise VerificationError(
                f"the {reader} of entry {one.index} read {file} {read}, the {maker} of entry {other.index} made {made}"
            )
        _check_order(reader, one, maker, other)
    for role in LASTING:
        body, subject = bodies[role], subject_of(role, bodies[role])
        later = last(
            one
            for one in known.completed(body.action)
            if one.index > body.index and subject_of(role, one) not in {None, subject}
        )
        if later is not None:
            raise VerificationError(
                f"the {role} of entry {body.index} is superseded: the {role} of entry {later.index} is of other contents"
            )


def check_named(known: EarlierEntries, bodies: Mapping[str, EntryBody]) -> None:
    """Look for the entry in each other role among the entries that an entry names; entries that name none are skipped.

    An entry that is about the same counts as well.

    Raises:
        VerificationError: it names others, or comes before the entry it rests on.
    """
    for reader, maker in LINKS + PAYLOADS:
        body, other = bodies[reader], bodies[maker]
        _check_order(reader, body, maker, other)
        references = {one.name: one.digest for one in body.inputs if one.name.startswith(REFERENCE)}
        alike = {
            f"{REFERENCE}{one.index}": one
            for one in known.completed(ROLES[maker], before=body.index)
            if subject_of(maker, one) == subject_of(maker, other)
        }
        if references and not any(name in references and references[name] == digest_of(alike[name]) for name in alike):
            raise VerificationError(
                f"the {reader} of entry {body.index} names {', '.join(sorted(references))}, and not the {maker} of entry "
                f"{other.index}"
            )


def _check_order(reader: str, body: EntryBody, maker: str, other: EntryBody) -> None:
    if other.index >= body.index:
        raise VerificationError(
            f"the {reader} of entry {body.index} comes before the {maker} of entry {other.index}, on which it rests"
        )


def check_members(known: EarlierEntries, ensemble: EntryBody) -> None:
    """Look for the run of each member of an ensemble.

    Raises:
        VerificationError: the ensemble names no run record, or one that no completed run made.
    """
    read = tuple(run_records(ensemble.inputs))
    if not read:
        raise VerificationError(f"the ensemble of entry {ensemble.index} names no run of its members")
    made = {digest for run in known.runs for digest in run.records}
    for digest in read:
        if digest not in made:
            raise VerificationError(
                f"the ensemble of entry {ensemble.index} read the run {digest}, which no completed training made"
            )


def check_request(known: EarlierEntries, bodies: Mapping[str, EntryBody], version: str, model: str) -> UnsealRequest:
    """Compare a request of a look with the entries that it is about.

    Raises:
        VerificationError: it names another model, calibration, seal, plan, criteria, policy or release.
    """
    body = bodies["request"]
    request = payload_of(body, LookRequested).request
    criteria, seal = payload_of(bodies["criteria"], CriteriaRegistered), payload_of(bodies["seal"], DataSealed)
    for what, role, asked, found in (
        ("model", "export", request.model, model),
        ("calibration", "calibration", request.calibration, subject_of("calibration", bodies["calibration"])),
        ("test data", "seal", request.data, seal.root),
        ("analysis plan", "criteria", request.plan, subject_of("criteria", bodies["criteria"])),
        ("acceptance criteria", "criteria", request.criteria, criteria_digest(criteria.criteria)),
        ("release policy", "policy", request.policy, subject_of("policy", bodies["policy"])),
    ):
        if asked != found:
            raise VerificationError(
                f"the request of entry {body.index} is for the {what} {asked}, the {role} of entry {bodies[role].index} "
                f"is of {found}"
            )
    if request.release != version:
        raise VerificationError(
            f"the request of entry {body.index} is for release {request.release}, the release is {version}"
        )
    for role, digest in (("criteria", request.plan), ("policy", request.policy)):
        newest = known.about(role, digest, before=body.index)
        if newest is None or newest.index != bodies[role].index:
            raise VerificationError(
                f"the release names entry {bodies[role].index} as its {role}, and the request of entry {body.index} was "
                f"made under entry {None if newest is None else newest.index}"
            )
    return request


def check_look(
    known: EarlierEntries, bodies: Mapping[str, EntryBody], request: UnsealRequest, model: str
) -> UnsealGrant:
    """Compare the approval and the evaluation with the request. The first completed evaluation counts.

    Raises:
        VerificationError: they are of another request, an earlier evaluation counts, or a later look at the test set for
            this release and this model has a result.
    """
    approval, evaluation, asked = bodies["approval"], bodies["evaluation"], bodies["request"]
    grant = payload_of(approval, LookApproved).grant
    for role, body, name in (
        ("approval", approval, grant.request),
        ("evaluation", evaluation, payload_of(evaluation, Evaluated).request),
    ):
        if name != request.id:
            raise VerificationError(
                f"the {role} of entry {body.index} is of request {name}, the request of entry {asked.index} is {request.id}"
            )
    for look in known.looks:
        if look.approval.index < approval.index or look.evaluation is None or look.request is None:
            continue
        other = payload_of(look.request, LookRequested).request
        if (other.release, other.model) == (request.release, model) and look.evaluation.index != evaluation.index:
            raise VerificationError(
                f"the release names the evaluation of entry {evaluation.index}, and that of entry {look.evaluation.index} "
                + ("came first" if other.id == request.id else "is a later look for the same release and model")
            )
    return grant


def check_runs(known: EarlierEntries, chain: ReleaseChain, ensemble: EntryBody) -> None:
    """Compare the accounts of training runs with the log, both ways.

    Raises:
        VerificationError: a run is missing, is listed twice or out of order, a completed one is neither in the ensemble nor has
            a disposition that names it, or one is listed with another disposition than the log has. A member of the ensemble
            is listed without one.
    """
    runs = {run.ended.index: run for run in known.runs if run.ended is not None and run.outcome is not Outcome.REFUSED}
    listed = [account.run.index for account in chain.runs]
    if listed != list(runs):
        odd = sorted(set(runs) ^ set(listed)) or listed
        raise VerificationError(f"the release does not list every training run once, in order: entry {odd[0]}")
    for account in chain.runs:
        run = runs[account.run.index]
        if account.disposition is not None:
            index = payload_of(known.bodies[account.disposition.index], Disposition).run
            if not run.names(index) or account.disposition.index < account.run.index:
                raise VerificationError(
                    f"the disposition of entry {account.disposition.index} is of run {index}, and not of the training of "
                    f"entry {account.run.index}"
                )
        elif not run.in_ensemble(ensemble) and run.outcome is Outcome.COMPLETED:
            raise VerificationError(
                f"the training run of entry {account.run.index} is neither in the ensemble nor has a disposition"
            )
        counts = None if run.in_ensemble(ensemble) or run.disposition is None else run.disposition.index
        stated = None if account.disposition is None else account.disposition.index
        if stated != counts:
            names = "no disposition" if stated is None else f"the disposition of entry {stated}"
            needed = "without one" if counts is None else f"with the disposition of entry {counts}"
            raise VerificationError(
                f"the release lists the training run of entry {account.run.index} with {names}, and the log requires it {needed}"
            )


def check_looks(known: EarlierEntries, chain: ReleaseChain) -> None:
    """Compare the accounts of looks with the log, both ways.

    Raises:
        VerificationError: a look is missing or added, or has another result.
    """
    expected = [one.account for one in known.looks]
    if list(chain.looks) != expected:
        pairs = {(one.approval.index, None if one.evaluation is None else one.evaluation.index) for one in expected}
        listed = {(one.approval.index, None if one.evaluation is None else one.evaluation.index) for one in chain.looks}
        odd = min((approval for approval, _ in pairs ^ listed), default=chain.looks[0].approval.index)
        raise VerificationError(
            f"the release does not list every look at the test set with its result, in order: entry {odd}"
        )
