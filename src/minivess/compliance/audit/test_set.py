"""What the log says about the sealed test set: a pure fold over its entries.

Every request, grant, opening and result is an entry; whether one may open now, how often it happened and what came of it
are derived from them and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from minivess.compliance.identity.register import Register, plain_name
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.approval import Facts, UnsealGrant, UnsealRequest
from minivess.records.entry import Entry, EntryBody, Outcome
from minivess.records.evaluation import AnalysisPlan, Criterion, Looks, level_of_look
from minivess.records.payloads import (
    PAYLOADS,
    CriteriaRegistered,
    Evaluated,
    TestSetApproved,
    TestSetOpened,
    TestSetRequested,
)

EVALUATION = "evaluation"
_ACTIONS = frozenset({"criteria.register", "test-set.request", "test-set.approve", "test-set.open", EVALUATION})
_INPUT = "test-set/"


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
    """One use of a grant: where it stands, when, by whom, for which request."""

    index: int
    actor: str
    request: str
    time: datetime


@dataclass(frozen=True)
class Registered:
    """An analysis plan, and where it was registered first."""

    index: int
    plan: AnalysisPlan


@dataclass(frozen=True)
class Look:
    """One opening with everything the log says about it."""

    opening: Opening
    number: int
    """The how-manieth of its test set."""
    requested: Requested | None
    granted: Granted | None
    outcome: Literal["evaluated", "failed", "refused", "no result"]
    result: Evaluated | None

    @property
    def level(self) -> float:
        """The level of its intervals."""
        return level_of_look(self.number)

    @property
    def met(self) -> bool | None:
        """Whether every criterion was met; None without a result, or without criteria in it."""
        if self.result is None or not self.result.criteria:
            return None
        return all(one.met for one in self.result.criteria)


_WORDS = {
    "model": "model",
    "calibration": "calibration",
    "configuration": "configuration",
    "plan": "analysis plan",
    "criteria": "acceptance criteria",
    "data": "test data",
}


def criteria_digest(criteria: tuple[Criterion, ...]) -> str:
    """The digest a request names its acceptance criteria by: of their canonical JSON, in their order."""
    return digest_of([criterion.model_dump(mode="json") for criterion in criteria])


def input_of(request: str) -> str:
    """How an evaluation names the request it is made under among its inputs."""
    return f"{_INPUT}{request}"


@implements("REQ-023")
@dataclass(frozen=True)
class TestSetHistory:
    """Everything the log says about the test set. The first entry with an id counts; later ones cannot replace it."""

    __test__ = False

    requests: dict[str, Requested]
    grants: dict[str, Granted]
    """By request id."""
    opened: tuple[Opening, ...]
    criteria: dict[str, int]
    """Digest of registered criteria -> index of their first registration."""
    plans: dict[str, Registered] = field(default_factory=dict)
    """By digest."""
    results: dict[str, tuple[Outcome, Evaluated | None]] = field(default_factory=dict)
    """How the evaluation of a request ended, by request id."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> TestSetHistory:
        """Read the history from entries in order.

        Only completed entries count, but for how evaluations ended. The entry of an opening is completed before the first
        byte is decrypted, so that whatever happens afterwards, the opening was counted.

        Raises:
            VerificationError: an entry about the test set does not say what such an entry must.
        """
        history = cls({}, {}, (), {})
        opened: list[Opening] = []
        for entry in entries:
            body = entry.body
            if body.action not in _ACTIONS:
                continue
            if body.outcome is Outcome.COMPLETED:
                history._take(body, opened)
            elif body.action == EVALUATION and (name := _request_of(body)) is not None:
                history.results.setdefault(name, (body.outcome, None))
                if body.outcome is not Outcome.STARTED and history.results[name][0] is Outcome.STARTED:
                    history.results[name] = (body.outcome, None)
        return cls(history.requests, history.grants, tuple(opened), history.criteria, history.plans, history.results)

    def _take(self, body: EntryBody, opened: list[Opening]) -> None:
        try:
            payload = PAYLOADS[body.action].model_validate(body.payload)
        except ValidationError:
            raise VerificationError(
                f"entry {body.index} ({body.action}) does not say what such an entry must"
            ) from None
        match payload:
            case TestSetOpened():
                opened.append(Opening(body.index, body.actor, payload.request, body.time))
            case TestSetRequested():
                self.requests.setdefault(payload.request.id, Requested(body.index, body.actor, payload.request))
            case TestSetApproved():
                self.grants.setdefault(payload.grant.request, Granted(body.index, body.actor, payload.grant))
            case CriteriaRegistered():
                self.criteria.setdefault(criteria_digest(payload.criteria), body.index)
                if payload.plan is not None:
                    self.plans.setdefault(digest_of(payload.plan), Registered(body.index, payload.plan))
            case Evaluated():
                if self.results.get(payload.request, (Outcome.STARTED, None))[0] is Outcome.STARTED:
                    self.results[payload.request] = (body.outcome, payload)

    @property
    def openings(self) -> int:
        """How often the test set was opened."""
        return len(self.opened)

    def grant_for(self, request_id: str) -> UnsealGrant | None:
        """The grant of a request; None when nobody has answered it."""
        granted = self.grants.get(request_id)
        return None if granted is None else granted.grant

    @implements("REQ-023", "REQ-094")
    def looks(self) -> tuple[Look, ...]:
        """Every opening in order, with its request, approval and result. One without a result counts all the same."""
        found: list[Look] = []
        for opening in self.opened:
            requested = self.requests.get(opening.request)
            same = [one for one in found if _data(one.requested) == _data(requested)]
            ended, result = self.results.get(opening.request, (Outcome.STARTED, None))
            if any(one.opening.request == opening.request for one in found):
                ended, result = Outcome.REFUSED, None
            found.append(
                Look(
                    opening,
                    len(same) + 1,
                    requested,
                    self.grants.get(opening.request),
                    "evaluated" if result is not None else _ENDED.get(ended, "no result"),
                    result,
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
                    f"the test set was opened {count} of {limit} times {what}, at entry "
                    + " and ".join(str(one.opening.index) for one in (mine if count == len(mine) else looks)),
                    hint="seal a fresh test part; one that was looked at more often says less about unseen subjects",
                )
        return len(looks) + 1

    @implements("REQ-022", "REQ-095")
    def check_approve(self, request_id: str, *, approver: str, register: Register, now: datetime) -> UnsealRequest:
        """Say whether `approver` may let this request open the test set; returns the request.

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
        for one in {request.requester, requested.actor}:
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

    @implements("REQ-021", "REQ-022", "REQ-092", "REQ-095")
    def check_open(self, request_id: str, *, actor: str, facts: Facts, register: Register, now: datetime) -> Granted:
        """Say whether the test set may be opened now for this request; returns the grant to open it with.

        Args:
            request_id: the request.
            actor: who opens.
            facts: what is there now.
            register: who is enrolled now.
            now: the present moment.

        Raises:
            RefusedError: it may not, with the first reason why.
        """
        requested = self._requested(request_id)
        request = requested.request
        granted = self.grants.get(request_id)
        if granted is None:
            raise RefusedError(
                f"request {request_id!r} was not approved",
                hint="somebody else must approve it with `minivess test-set approve`",
            )
        self._check_people(requested, granted, register)
        if request.requester != actor:
            raise RefusedError(f"{request_id} was granted to {request.requester}, not to {actor}")
        used = next((opening for opening in self.opened if opening.request == request_id), None)
        if used is not None:
            raise RefusedError(
                f"the grant of request {request_id!r} was used already, at entry {used.index}",
                hint="a further opening needs a new request and a new approval",
            )
        if now >= request.expires:
            raise RefusedError(f"request {request_id!r} has expired", hint="make a new request")
        for name, what in _WORDS.items():
            if getattr(request, name) != getattr(facts, name):
                raise RefusedError(
                    f"request {request_id!r} was approved for another {what}",
                    hint=f"restore the {what} it names, or make a new request",
                )
        registered = self.criteria.get(request.criteria)
        if registered is None or registered > requested.index:
            raise RefusedError(
                f"the acceptance criteria of request {request_id!r} were not registered before it",
                hint="register the criteria, then make a new request",
            )
        self.check_looks(self._plan(requested).looks, release=request.release, data=request.data)
        return granted

    @implements("REQ-092", "REQ-095")
    def check_opened(self, request_id: str, index: int) -> int:
        """Say whether the opening at `index` is the request's own, and within the policy; returns its number.

        Two processes may have found at the same time that they may open; their entries have an order.

        Raises:
            RefusedError: the grant was used by another opening, or the look is one too many.
        """
        look = next(one for one in self.looks() if one.opening.request == request_id)
        if look.opening.index != index:
            raise RefusedError(
                f"the grant of request {request_id!r} was used by another process, at entry {look.opening.index}"
            )
        requested = self._requested(request_id)
        before = TestSetHistory(
            self.requests,
            self.grants,
            tuple(one for one in self.opened if one.index < index),
            self.criteria,
            self.plans,
        )
        return before.check_looks(
            self._plan(requested).looks, release=requested.request.release, data=requested.request.data
        )

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

    @staticmethod
    def _check_people(requested: Requested, granted: Granted, register: Register) -> None:
        request, grant = requested.request, granted.grant
        if requested.actor != request.requester:
            raise RefusedError(f"request {request.id!r} names {request.requester} but was signed by {requested.actor}")
        if granted.actor != grant.approver:
            raise RefusedError(f"the grant of {request.id!r} names {grant.approver} but was signed by {granted.actor}")
        if same_person(register, grant.approver, request.requester):
            raise RefusedError(
                f"request {request.id!r} was approved by its own requester", hint="another person must approve it"
            )
        if granted.index < requested.index:
            raise RefusedError(f"the grant of {request.id!r} stands before its request")


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


_ENDED: dict[Outcome, Literal["failed", "refused"]] = {Outcome.FAILED: "failed", Outcome.REFUSED: "refused"}


def _data(requested: Requested | None) -> str | None:
    return None if requested is None else requested.request.data


def _request_of(body: EntryBody) -> str | None:
    names = [item.name.removeprefix(_INPUT) for item in body.inputs if item.name.startswith(_INPUT)]
    return names[0] if names else None
