"""A mask of a picture as PNG: a grey picture whose values are those of the classes."""

from __future__ import annotations

import io

from minivess.foundation.errors import UsageError
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask


def check_axes(axes: int) -> None:
    """Refuse a mask that is no picture.

    Args:
        axes: of the mask.

    Raises:
        UsageError: the mask is one of a volume.
    """
    if axes != 2:
        raise UsageError("a PNG holds a picture, and this mask is a volume", hint="ask for nifti, tiff or npy")


def write(mask: PlacedMask) -> MaskFile:
    """An 8-bit grey picture.

    Raises:
        UsageError: the mask is one of a volume.
    """
    check_axes(mask.values.ndim)
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(mask.values).save(stream, format="PNG", optimize=False)
    return MaskFile(stream.getvalue(), "image/png", ".png")
