"""`admit`: whether an entry may stand at the end of a log, and the state of the log after it.

The append transaction, the verification of a log and the judgement of a pack all ask this one function, so what was
appended is what verifies. It is pure: it reads no clock, no file and no database. Signatures of entries, their canonical form
and the Merkle tree are checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.approvals import open_approval
from minivess.compliance.rules.actions import ROOT, adopted_table
from minivess.compliance.rules.adoption import check_adoption
from minivess.compliance.rules.look_facts import same_person, subject_of
from minivess.compliance.rules.references import Preparation
from minivess.compliance.rules.restores import check_restored
from minivess.compliance.rules.standing import Standing
from minivess.compliance.rules.state_changes import changes_state, folded
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.action_table import RulesAdopted
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.data import DataSealed
from minivess.records.log.payloads.evidence import ReleaseBuilt, ReleaseSigned
from minivess.records.log.payloads.identities import IdentityEnrolled, LogCreated
from minivess.records.log.payloads.looks import Evaluated, LookApproved, LookRequested
from minivess.records.log.payloads.models import ModelPromoted
from minivess.records.people.approval import Policy, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import IdentityKind, Role

LOOK_POLICIES = {
    role: Policy(name="test-set-opening", rules=(PolicyRule(role=role, meaning=Meaning.APPROVAL),))
    for role in (Role.REVIEWER, Role.CUSTODIAN)
}
"""What an approval of a look is signed under, by the role of the approver."""

Check = Callable[[Standing, EntryBody], None]


class NotStartedError(VerificationError):
    """An entry ends an action that is not under way."""


@implements("REQ-131", "RC-41")
def refuse_maker(standing: Standing, reviewer: str, digests: tuple[str, ...] | None) -> None:
    """Refuse a reviewer who had a part in a model.

    Args:
        standing: the state of the log.
        reviewer: the id of who wants to review.
        digests: of the model and what belongs to it; None: every model of the log.

    Raises:
        VerificationError: the reviewer, or another identity of the same person, had a part in it.
    """
    for maker in sorted(standing.makers.of(digests)):
        if same_person(standing.register, maker, reviewer):
            raise VerificationError(
                f"{reviewer} trained, combined, calibrated, exported or requested this model and cannot review it",
                hint="an independent reviewer or a custodian who had no part in it must do this",
            )


def needs_record(standing: Standing, action: str) -> bool:
    """Whether `admit` has to see the whole body of an entry of this action, with its payload."""
    return changes_state(action) or bool(standing.rules.row(action).checks)


@implements("REQ-130", "RC-40")
def admit(standing: Standing, body: Any) -> Standing:
    """The state after an entry, if it may stand where it wants to.

    Args:
        standing: the state before it.
        body: an `EntryBody`; where `needs_record` says no, anything with its fields action, outcome, index, actor, key and
            started.

    Raises:
        VerificationError: it may not; the message says why, without the entry's index.
    """
    started = _with_started(standing, body)
    if body.index == 0:
        return _created(standing, body)
    row = standing.rules.row(body.action)
    standing.check_may(row, body)
    try:
        if body.outcome == Outcome.COMPLETED:
            _check_spelling(standing, body)
            for name in row.checks:
                CHECKS[name](standing, body)
        after = folded(standing, body)
    except RefusedError as error:
        raise VerificationError(error.message, hint=error.hint) from None
    except (ValidationError, InputError):
        raise VerificationError(f"{body.action} has a malformed payload") from None
    return after if started is after.started else replace(after, started=started)


def _check_spelling(standing: Standing, body: Any) -> None:
    """A payload that is read must be spelled as its record writes it: digests of its parts are taken from both.

    Raises:
        VerificationError: a time, a number or a field that is not there is written in another way.
    """
    if standing.rules.number == 1 or not isinstance(body, EntryBody) or not body.payload:
        return
    read = PAYLOADS[body.action].model_validate(body.payload)
    if read.model_dump(mode="json", exclude_unset=True) != body.payload:
        raise VerificationError(f"the payload of {body.action} is not spelled as its record writes it")


def _with_started(standing: Standing, body: Any) -> Mapping[int, tuple[str, str]]:
    """The actions under way after an entry.

    Raises:
        VerificationError: it ends an action that was not started, that was ended before, or that another actor started.
    """
    open_ = standing.started
    if body.started is not None:
        found = open_.get(body.started)
        if found is None or found[0] != body.action:
            raise NotStartedError(
                f"it claims to end entry {body.started}, which did not start an action {body.action!r}, or has ended already"
            )
        if standing.rules.number > 1 and found[1] != body.actor:
            raise NotStartedError(f"it claims to end entry {body.started}, which {found[1]} started")
        open_ = MappingProxyType({index: action for index, action in open_.items() if index != body.started})
    if body.outcome == Outcome.STARTED:
        open_ = MappingProxyType({**open_, body.index: (body.action, body.actor)})
    return open_


def _created(standing: Standing, body: EntryBody) -> Standing:
    """The state after entry 0."""
    if body.action != "log.created" or body.outcome is not Outcome.COMPLETED or standing.register.size:
        raise VerificationError("entry 0 does not create the log")
    register = standing.register.extend(Entry.model_construct(body=body, signature=""))
    said = LogCreated.model_validate(body.payload)
    rules = adopted_table(said.rules)
    after = replace(standing.with_register(register), rules=rules)
    row = rules.row(body.action)
    identity = register.check_actor(body.key, body.actor, 0)
    if ROOT in row.by and identity not in register.roots:
        raise VerificationError(f"{identity.id} creates the log and is not one of its roots")
    services = [root.kind is IdentityKind.SERVICE for root in said.roots]
    if rules.number > 1 and (services != [True] if said.serves is not None else any(services)):
        raise VerificationError("a service is the root of its own serving log, and of no other log")
    return after if said.serves is None else replace(after, kind="serving")


def _check_adoption(standing: Standing, body: EntryBody) -> None:
    adopted = RulesAdopted.model_validate(body.payload)
    check_adoption(standing.rules, adopted, standing.register, log=body.log, index=body.index)


def _check_enrolment(standing: Standing, body: EntryBody) -> None:
    enrolled = IdentityEnrolled.model_validate(body.payload)
    service = enrolled.identity.kind is IdentityKind.SERVICE
    if service != (enrolled.actions is not None):
        raise VerificationError("a service is enrolled for named actions, and a person for none")


def _check_restored(standing: Standing, body: EntryBody) -> None:
    check_restored(body, standing.register)


def _check_steps(standing: Standing, body: EntryBody) -> None:
    if not body.outputs:
        raise VerificationError(f"a completed {body.action} names no output")


def _check_seal(standing: Standing, body: EntryBody) -> None:
    sealed = DataSealed.model_validate(body.payload)
    if sealed.root is None:
        raise VerificationError("a seal names the root of what was sealed")
    for who in sealed.approvers:
        if who == body.actor:
            raise VerificationError(f"{who} seals the test set and would hold its key")
        holder = standing.register.person(who, body.index)
        if not {Role.REVIEWER, Role.CUSTODIAN} & set(holder.roles):
            raise VerificationError(f"{who} would hold the key of the test set, and is neither reviewer nor custodian")


def _check_criteria(standing: Standing, body: EntryBody) -> None:
    if body.payload.get("plan") is None:
        raise VerificationError("acceptance criteria are registered together with their analysis plan")


@implements("REQ-022", "REQ-095")
def _check_request(standing: Standing, body: EntryBody) -> None:
    request = LookRequested.model_validate(body.payload).request
    standing.test_set.check_request(request, actor=body.actor)
    if request.model not in standing.makers.exported:
        raise VerificationError("no completed model.export made the model of this request")
    if standing.sealed and request.data not in standing.sealed:
        raise VerificationError("no data.seal made the test data of this request")


@implements("REQ-022", "REQ-131", "RC-03", "RC-41")
def _check_approval(standing: Standing, body: EntryBody) -> None:
    grant, register = LookApproved.model_validate(body.payload).grant, standing.register
    if grant.approver != body.actor:
        raise VerificationError(f"the grant of {grant.request!r} names {grant.approver} and is by {body.actor}")
    request = standing.test_set.check_approve(grant.request, approver=grant.approver, register=register, now=body.time)
    said = open_approval(grant.envelope, register, index=body.index)
    if said.signer != grant.approver:
        raise VerificationError(f"{grant.approver} did not sign this approval")
    policy = LOOK_POLICIES.get(said.role)
    if policy is None or (said.policy, said.meaning) != (policy.name, Meaning.APPROVAL):
        raise VerificationError(f"{said.signer} signed under {said.policy} as {said.role.value}, which opens nothing")
    if said.subjects != (subject_of(request),):
        raise VerificationError(f"{said.signer} signed something else than request {request.id!r}")
    if said.demo and not register.demo:
        raise VerificationError(f"{said.signer} signed with demo keys, which count in a demo log alone")
    if grant.mode is None:
        raise VerificationError("a grant says whether the key is released or the custodian runs the evaluation")
    holders = standing.sealed.get(request.data)
    if holders is not None and grant.approver not in holders:
        raise VerificationError(f"the test set was not sealed for {grant.approver}")
    refuse_maker(standing, grant.approver, (request.model, request.calibration))


@implements("REQ-022", "REQ-023", "REQ-183")
def _check_evaluation(standing: Standing, body: EntryBody) -> None:
    said = Evaluated.model_validate(body.payload)
    standing.test_set.check_evaluate(said.request, actor=body.actor, model=body.context.model)
    number = standing.test_set.number_of(said.request)
    if said.look != number:
        raise VerificationError(f"the evaluation states look {said.look}; it is look {number}")
    level = standing.registrations.level(standing.test_set.requests[said.request].request.data, number)
    if not said.levels <= {level}:
        raise VerificationError(f"the intervals of this look do not have the level {level!r}")


def _check_promotion(standing: Standing, body: EntryBody) -> None:
    moved = ModelPromoted.model_validate(body.payload)
    if moved.model not in standing.makers.exported:
        raise VerificationError("no completed model.export made this model")
    if moved.stage == "production" and moved.model not in standing.makers.evaluated:
        raise VerificationError("this model was not evaluated on the sealed test set")


def _check_build(standing: Standing, body: EntryBody) -> None:
    version = ReleaseBuilt.model_validate(body.payload).version
    Preparation(version, body.context.model).check_prepared(standing.prepared)


def _check_references(standing: Standing, body: EntryBody) -> None:
    standing.references.check_inputs(body)


def _check_preparation(standing: Standing, body: EntryBody) -> None:
    from minivess.records.device.preparation import ReleasePrepared  # loads the records of the project file

    standing.references.check_chain(ReleasePrepared.model_validate(body.payload), body.context.model)


@implements("REQ-131", "RC-41")
def _check_signature(standing: Standing, body: EntryBody) -> None:
    signed = ReleaseSigned.model_validate(body.payload)
    built = standing.packs.get(signed.tag_manifest)
    if built is None:
        raise VerificationError("no release.build of this log made the pack that is signed")
    if signed.version != built.version:
        raise VerificationError(f"version {signed.version} is signed, and the pack was built as {built.version}")
    said = open_approval(signed.envelope, standing.register, index=body.index)
    if said.signer != body.actor:
        raise VerificationError(f"the signature is by {said.signer} and the entry by {body.actor}")
    if signed.tag_manifest not in {one.digest for one in said.subjects}:
        raise VerificationError(f"{said.signer} signed another pack")
    if said.role is Role.REVIEWER:
        refuse_maker(standing, said.signer, None if built.model is None else (built.model,))


@implements("REQ-552", "RC-231")
def _check_waiver(standing: Standing, body: EntryBody) -> None:
    """Who made or requested a model of the log waives no gate."""
    refuse_maker(standing, body.actor, None)


def _check_registration(standing: Standing, body: EntryBody) -> None:
    standing.registrations.check(body)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "adoption": _check_adoption,
        "enrolment": _check_enrolment,
        "restored": _check_restored,
        "makes": _check_steps,
        "seal": _check_seal,
        "criteria": _check_criteria,
        "registration": _check_registration,
        "request": _check_request,
        "approval": _check_approval,
        "evaluation": _check_evaluation,
        "promotion": _check_promotion,
        "references": _check_references,
        "preparation": _check_preparation,
        "build": _check_build,
        "signature": _check_signature,
        "waiver": _check_waiver,
    }
)
"""What is checked of completed entries, by the names that the tables use."""
