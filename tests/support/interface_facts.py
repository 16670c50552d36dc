"""The names and types of an OpenAPI document, one fact a line, so that two versions of an interface can be compared.

    python -m tests.support.interface_facts          adds what is new to docs/reference/interface-v1.txt

A line that is in the file is promised (docs/guides/api-stability.md). Lines are added, never removed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "interface-v1.txt"
REQUIRES = " requires "
_PROBLEM = "application/problem+json"
_METHODS = {"get", "post", "put", "delete"}
_INTRO = """# What the interface of the service promises: addresses, parts of requests, and fields of answers with their types.
# A line stays as long as /v1 does (docs/guides/api-stability.md). `requires` lines are the only ones that may go.
# `python -m tests.support.interface_facts` adds lines.
"""


def facts_of(document: dict[str, Any]) -> set[str]:
    """Every fact of a document. Fields of problems, which are the same everywhere, have no address."""
    return {
        fact.strip() if fact.startswith(f" {_PROBLEM} ") else f"{method.upper()} {path}{fact}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
        for fact in _operation(operation, document)
    }


def promised() -> set[str]:
    """The facts of the file."""
    lines = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def broken(before: set[str], now: set[str]) -> list[str]:
    """What a client of before would miss now: facts that are gone, and what a request needs in addition."""
    gone = {fact for fact in before - now if REQUIRES not in fact}
    known = {_operation_of(fact) for fact in before}
    needed = {fact for fact in now - before if REQUIRES in fact and _operation_of(fact) in known}
    return [*(f"gone: {fact}" for fact in sorted(gone)), *(f"needed: {fact}" for fact in sorted(needed))]


def _operation_of(fact: str) -> str:
    """The method and the address of a fact."""
    return " ".join(fact.split(" ")[:2])


def _operation(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", []):
        yield f" parameter {parameter['name']}: {_type(parameter['schema'])}"
        if parameter.get("required"):
            yield f"{REQUIRES}{parameter['name']}"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f" takes {kind}"
        schema = _resolved(content["schema"], document)
        for name, part in schema.get("properties", {}).items():
            yield f" part {name}: {_type(part)}"
            yield from (f" part {name} accepts {value}" for value in part.get("enum", []))
        yield from (f"{REQUIRES}{name}" for name in schema.get("required", []))
    for status, response in operation.get("responses", {}).items():
        for kind, content in response.get("content", {}).items():
            place = kind if kind == _PROBLEM else f"{status} {kind}"
            if kind != _PROBLEM:
                yield f" {place}"
            yield from (f" {place} {name}: {found}" for name, found in _fields(content.get("schema", {}), document, ()))


def _fields(schema: dict[str, Any], document: dict[str, Any], within: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The path and the type of each field of a message."""
    reference = schema.get("$ref", "")
    if reference in within:
        return
    inside = (*within, reference) if reference else within
    schema = _resolved(schema, document)
    members = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if members:
        for one in members:
            yield from _fields(one, document, inside)
        return
    if "items" in schema:
        yield from ((f"[]{name}", found) for name, found in _fields(schema["items"], document, inside))
    for name, field in schema.get("properties", {}).items():
        yield f".{name}", _type(field, document)
        yield from ((f".{name}{more}", found) for more, found in _fields(field, document, inside))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        place: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place.get(step, {}) if isinstance(place, dict) else {}
        schema = place
    return schema


def _type(schema: dict[str, Any], document: dict[str, Any] | None = None) -> str:
    """A type in one word, alternatives between bars."""
    if "$ref" in schema and document is not None:
        return _type(_resolved(schema, document), document)
    if "anyOf" in schema:
        return "|".join(sorted({_type(one, document) for one in schema["anyOf"]}))
    if schema.get("items"):
        return f"array of {_type(schema['items'], document)}"
    found = str(schema.get("type", "string" if "const" in schema or "enum" in schema else "any"))
    return f"{found}({schema['format']})" if "format" in schema else found


def facts_of_services() -> set[str]:
    """The facts of services for volumes and for pictures, which differ."""
    from tests.support import sample_projects
    from tests.support.servers import served, toy_models

    found: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        project = sample_projects.servable().copy_to(Path(folder) / "project")
        with served.running(project) as service:
            for task in (toy_models.TWO_CLASSES, toy_models.COLOUR_PICTURES):
                with toy_models.serving(service, task) as one:
                    found |= facts_of(one.client.get("/openapi.json").json())
    return found


def write() -> None:
    """Add what is new to the file."""
    before = promised() if SNAPSHOT.exists() else set()
    known = {_operation_of(fact) for fact in before}
    new = {fact for fact in facts_of_services() if REQUIRES not in fact or _operation_of(fact) not in known}
    facts = sorted(before | new)
    SNAPSHOT.write_text(_INTRO + "".join(f"{fact}\n" for fact in facts), encoding="utf-8")


if __name__ == "__main__":
    write()
