"""A mask with its place, and the file that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.records.data.dataset import LabelClass


@dataclass(frozen=True)
class PlacedMask:
    """A mask and where it is.

    Attributes:
        values: uint8 (z, y, x) or (y, x); 0 is background, else the value of a class.
        spacing: micrometres along each axis; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        classes: what the values mean.
        source: the bytes of the image that was segmented, which DICOM-SEG refers to.
        made_by: name and version of the device.
    """

    values: NDArray[np.uint8]
    spacing: tuple[float, ...] | None
    affine: NDArray[np.float64] | None
    classes: tuple[LabelClass, ...]
    source: bytes = b""
    made_by: tuple[str, str] = ("MiniVess", "0")


class MaskFile(NamedTuple):
    """A mask as the bytes of a file."""

    data: bytes
    media_type: str
    suffix: str
