"""How often the sealed test set was opened, and which requests wait: derived from the log alone."""

from __future__ import annotations

from typing import Any

from minivess.compliance.rules.looks import Look, LookHistory
from minivess.compliance.rules.registrations import Registrations
from minivess.foundation.clock import timestamp
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.workflows.session.services import WorkspaceReader
from minivess.workflows.session.workspace_files import seal_of


@implements("REQ-023", "REQ-094")
def status(services: WorkspaceReader) -> dict[str, Any]:
    """How often the sealed test set was opened, by whom, why and with what result, derived from the log alone."""
    standing = services.log.standing
    history, registered = standing.test_set, standing.registrations
    policy = services.project.evaluation.looks
    looks = history.looks()
    data = [look.requested.request.data for look in looks if look.requested is not None]
    current = seal_of(Workspace(services.workspace)).root
    return {
        "openings": history.openings,
        "policy": policy.model_dump(),
        "left": max(0, policy.total - data.count(current)),
        "opened": [_row(look, registered) for look in looks],
        "waiting": [
            {
                "request": name,
                "requester": requested.request.requester,
                "purpose": requested.request.purpose,
                "approved_by": None if (granted := history.grants.get(name)) is None else granted.grant.approver,
                "expires": timestamp(requested.request.expires),
            }
            for name, requested in history.requests.items()
            if _waits(history, name) and requested.request.expires > services.clock()
        ],
    }


def _waits(history: LookHistory, request_id: str) -> bool:
    """Whether a request waits: for its approval, or approved for the first evaluation."""
    runs = history.runs.get(request_id, ())
    return request_id not in history.grants or not any(run.result is not None for run in runs)


def _row(look: Look, registered: Registrations) -> dict[str, Any]:
    asked = None if look.requested is None else look.requested.request
    result = look.result
    return {
        "index": look.opening.index,
        "time": timestamp(look.opening.time),
        "look": look.number,
        "level": registered.level("" if asked is None else asked.data, look.number),
        "request": look.opening.request,
        "requester": look.opening.actor if asked is None else asked.requester,
        "approver": None if look.granted is None else look.granted.grant.approver,
        "purpose": None if asked is None else asked.purpose,
        "release": None if asked is None else asked.release,
        "model": None if asked is None else asked.model,
        "mode": look.mode,
        "outcome": look.outcome,
        "evaluations": look.runs,
        "discrepancies": list(look.discrepancies),
        "criteria_met": look.met,
        "criteria": [] if result is None else [one.model_dump(mode="json") for one in result.criteria],
        "aggregates": {}
        if result is None
        else {name: one.model_dump(mode="json") for name, one in result.aggregates.items()},
    }
