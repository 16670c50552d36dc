"""Spacing from OME-XML (Open Microscopy Environment, schema 2016-06: `Pixels/@PhysicalSizeX` and its unit).

Real metadata is often cut short or lacks end tags (a text export of Bio-Formats, for one), so the start tags are read
as a stream and what follows the last well-formed one is let be. Document types and entities are refused, so nothing
can expand or be fetched.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.parsers import expat

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.ml.datasets.reading.volume import LIMITS, Limits, Spacing, check_spacing

MICROMETRES = {
    "nm": 1e-3,
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
"""Micrometres in one unit, by the names OME and ImageJ use."""


@implements("REQ-011", "RC-10", "RC-15")
def read_ome_spacing(xml_path: Path, *, limits: Limits = LIMITS) -> Spacing:
    """Voxel size (z, y, x) in micrometres from a file with OME-XML.

    Raises:
        InputError: no OME-XML, no physical size, an unknown unit, images that differ in spacing, or a file too large.
    """
    found = ome_spacing(read_limited(xml_path, limit=limits.text_bytes), xml_path)
    if found is None:
        raise InputError(
            "no Pixels element states PhysicalSizeX, Y and Z", path=xml_path, hint="state spacing_um for the case"
        )
    return found


def ome_spacing(data: bytes, path: Path) -> Spacing | None:
    """Spacing stated in OME-XML bytes, or None when its `Pixels` element leaves a physical size out.

    Raises:
        InputError: not OME-XML, images that differ in spacing, an unknown unit, or a document type.
    """
    spacings = {_spacing(attributes, path) for attributes in ome_pixels(data, path)}
    if len(spacings) > 1:
        raise InputError(
            "its images differ in physical size", path=path, hint="keep the image that belongs to the volume"
        )
    return spacings.pop()


def ome_pixels(data: bytes, path: Path) -> list[dict[str, str]]:
    """Attributes of every `Pixels` element, at least one.

    Raises:
        InputError: not OME-XML, or a document type.
    """
    found = _pixels(_text(data), path)
    if not found:
        raise InputError("no OME-XML: there is no Pixels element", path=path)
    return found


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if text.startswith("<?xml"):  # its encoding is settled by now
        text = text[text.find("?>") + 2 :] if "?>" in text else ""
    return text


def _pixels(text: str, path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    parser = expat.ParserCreate(encoding="utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == "Pixels":
            found.append(attributes)

    def refuse(*_: object) -> None:
        raise InputError("document types and entities are refused", path=path, hint="remove the DOCTYPE")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        if not found:
            raise InputError(
                f"not readable as XML: {expat.ErrorString(error.code)}", path=path, line=error.lineno
            ) from None
    return found


def _spacing(attributes: dict[str, str], path: Path) -> Spacing | None:
    values = []
    for axis in "ZYX":
        text = attributes.get(f"PhysicalSize{axis}")
        if text is None:
            return None
        unit = attributes.get(f"PhysicalSize{axis}Unit", "µm").strip()
        if unit not in MICROMETRES:
            raise InputError(f"unknown unit {unit[:20]!r} of PhysicalSize{axis}", path=path, hint="use µm, nm or mm")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        values.append(value * MICROMETRES[unit])
    return check_spacing((values[0], values[1], values[2]), path)
