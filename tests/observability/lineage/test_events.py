"""OpenLineage events as they are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import UsageError
from minivess.observability.lineage import events
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context

pytestmark = pytest.mark.verifies("SU-35")

TIME = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
RUN = UUID("01932f6e-0000-7000-8000-000000000000")
MADE = Artifact(name="models/model.onnx", digest=digest_bytes(b"onnx"))


@pytest.mark.verifies("REQ-005")
def test_an_event_says_what_the_specification_asks_for() -> None:
    context = Context(seed=7, model=MADE.digest)
    event = events.run_event(
        "COMPLETE",
        RUN,
        "model.export",
        TIME,
        outputs=[MADE],
        facets={
            **events.audit_facet(log="minivess.test/toy", actor="ada", action="model.export", started=4),
            **events.provenance_facet(context),
        },
    )

    assert json.loads(json.dumps(event, allow_nan=False)) == event
    assert event["eventType"] == "COMPLETE"
    assert event["eventTime"] == "2026-11-20T08:30:00.000000Z"
    assert event["schemaURL"].startswith("https://openlineage.io/spec/2-0-2/OpenLineage.json")
    assert event["producer"].startswith("urn:minivess:")
    assert event["job"] == {"namespace": "minivess", "name": "model.export", "facets": {}}
    assert event["run"]["runId"] == str(RUN)
    (output,) = event["outputs"]
    assert (output["namespace"], output["name"]) == ("minivess", "models/model.onnx")
    assert output["facets"]["version"]["datasetVersion"] == MADE.digest
    audit, provenance = (event["run"]["facets"][name] for name in ("minivess_audit", "minivess_provenance"))
    assert (audit["actor"], audit["started"]) == ("ada", 4)
    assert (provenance["seed"], provenance["model"]) == (7, MADE.digest)
    for facet in (audit, provenance, output["facets"]["version"]):
        assert facet["_producer"].startswith("urn:minivess:")
        assert facet["_schemaURL"]
    assert "git_commit" not in provenance


def test_a_failure_carries_its_message() -> None:
    event = events.run_event("FAIL", RUN, "training", TIME, facets=events.error_facet("ValueError: no"))
    assert event["run"]["facets"]["errorMessage"]["message"] == "ValueError: no"


def test_nan_is_refused() -> None:
    with pytest.raises(UsageError, match="JSON"):
        events.run_event("START", RUN, "training", TIME, facets={"f": {"loss": float("nan")}})


def test_run_ids_are_new_and_of_version_7() -> None:
    made = [events.new_run_id() for _ in range(50)]
    assert len(set(made)) == 50
    assert {identifier.version for identifier in made} == {7}
