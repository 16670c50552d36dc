"""What schemathesis finds wrong with an application when it makes requests from its OpenAPI document."""

from __future__ import annotations

from typing import Any

from tests.support.lazy_modules import lazily

with lazily("jsonschema"):
    import jsonschema

with lazily("schemathesis", "schemathesis.engine"):
    import schemathesis
    from schemathesis import engine

SEED = 19
SETTINGS: dict[str, Any] = {
    "seed": SEED,
    "workers": 1,
    "continue-on-failure": True,
    "suppress-health-check": ["all"],
    "cache": {"enabled": False},
    "checks": {
        # which bytes are an image, and which index is that of an answer, no document says: both have tests of their own
        "positive_data_acceptance": {"enabled": False},
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},  # 503: all places are taken, as documented
        "use_after_free": {"enabled": False},  # a job that was cancelled says so
    },
}


def wrong_examples(document: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the example of each request, answer and parameter of an OpenAPI document, by its place."""
    wrong: dict[str, str] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            bodies = {"request": operation["requestBody"]} if "requestBody" in operation else {}
            contents = {
                f"{where} {kind}": content
                for where, part in {**bodies, **operation["responses"]}.items()
                for kind, content in part.get("content", {}).items()
            }
            for where, content in (contents | {one["name"]: one for one in operation.get("parameters", ())}).items():
                checker = jsonschema.Draft202012Validator({**content["schema"], "components": document["components"]})
                found = (
                    [one.message for one in checker.iter_errors(content["example"])]
                    if "example" in content
                    else ["none"]
                )
                wrong |= {f"{method} {path} {where}": one for one in found}
    return wrong


def failures(application: Any, examples: int) -> tuple[set[str], dict[str, int]]:
    """What schemathesis finds wrong with an application, and how many requests it made of each operation."""
    settings = schemathesis.Config.from_dict({**SETTINGS, "generation": {"max-examples": examples, "database": "none"}})
    schema = schemathesis.openapi.from_asgi("/openapi.json", application, config=settings)
    found: set[str] = set()
    made: dict[str, int] = {}
    for event in engine.from_schema(schema).execute():
        recorder = getattr(event, "recorder", None)
        if recorder is None:
            found |= {f"error: {event}"} if type(event).__name__.endswith("Error") else set()
            continue
        made[recorder.label] = made.get(recorder.label, 0) + len(recorder.cases)
        for check in (one for checks in recorder.checks.values() for one in checks):
            if check.failure_info is not None:
                failure = check.failure_info
                found.add(f"{check.name}: {failure.failure.title}: {failure.failure.message}: {failure.code_sample}")
    return found, made
