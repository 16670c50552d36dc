"""What a network is, how it was trained, how it was calibrated and exported."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record
from minivess.records.models.specifications import ModelSpec

MASK_THRESHOLD = 0.5
"""Voxels with at least this calibrated probability are the mask: the one that is evaluated, released and served."""


class TrainingSpec(Record):
    """How members are trained. Bounded by steps, never by time, so that the same seed gives the same network."""

    members: Annotated[tuple[int, ...], Field(min_length=1)] = (0, 1)
    """One seed a member."""
    steps: Annotated[int, Field(ge=1)] = 150
    """Number of optimiser steps."""
    batch: Annotated[int, Field(ge=1)] = 2
    """Number of patches in a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 4e-3
    """Learning rate of the optimiser."""


class RunRecord(Record):
    """One trained member."""

    seed: int
    model: ModelSpec
    training: TrainingSpec
    data: Digest
    """Digest of the images and masks it was trained on, as arrays in order."""
    weights: Digest
    steps: int
    final_loss: float
    device: str
    seconds: float
    mlflow_run: str | None = None


class CalibrationRecord(Record):
    """Temperature and conformal threshold, fitted on the calibration part."""

    temperature: Annotated[float, Field(gt=0)]
    ece_before: float
    ece_after: float
    band_ece_before: float
    """ECE among voxels within two voxels of the reference border."""
    band_ece_after: float
    threshold: Annotated[float, Field(ge=0, le=1)] | None
    """Voxels with at least this probability are in the conformal mask; None when no guarantee can be given."""
    target_recall: Annotated[float, Field(gt=0, lt=1)]
    achieved_recall: float | None
    cases: tuple[str, ...]
    method: str
    note: str


class ExportRecord(Record):
    """An ONNX graph and how closely it repeats the PyTorch ensemble it came from."""

    onnx: Digest
    opset: int
    input_shape: tuple[int, ...]
    max_abs_difference: float
    tolerance: float
    flipped_voxels: int
    tested_patches: int
    seconds_torch: float
    seconds_onnx: float
