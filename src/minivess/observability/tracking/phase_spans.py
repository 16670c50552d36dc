"""Spans of OpenTelemetry for the phases of a training run, sent where the environment names an endpoint.

The endpoint, its headers and its time limit are those of the OpenTelemetry specification (`OTEL_EXPORTER_OTLP_ENDPOINT` and
`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, OTLP over HTTP). Without one of them nothing is loaded and nothing is sent.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.implements import implements
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

_log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_WITHIN_MS = 5000
"""How long the end of a run waits for its spans to be sent."""


@implements("REQ-362")
def configured_exporter(environment: Mapping[str, str] = os.environ) -> SpanExporter | None:
    """What sends spans to the endpoint of the environment; None where there is no endpoint, or, with a warning, no library."""
    if not any(environment.get(name) for name in _ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        _log.warning("spans are not sent: the extra `observe` is not installed (pip install 'minivess[observe]')")
        return None
    return OTLPSpanExporter()


@implements("REQ-362")
class PhaseSpans:
    """A `records.sinks.RunListener` that makes one span of a run, and below it one of each phase.

    A span has the name of the run or phase, seed, steps and figures. It holds no name of a case and no path.

    Args:
        exporter: takes the spans, in a thread of its own.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(resource=Resource.create({"service.name": "minivess"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("minivess.training")
        self._run: Span | None = None
        self._phase: Span | None = None

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """Begin the span of the run."""
        known = {f"minivess.{key}": parameters[key] for key in ("seed", "steps", "batch") if key in parameters}
        attributes = {"minivess.run": name, "minivess.resumed": resumes is not None, **known}
        self._run = self._tracer.start_span("training", attributes=attributes)
        return ""

    def phase(self, phase: Phase) -> None:
        """End the span of the phase before, and begin that of this one."""
        from opentelemetry.trace import set_span_in_context

        self._end_phase()
        if self._run is not None:
            self._phase = self._tracer.start_span(phase, context=set_span_in_context(self._run))

    def beat(self, beat: Beat) -> None:
        """Note the last step that was made in this phase."""
        if self._phase is not None and (beat.validation is not None or beat.step == beat.steps):
            self._phase.set_attribute("minivess.step", beat.step)

    def artifact(self, path: Path) -> None:
        """Files have no spans."""

    def finished(self, metrics: dict[str, float]) -> None:
        """End all spans, with the figures of the run, and send them."""
        self._end({f"minivess.{name}": value for name, value in metrics.items()}, well=True)

    def failed(self) -> None:
        """End all spans as failed, and send them."""
        self._end({}, well=False)

    def _end(self, attributes: Mapping[str, float], *, well: bool) -> None:
        from opentelemetry.trace import StatusCode

        if self._run is None:
            return
        self._end_phase()
        self._run.set_attributes(dict(attributes))
        self._run.set_status(StatusCode.OK if well else StatusCode.ERROR)
        self._run.end()
        self._run = None
        self._provider.force_flush(_WITHIN_MS)

    def _end_phase(self) -> None:
        if self._phase is not None:
            self._phase.end()
            self._phase = None
