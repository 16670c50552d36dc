"""Measure a model on changed images, case by case.

The draws of a change depend on seed, perturbation and case and not on the level: a stronger noise is the same noise, only
stronger, so that a curve shows the level and not the luck of a draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.inference.answers import class_indices, mask_of
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures
from minivess.ml.preprocessing.resampling import resample
from minivess.ml.robustness.perturbation import Perturbation, Scene, Spacing
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.measures import DICE
from minivess.records.evaluation.robustness import (
    Counted,
    CountedCurve,
    PerturbedRow,
    RobustnessFacts,
    RobustnessRecord,
    robustness_of,
)
from minivess.records.models.task import SegmentationTask
from minivess.records.sinks import Progress

Predict = Callable[[NDArray[Any], Spacing | None], NDArray[np.float32]]
"""Raw image and its spacing in micrometres (None: no physical size is known) to calibrated probabilities (outputs, *grid)."""
Outside = Callable[[NDArray[Any], Spacing], bool]
"""Whether the bounds of the intended use refuse a raw image with its spacing, in the unit of the cases."""


@dataclass(frozen=True)
class RobustnessCase:
    """A case that is not sealed."""

    record: CaseRecord
    image: NDArray[Any]
    """Raw, (z, y, x) or (y, x), channels last where there are several."""
    label: NDArray[Any]
    """The reference on the grid of the image, with the values of the classes."""


@dataclass(frozen=True)
class RobustnessPlan:
    """What is measured.

    Attributes:
        facts: model, data, conventions, measures, criteria and seed.
        task: channels, axes and classes of the model.
        groups: the independent group of each case.
        perturbations: with their levels.
        outside: the bounds of the intended use, where they are known.
    """

    facts: RobustnessFacts
    task: SegmentationTask
    groups: Mapping[str, str]
    perturbations: Sequence[Perturbation]
    outside: Outside | None = None


@implements("REQ-405", "RC-161")
def robustness(
    cases: Iterable[RobustnessCase],
    predict: Predict,
    plan: RobustnessPlan,
    *,
    progress: Progress | None = None,
) -> RobustnessRecord:
    """Segment each case unchanged and at each level of each perturbation, and count what came out.

    Args:
        cases: read one at a time.
        predict: the model.
        plan: what is measured.
        progress: called after each image.

    Raises:
        UsageError: there are no cases or perturbations, a case comes twice or has no group.
        InputError: a reference does not fit its image.
        RefusedError: the model answered no probabilities of the size of the image.
    """
    unchanged: list[PerturbedRow] = []
    refused: list[str] = []
    places = [(one, level) for one in plan.perturbations for level in one.levels]
    held: dict[tuple[str, float], tuple[list[PerturbedRow], list[str]]] = {
        (one.name, level): ([], []) for one, level in places
    }
    seen: set[str] = set()
    for case in cases:
        _check(case, seen, plan)
        scene = Scene(np.asarray(case.image, np.float32), case.label, case.record.spacing)
        for row in _rows(case.record, scene, predict, plan, refused):
            unchanged.append(row)
        for number, (perturbation, level) in enumerate(places, 1):
            rng = np.random.default_rng(_seed(plan.facts.seed, perturbation.name, case.record.id))
            changed = perturbation(rng, scene.image, scene.label, scene.spacing, level)
            rows, outside = held[perturbation.name, level]
            rows += _rows(case.record, changed, predict, plan, outside)
            if progress is not None:
                progress(f"perturbing {case.record.id}", number, len(places))
    if not unchanged:
        raise UsageError("there are no cases to measure robustness on")
    known = plan.outside is not None
    return robustness_of(
        plan.facts,
        Counted(level=0, rows=tuple(unchanged), refused=tuple(refused) if known else None),
        (
            CountedCurve(
                perturbation=one.words,
                levels=tuple(
                    Counted(level=level, rows=tuple(rows), refused=tuple(outside) if known else None)
                    for level in one.levels
                    for rows, outside in (held[one.name, level],)
                ),
            )
            for one in plan.perturbations
        ),
    )


def _check(case: RobustnessCase, seen: set[str], plan: RobustnessPlan) -> None:
    name = case.record.id
    if name in seen:
        raise UsageError(f"case {name!r} comes twice")
    seen.add(name)
    if name not in plan.groups:
        raise UsageError(f"case {name!r} has no group", hint="give the groups of the split")
    if case.label.shape != case.image.shape[: len(plan.task.axes)]:
        raise InputError(f"case {name!r} has an image of {case.image.shape} and a mask of {case.label.shape} voxels")


def _seed(seed: int, perturbation: str, case: str) -> list[int]:
    """The seed of the draws of a perturbation in a case."""
    return list(sha256(f"{seed} {perturbation} {case}".encode()).digest())


def _rows(
    record: CaseRecord, scene: Scene, predict: Predict, plan: RobustnessPlan, refused: list[str]
) -> list[PerturbedRow]:
    """The counts of each class in one image; a case that the intended use refuses is listed, and counted all the same."""
    if plan.outside is not None and plan.outside(scene.image, scene.spacing):
        refused.append(record.id)
    probabilities = np.asarray(predict(scene.image, scene.spacing if record.unit == "um" else None), np.float32)
    wanted = (plan.task.outputs, *scene.image.shape[: len(plan.task.axes)])
    if probabilities.shape != wanted or not np.isfinite(probabilities).all():
        raise RefusedError(f"the model answered no probabilities of {wanted} for case {record.id!r}")
    probabilities = resample(probabilities, scene.label.shape)
    predicted = class_indices(mask_of(probabilities, plan.task, threshold=plan.facts.threshold), plan.task)
    reference = class_indices(scene.label, plan.task)
    steps = record.spacing_in(plan.facts.conventions.within.unit)
    return [
        PerturbedRow(
            case=record.id,
            of_class=one.name,
            subject=record.subject,
            group=plan.groups[record.id],
            voxels=reference.size,
            counts=count_measures(
                CasePair.of(predicted == number, reference == number, steps),
                plan.facts.conventions,
                {DICE, *plan.facts.measures},
            ),
        )
        for number, one in enumerate(plan.task.classes, 1)
    ]
