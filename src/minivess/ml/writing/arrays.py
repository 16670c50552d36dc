"""Real numbers on the voxels of an image, as a file: probabilities and disagreement."""

from __future__ import annotations

import gzip
import io
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.writing.nifti import nifti_bytes

ArrayFormat = Literal["npy", "nifti"]


@implements("REQ-432")
def write_array(
    values: NDArray[np.floating],
    name: ArrayFormat,
    *,
    spacing: tuple[float, ...] | None,
    affine: NDArray[np.float64] | None,
    channels: bool,
) -> memoryview:
    """A gzipped file. The same values give the same bytes.

    Args:
        values: float16 or float32. NIfTI knows no float16: there it must be float32.
        name: `npy`: the array as it is. `nifti`: see `nifti_bytes`.
        spacing: micrometres along each axis of the grid; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        channels: whether the first axis is that of channels, before those of the grid.
    """
    if name == "nifti":
        return memoryview(nifti_bytes(values, spacing=spacing, affine=affine, channels=channels))
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as packed:
        np.lib.format.write_array(packed, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return stream.getbuffer()
