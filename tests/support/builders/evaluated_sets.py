"""Small sets of cases of any task with a predictor that is right most of the time, for evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.evaluation.evaluation import EvaluationPlan
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan

DIGEST = f"sha256:{'9' * 64}"
SUPPORT = Path(__file__).resolve().parents[3]
"""The folder that another process needs in `PYTHONPATH` to run a module of these tests."""
COLOUR_PLANES = SegmentationTask(
    axes="yx", channels=3, classes=(LabelClass(value=3, name="cup"), LabelClass(value=8, name="disc"))
)
"""Two classes of colour pictures."""


@dataclass
class EvaluatedSet:
    """Cases with images, masks and probabilities; the names of the cases are given."""

    names: tuple[str, ...]
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES
    grid: tuple[int, ...] = (6, 20, 24)
    records: list[CaseRecord] = field(default_factory=list)
    images: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    masks: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw every case; a lower half of the first axis is foreground, and blobs of it are missed."""
        for seed, name in enumerate(self.names):
            rng = np.random.default_rng(seed)
            shape = (*self.grid, *(() if self.task.channels == 1 else (self.task.channels,)))
            values = np.array([0, *(one.value for one in self.task.classes)], np.uint8)
            coarse = rng.integers(0, len(values), [-(-size // 4) for size in self.grid])
            indices = np.kron(coarse, np.ones((4,) * len(self.grid), int))[tuple(slice(size) for size in self.grid)]
            self.masks[name] = values[indices]
            self.images[name] = rng.normal(size=shape).astype(np.float32)
            self.records.append(
                CaseRecord(
                    id=name,
                    subject=name,
                    acquisition=name,
                    axes=self.task.axes + ("c" if self.task.channels > 1 else ""),
                    shape=shape,
                    spacing=(5.0, 1.0, 1.5)[-len(self.grid) :],
                    modality="microscopy",
                    image=DIGEST,
                    label=DIGEST,
                    source_dtype="float32",
                    label_values=tuple(values.tolist()),
                    classes=self.task.classes,
                    foreground_fraction=0.5,
                )
            )

    @property
    def plan(self) -> EvaluationPlan:
        """Its plan, with few draws."""
        analysis = analysis_plan(bootstrap=100, statistics="mean of groups", scored=True)
        return evaluation_plan(analysis, digest=DIGEST, request="r", cases=self.names, task=self.task)

    def cases(self) -> Iterator[tuple[CaseRecord, NDArray[np.float32]]]:
        """Record and image of each case."""
        for record in self.records:
            yield record, self.images[record.id]

    def predict(self, image: NDArray[Any], spacing: object = None) -> NDArray[np.float32]:
        """Probabilities that follow the mask with noise."""
        (name,) = (name for name, known in self.images.items() if known is image)
        rng = np.random.default_rng(len(name))
        indices = np.searchsorted([0, *(one.value for one in self.task.classes)], self.masks[name])
        logits = 2.5 * np.moveaxis(np.eye(1 + len(self.task.classes))[indices], -1, 0)
        logits += rng.normal(size=logits.shape)
        shares = np.exp(logits) / np.exp(logits).sum(axis=0)
        return (shares[1:] if self.task.outputs == 1 else shares).astype(np.float32)
