"""The OpenLineage event of an audit entry: a pure function of the entry and its details.

The outbox of the log holds these events. Because they follow from the entries alone, `audit verify` can compare them and
`audit rebuild` can make them again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minivess.foundation.implements import implements
from minivess.observability.lineage.events import (
    audit_facet,
    error_facet,
    provenance_facet,
    run_event,
    without_details,
)
from minivess.observability.lineage.facets import facets_of
from minivess.records.log.entry import EVENT_OF_OUTCOME, Details, Draft, EntryBody, Outcome


def event_of_draft(draft: Draft, *, log: str, actor: str, time: datetime) -> dict[str, Any] | None:
    """The event of an entry that is about to be appended; None when the action has no OpenLineage run.

    Args:
        draft: what happened.
        log: the origin of the log.
        actor: the id of whoever acts.
        time: when. The log puts the time of the entry in its place.

    Raises:
        UsageError: the payload does not fit its facet, or the event is not valid OpenLineage.
    """
    run = draft.context.openlineage_run
    if run is None:
        return None
    completed = draft.outcome is Outcome.COMPLETED
    facets = {
        **audit_facet(log=log, actor=actor, action=draft.action, started=draft.started),
        **provenance_facet(draft.context),
        **(error_facet(draft.error) if draft.error else {}),
        **(facets_of(draft.action, draft.payload, draft.context) if completed else {}),
    }
    return run_event(
        EVENT_OF_OUTCOME[draft.outcome],
        run,
        draft.action,
        time,
        inputs=draft.inputs,
        outputs=draft.outputs,
        facets=facets,
    )


@implements("REQ-141")
def event_of(body: EntryBody, details: Details | None) -> dict[str, Any] | None:
    """The event of an entry; None when it has none.

    Args:
        body: the entry's body.
        details: its details. When the body names details and there are none, they were erased: then the event says who
            did what and when, and nothing of what was said.

    Raises:
        UsageError: the payload does not fit its facet.
    """
    parsed = Details.model_construct(payload={}, error=None, salt="") if details is None else details
    draft = Draft.model_construct(
        action=body.action,
        outcome=body.outcome,
        context=body.context,
        inputs=body.inputs,
        outputs=body.outputs,
        started=body.started,
        payload=body.payload or parsed.payload,
        error=parsed.error,
    )
    event = event_of_draft(draft, log=body.log, actor=body.actor, time=body.time)
    erased = body.details is not None and details is None
    return without_details(event) if event is not None and erased else event
