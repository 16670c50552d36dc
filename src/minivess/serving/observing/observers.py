"""Several observers in place of one, and what they need of the application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Receive, Scope, Send

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.observing.metrics import Metrics
from minivess.serving.observing.trace_context import CURRENT, parse_traceparent
from minivess.workflows.serving.observer import BatchCut, Observer, Served
from minivess.workflows.serving.shadowing.shadow import AFTER_ANSWER

_log = logging.getLogger(__name__)


@implements("REQ-462")
class Several:
    """Notifies each of several observers; one that fails keeps nothing from the others."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = tuple(observers)

    def served(self, what: Served) -> None:
        """Of an answer or refusal."""
        self._each(lambda one: one.served(what))

    def turned_away(self, reason: RefusalReason) -> None:
        """Of a request without an entry."""
        self._each(lambda one: one.turned_away(reason))

    def batched(self, images: int, cut: BatchCut) -> None:
        """Of a batch."""
        self._each(lambda one: one.batched(images, cut))

    def _each(self, notify: Callable[[Observer], None]) -> None:
        for one in self.observers:
            _warned(notify, one)


@implements("RC-193")
def _warned(notify: Callable[[Observer], None], observer: Observer) -> None:
    """Notify an observer. That it fails is a warning."""
    try:
        notify(observer)
    except Exception as error:  # whatever an observer does, the answer stands
        _log.warning("an observer of the service failed: %s", type(error).__name__)


METRICS_AT = "/metrics"
"""The usual address of metrics. Another one is not in the OpenAPI document."""


@implements("REQ-462", "REQ-464")
def observe(app: FastAPI, metrics: Metrics, *, metrics_at: str = METRICS_AT) -> FastAPI:
    """Give an application the address of metrics, and requests their trace.

    Args:
        app: the service, not yet started.
        metrics: the observer that counts.
        metrics_at: that address.
    """

    @app.get(
        metrics_at,
        include_in_schema=metrics_at == METRICS_AT,
        summary="Metrics for Prometheus",
        tags=["service"],
        response_class=Response,
        responses={
            200: {"description": "Text format 0.0.4.", "content": {"text/plain": {"schema": {"type": "string"}}}}
        },
    )
    def read_metrics() -> Response:
        """Counts and times of this process since it began."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.add_middleware(_Observed, metrics=metrics)
    return app


class _Observed:
    """Counts requests that are under way, remembers the trace of each, and does what is for after the answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"]
        token, after = CURRENT.set(parse_traceparent(values)), list[Callable[[], None]]()
        later = AFTER_ANSWER.set(after)
        self._metrics.add("minivess_requests_in_progress")
        try:
            await self._app(scope, receive, send)
        finally:
            self._metrics.add("minivess_requests_in_progress", -1)
            CURRENT.reset(token)
            AFTER_ANSWER.reset(later)
            for act in after:
                act()
