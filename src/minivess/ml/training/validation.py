"""Validation during training, on cases of the training part that the run does not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.inference.answers import class_indices, mask_of
from minivess.ml.inference.tiling import tiles_of
from minivess.ml.measures.dice import overlap
from minivess.ml.sampling.case_store import TrainingCase
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import CaseFigures, ValidationPoint

if TYPE_CHECKING:
    import torch

_SMALLEST = 1e-6
MOST_GROUPS = 20
"""More groups would take more time than they are worth."""
MOST, FEWEST = 10, 3
"""Validations of a run, unless their interval is stated."""
SHARE = 0.05
"""Share of the steps' computing that all validations take, where this leaves the fewest."""
_FORWARD = 1 / 3
"""Share of a step that its forward pass takes: the backward pass has two convolutions for each one."""


class ValidationCases(NamedTuple):
    """The cases of a validation."""

    cases: tuple[str, ...]
    """In order of the training part; empty where there is no validation."""
    note: str | None
    """Why there is none."""


@implements("REQ-371")
def validation_cases(groups: Mapping[str, str], share: float, *, seed: int) -> ValidationCases:
    """Draw independent groups of the training part for validation; all their cases are then left out of training.

    Every member is validated on the same cases, so that figures of seeds differ by the seed alone.

    Args:
        groups: the independent group of each case of the training part, in order of the part.
        share: of the groups; rounded down, at most 20 groups.
        seed: of the split.
    """
    names = sorted(set(groups.values()), key=lambda name: sha256(f"validation {seed} {name}".encode()).digest())
    count = min(math.floor(len(names) * share + 1e-9), MOST_GROUPS, len(names) - 1)
    if count < 1:
        return ValidationCases((), _why_none(len(names), share))
    drawn = set(names[:count])
    return ValidationCases(tuple(case for case, name in groups.items() if name in drawn), None)


def _why_none(groups: int, share: float) -> str:
    if share < _SMALLEST:
        return "training.validation.share is 0"
    wanted = max(2, math.ceil(1 / share - 1e-9))
    held = f"{groups} independent group{'' if groups == 1 else 's'}"
    return f"the training part has {held}, and a validation on a share of {share:g} needs {wanted}"


@implements("REQ-371")
def steps_between(training: TrainingSpec, patches: int) -> int:
    """Steps from one validation to the next: stated, or so many that validations take about 5 % of a run.

    There are ten validations at most and three at least. The number is a function of sizes alone and not of measured time,
    so that the validations of two runs are after the same steps.

    Args:
        training: of the member.
        patches: that a validation asks the network about; 0: not known.
    """
    if training.validation.every is not None:
        return training.validation.every
    steps = patches * _FORWARD / (training.batch * training.accumulate)
    wanted = max(training.steps // MOST, math.ceil(steps / SHARE))
    return max(1, min(wanted, training.steps // FEWEST))


@dataclass(frozen=True)
class Validator:
    """Judges a network on cases that are read one at a time.

    Attributes:
        cases: gives raw images and masks, each time anew.
        names: of the cases.
        spec: the network.
        task: channels, axes and classes.
        preprocessing: what images go through.
        grids: sizes of the preprocessed images; empty: their number of patches is not known.
    """

    cases: Callable[[], Iterable[TrainingCase]]
    names: tuple[str, ...]
    spec: ModelSpec
    task: SegmentationTask
    preprocessing: Preprocessing
    grids: tuple[tuple[int, ...], ...] = ()

    @property
    def patches(self) -> int:
        """Patches that a validation asks the network about; 0: not known."""
        return sum(tiles_of(grid, self.spec.patch) for grid in self.grids)

    @implements("REQ-371")
    def judge(self, network: torch.nn.Module, step: int, *, device: str) -> ValidationPoint:
        """The Dice of each class in each case, of whole tiled images on their own grid.

        Args:
            network: with the weights that are judged; it is put into evaluation mode and may change its layout in memory.
            step: after which they were taken.
            device: the name of a PyTorch device.
        """
        from minivess.ml.inference.predictor import NetworkPredictor

        predictor = NetworkPredictor(network, self.spec, device, task=self.task, preprocessing=self.preprocessing)
        found = tuple(self._of_case(predictor.predict(case.image, case.spacing), case) for case in self.cases())
        means = {one.name: _mean(figures.dice[one.name] for figures in found) for one in self.task.classes}
        return ValidationPoint(step=step, dice=means, mean=_mean(means.values()), cases=found)

    def _of_case(self, probabilities: NDArray[np.float32], case: TrainingCase) -> CaseFigures:
        answer, truth = (class_indices(mask, self.task) for mask in (mask_of(probabilities, self.task), case.label))
        dice: dict[str, float | None] = {}
        for number, one in enumerate(self.task.classes, start=1):
            counts = overlap(answer == number, truth == number)
            dice[one.name] = counts.measure if counts.tp + counts.fp + counts.fn else None
        return CaseFigures(case=case.name, dice=dice)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are numbers."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
