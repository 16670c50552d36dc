"""This project's own OpenLineage facets: what they say, their JSON Schemas, and which fit an action.

They hold digests, counts, measurements and ids, never a free text. The schemas are published in `docs/schemas/lineage/`;
`_schemaURL` is a URN that ends in the name of the file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationError

from minivess.foundation.digests import Digest
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.artifact import Artifact
from minivess.records.base import Moment, Record, ShortText, Slug
from minivess.records.evaluation.statistics.summaries import Limits
from minivess.records.log.entry import Context
from minivess.records.people.approval import Envelope
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role

PRODUCER = "urn:minivess:producer:minivess"
SCHEMAS = "urn:minivess:schema:lineage:"


class AuditRunFacet(Record):
    """The way to the audit entry: which log speaks, who acted, which entry announced the action."""

    log: ShortText
    actor: Slug
    action: ShortText
    started: Annotated[int, Field(ge=0)] | None = None


class ProvenanceRunFacet(Record):
    """Under what circumstances something was done; fields that do not apply are absent."""

    git_commit: str | None = None
    git_dirty: bool | None = None
    data: Digest | None = None
    dvc: str | None = None
    model: Digest | None = None
    configuration: Digest | None = None
    environment: Digest | None = None
    device: ShortText | None = None
    seed: int | None = None
    mlflow_run: ShortText | None = None
    openlineage_run: UUID | None = None


class DatasetSealRunFacet(Record):
    """The test part was sealed: how many files, and who may let them be opened."""

    files: Annotated[int, Field(ge=0)]
    approvers: tuple[Slug, ...]


class ModelDigestRunFacet(Record):
    """The model a run made or was about: a member with its architecture, or an ensemble of so many members."""

    digest: Digest
    architecture: Slug | None = None
    members: Annotated[int, Field(ge=1)] | None = None


class TrainingRunFacet(Record):
    """How a member was trained."""

    architecture: Slug
    steps: Annotated[int, Field(ge=0)]
    final_loss: float | None = None
    parts: Annotated[int, Field(ge=1)] | None = None
    """Parts of the run: more than one where its process was killed and it went on; None: not stated."""
    devices: tuple[ShortText, ...] | None = None
    """Where the parts were made, each device once; None: not stated."""
    repeatable: bool | None = None
    """Whether the same seed on the same machines gives the same weights; None: not stated."""
    validation: dict[str, float] | None = None
    """Mean validation Dice of each class in which it is defined, by its name; None: none is stated."""


class Aggregate(Record):
    """A mean over `n` cases, with its interval where there is one (`records.evaluation.Interval`)."""

    mean: float
    lower: float | None = None
    upper: float | None = None
    n: Annotated[int, Field(ge=0)]
    level: float | None = None
    method: str | None = None
    """How the interval was made; None: a percentile bootstrap over cases."""
    groups: Annotated[int, Field(ge=1)] | None = None
    """Independent groups; None: not stated."""
    coverage: float | None = None
    """How often such intervals contained the mean in simulated samples; None: not stated."""
    beside: Limits | None = None
    """The limits by the other method."""


class EvaluationRunFacet(Record):
    """The result of one opening of the test set."""

    request: Slug
    cases: Annotated[int, Field(ge=0)]
    aggregates: dict[str, Aggregate]
    classes: Annotated[dict[str, dict[str, Aggregate]], Field(exclude_if=lambda value: not value)] = Field(default={})
    """The aggregates of each of several classes by its name; left out for one class."""


class ApprovalRunFacet(Record):
    """What a person signed: who, in what role and meaning, under which policy, about which digests."""

    signer: Slug
    time: Moment
    role: Role
    meaning: Meaning
    policy: Slug
    subjects: tuple[Artifact, ...]


FACETS: dict[str, type[Record]] = {
    "minivess_audit": AuditRunFacet,
    "minivess_provenance": ProvenanceRunFacet,
    "minivess_datasetSeal": DatasetSealRunFacet,
    "minivess_modelDigest": ModelDigestRunFacet,
    "minivess_training": TrainingRunFacet,
    "minivess_evaluation": EvaluationRunFacet,
    "minivess_approval": ApprovalRunFacet,
}
"""The record of each facet, by the name it has in an event."""


def facet(name: str, **fields: Any) -> dict[str, Any]:
    """One facet by its name, ready to be put among the facets of a run.

    Raises:
        UsageError: its fields are not what its record asks for.
    """
    kind = FACETS[name]
    try:
        said = kind.model_validate(fields).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        raise UsageError(f"the facet {name!r} of a lineage event is refused: {first_error(error)}") from None
    return {name: {"_producer": PRODUCER, "_schemaURL": f"{SCHEMAS}{file_of(kind)}", **said}}


def file_of(kind: type[Record]) -> str:
    """The name of the file of a facet's schema; the number rises when its meaning changes."""
    return f"{kind.__name__}-1.json"


@implements("REQ-051")
def facets_of(action: str, payload: dict[str, Any], context: Context) -> dict[str, Any]:
    """The facets of a completed action, from what its entry says.

    Args:
        action: the name of the action.
        payload: its payload as plain JSON; empty where nothing was said.
        context: its circumstances; the model they name gets a facet.

    Raises:
        UsageError: the payload is not what the action says.
    """
    made: dict[str, Any] = {}
    if context.model is not None:
        known = {name: payload.get(name) for name in _MODEL.get(action, ())}
        made |= facet("minivess_modelDigest", digest=context.model, **known)
    said = _SAID.get(action)
    if said is None or not payload:
        return made
    try:
        return made | said(payload)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"the payload of {action!r} does not fit its lineage facet") from None


def lineage_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every facet, by file name."""
    return {file_of(kind): _schema(kind) for kind in FACETS.values()}


def _schema(kind: type[Record]) -> dict[str, Any]:
    described = kind.model_json_schema(mode="serialization")
    described.pop("title", None)
    properties = {
        "_producer": {"type": "string", "format": "uri"},
        "_schemaURL": {"type": "string", "format": "uri", "const": f"{SCHEMAS}{file_of(kind)}"},
        **described.pop("properties", {}),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{SCHEMAS}{file_of(kind)}",
        "title": kind.__name__,
        **described,
        "properties": properties,
        "required": [
            "_producer",
            "_schemaURL",
            *(name for name, one in kind.model_fields.items() if one.is_required()),
        ],
    }


@implements("REQ-363")
def _training(said: dict[str, Any]) -> dict[str, Any]:
    """What the facet of a training says: of its parts how many and where."""
    parts, dice = said.get("parts", ()), said.get("validation")
    devices = tuple(dict.fromkeys(part["where"]["device"] for part in parts))
    return {
        **said,
        "parts": len(parts) or None,
        "devices": devices or None,
        "validation": None if dice is None else {name: value for name, value in dice.items() if value is not None},
    }


def _approval(envelope: dict[str, Any]) -> dict[str, Any]:
    held = Envelope.model_validate(envelope)
    said = json.loads(base64.b64decode(held.payload, validate=True))["predicate"]
    names = ("signer", "time", "role", "meaning", "policy", "subjects")
    return facet("minivess_approval", **{name: said[name] for name in names})


_MODEL: dict[str, tuple[str, ...]] = {"training": ("architecture",), "ensemble": ("members",)}
"""What the payload of an action says about the model it made."""

_SAID: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "data.seal": lambda said: facet("minivess_datasetSeal", **{name: said[name] for name in ("files", "approvers")}),
    "training": lambda said: facet("minivess_training", **_training(said)),
    "evaluation": lambda said: facet(
        "minivess_evaluation",
        **{name: said[name] for name in ("request", "cases", "aggregates")},
        classes={name: figures["aggregates"] for name, figures in said.get("classes", {}).items()},
    ),
    "test-set.approve": lambda said: _approval(said["grant"]["envelope"]),
    "release.sign": lambda said: _approval(said["envelope"]),
}
