"""A mask as NIfTI-1, on the voxels of the image: a viewer shows it where the image is."""

from __future__ import annotations

import gzip

import numpy as np
from numpy.typing import NDArray

from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

_MILLIMETRE = 1e3
_ALIGNED = 2
"""The code of a position that is known in some space (`NIFTI_XFORM_ALIGNED_ANAT`)."""


def write(mask: PlacedMask) -> MaskFile:
    """A `.nii.gz`: axes (x, y, z), millimetres, the image's affine. The same mask gives the same bytes."""
    import nibabel

    image = nibabel.nifti1.Nifti1Image(np.ascontiguousarray(mask.values.T), _affine(mask))
    known = mask.affine is not None
    image.header.set_xyzt_units("mm" if mask.spacing is not None else "unknown")
    image.set_sform(image.affine, code=_ALIGNED if known else 0)
    image.set_qform(image.affine, code=_ALIGNED if known else 0)
    packed = gzip.compress(image.to_bytes(), compresslevel=3, mtime=0)
    return MaskFile(packed, "application/gzip", ".nii.gz")


def _affine(mask: PlacedMask) -> NDArray[np.float64]:
    """From indices (x, y, z, 1) to right-anterior-superior millimetres; the spacing alone where no position is known."""
    if mask.affine is not None:
        affine = mask.affine[:, [2, 1, 0, 3]].copy()
        affine[:3] /= _MILLIMETRE
        return affine
    steps = (1.0,) * mask.values.ndim if mask.spacing is None else tuple(one / _MILLIMETRE for one in mask.spacing)
    return np.diag([*reversed(steps), *(1.0,) * (4 - len(steps))])
