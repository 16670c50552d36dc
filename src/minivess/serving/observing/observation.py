"""All that observes a running service, put together for the time that it serves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from minivess.foundation.implements import implements
from minivess.observability.tracking.phase_spans import configured_exporter
from minivess.serving.observing.json_logs import AnswerLines, log_as_json
from minivess.serving.observing.metrics import Metrics
from minivess.serving.observing.observers import METRICS_AT, Several, observe
from minivess.serving.observing.spans import AnswerSpans
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.observer import Observer


@dataclass(frozen=True)
class Observation:
    """Who is notified of what a service does.

    Attributes:
        metrics: the observer that counts.
        observer: all observers as one.
    """

    metrics: Metrics
    observer: Several

    def attach(self, app: FastAPI, *, metrics_at: str = METRICS_AT) -> FastAPI:
        """Give an application the address of metrics and the traces of its requests."""
        return observe(app, self.metrics, metrics_at=metrics_at)


@contextmanager
@implements("REQ-462", "REQ-463", "REQ-464")
def observation(
    model: ServedModel,
    *,
    json_logs: bool = False,
    more: Sequence[Observer] = (),
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Observation]:
    """Metrics always, log lines where they are asked for, spans where the environment names an endpoint.

    Args:
        model: what is served.
        json_logs: whether this process logs JSON, with a line for each answer.
        more: further observers.
        environment: may name an endpoint of OpenTelemetry.
    """
    metrics = Metrics(model)
    observers: list[Observer] = [metrics, *more]
    if json_logs:
        log_as_json()
        observers.append(AnswerLines())
    with ExitStack() as stack:
        exporter = configured_exporter(environment)
        if exporter is not None:
            spans = AnswerSpans(exporter)
            stack.callback(spans.close)
            observers.append(spans)
        yield Observation(metrics, Several(observers))
