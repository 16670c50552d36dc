"""What schemathesis finds wrong with an application when it makes requests from its OpenAPI document."""

from __future__ import annotations

from typing import Any

from tests.support.lazy_modules import lazily

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
    "operations": [
        {"include-method": "POST", "checks": {"positive_data_acceptance": {"enabled": False}}},
        {
            # no index of an answer is known to a generator: what is not there is right, and has its own tests
            "include-method": "GET",
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "404"]}},
        },
    ],
}


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
