"""A synthetic case as files that others read: OME-TIFF or NIfTI, SWC, and JSON for what SWC cannot say."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import asdict
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from minivess.ml.synthesis.parameters import GENERATOR
from minivess.ml.synthesis.vasculature import Centreline
from minivess.ml.synthesis.volume import SyntheticCase

_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def ome_tiff(array: npt.NDArray[np.uint16] | npt.NDArray[np.uint8], spacing_um: tuple[float, ...], name: str) -> bytes:
    """One page a plane, stored without compression, with OME-XML 2016-06 that states the spacing.

    Args:
        array: (z, y, x) or (y, x).
        spacing_um: distance between neighbours along each axis.
        name: name of the image in the XML.
    """
    import tifffile

    depth = array.shape[0] if array.ndim == 3 else 1
    sizes = {"X": array.shape[-1], "Y": array.shape[-2], "C": 1, "Z": depth, "T": 1}
    physical = dict(zip("XYZ", reversed(spacing_um), strict=False))
    pixels = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYZCT",
        "Type": str(array.dtype),
        "BigEndian": "false",
        **{f"Size{axis}": str(size) for axis, size in sizes.items()},
        **{f"PhysicalSize{axis}": str(float(size)) for axis, size in physical.items()},
        **{f"PhysicalSize{axis}Unit": "µm" for axis in physical},
    }
    attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in pixels.items())
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_OME}" Creator={quoteattr(GENERATOR)}>'
        f'<Image ID="Image:0" Name={quoteattr(name)}><Pixels {attributes}>'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="{depth}"/>'
        "</Pixels></Image></OME>"
    )
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        array,
        byteorder="<",
        photometric="minisblack",
        description=xml.encode("utf-8"),
        metadata=None,
        software=GENERATOR,
    )
    return stream.getvalue()


def nifti(array: npt.NDArray[np.uint16] | npt.NDArray[np.uint8], spacing_um: tuple[float, ...]) -> bytes:
    """NIfTI-1, gzipped: axes (x, y, z), micrometres, x to the right, y to the front, z up.

    Args:
        array: (z, y, x) or (y, x).
        spacing_um: distance between neighbours along each axis.
    """
    import nibabel

    steps = [*reversed(spacing_um), 1.0][:3]
    image = nibabel.nifti1.Nifti1Image(np.ascontiguousarray(array.T), np.diag([*steps, 1.0]))
    image.header.set_xyzt_units("micron")
    image.header["descrip"] = GENERATOR.encode("ascii")
    return gzip.compress(image.to_bytes(), mtime=0)


def swc(line: Centreline) -> str:
    """The network as SWC (Cannon et al., 1998, J Neurosci Methods 84:49): x, y, z and radius in micrometres.

    SWC holds trees only. Each pair of nodes that closes a loop stands in a comment, `# LOOP a b`.
    """
    rows = [
        f"# {GENERATOR}: blood vessels; x y z radius in micrometres, from the centre of voxel (0, 0, 0)",
        "# type 0 (undefined): vessels are no neurites; a line `# LOOP a b` joins two points, which closes a loop",
        "# id type x y z radius parent",
        *(f"# LOOP {a + 1} {b + 1}" for a, b in line.closures.tolist()),
    ]
    # parents stand before their children, as SWC wants
    for number, (node, radius, parent) in enumerate(
        zip(line.nodes.tolist(), line.radii.tolist(), line.parents.tolist(), strict=True), start=1
    ):
        z, y, x = node
        rows.append(f"{number} 0 {x:.4f} {y:.4f} {z:.4f} {radius:.4f} {parent + 1 if parent >= 0 else -1}")
    return "\n".join(rows) + "\n"


def truth(case: SyntheticCase, facts: dict[str, object]) -> str:
    """All that is true of a case besides its voxels, as JSON: the graph with its loops, stenoses and leaks.

    Args:
        case: the case.
        facts: what else to state.
    """
    line = case.centreline
    plain = {
        "format": "minivess-vessel-truth/1",
        "axes": "zyx",
        "unit": "um",
        "origin": "centre of voxel (0, 0, 0)",
        **facts,
        "nodes": [[round(value, 4) for value in node] for node in line.nodes.tolist()],
        "radii": [round(value, 4) for value in line.radii.tolist()],
        "parents": line.parents.tolist(),
        "loops": line.closures.tolist(),
        "stenoses": [asdict(item) for item in case.stenoses],
        "leaks": [asdict(item) for item in case.leaks],
    }
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"
