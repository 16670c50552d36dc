"""Normalisation, number of steps and strength of augmentation."""

from __future__ import annotations

import math
from typing import NamedTuple

from minivess.foundation.implements import implements
from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.ml.preprocessing.preprocessor import absolute_scale
from minivess.records.models.plan import Device, MemoryAtHand

VISITS = 20
"""How often a training voxel is drawn on average. On the hard synthetic set (8 cases of 48 x 96 x 96) this is 150 steps, with
which Dice .93 was measured."""
STEPS = {"cpu": (150, 2_000), "gpu": (1_000, 20_000)}
"""Fewest and most optimiser steps."""
FEW, MANY = 20, 100
"""Training subjects: below the first, augmentation is strong; from the second on, light."""
AIR = -500.0
"""No intensity of a microscope, of a camera or of MR is below; in CT, air is (Hounsfield units)."""
VARIED = 0.5
"""Medians of cases that differ by more deviations of an image show another gain or another exposure."""


class Choice(NamedTuple):
    """A proposed value and why."""

    value: str | int
    reason: str


def normalisation(data: DataFingerprint) -> Choice:
    """How intensities get on one scale."""
    if absolute_scale(data.modality):
        return Choice("foreground", f"{data.modality} has an absolute scale: one scale for all images")
    if data.contrast > VARIED:
        return Choice("per-case", f"no absolute scale: {_apart(data)}")
    return Choice("per-case", "no absolute scale is known: each image gets its own")


def steps(data: DataFingerprint, *, voxels: float, seen: int, device: Device) -> Choice:
    """Optimiser steps.

    Args:
        data: the cases.
        voxels: of all training images at the target spacing.
        seen: voxels of one step.
        device: where training would run.
    """
    least, most = STEPS[device]
    wanted = math.ceil(VISITS * voxels / seen)
    value = min(max(wanted, least), most)
    value = math.ceil(value / 10) * 10
    visits = value * seen / voxels
    if value > wanted + 10:
        return Choice(value, f"at least {least}: {visits:.0f} visits to each training voxel")
    if value < wanted:
        return Choice(value, f"at most {most} on a {device.upper()}: {visits:.1f} visits to each training voxel")
    return Choice(value, f"{visits:.0f} visits to each training voxel, over {data.cases} cases")


@implements("REQ-333")
def precision(memory: MemoryAtHand) -> Choice | None:
    """Arithmetic of the forward pass on a CPU; None: nothing to propose, as it is a GPU or the processor is not known."""
    if memory.bf16 is None:
        return None
    if memory.bf16:
        return Choice("bf16", "this processor multiplies in bf16: up to twice as fast")
    return Choice("fp32", "this processor does not multiply in bf16: it would be slower")


@implements("REQ-354")
def augmentation(data: DataFingerprint) -> Choice:
    """How much training patches are changed: the more, the fewer subjects there are; never lightly where contrast varies."""
    who = f"{data.subjects} subject{'' if data.subjects == 1 else 's'}"
    if data.subjects < FEW:
        return Choice("strong", f"{who}: fewer than {FEW}")
    if data.subjects < MANY:
        return Choice("medium", f"{who}: fewer than {MANY}")
    if data.contrast > VARIED:
        return Choice("medium", f"{who}, and {_apart(data)}")
    return Choice("light", f"{who}: {MANY} or more")


def _apart(data: DataFingerprint) -> str:
    apart = f"{data.contrast:.1f}" if data.contrast < 10 else "more than 10"
    return f"medians of cases differ by {apart} deviations"


def remarks(data: DataFingerprint) -> tuple[str, ...]:
    """What the user may have to settle."""
    made = []
    if data.darkest < AIR and not absolute_scale(data.modality):
        made.append(f"intensities reach {data.darkest:g}: if these are CT images, state `data.modality: CT`")
    found = {one.name for one in data.classes}
    made += [f"no examined case has the class {one.name}" for one in data.task.classes if one.name not in found]
    return tuple(made)
