"""The weights of the classes in a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import ClassWeights

LARGEST_BALANCED = 100.0
"""A class that is rarer gets no larger weight: a few voxels would decide each step."""


@implements("REQ-350")
def class_weights(chosen: ClassWeights, voxels: Sequence[int], task: SegmentationTask) -> tuple[float, ...] | None:
    """The weights of the classes, in their order; None: all are 1, as that of the background.

    `balanced`: the square root of how many voxels of background there are for one of the class, from 1 to 100. The inverse
    itself is thousands for a rare class, and the mask becomes too large.

    Args:
        chosen: `training.class_weights`.
        voxels: of the background and of each class, in all training cases.
        task: the classes.

    Raises:
        UsageError: there is not one weight a class, or weights are balanced and no training case has one of the classes.
    """
    if chosen == "equal":
        return None
    if chosen != "balanced":
        return checked(chosen, len(task.classes))
    for one, count in zip(task.classes, voxels[1:], strict=True):
        if not count:
            raise UsageError(
                f"no training case has the class {one.name}, so its balanced weight is unknown",
                hint="give training.class_weights one number a class, or add a case with that class",
            )
    return tuple(min(LARGEST_BALANCED, max(1.0, math.sqrt(voxels[0] / count))) for count in voxels[1:])


def checked(weights: tuple[float, ...], classes: int) -> tuple[float, ...]:
    """The weights, if there is one a class.

    Raises:
        UsageError: there is not.
    """
    if len(weights) != classes:
        stated, needed = len(weights), f"{classes} class" + ("" if classes == 1 else "es")
        raise UsageError(
            f"training.class_weights has {stated} number{'' if stated == 1 else 's'} for {needed}",
            hint="give one number a class, without the background",
        )
    return weights


@implements("REQ-350")
def check_stated(chosen: ClassWeights, classes: int) -> None:
    """Refuse numbers that are not one a class, before anything is read for training.

    Raises:
        UsageError: there is not one number a class.
    """
    if not isinstance(chosen, str):
        checked(chosen, classes)
