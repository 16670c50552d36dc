"""Masks and real numbers as NIfTI-1, on the voxels of the image: a viewer shows them where the image is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minivess.ml.writing.npy import gzipped
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

_MILLIMETRE = 1e3
_OFFSET = 352
"""Where the numbers of a single file without extensions begin."""
_ALIGNED = 2
"""The code of a position that is known in some space (`NIFTI_XFORM_ALIGNED_ANAT`)."""


def write(mask: PlacedMask) -> MaskFile:
    """A `.nii.gz`: axes (x, y, z), millimetres, the image's affine. The same mask gives the same bytes."""
    values = np.ascontiguousarray(mask.values)
    head = nifti_head(values.shape, values.dtype, spacing=mask.spacing, affine=mask.affine)
    return MaskFile(gzipped(head, values), "application/gzip", ".nii.gz")


def nifti_head(
    shape: tuple[int, ...],
    kind: np.dtype[np.generic],
    *,
    spacing: tuple[float, ...] | None,
    affine: NDArray[np.float64] | None,
    channels: bool = False,
) -> bytes:
    """What is before the numbers of a NIfTI-1 file: header and no extension. Its first axis changes fastest (nifti1.h), so that
    the numbers are those of the array in C order, little-endian.

    Args:
        shape: (z, y, x) or (y, x).
        kind: of the numbers; one that NIfTI knows.
        spacing: micrometres along each axis; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        channels: whether a first axis of channels comes before. Of several, they are the fifth axis, with the intent of a
            vector (nifti1.h, `NIFTI_INTENT_VECTOR`); one is left out.
    """
    import nibabel

    axes = shape[1:] if channels else shape
    vector = channels and shape[0] > 1
    turned = tuple(reversed(axes))
    data = np.broadcast_to(np.zeros((), kind), (*turned, *(1,) * (4 - len(turned)), shape[0]) if vector else turned)
    image = nibabel.nifti1.Nifti1Image(data, _affine(len(axes), spacing, affine))
    known = affine is not None
    image.header.set_xyzt_units("mm" if spacing is not None else "unknown")
    if vector:
        image.header.set_intent("vector")
    image.set_sform(image.affine, code=_ALIGNED if known else 0)
    image.set_qform(image.affine, code=_ALIGNED if known else 0)
    image.update_header()
    image.header["vox_offset"], image.header["magic"] = _OFFSET, b"n+1"
    image.header.set_slope_inter(1.0, 0.0)
    head: bytes = image.header.binaryblock
    return head.ljust(_OFFSET, b"\0")


def _affine(axes: int, spacing: tuple[float, ...] | None, affine: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """From indices (x, y, z, 1) to right-anterior-superior millimetres; the spacing alone where no position is known."""
    if affine is not None:
        turned = affine[:, [2, 1, 0, 3]].copy()
        turned[:3] /= _MILLIMETRE
        return turned
    steps = (1.0,) * axes if spacing is None else tuple(one / _MILLIMETRE for one in spacing)
    return np.diag([*reversed(steps), *(1.0,) * (4 - len(steps))])
