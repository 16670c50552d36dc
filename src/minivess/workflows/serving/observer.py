"""Who is told of what a service does: one observer, told after the fact, which can change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.intended_use import Spacing
from minivess.records.log.serving_log import RefusalReason
from minivess.records.log.stage_times import StageTimes

__all__ = ["BatchCut", "ClassFact", "Observer", "Served", "Unobserved"]


@dataclass(frozen=True)
class ClassFact:
    """What an observer is told of one class of an answer.

    Attributes:
        name: of the class.
        foreground_fraction: its share of the mask's voxels.
        confidence: mean calibrated probability of the class over the voxels of the mask that have it; None where none has.
    """

    name: str
    foreground_fraction: float
    confidence: float | None


@dataclass(frozen=True)
class Served:
    """What an observer is told of one answer or refusal. Nothing in it was written by the client.

    Attributes:
        request: names the request in the log; the correlation id.
        decision: `answered` or `refused`.
        reasons: of a refusal, one sentence each.
        times: of all stages, the last one being the encoding of masks.
        classes: in ascending order of value; empty when refused.
        caller: who asked, where callers are known.
        index: of the entry in the serving log; None where the refusal was counted.
        model: digest of the model.
        version: of the device.
    """

    request: str
    decision: Literal["answered", "refused"]
    reasons: tuple[str, ...]
    times: StageTimes
    classes: tuple[ClassFact, ...]
    caller: str | None
    index: int | None
    model: str
    version: str

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of each class, by its name."""
        return {one.name: one.foreground_fraction for one in self.classes}


class Observer(Protocol):
    """What a service tells. Called from several threads. What it raises is a warning, and fails no answer."""

    def served(self, what: Served) -> None:
        """An image was answered, or refused as outside the intended use; its entry is durable."""

    def turned_away(self, reason: RefusalReason) -> None:
        """A request was counted without an entry."""

    def batched(self, images: int, cut: BatchCut) -> None:
        """Images of several requests went through the graph together."""


class Beside(Protocol):
    """A candidate beside the model in production. It gives no answer."""

    def offer(self, image: NDArray[np.generic], spacing: Spacing | None, mask: NDArray[np.uint8] | None) -> None:
        """An image was judged; `mask` is None where it was refused. This returns at once."""


class Unobserved:
    """Nobody is told."""

    def served(self, what: Served) -> None:
        """Nothing is done."""

    def turned_away(self, reason: RefusalReason) -> None:
        """Nothing is done."""

    def batched(self, images: int, cut: BatchCut) -> None:
        """Nothing is done."""
