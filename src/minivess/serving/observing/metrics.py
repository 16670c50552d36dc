"""What the service does, as metrics of Prometheus: one table of them, and an observer that counts.

No label has a value that a client wrote: labels are stages, reasons, and the classes of the model. The registry is the service's
own, so that two services in one process do not count together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import Stage
from minivess.workflows.serving.answers import ServedModel
from minivess.workflows.serving.observer import BatchCut, Served
from minivess.workflows.serving.shadowing.shadow import Comparison

Kind = Literal["counter", "gauge", "histogram"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0)
"""Bounds for the time of stages. Measured by `benchmarks/serving.py --load` on two busy cores: a flush takes 1 to 12 ms, a
picture of 256 x 256 0.15 s, a volume of the demonstration 0.2 to 4 s. Between these and around them are several bounds."""
SHARES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75)
"""Bounds for shares of a mask. Vessels are a few percent of a volume."""
PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99)
"""Bounds for mean probabilities inside the mask, which begin at the threshold."""
DICE = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
"""Bounds for the Dice coefficient between two models."""
IMAGES = (1, 2, 4, 8, 16, 32)
"""Bounds for the images of a batch."""


@dataclass(frozen=True)
class Metric:
    """A row of the table.

    Attributes:
        name: as it is exposed; a counter ends in `_total`.
        kind: of Prometheus.
        labels: by the values that each can have, in words.
        words: what is measured.
        bounds: upper bounds of a histogram.
    """

    name: str
    kind: Kind
    words: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    bounds: tuple[float, ...] = ()


_REASONS = ", ".join(reason.value for reason in RefusalReason)
_STAGES = ", ".join(stage.value for stage in Stage)
_CUTS = ", ".join(cut.value for cut in BatchCut)
_CLASS = {"class": "the classes of the model"}

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        row.name: row
        for row in (
            Metric(
                "minivess_stage_seconds",
                "histogram",
                "Wall time of each stage of an answer or refusal. `log_commit` is the time until the entry is on the disk.",
                {"stage": _STAGES},
                SECONDS,
            ),
            Metric(
                "minivess_answer_seconds",
                "histogram",
                "Wall time of all stages of an answer or refusal in seconds.",
                {"decision": "answered, refused"},
                SECONDS,
            ),
            Metric(
                "minivess_requests_in_progress",
                "gauge",
                "Requests that the service has begun to read and not yet answered.",
            ),
            Metric(
                "minivess_decisions_total",
                "counter",
                "Images that were judged. `entry` is counted where a refusal has no entry of its own.",
                {"decision": "answered, refused", "entry": "recorded, counted"},
            ),
            Metric(
                "minivess_refusals_total",
                "counter",
                "Requests that were refused, by reason.",
                {"reason": _REASONS},
            ),
            Metric(
                "minivess_batch_images",
                "histogram",
                "Images of several requests that went through the graph together, by why no more were waited for.",
                {"cut": _CUTS},
                IMAGES,
            ),
            Metric(
                "minivess_confidence_ratio",
                "histogram",
                "Mean calibrated probability of a class over the voxels of its mask.",
                _CLASS,
                PROBABILITIES,
            ),
            Metric(
                "minivess_foreground_ratio",
                "histogram",
                "Share of the voxels of the mask that have a class.",
                _CLASS,
                SHARES,
            ),
            Metric(
                "minivess_shadow_images_total",
                "counter",
                "Images that were offered to the candidate beside.",
                {"result": "compared, dropped, failed"},
            ),
            Metric(
                "minivess_shadow_changed_total",
                "counter",
                "Images that one model answered and the other refused, of those compared.",
            ),
            Metric(
                "minivess_shadow_dice_ratio",
                "histogram",
                "Dice coefficient between the masks of the two models.",
                _CLASS,
                DICE,
            ),
            Metric(
                "minivess_model_info",
                "gauge",
                "Always 1; the labels name what is served.",
                {"device": "name of the device", "version": "of the device", "digest": "of the exported model"},
            ),
        )
    }
)
"""The metrics by name. docs/guides/serving-metrics.md has the same table."""


@implements("REQ-462")
class Metrics:
    """An observer of the service (`workflows.serving.observer.Observer`) that counts into a registry of its own.

    Args:
        model: what is served.
    """

    def __init__(self, model: ServedModel) -> None:
        self.registry = CollectorRegistry()
        self._made = {name: self._make(metric) for name, metric in METRICS.items()}
        ProcessCollector(registry=self.registry)
        told = {"device": model.device, "version": model.version, "digest": model.digest}
        self.add("minivess_model_info", **told)
        classes = [one.name for one in model.task.classes]
        # a series that is absent until something happens hides the first time that it happens
        for name, values in (
            ("minivess_stage_seconds", [{"stage": stage.value} for stage in Stage]),
            ("minivess_answer_seconds", [{"decision": one} for one in ("answered", "refused")]),
            ("minivess_refusals_total", [{"reason": reason.value} for reason in RefusalReason]),
            ("minivess_batch_images", [{"cut": cut.value} for cut in BatchCut]),
            ("minivess_confidence_ratio", [{"class": one} for one in classes]),
            ("minivess_foreground_ratio", [{"class": one} for one in classes]),
            ("minivess_shadow_dice_ratio", [{"class": one} for one in classes]),
            ("minivess_shadow_images_total", [{"result": one} for one in ("compared", "dropped", "failed")]),
            (
                "minivess_decisions_total",
                [
                    {"decision": decision, "entry": entry}
                    for decision, entry in (("answered", "recorded"), ("refused", "recorded"), ("refused", "counted"))
                ],
            ),
        ):
            for labels in values:
                self._labelled(name, **labels)

    def _make(self, metric: Metric) -> Counter | Gauge | Histogram:
        name, labels = metric.name.removesuffix("_total"), tuple(metric.labels)
        if metric.kind == "histogram":
            return Histogram(name, metric.words, labels, registry=self.registry, buckets=metric.bounds)
        kind: type[Counter | Gauge] = Counter if metric.kind == "counter" else Gauge
        return kind(name, metric.words, labels, registry=self.registry)

    def _labelled(self, name: str, **labels: str) -> Counter | Gauge | Histogram:
        made = self._made[name]
        series: Counter | Gauge | Histogram = made.labels(**labels) if labels else made
        return series

    def add(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Count up, or up and down for a gauge."""
        made = self._labelled(name, **labels)
        if isinstance(made, Histogram):
            made.observe(amount)
        else:
            made.inc(amount)

    def served(self, what: Served) -> None:
        """Count an answer or refusal and measure its stages."""
        for stage in Stage:
            taken = getattr(what.times, stage.value)
            if taken is not None:
                self.add("minivess_stage_seconds", taken, stage=stage.value)
        self.add("minivess_answer_seconds", what.times.total, decision=what.decision)
        entry = "counted" if what.index is None else "recorded"
        self.add("minivess_decisions_total", decision=what.decision, entry=entry)
        if what.decision == "refused":
            self.add("minivess_refusals_total", reason=RefusalReason.OUTSIDE_USE.value)
        for one in what.classes:
            self.add("minivess_foreground_ratio", one.foreground_fraction, **{"class": one.name})
            if one.confidence is not None:
                self.add("minivess_confidence_ratio", one.confidence, **{"class": one.name})

    def turned_away(self, reason: RefusalReason) -> None:
        """Count a request that could not be read or answered."""
        self.add("minivess_refusals_total", reason=reason.value)

    def batched(self, images: int, cut: BatchCut) -> None:
        """Measure a batch."""
        self.add("minivess_batch_images", images, cut=cut.value)

    def compared(self, one: Comparison) -> None:
        """Count an image that was offered to the candidate beside."""
        self.add("minivess_shadow_images_total", result=one.result)
        self.add("minivess_shadow_changed_total", int(one.changed))
        for name, value in one.dice.items():
            self.add("minivess_shadow_dice_ratio", value, **{"class": name})

    def text(self) -> bytes:
        """All metrics in Prometheus's text format, version 0.0.4."""
        return generate_latest(_Plain(self.registry))


class _Plain(Collector):
    """What a registry has, without the time at which each series began: it doubles the page, and no rule reads it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family


def metrics_table() -> str:
    """The table of metrics for the guide, in Markdown."""
    rows = ["| metric | kind | labels | what |", "|---|---|---|---|"]
    for metric in METRICS.values():
        labels = "; ".join(f"`{name}`: {values}" for name, values in metric.labels.items()) or "-"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.words} |")
    return "\n".join(rows)
