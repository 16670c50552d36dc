"""What a training run follows from, and what it leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from minivess.foundation.digests import Digest, digest_json
from minivess.ml.augmentation.registry import augmenter_of
from minivess.ml.models.weight_files import State
from minivess.ml.sampling.case_store import CaseStore
from minivess.ml.sampling.patches import PatchSource
from minivess.ml.training.runs import PROCEDURE
from minivess.ml.training.validation import Validator
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import RunPart, TrainingCurves


@dataclass(frozen=True)
class Job:
    """What a run follows from, and where it leaves what it makes.

    Attributes:
        spec: the network.
        task: channels, axes and classes.
        preprocessing: what the images went through.
        training: the section `training`.
        seed: of the member.
        store: the cases that are learned from.
        folder: of the member.
        validator: None: no validation.
        note: why there is none.
        start: the digest of the weights that it starts from; None: the seed draws them.
        workers: processes that draw patches; 0: the one that trains; None: by device and processors.
        checkpoint_every: steps from one checkpoint to the next; None: about a minute.
        entry: of the log, that announced this part.
        smoke: whether this is a trial run.
        tracked: the id of the run in the sink.
    """

    spec: ModelSpec
    task: SegmentationTask
    preprocessing: Preprocessing
    training: TrainingSpec
    seed: int
    store: CaseStore
    folder: Path
    validator: Validator | None = None
    note: str | None = None
    start: Digest | None = None
    workers: int | None = None
    checkpoint_every: int | None = None
    entry: int | None = None
    smoke: bool = False
    tracked: str | None = None

    @cached_property
    def patches(self) -> PatchSource:
        """What draws the patches."""
        augmenter = augmenter_of(self.training.augmentation, self.store.patch, self.store.spacing)
        return PatchSource(self.store, seed=self.seed, augmentation=augmenter)

    @cached_property
    def run(self) -> Digest:
        """Of all that the weights follow from: a checkpoint with another is of another run."""
        records = (
            self.spec,
            self.task,
            self.preprocessing,
            self.training.model_copy(update={"members": (self.seed,)}),
        )
        validated = [] if self.validator is None else list(self.validator.names)
        stated = [record.model_dump(mode="json") for record in records]
        spacing = None if self.store.spacing is None else list(self.store.spacing)
        return digest_json([PROCEDURE, self.store.digest, spacing, validated, self.start, *stated])


class Fitted(NamedTuple):
    """What a run leaves."""

    best: State
    """Weights of the best validation on the CPU; of the last step where there was none."""
    last: State
    """Weights after the last step, on the CPU."""
    curves: TrainingCurves
    parts: tuple[RunPart, ...]

    @property
    def final_loss(self) -> float:
        """The mean loss of the last tenth of the steps."""
        tail = self.curves.losses[-max(1, len(self.curves.losses) // 10) :]
        return math.fsum(tail) / len(tail)
