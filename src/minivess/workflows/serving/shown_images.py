"""The image of a request as people see it: 8 bits, on the voxels that the model gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.workflows.serving.images import RequestImage

MOST_VALUES = 32 << 20
"""Values of an image that is shown."""
_DARKEST, _BRIGHTEST = 0.5, 99.5
_SAMPLE = 1 << 20


@dataclass(frozen=True)
class ShownImage:
    """An image in 8 bits.

    Attributes:
        pixels: uint8, with the axes and the order of the image.
        low: value that is shown as 0.
        high: value that is shown as 255.
    """

    pixels: NDArray[np.uint8]
    low: float
    high: float


@implements("REQ-489", "RC-205")
def shown_image(image: RequestImage, *, most_values: int = MOST_VALUES) -> ShownImage:
    """An image as it is shown. Each voxel keeps its index.

    Colour pictures whose values are those of a byte are shown as they are. Of others the half percent of darkest and of
    brightest values is cut.

    Raises:
        InputError: the image has too many values.
    """
    array = image.array
    if array.size > most_values:
        raise InputError(
            f"the image has more than the {most_values} values that are shown", hint="it can be segmented all the same"
        )
    flat = array.reshape(-1)
    low, high = float(flat.min()), float(flat.max())
    if not (array.ndim == 3 and array.shape[-1] == 3 and low >= 0 and high <= 255):
        sample = flat[:: max(1, flat.size // _SAMPLE)]
        low, high = (float(value) for value in np.percentile(sample, (_DARKEST, _BRIGHTEST)))
    else:
        low, high = 0.0, 255.0
    scale = 255.0 / (high - low) if high > low else 0.0
    pixels = np.empty(array.shape, np.uint8)
    for one, made in zip(array, pixels, strict=True):
        np.rint(np.clip((one - low) * scale, 0, 255), out=made, casting="unsafe")
    return ShownImage(pixels, low, high)
