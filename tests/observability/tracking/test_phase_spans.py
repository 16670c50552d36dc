"""Spans arrive at the endpoint that the environment names, and a missing library is a warning."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from minivess.observability.tracking.phase_spans import PhaseSpans, configured_exporter

pytestmark = pytest.mark.verifies("SU-36", "REQ-362")


def test_spans_arrive_at_the_endpoint_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        exporter = configured_exporter()
        assert exporter is not None
        spans = PhaseSpans(exporter)
        spans.started("member-1", {"seed": 1})
        spans.phase("train")
        spans.failed()
        server.shutdown()
    [(path, body)] = received
    assert path == "/v1/traces"
    assert all(words in body for words in (b"minivess", b"training", b"train", b"member-1"))


def test_an_endpoint_without_the_library_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert configured_exporter({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) is None
    [warning] = caplog.messages
    assert "minivess[observe]" in warning
