"""A candidate model beside the one in production: it judges the same images after they were answered, and gives no answer.

The masks of the two are compared by class. What is kept are counts and the digests of the two models, as an entry of the serving
log from time to time. A full queue drops images, a failure is counted, and neither touches an answer.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.inference.answers import mask_of
from minivess.ml.inference.intended_use import Spacing, outside_reasons
from minivess.ml.inference.predictor import Predictor
from minivess.records.artifact import Artifact
from minivess.records.log.shadow import ShadowClass, ShadowCompared
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.task import SegmentationTask
from minivess.workflows.serving.serving_log import ServingLog
from minivess.workflows.session.recording import recorded

ACTION = "inference.shadow"
WAITING = 4
"""Images that wait for the candidate at most. Each is held in memory."""
_NICE = 10
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A model that was exported, ready to run beside another.

    Attributes:
        digest: of the model.
        predictor: image and spacing -> calibrated probabilities (outputs, *grid).
        task: channels, axes and classes.
        threshold: probability from which a voxel is in the mask, of one class.
        intended_use: bounds of what it answers.
    """

    digest: str
    predictor: Predictor
    task: SegmentationTask
    threshold: float
    intended_use: IntendedUse


class _Judged(NamedTuple):
    """An image that was answered or refused; `mask` is that of the model in production, None where it refused."""

    image: NDArray[np.generic]
    spacing: Spacing | None
    mask: NDArray[np.uint8] | None


class Comparison(NamedTuple):
    """What became of one image.

    Attributes:
        result: whether the candidate judged it.
        changed: whether one model answered and the other refused.
        dice: between the two masks, of each class that at least one of them has.
    """

    result: Literal["compared", "dropped", "failed"]
    changed: bool = False
    dice: Mapping[str, float] = MappingProxyType({})


AFTER_ANSWER: ContextVar[list[Callable[[], None]] | None] = ContextVar("after_answer", default=None)
"""What is done once the answer of this request was sent. None: the door of the request does not know when that is."""


@dataclass
class _Counts:
    since: datetime
    compared: int = 0
    changed: int = 0
    dropped: int = 0
    failed: int = 0
    dice: dict[str, list[float]] = field(default_factory=dict)

    def add(self, one: Comparison) -> None:
        """Count one image."""
        setattr(self, one.result, getattr(self, one.result) + 1)
        self.changed += one.changed
        for name, value in one.dice.items():
            self.dice.setdefault(name, []).append(value)


@implements("REQ-465", "RC-194")
class Shadow:
    """Runs a candidate on images that were answered. Safe to use from several threads.

    Args:
        serving: the serving log, which takes the comparisons.
        production: digest of the model in production.
        candidate: what runs beside it.
        seconds: after which a comparison becomes an entry.
        waiting: images that wait at most.
        notify: is told of each image.
    """

    def __init__(
        self,
        serving: ServingLog,
        production: Artifact,
        candidate: Candidate,
        *,
        seconds: float,
        waiting: int = WAITING,
        notify: Callable[[Comparison], None] | None = None,
    ) -> None:
        self._serving = serving
        self._inputs = (production, Artifact(name="shadow/export.json", digest=candidate.digest))
        self._context = serving.services.context(model=candidate.digest, device="cpu, ONNX Runtime")
        self.candidate = candidate
        self._seconds = seconds
        self._notify = notify
        self._queue: queue.Queue[_Judged | None] = queue.Queue(maxsize=waiting)
        self._lock = threading.Lock()
        self._counts = _Counts(serving.services.clock())
        self._thread: threading.Thread | None = None

    def offer(self, image: NDArray[np.generic], spacing: Spacing | None, mask: NDArray[np.uint8] | None) -> None:
        """Compare an image once its answer is on its way; drop it where too many wait.

        Args:
            image: (z, y, x) or (y, x), with channels last where there are several.
            spacing: micrometres along each spatial axis.
            mask: of the model in production; None: it refused.
        """
        judged, later = _Judged(image, spacing, mask), AFTER_ANSWER.get()
        if later is None:
            self._put(judged)
        else:
            later.append(lambda: self._put(judged))

    def _put(self, judged: _Judged) -> None:
        try:
            self._queue.put_nowait(judged)
        except queue.Full:
            self._count(Comparison("dropped"))

    def _count(self, one: Comparison) -> None:
        with self._lock:
            self._counts.add(one)
        if self._notify is not None:
            self._notify(one)

    def start(self) -> Self:
        """Begin to compare, in a thread that yields to those of answers."""
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Finish the image under way, drop those that wait, and record what was compared."""
        if self._thread is not None:
            while True:
                try:
                    self._queue.put_nowait(None)
                    break
                except queue.Full:
                    self._drop_one()
            self._thread.join()
        self._serving.attempt(self.record, "comparisons with the candidate could not be recorded")

    def _drop_one(self) -> None:
        try:
            self._queue.get_nowait()
        except queue.Empty:
            return
        self._count(Comparison("dropped"))

    def _work(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            try:
                judged = self._queue.get(timeout=self._seconds)
            except queue.Empty:
                judged = _NOTHING
            if judged is None:
                return
            if judged is not _NOTHING:
                self.compare(judged.image, judged.spacing, judged.mask)
            if (self._serving.services.clock() - self._counts.since).total_seconds() >= self._seconds:
                self._serving.attempt(self.record, "comparisons with the candidate could not be recorded")

    def compare(self, image: NDArray[np.generic], spacing: Spacing | None, mask: NDArray[np.uint8] | None) -> None:
        """Judge one image, and count how the two models agree. A failure is counted."""
        try:
            other = self._mask(image, spacing)
        except Exception as error:  # whatever a candidate does, answers stand
            _log.warning("the candidate failed on an image: %s", type(error).__name__)
            self._count(Comparison("failed"))
            return
        dice = {} if mask is None or other is None else dice_by_class(mask, other, self.candidate.task)
        self._count(Comparison("compared", (mask is None) != (other is None), dice))

    def _mask(self, image: NDArray[np.generic], spacing: Spacing | None) -> NDArray[np.uint8] | None:
        task = self.candidate.task
        known = spacing or (1.0,) * len(task.axes)
        if outside_reasons(self.candidate.intended_use, image, known, "px" if spacing is None else "um"):
            return None
        return mask_of(self.candidate.predictor.predict(image, spacing), task, threshold=self.candidate.threshold)

    def counted(self) -> ShadowCompared | None:
        """What was compared since the last entry; None when nothing was."""
        with self._lock:
            counts = self._counts
            if not (counts.compared or counts.dropped or counts.failed):
                return None
            return ShadowCompared(
                since=counts.since,
                until=max(counts.since, self._serving.services.clock()),
                candidate=self.candidate.digest,
                compared=counts.compared,
                changed=counts.changed,
                dropped=counts.dropped,
                failed=counts.failed,
                classes=tuple(
                    ShadowClass(name=name, images=len(found), mean_dice=sum(found) / len(found), least_dice=min(found))
                    for name, found in sorted(counts.dice.items())
                ),
            )

    def record(self) -> bool:
        """Make an entry of what was compared since the last one; returns whether there was anything.

        Raises:
            CouldNotCheckError: the log cannot be written; it is counted on.
        """
        told = self.counted()
        if told is None:
            return False
        log, signer = self._serving.services, self._serving.signer
        with recorded(
            log, ACTION, signer, inputs=self._inputs, context=self._context, instant=True, trial=False
        ) as record:
            record.payload(**told.model_dump(mode="json"))
        with self._lock:
            self._counts = self._less(told)
        return True

    def _less(self, told: ShadowCompared) -> _Counts:
        """What was counted while an entry was made."""
        now, recorded_images = self._counts, {one.name: one.images for one in told.classes}
        return _Counts(
            told.until,
            now.compared - told.compared,
            now.changed - told.changed,
            now.dropped - told.dropped,
            now.failed - told.failed,
            {name: rest for name, found in now.dice.items() if (rest := found[recorded_images.get(name, 0) :])},
        )


_NOTHING = _Judged(np.zeros(0), None, None)
"""No image came in time."""


def dice_by_class(first: NDArray[np.uint8], second: NDArray[np.uint8], task: SegmentationTask) -> dict[str, float]:
    """The Dice coefficient (Dice 1945) between two masks for each class that at least one of them has.

    Args:
        first: (*grid) with the values of the classes.
        second: on the same grid.
        task: the classes.
    """
    found = {}
    for one in task.classes:
        ours, theirs = first == one.value, second == one.value
        whole = int(np.count_nonzero(ours)) + int(np.count_nonzero(theirs))
        if whole:
            found[one.name] = 2 * int(np.count_nonzero(ours & theirs)) / whole
    return found
