"""Logs of a release that went on after its steps: other contents, further looks, other runs."""

from __future__ import annotations

import json
from typing import Any

from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.log.entry import Context, EntryBody
from minivess.records.people.approval import UnsealRequest
from tests.support.builders.guarded_log import grant
from tests.support.builders.release_builder import ReleaseLog, people

OTHER = digest_bytes(b"another net")


def newest(log: ReleaseLog, action: str) -> EntryBody:
    """The newest completed entry of an action."""
    return log.entries[log.reference(action)["index"]].body


def again(log: ReleaseLog, action: str, **changes: Any) -> EntryBody:
    """The newest completed entry of an action once more, with changes."""
    body, details = newest(log, action), log.details[log.reference(action)["index"]]
    payload = body.payload or json.loads(details or b"{}").get("payload", {})
    signer = people().developer
    kept = {"inputs": body.inputs, "outputs": body.outputs, "context": Context(model=body.context.model)}
    return log.append(signer, action, payload, **(kept | changes)).body


def made(body: EntryBody, name: str, content: bytes) -> dict[str, Any]:
    """The outputs of an entry, of which one is another file."""
    digest = digest_bytes(content)
    return {
        "outputs": [Artifact(name=one.name, digest=digest if one.name == name else one.digest) for one in body.outputs]
    }


def export_another(log: ReleaseLog) -> EntryBody:
    """Another model, of the same calibration."""
    changed = made(newest(log, "model.export"), "models/model.onnx", b"another net")
    return again(log, "model.export", **changed, context=Context(model=OTHER))


def calibrate_again(log: ReleaseLog) -> EntryBody:
    """Another calibration of the same ensemble."""
    return again(log, "calibration", **made(newest(log, "calibration"), "models/calibration.json", b"{}"))


def look_again(log: ReleaseLog) -> None:
    """A further look at the test set, for a later release, without a result."""
    team = people()
    asked = newest(log, "test-set.request")
    request = UnsealRequest.model_validate(asked.payload["request"] | {"id": "open-2", "release": "1.1.0"})
    log.append(team.developer, "test-set.request", {"request": request.model_dump(mode="json")}, inputs=asked.inputs)
    said = {"grant": grant(request, team.reviewer)}
    log.append(team.reviewer, "test-set.approve", said, inputs=log.rest("test-set.request"))


def train_another(log: ReleaseLog) -> None:
    """A completed run without a disposition."""
    again(log, "training", **made(newest(log, "training"), "models/members/seed-9/run.json", b"{}"))


def forget_runs(log: ReleaseLog) -> None:
    """The same ensemble, of which the newest entry names the weights of its members alone."""
    index = log.reference("ensemble")["index"]
    body = log.entries[index].body
    kept = tuple(one for one in body.inputs if not one.name.endswith("/run.json") and not one.name.startswith("log/"))
    log.entries[index] = log.entries[index].model_copy(update={"body": body.model_copy(update={"inputs": kept})})


def ingest_others(log: ReleaseLog) -> None:
    """Other cases."""
    again(log, "data.ingest", **made(newest(log, "data.ingest"), "data/manifest.json", b"{}"))
