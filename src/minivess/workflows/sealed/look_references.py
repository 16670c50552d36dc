"""The earlier entries that a look at the test set rests on and that no file names."""

from __future__ import annotations

from minivess.compliance.release.earlier_entries import EarlierEntries
from minivess.foundation.implements import implements
from minivess.records.people.approval import UnsealRequest
from minivess.records.references import ROLES
from minivess.workflows.session.recording import Recording
from minivess.workflows.session.services import Services


@implements("REQ-226")
def rest_on_request_facts(services: Services, record: Recording, request: UnsealRequest) -> None:
    """Note the newest entries that made or registered what a request is about."""
    _rest_on(
        services,
        record,
        criteria=request.plan,
        policy=request.policy,
        export=request.model,
        calibration=request.calibration,
        seal=request.data,
    )


@implements("REQ-226")
def rest_on_look(services: Services, record: Recording, request: str, *, approved: bool) -> None:
    """Note the request of a look, and its approval when there was one, by the id of the request."""
    _rest_on(services, record, request=request, **({"approval": request} if approved else {}))


def _rest_on(services: Services, record: Recording, **subjects: str | None) -> None:
    """Note the newest entry in each role that is about a subject; a log under action table 1 has no references."""
    references = services.log.standing.references.entries
    known = EarlierEntries.of(tuple(services.log.entries(actions={ROLES[role] for role in subjects})))
    for role, subject in subjects.items():
        body = known.about(role, subject)
        if body is not None and body.index in references:
            record.rest_on(body.index)
