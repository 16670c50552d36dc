"""A volume (z, y, x) or a picture as the bytes of files that people have, and back."""

from __future__ import annotations

import gzip
import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tests.support.builders.specimens import dicom_bytes, slice_of


def nifti(image: np.ndarray, spacing: tuple[float, ...], *, affine: np.ndarray | None = None) -> bytes:
    """A `.nii.gz` with the spacing (z, y, x) in millimetres; `affine`, from (x, y, z, 1), takes its place."""
    import nibabel

    steps = np.diag([*reversed(spacing), 1.0]) if affine is None else affine
    made = nibabel.nifti1.Nifti1Image(np.ascontiguousarray(image.T), steps)
    made.header.set_xyzt_units("mm")
    return gzip.compress(made.to_bytes(), mtime=0)


def nifti_array(data: bytes) -> np.ndarray:
    """The array (z, y, x) of a `.nii.gz`."""
    import nibabel

    read = nibabel.nifti1.Nifti1Image.from_bytes(gzip.decompress(data))
    return np.asarray(read.dataobj).T


def ome_tiff(image: np.ndarray, spacing: tuple[float, ...]) -> bytes:
    """An OME-TIFF with the spacing in micrometres."""
    import tifffile

    facts: dict[str, object] = {"axes": "ZYX"}
    for axis, step in zip("ZYX", spacing, strict=True):
        facts |= {f"PhysicalSize{axis}": step, f"PhysicalSize{axis}Unit": "µm"}
    stream = io.BytesIO()
    tifffile.imwrite(stream, image, ome=True, photometric="minisblack", metadata=facts)
    return stream.getvalue()


def tiff(image: np.ndarray) -> bytes:
    """A plain TIFF stack, which states no spacing."""
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, image, photometric="minisblack", metadata=None)
    return stream.getvalue()


def tiff_array(data: bytes) -> np.ndarray:
    """The array of a TIFF."""
    import tifffile

    array: np.ndarray = tifffile.imread(io.BytesIO(data))
    return array


def png(image: np.ndarray) -> bytes:
    """A grey or colour picture as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="PNG")
    return stream.getvalue()


def png_array(data: bytes) -> np.ndarray:
    """The array of a grey PNG."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


def nrrd(image: np.ndarray, spacing: tuple[float, ...]) -> bytes:
    """An NRRD with the spacing in micrometres."""
    import nrrd as library

    header = {
        "space dimension": 3,
        "space directions": np.diag(spacing[::-1]),
        "space units": ["um", "um", "um"],
        "encoding": "gzip",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.nrrd"
        library.write(str(path), np.ascontiguousarray(image.T), header)
        return path.read_bytes()


def series(image: np.ndarray, spacing: tuple[float, ...]) -> dict[str, bytes]:
    """The files of a DICOM series with the spacing in millimetres, last slice first."""
    step, *within = spacing
    return {
        f"{number:03d}.dcm": dicom_bytes(
            slice_of(
                number * step,
                plane.astype(np.uint16),
                number=number + 1,
                PixelSpacing=list(within),
                PatientName="Case^One",
                PatientID="P-1",
            )
        )
        for number, plane in reversed(list(enumerate(image)))
    }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()
