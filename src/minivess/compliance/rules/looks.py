"""What the log says about the sealed test set: a pure fold over its entries.

Every request, approval and result is an entry. Whether the test set may be looked at, how often it was and with what result
are derived from them and from nothing else.

The approval is the look: from then on the requester can have the data key. Evaluations under one approval may be repeated.
Logs of version 0.1.0 counted the entry `test-set.open` instead; such openings are looks as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.look_facts import (
    INPUT,
    EvaluationRun,
    Granted,
    Look,
    Opening,
    Registered,
    Requested,
    criteria_digest,
    same_figures,
    same_person,
)
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.evaluation import AnalysisPlan, Looks
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookOpened, LookRequested
from minivess.records.people.approval import Facts, UnsealRequest

EVALUATION = "evaluation"
ACTIONS = frozenset({"criteria.register", "test-set.request", "test-set.approve", "test-set.open", EVALUATION})
_WORDS = {
    "model": "model",
    "calibration": "calibration",
    "configuration": "configuration",
    "plan": "analysis plan",
    "criteria": "acceptance criteria",
    "data": "test data",
    "inputs": "set of input files",
}


@implements("REQ-023")
@dataclass(frozen=True)
class LookHistory:
    """Everything the log says about the test set. The first entry with an id counts; later ones cannot replace it."""

    requests: Mapping[str, Requested] = field(default_factory=dict)
    grants: Mapping[str, Granted] = field(default_factory=dict)
    """By request id."""
    opened: tuple[Opening, ...] = ()
    """The looks, in order."""
    criteria: Mapping[str, int] = field(default_factory=dict)
    """Digest of registered criteria -> index of their first registration."""
    plans: Mapping[str, Registered] = field(default_factory=dict)
    """By digest."""
    runs: Mapping[str, tuple[EvaluationRun, ...]] = field(default_factory=dict)
    """Evaluations by request id, in order of their last entry."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> LookHistory:
        """Read the history from entries in order.

        Only completed entries count, but for how evaluations ended.

        Raises:
            VerificationError: an entry about the test set does not say what such an entry must.
        """
        history = cls()
        for entry in entries:
            if entry.body.action in ACTIONS:
                history = history.extend(entry.body)
        return history

    def extend(self, body: EntryBody) -> LookHistory:
        """The history after one more entry.

        Raises:
            VerificationError: the entry does not say what such an entry must.
        """
        if body.outcome is not Outcome.COMPLETED:
            name = _request_of(body) if body.action == EVALUATION else None
            return self if name is None else self._with_run(name, _run(body, None))
        try:
            payload = PAYLOADS[body.action].model_validate(body.payload)
        except ValidationError:
            raise VerificationError(
                f"entry {body.index} ({body.action}) does not say what such an entry must"
            ) from None
        return self._with(body, payload)

    def _with(self, body: EntryBody, payload: Record) -> LookHistory:
        after = self
        match payload:
            case LookOpened():
                opening = Opening(body.index, body.actor, payload.request, body.time)
                after = replace(self, opened=(*self.opened, opening))
            case LookRequested():
                made = Requested(body.index, body.actor, payload.request)
                after = replace(self, requests={payload.request.id: made, **self.requests})
            case LookApproved():
                after = self._with_grant(Granted(body.index, body.actor, payload.grant), body)
            case CriteriaRegistered():
                after = self._with_criteria(body.index, payload)
            case Evaluated():
                after = self._with_run(payload.request, _run(body, payload))
        return after

    def _with_criteria(self, index: int, said: CriteriaRegistered) -> LookHistory:
        criteria = {criteria_digest(said.criteria): index, **self.criteria}
        plans = self.plans
        if said.plan is not None:
            plans = {digest_of(said.plan): Registered(index, said.plan), **plans}
        return replace(self, criteria=criteria, plans=plans)

    def _with_grant(self, granted: Granted, body: EntryBody) -> LookHistory:
        name = granted.grant.request
        if name in self.grants:
            return self
        opened = self.opened
        if granted.grant.mode is not None:
            requested = self.requests.get(name)
            asker = body.actor if requested is None else requested.request.requester
            opened = (*opened, Opening(body.index, asker, name, body.time))
        return replace(self, grants={**self.grants, name: granted}, opened=opened)

    def _with_run(self, name: str, run: EvaluationRun) -> LookHistory:
        before = self.runs.get(name, ())
        kept = tuple(one for one in before if one.index != run.started)
        return replace(self, runs={**self.runs, name: (*kept, run)})

    @property
    def openings(self) -> int:
        """How many looks at the test set there were."""
        return len(self.opened)

    @implements("REQ-023", "REQ-094")
    def looks(self) -> tuple[Look, ...]:
        """Every look in order, with its request, approval and result. One without a result counts all the same."""
        found: list[Look] = []
        for opening in self.opened:
            requested = self.requests.get(opening.request)
            same = [one for one in found if _data(one.requested) == _data(requested)]
            runs = self.runs.get(opening.request, ())
            if any(one.opening.request == opening.request for one in found):  # a second opening on one grant of 0.1.0
                runs = ()
            results = [(run.index, run.result) for run in runs if run.result is not None]
            first = results[0][1] if results else None
            found.append(
                Look(
                    opening,
                    len(same) + 1,
                    requested,
                    self.grants.get(opening.request),
                    "evaluated" if first is not None else _ended(runs),
                    first,
                    tuple(
                        index for index, other in results[1:] if first is not None and not same_figures(first, other)
                    ),
                    len(results),
                )
            )
        return tuple(found)

    @implements("REQ-095", "RC-03")
    def check_looks(self, policy: Looks, *, release: str, data: str) -> int:
        """Say whether one more look at a test set fits into the policy; returns the number it would have.

        Raises:
            RefusedError: it does not.
        """
        looks = [one for one in self.looks() if _data(one.requested) == data]
        mine = [one for one in looks if one.requested is not None and one.requested.request.release == release]
        for what, count, limit in (
            (f"for release {release}", len(mine), policy.per_release),
            ("in all", len(looks), policy.total),
        ):
            if count >= limit:
                raise RefusedError(
                    f"the test set was looked at {count} of {limit} times {what}, at entry "
                    + " and ".join(str(one.opening.index) for one in (mine if count == len(mine) else looks)),
                    hint="seal a new test part; each further look makes the figures more optimistic",
                )
        return len(looks) + 1

    @implements("REQ-021", "REQ-092", "REQ-095")
    def check_request(self, request: UnsealRequest, *, actor: str) -> None:
        """Say whether a request may be made: in one's own name, under a registered plan, with a look left.

        Raises:
            RefusedError: it may not.
        """
        if request.id in self.requests:
            raise RefusedError(f"the log has a request {request.id!r} already")
        if request.requester != actor:
            raise RefusedError(f"request {request.id!r} names {request.requester} and is by {actor}")
        for what, known in (
            ("acceptance criteria are", request.criteria in self.criteria),
            ("analysis plan is", request.plan in self.plans),
        ):
            if not known:
                raise RefusedError(
                    f"{'these' if what.endswith('are') else 'this'} {what} not in the log",
                    hint="`minivess test-set criteria` registers both first",
                )
        plan = self.plans[request.plan].plan
        if criteria_digest(plan.criteria) != request.criteria:
            raise RefusedError(f"request {request.id!r} names other acceptance criteria than its analysis plan has")
        self.check_looks(plan.looks, release=request.release, data=request.data)

    @implements("REQ-022", "REQ-095")
    def check_approve(self, request_id: str, *, approver: str, register: Register, now: datetime) -> UnsealRequest:
        """Say whether `approver` may approve this request now; returns the request.

        Raises:
            RefusedError: the request is unknown, the approver's own, answered already or expired, or its look is one too
                many.
            VerificationError: the requester is no longer enrolled.
        """
        requested = self._requested(request_id)
        granted = self.grants.get(request_id)
        if granted is not None:
            raise RefusedError(f"request {request_id!r} was approved already, at entry {granted.index}")
        request = requested.request
        for one in sorted({request.requester, requested.actor}):
            if same_person(register, one, approver):
                raise RefusedError(
                    f"{approver} made request {request_id!r}"
                    + ("" if one == approver else f" as {one}")
                    + " and cannot approve it too",
                    hint="another person must approve it",
                )
        register.person(request.requester)
        if now >= request.expires:
            raise RefusedError(f"request {request_id!r} has expired", hint="make a new request")
        self.check_looks(self._plan(requested).looks, release=request.release, data=request.data)
        return request

    @implements("REQ-022", "REQ-092")
    def check_evaluate(self, request_id: str, *, actor: str, model: str | None) -> Granted:
        """Say whether an actor may evaluate a model under a request; returns its grant.

        Raises:
            RefusedError: the request was not approved, or not for this actor or this model.
        """
        requested = self._requested(request_id)
        request = requested.request
        granted = self.grants.get(request_id)
        if granted is None:
            raise RefusedError(
                f"request {request_id!r} was not approved",
                hint="another person must approve it with `minivess test-set approve`",
            )
        mode = granted.grant.mode
        if mode is None:
            raise RefusedError(
                f"request {request_id!r} was approved under the rules of version 0.1.0", hint="make a new request"
            )
        entitled = request.requester if mode == "released" else granted.grant.approver
        if entitled != actor:
            raise RefusedError(f"{request_id} was granted to {entitled}, not to {actor}")
        if model != request.model:
            raise RefusedError(
                f"request {request_id!r} was approved for another model",
                hint="restore the model it names, or make a new request",
            )
        return granted

    @implements("REQ-021", "REQ-022", "REQ-092")
    def check_facts(self, request_id: str, facts: Facts) -> UnsealRequest:
        """Say whether what would be evaluated now is what was approved; returns the request.

        Raises:
            RefusedError: it is not; the first fact that differs is named.
        """
        request = self._requested(request_id).request
        for name, what in _WORDS.items():
            if getattr(request, name) != getattr(facts, name):
                raise RefusedError(
                    f"request {request_id!r} was approved for another {what}",
                    hint=f"restore the {what} it names, or make a new request",
                )
        return request

    @implements("REQ-133")
    def first_result(self, request_id: str) -> Evaluated | None:
        """The first completed result under a request: the one that counts."""
        return next((run.result for run in self.runs.get(request_id, ()) if run.result is not None), None)

    def number_of(self, request_id: str) -> int:
        """Which look at its test set a granted request is, from 1 on.

        Raises:
            RefusedError: the request was not approved.
        """
        for look in self.looks():
            if look.opening.request == request_id:
                return look.number
        raise RefusedError(f"request {request_id!r} was not approved")

    def plan_of(self, request_id: str) -> AnalysisPlan:
        """The analysis plan of a request, as registered before it.

        Raises:
            RefusedError: there is none.
        """
        return self._plan(self._requested(request_id))

    def _plan(self, requested: Requested) -> AnalysisPlan:
        registered = self.plans.get(requested.request.plan)
        if registered is None or registered.index > requested.index:
            raise RefusedError(
                f"the analysis plan of request {requested.request.id!r} was not registered before it",
                hint="register it with `minivess test-set criteria`, then make a new request",
            )
        return registered.plan

    def _requested(self, request_id: str) -> Requested:
        requested = self.requests.get(request_id)
        if requested is None:
            raise RefusedError(
                f"the log has no request {request_id!r}", hint="ask for one with `minivess test-set request`"
            )
        return requested


def _run(body: EntryBody, result: Evaluated | None) -> EvaluationRun:
    return EvaluationRun(body.index, body.actor, body.outcome, result, body.started)


def _ended(runs: Sequence[EvaluationRun]) -> Literal["failed", "refused", "no result"]:
    """How the last evaluation without a result ended."""
    return _ENDED.get(runs[-1].outcome, "no result") if runs else "no result"


_ENDED: dict[Outcome, Literal["failed", "refused"]] = {Outcome.FAILED: "failed", Outcome.REFUSED: "refused"}


def _data(requested: Requested | None) -> str | None:
    return None if requested is None else requested.request.data


def _request_of(body: EntryBody) -> str | None:
    names = [item.name.removeprefix(INPUT) for item in body.inputs if item.name.startswith(INPUT)]
    return names[0] if names else None
