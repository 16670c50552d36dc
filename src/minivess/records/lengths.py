"""Lengths with their unit: read from text, kept as stated, and shown to people in one way.

In records lengths are micrometres (`um`) or pixels (`px`); the distances of an evaluation are in the unit of its tolerance,
which may be millimetres (`mm`) too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from minivess.foundation.implements import implements

LengthUnit = Literal["um", "mm", "px"]
"""Micrometres, millimetres, or pixels where no physical size is known."""

UNIT_NAMES: dict[LengthUnit, str] = {"um": "µm", "mm": "mm", "px": "px"}
"""How people read a unit."""
MICROMETRES: dict[LengthUnit, int] = {"um": 1, "mm": 1000}
"""Micrometres in one of a unit. Pixels have no physical size."""
MM_FROM = 100.0
"""People read lengths of images in millimetres where the smallest spacing is at least so many micrometres."""

_UNITS: dict[str, LengthUnit] = {"um": "um", "\u00b5m": "um", "\u03bcm": "um", "mm": "mm", "px": "px"}
"""Both code points of µ are read: the micro sign, and the Greek letter that NFKC makes of it."""
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_LENGTH = re.compile(rf"({_NUMBER})\s*({'|'.join(_UNITS)})")
_TIMES = re.compile(r"\s*(?<!p)[x\u00d7]\s*")
_LONGEST, _LARGEST = 200, 1e9
_EXAMPLE = "must be a number above 0 with its unit (µm, um, mm or px), for example 2 µm"
_SPACING_EXAMPLE = "must be two or three lengths with their unit (µm, um or mm), for example 5 x 0.994 x 0.994 µm"


@dataclass(frozen=True, slots=True)
class Length:
    """A length as it was stated, for example `2 µm`."""

    value: float
    """Above 0."""
    unit: LengthUnit

    @property
    def micrometres(self) -> float:
        """The same length in micrometres.

        Raises:
            ValueError: it is in pixels.
        """
        if self.unit not in MICROMETRES:
            raise ValueError("a length in pixels has no physical size")
        return float(Decimal(repr(self.value)) * MICROMETRES[self.unit])

    def __str__(self) -> str:
        """The length as a project file states it, without any loss: `2 µm`, `0.002 mm`, `2 px`."""
        return f"{_plain(self.value)} {UNIT_NAMES[self.unit]}"


def parse_length(stated: object) -> Length:
    """Read a length from text: a number with its unit, `µm`, `um`, `mm` or `px`.

    Raises:
        ValueError: it is something else; with an example.
    """
    if isinstance(stated, Length):
        return stated
    match = _LENGTH.fullmatch(stated.strip()) if isinstance(stated, str) and len(stated) <= _LONGEST else None
    value = 0.0 if match is None else float(match[1])
    if match is None or not 0 < value < _LARGEST:
        raise ValueError(_EXAMPLE)
    return Length(value, _UNITS[match[2]])


@implements("REQ-322")
def parse_spacing(stated: object) -> tuple[Length, ...]:
    """Read a spacing: lengths joined by `x` or `×` with the unit after the last or after each, or a list of lengths.

    Raises:
        ValueError: it is something else, has one or more than three lengths, or is in pixels.
    """
    texts: Sequence[object] = ()
    if isinstance(stated, str) and len(stated) <= _LONGEST:
        parts = _TIMES.split(stated.strip())
        unit = parts[-1].lstrip("0123456789.eE+- ")
        bare = len(parts) > 1 and all(re.fullmatch(_NUMBER, part) for part in parts[:-1])
        texts = [*(f"{part} {unit}" for part in parts[:-1]), parts[-1]] if bare else parts
    elif isinstance(stated, list | tuple):
        texts = stated
    try:
        found = tuple(parse_length(text) for text in texts)
    except ValueError:
        found = ()
    if len(found) not in {2, 3}:
        raise ValueError(_SPACING_EXAMPLE)
    if any(length.unit == "px" for length in found):
        raise ValueError("a spacing is in µm or mm; state `data.unit: px` where no physical size is known")
    return found


def in_micrometres(spacing: Iterable[Length]) -> tuple[float, ...]:
    """The lengths of a spacing in micrometres, in the same order.

    Raises:
        ValueError: one is in pixels.
    """
    return tuple(length.micrometres for length in spacing)


def spacing_text(spacing: Sequence[Length]) -> str:
    """A spacing as a project file states it, without any loss: `5 x 0.994 x 0.994 µm`."""
    if len({length.unit for length in spacing}) == 1:
        return f"{' x '.join(_plain(length.value) for length in spacing)} {UNIT_NAMES[spacing[0].unit]}"
    return " x ".join(str(length) for length in spacing)


@implements("REQ-323")
def shown(lengths: float | Sequence[float], unit: LengthUnit, *, between: str = " × ") -> str:
    """Lengths for people, to four significant digits: `2 µm`, `5 × 0.994 × 0.994 µm`, `1 × 1 × 2 mm`, `2 px`.

    Micrometres become millimetres where the smallest length is at least 100 µm.

    Args:
        lengths: one, or several.
        unit: their unit.
        between: what is written between several.
    """
    values = [lengths] if isinstance(lengths, int | float) else list(lengths)
    if unit == "um" and values and min(values) >= MM_FROM:
        values, unit = [value / MICROMETRES["mm"] for value in values], "mm"
    return f"{between.join(f'{value:.4g}' for value in values)} {UNIT_NAMES[unit]}"


def _plain(value: float) -> str:
    text = repr(float(value))
    return text.removesuffix(".0")


_SCHEMA = {"type": "string", "examples": ["2 µm", "2 um", "0.002 mm", "2 px"]}
StatedLength = Annotated[
    Length, BeforeValidator(parse_length), PlainSerializer(str, return_type=str), WithJsonSchema(_SCHEMA)
]
"""A length in a project file; in JSON its text."""


def _spacing_text(spacing: Any) -> str:
    return spacing_text(spacing)


_LENGTHS = {"type": "array", "items": _SCHEMA, "minItems": 2, "maxItems": 3}
StatedSpacing = Annotated[
    tuple[Length, ...],
    BeforeValidator(parse_spacing),
    PlainSerializer(_spacing_text, return_type=str),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["5 x 0.994 x 0.994 µm"]}, _LENGTHS]}),
]
"""Spacing along each axis, (z, y, x) of a volume or (y, x) of a picture, in micrometres or millimetres."""
