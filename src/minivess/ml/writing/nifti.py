"""Masks and real numbers as NIfTI-1, on the voxels of the image: a viewer shows them where the image is."""

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
    packed = nifti_bytes(mask.values, spacing=mask.spacing, affine=mask.affine)
    return MaskFile(packed, "application/gzip", ".nii.gz")


def nifti_bytes(
    values: NDArray[np.generic],
    *,
    spacing: tuple[float, ...] | None,
    affine: NDArray[np.float64] | None,
    channels: bool = False,
) -> bytes:
    """A gzipped NIfTI-1 file.

    Args:
        values: (z, y, x) or (y, x), of a type that NIfTI knows.
        spacing: micrometres along each axis; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        channels: whether a first axis of channels comes before. Of several, they are the fifth axis, with the intent of a
            vector (nifti1.h, `NIFTI_INTENT_VECTOR`); one is left out.
    """
    import nibabel

    vector = channels and len(values) > 1
    plain = values if not channels or vector else values[0]
    data = np.ascontiguousarray(plain.T)
    if vector:
        data = data.reshape(*data.shape[:-1], *(1,) * (5 - data.ndim), data.shape[-1])
    axes = values.ndim - channels
    image = nibabel.nifti1.Nifti1Image(data, _affine(axes, spacing, affine))
    known = affine is not None
    image.header.set_xyzt_units("mm" if spacing is not None else "unknown")
    if vector:
        image.header.set_intent("vector")
    image.set_sform(image.affine, code=_ALIGNED if known else 0)
    image.set_qform(image.affine, code=_ALIGNED if known else 0)
    return gzip.compress(image.to_bytes(), compresslevel=3, mtime=0)


def _affine(axes: int, spacing: tuple[float, ...] | None, affine: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """From indices (x, y, z, 1) to right-anterior-superior millimetres; the spacing alone where no position is known."""
    if affine is not None:
        turned = affine[:, [2, 1, 0, 3]].copy()
        turned[:3] /= _MILLIMETRE
        return turned
    steps = (1.0,) * axes if spacing is None else tuple(one / _MILLIMETRE for one in spacing)
    return np.diag([*reversed(steps), *(1.0,) * (4 - len(steps))])
