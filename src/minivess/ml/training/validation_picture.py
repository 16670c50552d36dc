"""Patches of validation cases with the outlines of reference and answer, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from minivess.ml.augmentation.patches import Image, Label, Patches
from minivess.ml.inference.answers import class_indices, mask_of
from minivess.ml.inference.predictor import NetworkPredictor
from minivess.ml.training.validation import Validator

SHOWN = 8
"""Cases of a picture; each has two patches."""


def validation_patches(validator: Validator, network: torch.nn.Module, *, device: str) -> Iterator[Patches]:
    """Of each of the first eight cases the patch about the middle of its classes: with the reference, then with the answer.

    Args:
        validator: has the cases.
        network: with the weights that are shown.
        device: the name of a PyTorch device.
    """
    predictor = NetworkPredictor(
        network, validator.spec, device, task=validator.task, preprocessing=validator.preprocessing
    )
    for case in islice(validator.cases(), SHOWN):
        truth = class_indices(case.label, validator.task)
        answer = class_indices(mask_of(predictor.predict(case.image, case.spacing), validator.task), validator.task)
        place = _about(truth, validator.spec.patch)
        image = _channels_first(case.image, truth.ndim)[(slice(None), *place)]
        yield image, truth[place]
        yield image, answer[place]


def _about(label: Label, patch: tuple[int, ...]) -> tuple[slice, ...]:
    """The patch about the middle of the classes, within the image."""
    found = np.nonzero(label)
    middle = [float(np.mean(axis)) if axis.size else size / 2 for axis, size in zip(found, label.shape, strict=True)]
    starts = (
        min(max(0, round(centre - side / 2)), max(0, size - side))
        for centre, side, size in zip(middle, patch, label.shape, strict=True)
    )
    return tuple(slice(start, start + side) for start, side in zip(starts, patch, strict=True))


def _channels_first(image: NDArray[np.generic], axes: int) -> Image:
    """(channels, *grid) in standard deviations, so that cases of different scales can be seen side by side."""
    values = np.asarray(image, np.float32)
    values = np.moveaxis(values, -1, 0) if values.ndim > axes else values[np.newaxis]
    spread = float(values.std()) or 1.0
    return np.asarray((values - float(values.mean())) / spread, np.float32)
