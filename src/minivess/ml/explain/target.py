"""What is explained: the sum of the logits of a class over the mask that the network predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.inference.tiling import pad_to


class ChosenPatch(NamedTuple):
    """The patch that is explained."""

    start: tuple[int, ...]
    """First voxel along each axis of the image; below 0 where the image was too small and was reflected."""
    values: NDArray[np.float32]
    """(channels, *patch)."""
    mask: NDArray[np.bool_]
    """The predicted mask of the class, (*patch)."""


@implements("REQ-410")
def choose_patch(image: NDArray[np.float32], mask: NDArray[np.bool_], patch: Sequence[int]) -> ChosenPatch:
    """The patch with the most voxels of a mask; of equal ones the first.

    Args:
        image: preprocessed, (channels, *grid).
        mask: what the network predicts for the class, (*grid).
        patch: its sides.

    Raises:
        UsageError: the mask is empty.
    """
    if not mask.any():
        raise UsageError(
            "the model predicts no voxel of this class in this case, so there is nothing to explain",
            hint="choose another case or class",
        )
    sides = tuple(patch)
    padded, inner = pad_to(image, sides)
    wide, _ = pad_to(mask, sides)
    sums = wide.astype(np.int64)
    for axis, side in enumerate(sides):
        total = np.cumsum(sums, axis=axis)
        before = np.concatenate([np.zeros_like(total.take([0], axis=axis)), total], axis=axis)
        ends = before.take(range(side, before.shape[axis]), axis=axis)
        sums = ends - before.take(range(before.shape[axis] - side), axis=axis)
    corner = tuple(int(place) for place in np.unravel_index(int(sums.argmax()), sums.shape))
    window = tuple(slice(start, start + side) for start, side in zip(corner, sides, strict=True))
    start = tuple(place - held.start for place, held in zip(corner, inner, strict=True))
    return ChosenPatch(start, np.ascontiguousarray(padded[(slice(None), *window)]), wide[window])


class MaskScore(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow PyTorch
    """A network with one number for each patch: the sum of the logits of a class over a fixed mask.

    Args:
        network: (n, channels, *patch) to logits (n, outputs, *patch).
        output: of the class: 0 for one class, else its number.
        mask: (*patch).
    """

    def __init__(self, network: torch.nn.Module, output: int, mask: NDArray[np.bool_]) -> None:
        super().__init__()
        self.network = network
        self.output = output
        self.register_buffer("mask", torch.from_numpy(np.ascontiguousarray(mask)))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(n,) for patches (n, channels, *patch)."""
        logits = self.network(patches)[:, self.output]
        return (logits * self.mask).flatten(1).sum(dim=1)
