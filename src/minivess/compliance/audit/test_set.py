"""What the log says about the sealed test set: a pure fold over its entries.

Every request, grant and opening is an entry; whether one may open now, and how often it happened, is derived from them
and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.approval import UnsealGrant, UnsealRequest
from minivess.records.entry import Entry, Outcome
from minivess.records.evaluation import Criterion
from minivess.records.payloads import PAYLOADS, CriteriaRegistered, TestSetApproved, TestSetOpened, TestSetRequested

_ACTIONS = frozenset({"criteria.register", "test-set.request", "test-set.approve", "test-set.open"})


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
    """One use of a grant: where it stands, by whom, for which request."""

    index: int
    actor: str
    request: str


def criteria_digest(criteria: tuple[Criterion, ...]) -> str:
    """The digest a request names its acceptance criteria by: of their canonical JSON, in their order."""
    return digest_of([criterion.model_dump(mode="json") for criterion in criteria])


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

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> TestSetHistory:
        """Read the history from entries in order.

        Only completed entries count. The entry of an opening is completed before the first byte is decrypted, so that
        whatever happens afterwards, the opening was counted.

        Raises:
            VerificationError: an entry about the test set does not say what such an entry must.
        """
        requests: dict[str, Requested] = {}
        grants: dict[str, Granted] = {}
        opened: list[Opening] = []
        criteria: dict[str, int] = {}
        for entry in entries:
            body = entry.body
            if body.outcome is not Outcome.COMPLETED or body.action not in _ACTIONS:
                continue
            try:
                payload = PAYLOADS[body.action].model_validate(body.payload)
            except ValidationError:
                raise VerificationError(f"entry {body.index} of the log is malformed: {body.action}") from None
            if isinstance(payload, TestSetOpened):
                opened.append(Opening(body.index, body.actor, payload.request))
            elif isinstance(payload, TestSetRequested):
                requests.setdefault(payload.request.id, Requested(body.index, body.actor, payload.request))
            elif isinstance(payload, TestSetApproved):
                grants.setdefault(payload.grant.request, Granted(body.index, body.actor, payload.grant))
            elif isinstance(payload, CriteriaRegistered):
                criteria.setdefault(criteria_digest(payload.criteria), body.index)
        return cls(requests=requests, grants=grants, opened=tuple(opened), criteria=criteria)

    @property
    def openings(self) -> int:
        """How often the test set was opened."""
        return len(self.opened)

    def grant_for(self, request_id: str) -> UnsealGrant | None:
        """The grant of a request; None when nobody has answered it."""
        granted = self.grants.get(request_id)
        return None if granted is None else granted.grant

    @implements("REQ-022")
    def check_approve(self, request_id: str, *, approver: str, now: datetime) -> UnsealRequest:
        """Say whether `approver` may let this request open the test set; returns the request.

        Raises:
            RefusedError: the request is unknown, the approver's own, answered already, or expired.
        """
        requested = self._requested(request_id)
        granted = self.grants.get(request_id)
        if granted is not None:
            raise RefusedError(f"request {request_id!r} was approved already, at entry {granted.index}")
        request = requested.request
        if approver in {request.requester, requested.actor}:
            raise RefusedError(
                f"{approver} made request {request_id!r} and cannot approve it too",
                hint="another person must approve it",
            )
        if now >= request.expires:
            raise RefusedError(f"request {request_id!r} has expired", hint="make a new request")
        return request

    @implements("REQ-021", "REQ-022")
    def check_open(
        self, request_id: str, *, model: str, configuration: str, criteria: str, data: str, now: datetime
    ) -> UnsealGrant:
        """Say whether the test set may be opened now for this request; returns the grant to open it with.

        Args:
            request_id: the request.
            model: digest of the model that is about to be judged.
            configuration: digest of the configuration in force.
            criteria: `criteria_digest` of the acceptance criteria in force.
            data: root digest of the sealed test part.
            now: the present moment.

        Raises:
            RefusedError: it may not, with the first reason why.
        """
        requested = self._requested(request_id)
        granted = self.grants.get(request_id)
        if granted is None:
            raise RefusedError(
                f"request {request_id!r} was not approved",
                hint="somebody else must approve it with `minivess test-set approve`",
            )
        self._check_people(requested, granted)
        used = next((opening for opening in self.opened if opening.request == request_id), None)
        if used is not None:
            raise RefusedError(
                f"the grant of request {request_id!r} was used already, at entry {used.index}",
                hint="a further opening needs a new request and a new approval",
            )
        request = requested.request
        if now >= request.expires:
            raise RefusedError(f"request {request_id!r} has expired", hint="make a new request")
        for what, asked, actual in (
            ("model", request.model, model),
            ("configuration", request.configuration, configuration),
            ("acceptance criteria", request.criteria, criteria),
            ("test data", request.data, data),
        ):
            if asked != actual:
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
        return granted.grant

    def _requested(self, request_id: str) -> Requested:
        requested = self.requests.get(request_id)
        if requested is None:
            raise RefusedError(
                f"the log has no request {request_id!r}", hint="ask for one with `minivess test-set request`"
            )
        return requested

    @staticmethod
    def _check_people(requested: Requested, granted: Granted) -> None:
        request, grant = requested.request, granted.grant
        if requested.actor != request.requester:
            raise RefusedError(f"request {request.id!r} names {request.requester} but was signed by {requested.actor}")
        if granted.actor != grant.approver:
            raise RefusedError(f"the grant of {request.id!r} names {grant.approver} but was signed by {granted.actor}")
        if grant.approver == request.requester:
            raise RefusedError(
                f"request {request.id!r} was approved by its own requester", hint="another person must approve it"
            )
        if granted.index < requested.index:
            raise RefusedError(f"the grant of {request.id!r} stands before its request")
