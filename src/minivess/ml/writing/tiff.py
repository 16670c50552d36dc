"""A mask as OME-TIFF with the voxel size (OME model 2016-06)."""

from __future__ import annotations

import io
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from minivess.foundation.digests import digest_bytes
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask


def write(mask: PlacedMask) -> MaskFile:
    """One page a plane, deflated; the same mask gives the same bytes.

    TIFF has no place in a world: the position of the image is not in it.
    """
    import tifffile

    axes = "ZYX"[-mask.values.ndim :]
    name = uuid5(
        NAMESPACE_OID, digest_bytes(mask.values.tobytes())
    )  # OME asks for one; a random one would change the bytes
    facts: dict[str, Any] = {"axes": axes, "Name": "mask", "UUID": str(name)}
    if mask.spacing is not None:
        for axis, step in zip(axes, mask.spacing, strict=True):
            facts |= {f"PhysicalSize{axis}": step, f"PhysicalSize{axis}Unit": "µm"}
    stream = io.BytesIO()
    tifffile.imwrite(
        stream, mask.values, photometric="minisblack", compression="zlib", metadata=facts, ome=True, software=False
    )
    return MaskFile(stream.getvalue(), "image/tiff", ".ome.tif")
