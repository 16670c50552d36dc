"""Spans of OpenTelemetry for answers: one for each request, and below it one for each stage.

A span is made after the answer, from the times that were measured, and sent in a thread of the library. It has the name of the
request in the log, so that a span leads to the entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage
from minivess.serving.observing.trace_context import CURRENT, TraceParent
from minivess.workflows.serving.observer import BatchCut, Served

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter

_NANOSECONDS = 1_000_000_000


@implements("REQ-464")
class AnswerSpans:
    """An observer of the service that makes spans.

    Args:
        exporter: takes the spans.
        now: nanoseconds since 1970.
    """

    def __init__(self, exporter: SpanExporter, now: Callable[[], int] = time.time_ns) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider = TracerProvider(resource=Resource.create({"service.name": "minivess"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("minivess.serving")
        self._now = now

    def served(self, what: Served) -> None:
        """Make the spans of an answer or refusal."""
        from opentelemetry.trace import set_span_in_context

        end = self._now()
        stages = {stage: getattr(what.times, stage.value) for stage in Stage}
        lengths = {stage: int(taken * _NANOSECONDS) for stage, taken in stages.items() if taken is not None}
        begin = end - sum(lengths.values())
        attributes: dict[str, str | int] = {
            "minivess.request": what.request,
            "minivess.decision": what.decision,
            "minivess.model": what.model,
            "minivess.version": what.version,
        }
        if what.index is not None:
            attributes["minivess.entry"] = what.index
        span = self._tracer.start_span(
            "segmentation", context=_parent(CURRENT.get()), start_time=begin, attributes=attributes
        )
        place = begin
        for stage, length in lengths.items():
            part = self._tracer.start_span(stage.value, context=set_span_in_context(span), start_time=place)
            place += length
            part.end(place)
        span.end(end)

    def turned_away(self, reason: RefusalReason) -> None:
        """A request without an entry has a span of no length, with its reason."""
        at = self._now()
        span = self._tracer.start_span(
            "refusal", context=_parent(CURRENT.get()), start_time=at, attributes={"minivess.reason": reason.value}
        )
        span.end(at)

    def batched(self, images: int, cut: BatchCut) -> None:
        """Batches have no spans: several requests share one."""

    def flush(self) -> None:
        """Send what waits."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _parent(parent: TraceParent | None) -> Context | None:
    """The span of the caller, where the request states it."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    return set_span_in_context(
        NonRecordingSpan(SpanContext(parent.trace, parent.span, is_remote=True, trace_flags=flags))
    )
