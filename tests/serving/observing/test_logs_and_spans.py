"""Log lines and spans: what they have, and what they never have."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from minivess.records.log.serving_log import RefusalReason
from minivess.workflows.serving.observer import Unobserved
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder
from tests.support.properties import example, given
from tests.support.properties import strategies as st
from tests.support.servers import observed, served

with lazily(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter",
    "minivess.serving.observing.json_logs",
    "minivess.serving.observing.observers",
    "minivess.serving.observing.spans",
    "minivess.serving.observing.trace_context",
):
    from opentelemetry.sdk.trace.export import in_memory_span_exporter

    from minivess.serving.observing import json_logs, observers, spans, trace_context

pytestmark = pytest.mark.verifies("SU-171")

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged as JSON."""
    root, answers = logging.getLogger(), logging.getLogger("minivess.answers")
    handlers, level, stream = list(root.handlers), answers.level, io.StringIO()
    json_logs.log_as_json(stream)
    yield stream
    root.handlers[:] = handlers
    answers.setLevel(level)


@pytest.fixture(scope="module")
def exporter() -> Any:
    return in_memory_span_exporter.InMemorySpanExporter()


@pytest.fixture(scope="module")
def watched(prepared_project: ProjectFolder, exporter: Any) -> Iterator[observed.Watched]:
    with ExitStack() as stack:
        service = stack.enter_context(served.running(prepared_project))
        making = spans.AnswerSpans(exporter)
        stack.callback(making.close)
        made = stack.enter_context(observed.watching(service, json_logs.AnswerLines(), making))
        made.flush = making.flush
        yield made


def post(watched: observed.Watched, **headers: str) -> Any:
    image, spacing = watched.service.volume()
    form = {"spacing": " x ".join(map(str, spacing)) + " um"}
    files = {"volume": ("Jane-Doe-1961.npy", served.npy(image))}
    return watched.service.client.post("/v1/segment", files=files, data=form, headers=headers).json()


@pytest.mark.verifies("REQ-463", "RC-192")
def test_each_answer_is_a_line_with_the_name_of_its_entry(watched: observed.Watched, lines: io.StringIO) -> None:
    body = post(watched, **{"x-request-id": "Jane-Doe-1961", "authorization": "Bearer secret"})
    watched.service.client.post("/v1/segment", content=b"Jane-Doe-1961")
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    answered, refused = (one for one in said if one["logger"] == "minivess.answers")
    assert answered["request"] == body["request"]
    assert answered["entry"] == body["receipt"]["index"]
    assert answered["seconds"]["log_commit"] > 0
    assert refused["reason"] == "no-form"
    assert "Jane" not in lines.getvalue()
    assert "secret" not in lines.getvalue()
    entry = watched.service.serving.services.log.entry(body["receipt"]["index"])
    assert f"requests/{answered['request']}" in {item.name for item in entry.body.inputs}


@pytest.mark.verifies("REQ-463", "RC-192")
def test_an_error_is_logged_by_its_kind(lines: io.StringIO) -> None:
    try:
        raise ValueError("Jane-Doe-1961")
    except ValueError:
        logging.getLogger("x").exception("it failed", extra={"patient": "Jane-Doe-1961"})
    (line,) = lines.getvalue().splitlines()
    found = json.loads(line)
    assert (found["error"], found["message"], found["level"]) == ("ValueError", "it failed", "error")
    assert found["time"].endswith("+00:00")
    assert "Jane" not in line


@pytest.mark.verifies("REQ-463")
@given(st.text())
def test_any_message_is_one_line(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, text, None, None)
    line = json_logs.JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == text


@pytest.mark.verifies("REQ-464")
def test_a_span_has_the_name_of_the_entry_and_its_stages_below(watched: observed.Watched, exporter: Any) -> None:
    watched.flush()
    exporter.clear()
    body = post(watched, traceparent=f"00-{TRACE}-{SPAN}-01", **{"x-request-id": "Jane-Doe-1961"})
    watched.flush()
    made = exporter.get_finished_spans()
    (whole,) = [one for one in made if one.name == "segmentation"]
    assert whole.attributes["minivess.request"] == body["request"]
    assert whole.attributes["minivess.entry"] == body["receipt"]["index"]
    assert (f"{whole.context.trace_id:032x}", f"{whole.parent.span_id:016x}") == (TRACE, SPAN)
    parts = [one for one in made if one.parent is not None and one.parent.span_id == whole.context.span_id]
    assert {"reading", "inference", "log_commit"} <= {one.name for one in parts}
    assert all(whole.start_time <= one.start_time <= one.end_time <= whole.end_time for one in parts)
    assert "Jane" not in "".join(one.to_json() for one in made)


@pytest.mark.verifies("REQ-464")
@pytest.mark.parametrize("header", ["", "Jane", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more"])
def test_a_malformed_trace_begins_another_one(watched: observed.Watched, exporter: Any, header: str) -> None:
    watched.flush()
    exporter.clear()
    post(watched, traceparent=header)
    watched.flush()
    (whole,) = [one for one in exporter.get_finished_spans() if one.name == "segmentation"]
    assert whole.parent is None
    assert f"{whole.context.trace_id:032x}" != TRACE


@pytest.mark.verifies("REQ-464")
@given(
    st.lists(
        st.text("0123456789abcdef-", max_size=60)
        | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[a-z]*)?", fullmatch=True)
        | st.text(max_size=300),
        max_size=2,
    )
)
@example([f"00-{TRACE}-{SPAN}-01"])
@example([f"ff-{TRACE}-{SPAN}-01"])
@example([f"01-{TRACE}-{SPAN}-01-later"])
@example([f"00-{TRACE}-{'0' * 16}-01"])
@example([f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"])
def test_only_one_well_formed_header_is_a_trace(values: list[str]) -> None:
    found = trace_context.parse_traceparent(values)
    if found is None:
        return
    (text,) = values
    version, trace, span, flags, *rest = text.split("-")
    assert version != "ff"
    assert not (version == "00" and rest)
    assert (int(trace, 16), int(span, 16), int(flags, 16) & 1) == (found.trace, found.span, int(found.sampled))
    assert found.trace > 0
    assert found.span > 0


@pytest.mark.verifies("REQ-464")
def test_a_well_formed_header_is_a_trace() -> None:
    assert trace_context.parse_traceparent([f"00-{TRACE}-{SPAN}-01"]) == (int(TRACE, 16), int(SPAN, 16), True)
    assert trace_context.parse_traceparent([f"01-{TRACE}-{SPAN}-00-x"]) == (int(TRACE, 16), int(SPAN, 16), False)


@pytest.mark.verifies("REQ-462")
def test_metrics_are_read_at_their_address_without_anything_of_a_client(watched: observed.Watched) -> None:
    post(watched)
    page = watched.service.client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "minivess_requests_in_progress 0.0" in page.text
    assert "Jane" not in page.text
    assert watched.service.client.get("/openapi.json").json()["paths"]["/metrics"]


@pytest.mark.verifies("REQ-462", "RC-193")
def test_an_observer_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("Jane")

    class Counting(Unobserved):
        def __init__(self) -> None:
            self.reasons: list[RefusalReason] = []

        def turned_away(self, reason: RefusalReason) -> None:
            self.reasons.append(reason)

    counting = Counting()
    observers.Several([Broken(), counting]).turned_away(RefusalReason.VOLUME)
    assert counting.reasons == [RefusalReason.VOLUME]
    assert "Jane" not in caplog.text
