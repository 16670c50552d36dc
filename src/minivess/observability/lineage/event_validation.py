"""Whether an event is what OpenLineage 2-0-2 and this project's own facets say it must be; the client does not look."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.observability.lineage.facets import FACETS, SCHEMAS, file_of, lineage_schemas

_OPENLINEAGE = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
_ERROR = "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
_VERSION = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 64
_MAX_BITS = 4096

Path = Sequence[str | int]
"""Where in an event: names of fields and numbers of items, from its root."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


@implements("REQ-051")
def validate_event(event: Any) -> None:
    """Check a run event before it is stored or sent.

    Raises:
        UsageError: where in the event (a JSON pointer, RFC 6901) and which rule is broken; never the value.
    """
    try:
        size = len(_encode(event).encode("utf-8"))
    except (ValueError, TypeError, RecursionError):
        path, why = _unwritable(event, ())
        raise UsageError(f"the event cannot be written as JSON: {_pointer(path)} is {why}") from None
    if size > _MAX_BYTES:
        raise UsageError(f"an OpenLineage event of {size} bytes is too large", hint=f"at most {_MAX_BYTES}")
    try:
        broken = next(_validator().iter_errors(event), None)
    except (ValueError, TypeError):  # a name that JSON writes as a text and is none, for example
        raise UsageError("the event is not plain JSON") from None
    if broken is not None:
        where, kind = _pointer(broken.instance_path), broken.kind
        what = getattr(kind, "property", getattr(kind, "format", ""))
        rule = "additionalProperties" if kind.name == "falseSchema" else f"{kind.name} {what}".strip()
        raise UsageError(f"the event is not valid OpenLineage 2-0-2: {where} breaks {rule!r}")


def event_schema() -> dict[str, Any]:
    """What an event must be, as one JSON Schema: OpenLineage, and by their names the facets whose schemas are known.

    It refers to the schemas of `documents`.
    """
    own = {name: {"$ref": f"{SCHEMAS}{file_of(kind)}"} for name, kind in FACETS.items()}
    dataset = {"properties": {"facets": {"properties": {"version": {"$ref": _VERSION}}}}}
    known = {
        "run": {"properties": {"facets": {"properties": {"errorMessage": {"$ref": _ERROR}, **own}}}},
        "inputs": {"items": dataset},
        "outputs": {"items": dataset},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [{"$ref": _OPENLINEAGE}, {"properties": known}],
    }


def documents() -> dict[str, dict[str, Any]]:
    """The schemas that `event_schema` refers to, by their `$id`: OpenLineage's, and this project's."""
    folder = files("minivess.observability.lineage") / "schemas"
    held = [json.loads(one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(".json")]
    return {schema["$id"]: schema for schema in (*held, *lineage_schemas().values())}


@cache
def _validator() -> jsonschema_rs.Validator:
    registry = jsonschema_rs.Registry(list(documents().items()))
    return jsonschema_rs.validator_for(event_schema(), registry=registry, validate_formats=True)


def _pointer(path: Path) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path) or "/"


def _unwritable(value: Any, path: Path) -> tuple[Path, str]:
    """The first place that JSON cannot carry, and why; no reason where there is none."""
    if len(path) > _MAX_DEPTH:
        return (), "nested too deep"
    if isinstance(value, dict):
        for name, held in value.items():
            if _said(name) or not isinstance(name, str):
                return path, "an object with a name that is no text"
            if (found := _unwritable(held, (*path, name)))[1]:
                return found
    elif isinstance(value, list | tuple):
        for number, held in enumerate(value):
            if (found := _unwritable(held, (*path, number)))[1]:
                return found
    return path, _said(value)


def _said(value: Any) -> str:
    """Why JSON cannot carry one value by itself; empty when it can."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a number without a value (NaN or infinity)"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a number of too many digits"
    if isinstance(value, str):
        return "" if _is_unicode(value) else "a text that is no Unicode"
    known = value is None or isinstance(value, bool | int | dict | list | tuple)
    return "" if known else f"a {type(value).__name__}"


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
