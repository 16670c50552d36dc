"""A mask as a NumPy array."""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray

from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

_LEVEL, _GZIP = 1, 31
"""Of zlib: higher levels take twice the time for a tenth of the size; 31 is the window of gzip, without a time."""


def write(mask: PlacedMask) -> MaskFile:
    """A gzipped `.npy`, uint8 in C order. The same mask gives the same bytes."""
    values = np.ascontiguousarray(mask.values)
    return MaskFile(gzipped(npy_head(values.shape, values.dtype), values), "application/gzip", ".npy.gz")


def npy_head(shape: tuple[int, ...], kind: np.dtype[np.generic]) -> bytes:
    """What is before the numbers of a `.npy` file, version 1.0, in C order."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind.str, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def gzipped(head: bytes, values: NDArray[np.generic]) -> bytes:
    """A gzipped file of some bytes and numbers in C order, without a copy of the numbers."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return b"".join((packer.compress(head), packer.compress(values.reshape(-1).view(np.uint8).data), packer.flush()))
