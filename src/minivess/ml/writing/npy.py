"""A mask as a NumPy array."""

from __future__ import annotations

import gzip
import io

import numpy as np

from minivess.ml.writing.placed_mask import MaskFile, PlacedMask


def write(mask: PlacedMask) -> MaskFile:
    """A gzipped `.npy`, uint8 in C order. The same mask gives the same bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(mask.values), version=(1, 0), allow_pickle=False)
    return MaskFile(gzip.compress(stream.getvalue(), compresslevel=3, mtime=0), "application/gzip", ".npy.gz")
