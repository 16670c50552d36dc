"""Whether an event is what OpenLineage 2-0-2 and this project's own facets say it must be; the client does not look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.observability.lineage.facets import FACETS, SCHEMAS, file_of, lineage_schemas

_STANDARD_FACETS: dict[str, dict[str, Any]] = {
    "errorMessage": {
        "type": "object",
        "properties": {
            "message": {"type": "string"},
            "programmingLanguage": {"type": "string"},
            "stackTrace": {"type": "string"},
        },
        "required": ["message", "programmingLanguage"],
    },
}
"""ErrorMessageRunFacet of openlineage.io, the one standard run facet that is sent."""
_MAX_BYTES = 1 << 20


@implements("REQ-051")
def validate_event(event: dict[str, Any]) -> None:
    """Check a run event before it is stored or sent.

    Raises:
        UsageError: where in the event (a JSON pointer) and which rule is broken; never the value.
    """
    try:
        text = json.dumps(event, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the OpenLineage event cannot be written as JSON: {error}") from None
    if len(text) > _MAX_BYTES:
        raise UsageError(f"an OpenLineage event of {len(text)} bytes is too large", hint=f"at most {_MAX_BYTES}")
    for path, rule in _faults(event):
        raise UsageError(f"the event is not valid OpenLineage 2-0-2: {path or '/'} breaks the rule {rule!r}")


def _faults(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    event_rules, facet_rules = _validators()
    for error in event_rules.iter_errors(event):
        yield "".join(f"/{step}" for step in error.absolute_path), str(error.validator)
    for name, facet in event["run"].get("facets", {}).items():
        own = str(facet.get("_schemaURL", "")).removeprefix(SCHEMAS)
        rules = facet_rules.get(own if own in facet_rules else name)
        for error in rules.iter_errors(facet) if rules is not None else ():
            where = "".join(f"/{step}" for step in error.absolute_path)
            yield f"/run/facets/{name}{where}", str(error.validator)
        if name in FACETS and own != file_of(FACETS[name]):
            yield f"/run/facets/{name}/_schemaURL", "const"


@cache
def _validators() -> tuple[Any, dict[str, Any]]:
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator.FORMAT_CHECKER
    text = files("minivess.observability.lineage").joinpath("schemas/openlineage-2-0-2.json").read_text("utf-8")
    rules = {**lineage_schemas(), **_STANDARD_FACETS}
    return (
        Draft202012Validator(json.loads(text), format_checker=checker),
        {name: Draft202012Validator(schema, format_checker=checker) for name, schema in rules.items()},
    )
