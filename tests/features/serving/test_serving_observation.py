"""Steps of serving_observation.feature: a real service with its observers."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from tests.features.serving.conftest import Story
from tests.support.lazy_modules import lazily
from tests.support.servers import observed, served

with lazily(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter",
    "prometheus_client.parser",
    "minivess.serving.observing.json_logs",
    "minivess.serving.observing.spans",
):
    from opentelemetry.sdk.trace.export import in_memory_span_exporter
    from prometheus_client import parser

    from minivess.serving.observing import json_logs, spans

scenarios("serving_observation.feature")

PATIENT, KEY = "Jane-Doe-1961", "mv-secret-key"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Failing:
    """An observer that always fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(PATIENT)


@dataclass
class Facts:
    lines: io.StringIO = field(default_factory=io.StringIO)
    exporter: Any = None
    spans: Any = None
    body: dict[str, Any] = field(default_factory=dict)
    scrape: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)


@pytest.fixture
def facts() -> Iterator[Facts]:
    root, answers = logging.getLogger(), logging.getLogger("minivess.answers")
    handlers, level, made = list(root.handlers), answers.level, Facts()
    json_logs.log_as_json(made.lines)
    yield made
    root.handlers[:] = handlers
    answers.setLevel(level)


def watch(story: Story, facts: Facts, *more: Any) -> None:
    facts.exporter = in_memory_span_exporter.InMemorySpanExporter()
    facts.spans = spans.AnswerSpans(facts.exporter)
    story.stack.callback(facts.spans.close)
    watching = observed.watching(story.start_service(), *more, json_logs.AnswerLines(), facts.spans)
    story.service = story.stack.enter_context(watching).service


@given("a service that is observed")
def _observed(story: Story, facts: Facts) -> None:
    watch(story, facts)


@given("one more observer that always fails")
def _failing(story: Story, facts: Facts) -> None:
    watch(story, facts, Failing())


def send(story: Story, facts: Facts, **headers: str) -> None:
    """One volume with headers."""
    image, spacing = story.running.volume()
    answer: Any = story.running.client.post(
        "/v1/segment",
        files={"volume": (f"{PATIENT}.npy", served.npy(image))},
        data={"spacing": " x ".join(map(str, spacing)) + " um"},
        headers=headers,
    )
    assert answer.status_code == 200, answer.text
    facts.body = answer.json()


@when("2 volumes are answered, 1 is outside the intended use and 1 request is malformed")
def _mix(story: Story, facts: Facts) -> None:
    image, spacing = story.running.volume()
    statuses = [
        story.running.send(image, spacing).status_code,
        story.running.send(image, spacing, name=f"{PATIENT}.npy").status_code,
        story.running.send(image, tuple(4 * step for step in spacing)).status_code,
        story.running.send(PATIENT.encode()).status_code,
    ]
    assert statuses == [200, 200, 422, 400]
    text = story.running.client.get("/metrics").text
    families = parser.text_string_to_metric_families(text)
    facts.scrape = {
        (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
    }


@then("its metrics count 2 answers, 1 recorded refusal and 1 malformed request")
def _counts(facts: Facts) -> None:
    def counted(name: str, **labels: str) -> float:
        return facts.scrape[name, tuple(sorted(labels.items()))]

    assert counted("minivess_decisions_total", decision="answered", entry="recorded") == 2
    assert counted("minivess_decisions_total", decision="refused", entry="recorded") == 1
    assert counted("minivess_refusals_total", reason="volume") == 1
    assert counted("minivess_refusals_total", reason="outside-intended-use") == 1
    assert sum(value for (name, _), value in facts.scrape.items() if name == "minivess_refusals_total") == 2


@then("they have the time of each stage, the share and the confidence of each class, and the version of the model")
def _parts(story: Story, facts: Facts) -> None:
    counts = {
        labels[0][1]: value for (name, labels), value in facts.scrape.items() if name == "minivess_stage_seconds_count"
    }
    assert {stage for stage, value in counts.items() if value} >= {"reading", "inference", "log_commit", "encoding"}
    for name in ("minivess_foreground_ratio_count", "minivess_confidence_ratio_count"):
        assert [value for (one, _), value in facts.scrape.items() if one == name] == [2]
    (info,) = [dict(labels) for name, labels in facts.scrape if name == "minivess_model_info"]
    model = story.running.engine.model
    assert info == {"device": model.device, "version": model.version, "digest": model.digest}


@then("no label has what a client wrote")
def _clean(facts: Facts) -> None:
    assert not [labels for _, labels in facts.scrape if PATIENT in str(labels)]


@when("a volume is sent")
def _send(story: Story, facts: Facts) -> None:
    send(story, facts)


@then("it is answered, and the other observers are notified")
def _notified(facts: Facts) -> None:
    assert facts.body["decision"] == "answered"
    said = [json.loads(line) for line in facts.lines.getvalue().splitlines()]
    assert facts.body["request"] in {line.get("request") for line in said}
    assert PATIENT not in facts.lines.getvalue()


@when("a volume is sent with the name of a patient in its file name, headers and a malformed body")
def _named(story: Story, facts: Facts) -> None:
    send(story, facts, **{"x-request-id": PATIENT, "authorization": f"Bearer {KEY}", "user-agent": PATIENT})
    story.running.client.post("/v1/segment", content=PATIENT.encode(), headers={"content-type": f"{PATIENT}/x"})
    try:
        raise ValueError(PATIENT)
    except ValueError:
        logging.getLogger("minivess").exception("it failed", extra={"patient": PATIENT})


@then("each log line is one JSON object with declared fields")
def _declared(facts: Facts) -> None:
    lines = facts.lines.getvalue().splitlines()
    assert len(lines) >= 3
    for line in lines:
        assert set(json.loads(line)) <= {"time", "level", "logger", "message", "error", *json_logs.FIELDS}


@then("the line of the answer names the request as its entry does")
def _line(story: Story, facts: Facts) -> None:
    said = [json.loads(line) for line in facts.lines.getvalue().splitlines()]
    (line,) = [one for one in said if one.get("decision") == "answered"]
    entry = story.running.serving.services.log.entry(line["entry"])
    assert line["entry"] == facts.body["receipt"]["index"]
    assert f"requests/{line['request']}" in {item.name for item in entry.body.inputs}


@then("no line has the name of the patient or the key of the caller")
def _unnamed(facts: Facts) -> None:
    assert PATIENT not in facts.lines.getvalue()
    assert KEY not in facts.lines.getvalue()


HEADERS = {
    "a well-formed trace": {"traceparent": f"00-{TRACE}-{SPAN}-01"},
    "a malformed trace": {"traceparent": f"00-{TRACE}-{SPAN}"},
    "a name for the request": {"x-request-id": PATIENT},
}


@when(parsers.re("a volume is sent with (?P<header>a (?:well-formed|malformed) trace|a name for the request)$"))
def _traced(story: Story, facts: Facts, header: str) -> None:
    send(story, facts, **HEADERS[header])
    facts.spans.flush()


def whole(facts: Facts) -> Any:
    (span,) = [one for one in facts.exporter.get_finished_spans() if one.name == "segmentation"]
    return span


@then("its span names the request as its entry does")
def _span(story: Story, facts: Facts) -> None:
    made = whole(facts)
    entry = story.running.serving.services.log.entry(made.attributes["minivess.entry"])
    assert f"requests/{made.attributes['minivess.request']}" in {item.name for item in entry.body.inputs}
    assert made.attributes["minivess.request"] == facts.body["request"] != PATIENT


@then(parsers.parse("the span is {part}"))
def _part(facts: Facts, part: str) -> None:
    made = whole(facts)
    if part == "the first of its own trace":
        assert made.parent is None
    else:
        assert (f"{made.context.trace_id:032x}", f"{made.parent.span_id:016x}") == (TRACE, SPAN)
