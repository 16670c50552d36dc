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

Voxels = npt.NDArray[np.uint16] | npt.NDArray[np.uint8]

_TREE_TYPE = 6
"""SWC type of a node of tree 0 where there are several trees; types from 5 on are for one's own use."""
_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def ome_tiff(array: Voxels, spacing_um: tuple[float, ...], name: str) -> bytes:
    """One page a plane, stored without compression, with OME-XML 2016-06 that states the spacing.

    Args:
        array: (z, y, x), (y, x), or red, green and blue (y, x, 3).
        spacing_um: distance between neighbours along each spatial axis.
        name: name of the image in the XML.
    """
    import tifffile

    colours = array.shape[2] if array.ndim > len(spacing_um) else 1
    grid = array.shape[: len(spacing_um)]
    depth = grid[0] if len(grid) == 3 else 1
    sizes = {"X": grid[-1], "Y": grid[-2], "C": colours, "Z": depth, "T": 1}
    physical = dict(zip("XYZ", reversed(spacing_um), strict=False))
    pixels = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYZCT" if colours == 1 else "XYCZT",
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
        f'<Channel ID="Channel:0:0" SamplesPerPixel="{colours}"/><TiffData IFD="0" PlaneCount="{depth}"/>'
        "</Pixels></Image></OME>"
    )
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        array,
        byteorder="<",
        photometric="minisblack" if colours == 1 else "rgb",
        description=xml.encode("utf-8"),
        metadata=None,
        software=GENERATOR,
    )
    return stream.getvalue()


def nifti(array: Voxels, spacing_um: tuple[float, ...]) -> bytes:
    """NIfTI-1, gzipped: axes (x, y, z), micrometres, x to the right, y to the front, z up; colours as RGB24.

    Args:
        array: (z, y, x), (y, x), or red, green and blue (y, x, 3).
        spacing_um: distance between neighbours along each spatial axis.
    """
    import nibabel

    if array.ndim > len(spacing_um):
        array = np.ascontiguousarray(array).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    steps = [*reversed(spacing_um), 1.0][:3]
    image = nibabel.nifti1.Nifti1Image(np.ascontiguousarray(array.T), np.diag([*steps, 1.0]))
    image.header.set_xyzt_units("micron")
    image.header["descrip"] = GENERATOR.encode("ascii")
    return gzip.compress(image.to_bytes(), mtime=0)


def swc(line: Centreline) -> str:
    """The network as SWC (Cannon et al., 1998, J Neurosci Methods 84:49): x, y, z and radius in micrometres.

    SWC holds trees only. Each pair of nodes that closes a loop stands in a comment, `# LOOP a b`.
    """
    several = bool(line.tree.any())
    meaning = "types 6 artery, 7 vein" if several else "type 0 (undefined)"
    kinds = (line.tree + _TREE_TYPE if several else line.tree).tolist()
    rows = [
        f"# {GENERATOR}: blood vessels; x y z radius in micrometres, from the centre of voxel (0, 0, 0)",
        f"# {meaning}: vessels are no neurites; a line `# LOOP a b` joins two points, which closes a loop",
        "# id type x y z radius parent",
        *(f"# LOOP {a + 1} {b + 1}" for a, b in line.closures.tolist()),
    ]
    # parents stand before their children, as SWC wants
    for number, (node, radius, parent, kind) in enumerate(
        zip(line.nodes.tolist(), line.radii.tolist(), line.parents.tolist(), kinds, strict=True), start=1
    ):
        z, y, x = node
        rows.append(f"{number} {kind} {x:.4f} {y:.4f} {z:.4f} {radius:.4f} {parent + 1 if parent >= 0 else -1}")
    return "\n".join(rows) + "\n"


def truth(case: SyntheticCase, facts: dict[str, object]) -> str:
    """All that is true of a case besides its voxels, as JSON: the graph with its loops, stenoses and leaks.

    Args:
        case: the case.
        facts: what else to state.
    """
    line = case.centreline
    trees = {"trees": ["artery", "vein"], "tree": line.tree.tolist()} if line.tree.any() else {}
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
        **trees,
        "stenoses": [asdict(item) for item in case.stenoses],
        "leaks": [asdict(item) for item in case.leaks],
    }
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"
