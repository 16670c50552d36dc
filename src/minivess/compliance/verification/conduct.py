"""Judging what was done: where the pack's files come from, and how the sealed test set was used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minivess.compliance.identity.approvals import open_approval
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.release.lineage_events import EVENTS
from minivess.compliance.release.pack_files import json_of
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.pack_checks.lineage import run_ids
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.evaluation.evaluation import Looks
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookOpened, LookRequested
from minivess.records.people.approval import UnsealRequest

ODOMETER = "data/evaluation/odometer.json"
MADE = ("data/models/", "data/evaluation/", "data/datasets/", "data/verification/", "data/lineage/")
"""Folders whose every file must be the recorded output of an action; `ODOMETER` and `EVENTS` are derived instead."""
_LIMIT = 1 << 20
"""Bytes of the odometer."""


@implements("REQ-038", "REQ-269", "RC-13")
def check_provenance(files: Mapping[str, bytes], entries: Sequence[Entry]) -> str:
    """Every result in the pack was recorded when it was made.

    Returns:
        In words what holds.

    Raises:
        VerificationError: names the first file that no entry made.
    """
    made = {item.digest for body in _completed(entries) for item in body.outputs}
    results = [name for name in sorted(files) if name.startswith(MADE) and name not in {ODOMETER, EVENTS}]
    for name in results:
        if digest_bytes(files[name]) not in made:
            raise VerificationError(f"{name} has no entry in the log: no completed action names it as its output")
    if not results:
        raise VerificationError("the pack has no result of an action")
    return f"{len(results)} results, each the recorded output of an action"


@implements("REQ-038", "RC-13")
def check_event_runs(files: Mapping[str, bytes], entries: Sequence[Entry]) -> None:
    """Every recorded run has a lineage event: all that is asked of packs of layout 1.

    Raises:
        VerificationError: names the first entry without an event, or the first line that is no event.
    """
    runs = run_ids(files)
    for entry in entries:
        run = entry.body.context.openlineage_run
        if run is not None and str(run) not in runs:
            raise VerificationError(f"entry {entry.body.index} has no event in {EVENTS}")


@implements("REQ-038", "RC-13")
def check_openings(entries: Sequence[Entry], register: Register) -> int:
    """Judge each opening of the test set under the rules of version 0.1.0; returns how many looks there were in all.

    What stands in a log after it adopted an action table was judged entry by entry (`compliance.rules.admission`). Before
    that an opening needs, all before it: acceptance criteria and analysis plan, a request written by the requester, and an
    approval signed by another person over the digest of that very request. A request serves its requester once, before it
    expires, for its model, within the looks that its plan allows; an evaluation needs an opening.

    Raises:
        VerificationError: names the first entry that breaks a rule.
    """
    looks = LookHistory.fold(entries).openings
    adopted = _adopted_at(entries)
    plans: dict[str, Looks] = {}
    requests: dict[str, LookRequested] = {}
    approved: set[str] = set()
    opened: list[UnsealRequest] = []
    for body in _completed(entries[:adopted]):
        where = f"entry {body.index}"
        if body.action == "criteria.register":
            plan = CriteriaRegistered.model_validate(body.payload).plan
            if plan is not None:
                plans[digest_of(plan)] = plan.looks
        elif body.action == "test-set.request":
            asked = LookRequested.model_validate(body.payload)
            if asked.request.id in requests:
                raise VerificationError(f"{where} asks a second time under the name {asked.request.id}")
            if asked.request.requester != body.actor:
                raise VerificationError(f"{where} asks in the name of {asked.request.requester} but is by {body.actor}")
            if asked.request.plan not in plans:
                raise VerificationError(f"{where} asks under an analysis plan that was not registered before")
            requests[asked.request.id] = asked
        elif body.action == "test-set.approve":
            approved.add(_check_grant(body, requests, register))
        elif body.action == "test-set.open":
            request = LookOpened.model_validate(body.payload).request
            again = any(one.id == request for one in opened)
            granted = _check_opening(body, requests.get(request), approved=request in approved, again=again)
            opened.append(granted)
            _check_looks(where, granted, opened, plans[granted.plan])
        elif body.action == "evaluation":
            request = Evaluated.model_validate(body.payload).request
            if not any(one.id == request for one in opened):
                raise VerificationError(f"{where} evaluates on the test set without having opened it")
    return looks


def _adopted_at(entries: Sequence[Entry]) -> int:
    """From which entry on the log follows an action table, so that its entries were judged when the log was."""
    for entry in entries:
        body = entry.body
        if body.action == "rules.adopted" and body.outcome is Outcome.COMPLETED:
            return body.index + 1
        if body.index == 0 and body.payload.get("rules") is not None:
            return 0
    return len(entries)


def check_odometer(files: Mapping[str, bytes], openings: int) -> str:
    """The pack states as many openings as the log holds; returns that in words.

    Raises:
        VerificationError: it states something else.
    """
    stated = json_of(files, ODOMETER, limit=_LIMIT)
    if stated != {"openings": openings} or isinstance(stated["openings"], bool):
        raise VerificationError(f"{ODOMETER} does not state the {openings} look(s) at the test set that the log holds")
    if not openings:
        return "no look at the test set: the log has no approval of one"
    return f"{openings} look(s), each after criteria, request and another person's approval"


def _check_grant(body: EntryBody, requests: Mapping[str, LookRequested], register: Register) -> str:
    grant = LookApproved.model_validate(body.payload).grant
    asked = requests.get(grant.request)
    if asked is None:
        raise VerificationError(f"entry {body.index} approves {grant.request}, which was not requested before")
    manifestation = open_approval(grant.envelope, register, index=body.index)
    if manifestation.signer != grant.approver:
        raise VerificationError(f"entry {body.index}: {grant.approver} did not sign this approval")
    if grant.approver == asked.request.requester:
        raise VerificationError(f"entry {body.index}: {grant.approver} approved their own request")
    if digest_of(asked.request) not in {subject.digest for subject in manifestation.subjects}:
        raise VerificationError(f"entry {body.index}: the approval is for another request than {grant.request}")
    return grant.request


def _check_looks(where: str, granted: UnsealRequest, opened: Sequence[UnsealRequest], allowed: Looks) -> None:
    same = [one for one in opened if one.data == granted.data]
    mine = [one for one in same if one.release == granted.release]
    if len(mine) > allowed.per_release or len(same) > allowed.total:
        raise VerificationError(f"{where} is one look at the test set more than its analysis plan allows")


def _check_opening(body: EntryBody, asked: LookRequested | None, *, approved: bool, again: bool) -> UnsealRequest:
    where = f"entry {body.index} opens the test set"
    if asked is None:
        raise VerificationError(f"{where} without a request")
    if not approved:
        raise VerificationError(f"{where} without another person's approval")
    if again:
        raise VerificationError(f"{where} a second time on one approval")
    if body.time > asked.request.expires:
        raise VerificationError(f"{where} after the request had expired")
    if body.context.model not in {None, asked.request.model}:
        raise VerificationError(f"{where} for another model than was approved")
    if body.actor != asked.request.requester:
        raise VerificationError(f"{where} by {body.actor}, which was granted to {asked.request.requester}")
    return asked.request


def _completed(entries: Sequence[Entry]) -> list[EntryBody]:
    return [entry.body for entry in entries if entry.body.outcome is Outcome.COMPLETED]
