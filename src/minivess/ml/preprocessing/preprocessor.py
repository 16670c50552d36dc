"""The one way from a raw image to what a network gets, and back: training, calibration, export, evaluation and service.

Measures and conformal scores are taken on the grid of the image: logits are resampled to it, never labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.preprocessing.normalisation import foreground_sample, foreground_statistics, normalise, normalise_by
from minivess.ml.preprocessing.resampling import grid_of, resample, resample_labels
from minivess.records.lengths import in_micrometres
from minivess.records.models.preprocessing import Preprocessing, PreprocessingChoice
from minivess.records.models.task import SegmentationTask

Spacing = Sequence[float] | None
"""Micrometres along each spatial axis; None where no physical size is known."""

Image = NDArray[np.generic]
"""Raw intensities in the order (z, y, x) or (y, x), with the channels last where there are several."""


@implements("REQ-335")
class Preprocessor:
    """Applies a preprocessing.

    Args:
        preprocessing: what is applied.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing

    def apply(self, image: Image, spacing: Spacing = None) -> NDArray[np.float32]:
        """What a network gets of an image: float32 (channels, *grid), at the spacing of the model.

        Raises:
            InputError: the image has other axes or channels, is empty or not finite, or its spacing is needed and not known.
        """
        channels = self.channels(image)
        grid = self.resampled(channels.shape[1:], spacing)
        statistics = self.preprocessing.foreground
        normalised = np.stack(
            [
                normalise_by(channel, statistics[number]) if statistics else normalise(channel)
                for number, channel in enumerate(channels)
            ]
        )
        return resample(normalised, grid)

    def labels(self, mask: NDArray[np.uint8], spacing: Spacing = None) -> NDArray[np.uint8]:
        """The mask of an image on the grid of `apply`."""
        return resample_labels(mask, self.resampled(mask.shape, spacing))

    def restore(self, values: NDArray[np.float32], grid: Sequence[int]) -> NDArray[np.float32]:
        """Logits (outputs, *grid of `apply`) on the grid of the image."""
        return resample(values, grid)

    def target_grid(self, image: Image, spacing: Spacing = None) -> tuple[int, ...]:
        """Sizes of what `apply` makes of an image, along its spatial axes.

        Raises:
            InputError: as `apply`.
        """
        return self.resampled(self.grid(image), spacing)

    def grid(self, image: Image) -> tuple[int, ...]:
        """Sizes of an image along its spatial axes.

        Raises:
            InputError: the image has other axes or channels.
        """
        return self.channels(image).shape[1:]

    def channels(self, image: Image) -> Image:
        """The same image, unchanged, with its channels first.

        Raises:
            InputError: the image has other axes or channels.
        """
        axes, channels = self.preprocessing.axes, self.preprocessing.channels
        if image.ndim == len(axes) and channels == 1:
            return image[np.newaxis]
        if image.ndim == len(axes) + 1 and image.shape[-1] == channels:
            return np.moveaxis(image, -1, 0)
        wanted = f"axes ({', '.join(axes)})" + (f" and then {channels} channels" if channels > 1 else "")
        raise InputError(f"an image of shape {image.shape} where {wanted} are needed")

    def resampled(self, grid: Sequence[int], spacing: Spacing) -> tuple[int, ...]:
        """Sizes of what `apply` makes of an image of a size, along its spatial axes.

        Raises:
            InputError: images are resampled, and the spacing is not known or malformed.
        """
        target = self.preprocessing.spacing
        if target is None:
            return tuple(grid)
        if spacing is None:
            raise InputError("the model needs images of known size", hint="state the spacing of the image")
        if len(spacing) != len(target) or not all(np.isfinite(step) and step > 0 for step in spacing):
            raise InputError(f"a spacing of {len(target)} numbers above 0 is needed, not {tuple(spacing)}")
        return grid_of(grid, spacing, target)


def absolute_scale(modality: str) -> bool:
    """Whether the intensities of images taken so mean the same in every image (CT: Hounsfield units)."""
    return modality.strip().casefold() in {"ct", "computed tomography"}


@implements("REQ-335")
def fit_preprocessing(
    choice: PreprocessingChoice,
    task: SegmentationTask,
    cases: Iterable[tuple[Image, NDArray[np.generic]]],
    *,
    modality: str,
) -> Preprocessing:
    """The preprocessing that a project chooses, with statistics of its training part where it needs them.

    Args:
        choice: what the project file says.
        task: channels and axes.
        cases: raw images and masks of the training part; read only where statistics are needed, one at a time.
        modality: how the images were taken, for `auto`.

    Raises:
        InputError: no case has foreground, or an image has other axes or channels.
        ValueError: the chosen spacing has another number of axes.
    """
    made = Preprocessing(
        channels=task.channels,
        axes=task.axes,
        spacing=None if choice.spacing == "native" else in_micrometres(choice.spacing),
    )
    if choice.normalisation == "per-case" or (choice.normalisation == "auto" and not absolute_scale(modality)):
        return made
    plain = Preprocessor(made)
    samples: list[list[NDArray[np.generic]]] = [[] for _ in range(task.channels)]
    for image, mask in cases:
        for channel, drawn in zip(plain.channels(image), samples, strict=True):
            drawn.append(foreground_sample(channel, mask))
    statistics = tuple(foreground_statistics(drawn) for drawn in samples)
    return made.model_copy(update={"foreground": statistics})
