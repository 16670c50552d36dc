"""Spacing and origin from OME-XML (Open Microscopy Environment, schema 2016-06: `Pixels/@PhysicalSizeX` and its unit).

Real metadata is often cut short or lacks end tags (a text export of Bio-Formats, for one), so the start tags are read
as a stream and what follows the last well-formed one is let be. Document types and entities are refused, so nothing
can expand or be fetched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.parsers import expat

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.ml.reading.deidentification import Traces, ome_traces
from minivess.ml.reading.volume import LIMITS, Facts, Limits, Spacing, check_spacing

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
"""Micrometres in one unit, by the names OME, NRRD and ImageJ use."""

_MOST_ELEMENTS = 200_000


@dataclass(frozen=True)
class Ome:
    """What OME-XML says.

    Attributes:
        pixels: attributes of every `Pixels` element, at least one.
        blocks: attributes of every `TiffData` element, which say what page holds which plane.
        channels: names of the channels of all images; None where one has no name.
        facts: scanner and file of origin.
        traces: people and dates in it.
    """

    pixels: tuple[dict[str, str], ...]
    blocks: tuple[dict[str, str], ...]
    channels: tuple[str | None, ...]
    facts: Facts
    traces: Traces

    def spacing(self, axes: str, path: Path) -> Spacing | None:
        """Spacing in micrometres along `axes` (`ZYX` or `YX`), or along the last of them where the first sizes are left
        out; None when that of the last is left out.

        Raises:
            InputError: images that differ in spacing, an unknown unit, or an impossible size.
        """
        spacings = {_spacing(attributes, axes, path) for attributes in self.pixels}
        if len(spacings) > 1:
            raise InputError(
                "its images differ in physical size", path=path, hint="keep the image that belongs to the volume"
            )
        return spacings.pop()

    @implements("REQ-311")
    def check_sizes(self, grid: tuple[int, ...], path: Path) -> None:
        """Compare the sizes that the XML states with an image's; sizes that it leaves out are not compared.

        Args:
            grid: (z, y, x) or (y, x) of the image.
            path: the file with the XML.

        Raises:
            InputError: no image of the XML has these sizes.
        """
        wanted = {f"Size{axis}": size for axis, size in zip("ZYX"[-len(grid) :], grid, strict=True)}
        differing = []
        for attributes in self.pixels:
            other = next((n for n, size in wanted.items() if attributes.get(n, str(size)).strip() != str(size)), None)
            if other is None:
                return
            differing.append(f"{other} is {attributes[other][:12]} and the image has {wanted[other]}")
        raise InputError(
            differing[0], path=path, hint="name the metadata of this image, or remove them and state `spacing`"
        )


@implements("REQ-011", "RC-10", "RC-15")
def read_ome(xml_path: Path, *, limits: Limits = LIMITS) -> Ome:
    """Read a file with OME-XML.

    Raises:
        InputError: no OME-XML, a document type, or a file too large.
    """
    return parse_ome(read_limited(xml_path, limit=limits.text_bytes), xml_path)


def parse_ome(data: bytes, path: Path) -> Ome:
    """Read OME-XML.

    Raises:
        InputError: not OME-XML, or a document type.
    """
    elements = _elements(_text(data), path)
    pixels = tuple(attributes for name, attributes in elements if name == "Pixels")
    if not pixels:
        raise InputError("no OME-XML: there is no Pixels element", path=path)
    blocks = tuple(attributes for name, attributes in elements if name == "TiffData")
    channels = tuple(one_line(attributes.get("Name", "")) for name, attributes in elements if name == "Channel")
    return Ome(pixels, blocks, channels, _facts(elements), ome_traces(elements))


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if text.startswith("<?xml"):  # its encoding is known by now
        text = text[text.find("?>") + 2 :] if "?>" in text else ""
    return text


def _elements(text: str, path: Path) -> list[tuple[str, dict[str, str]]]:
    """Names, without their prefix, and attributes of the start tags in order."""
    found: list[tuple[str, dict[str, str]]] = []
    parser = expat.ParserCreate(encoding="utf-8")

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(found) >= _MOST_ELEMENTS:
            raise InputError(f"more than {_MOST_ELEMENTS} elements of XML", path=path, rule="limits")
        found.append((name.rpartition(":")[2], attributes))

    def refuse(*_: object) -> None:
        raise InputError("document types and entities are refused", path=path, hint="remove the DOCTYPE")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        if not any(name == "Pixels" for name, _ in found):
            raise InputError(
                "is not well-formed XML up to its Pixels element",
                path=path,
                line=error.lineno,
                hint="export the metadata again, or state `spacing` for the case",
            ) from None
    return found


def _facts(elements: list[tuple[str, dict[str, str]]]) -> Facts:
    """The microscope, and the file the image was made from: the image's name, where that names a file."""
    scanner = origin = None
    for name, attributes in elements:
        if name == "Microscope" and scanner is None:
            words = (attributes.get("Manufacturer", ""), attributes.get("Model", ""))
            scanner = one_line(" ".join(word for word in words if word))
        elif name == "Image" and origin is None:
            stated = attributes.get("Name", "")
            file = PurePosixPath(PureWindowsPath(stated).name).name
            origin = one_line(file) if "." in file[1:-1] else None
    return Facts(scanner=scanner, origin=origin)


def one_line(text: str) -> str | None:
    """Text of a file as a short printable line, or None where there is none."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:200] or None


def _spacing(attributes: dict[str, str], axes: str, path: Path) -> Spacing | None:
    values: list[float] = []
    for axis in reversed(axes):
        text = attributes.get(f"PhysicalSize{axis}")
        if text is None:
            break
        unit = attributes.get(f"PhysicalSize{axis}Unit", "µm").strip()
        if unit not in MICROMETRES:
            raise InputError(f"unknown unit {unit[:20]!r} of PhysicalSize{axis}", path=path, hint="use µm, nm or mm")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        values.append(value * MICROMETRES[unit])
    return check_spacing(tuple(reversed(values)), path) if values else None
