"""OpenLineage run events of recorded actions, as JSON-ready dictionaries.

Built with openlineage-python's own classes and serialisation (OpenLineage 2-0-2). Datasets carry their digest in the
standard `version` facet, failures their message in the standard `errorMessage` facet. The other facets are this project's
(`facets`). Every event is validated as it is made. The classes come with HTTP clients that take half a second to load, so
they are loaded where an event is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from minivess.foundation.clock import timestamp
from minivess.observability.lineage.event_validation import validate_event
from minivess.observability.lineage.facets import PRODUCER, facet
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context

NAMESPACE = "minivess"

_KEPT_FACETS = frozenset({"minivess_audit", "minivess_provenance"})

EventKind = Literal["START", "COMPLETE", "FAIL", "ABORT"]


def new_run_id() -> UUID:
    """A new run id: a UUID of version 7 (RFC 9562), so that ids sort by time."""
    from openlineage.client.uuid import generate_new_uuid

    return UUID(str(generate_new_uuid()))


def audit_facet(*, log: str, actor: str, action: str, started: int | None) -> dict[str, Any]:
    """The run facet that leads to the audit entry."""
    return facet("minivess_audit", log=log, actor=actor, action=action, started=started)


def provenance_facet(context: Context) -> dict[str, Any]:
    """The run facet with the provenance context of the entry; fields that do not apply are absent."""
    return facet("minivess_provenance", **context.model_dump())


def error_facet(message: str) -> dict[str, Any]:
    """The standard `errorMessage` run facet; `message` must already be free of paths and names."""
    from openlineage.client.facet_v2 import error_message_run

    facet = error_message_run.ErrorMessageRunFacet(message=message, programmingLanguage="python", producer=PRODUCER)
    return {"errorMessage": facet}


def without_details(event: dict[str, Any]) -> dict[str, Any]:
    """The event as it stays when the details of its entry are erased: who and where, and nothing of what was said."""
    run = event["run"]
    facets = {name: facet for name, facet in run.get("facets", {}).items() if name in _KEPT_FACETS}
    return {**event, "run": {**run, "facets": facets}}


def run_event(
    kind: EventKind,
    run_id: UUID,
    job: str,
    time: datetime,
    *,
    inputs: Iterable[Artifact] = (),
    outputs: Iterable[Artifact] = (),
    facets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One OpenLineage `RunEvent`, ready for JSON.

    Args:
        kind: `START` once, then one of `COMPLETE`, `FAIL` (an error) or `ABORT` (a rule said no).
        run_id: the same for all events of one action.
        job: the name of the action.
        time: when, timezone-aware.
        inputs: artifacts read.
        outputs: artifacts made.
        facets: run facets by name.

    Raises:
        UsageError: the event is not valid OpenLineage, or cannot be written as JSON.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.serde import Serde

    event = RunEvent(
        eventType=RunState[kind],
        eventTime=timestamp(time),
        run=Run(runId=str(run_id), facets=dict(facets or {})),
        job=Job(namespace=NAMESPACE, name=job),
        inputs=[InputDataset(NAMESPACE, item.name, facets=_version(item)) for item in inputs],
        outputs=[OutputDataset(NAMESPACE, item.name, facets=_version(item)) for item in outputs],
        producer=PRODUCER,
    )
    ready: dict[str, Any] = Serde.to_dict(event)
    validate_event(ready)
    return ready


def _version(artifact: Artifact) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=artifact.digest, producer=PRODUCER)
    return {"version": facet}
