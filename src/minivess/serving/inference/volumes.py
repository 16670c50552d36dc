"""Images as clients send them: NumPy's `.npy` format, read with its header checked before any array is made.

Format: NumPy Enhancement Proposal 1 (versions 1.0 and 2.0). Pickled objects, complex numbers, other axes or channels than
the model takes, and anything whose size does not follow from its header are refused. NumPy's own reader evaluates the header
as Python and warns about some; here it is matched against the few forms that it can have, so that nothing a client writes is
evaluated.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.lengths import in_micrometres
from minivess.records.lengths import parse_spacing as read_spacing
from minivess.records.models.task import SegmentationTask

Spacing = tuple[float, ...]

_LONGEST_SPACING, _METRE = 100, 1e6
_COUNTS = {2: "two", 3: "three"}

MAGIC = b"\x93NUMPY"
"""The first bytes of a `.npy` file."""
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
_HEADER_LIMIT = 4096
_HINT = "save the array with numpy.save(file, array.astype('float32')); GET /v1/model lists its axes and channels"
_FIELD = re.compile(
    r"""[ \t]*(?P<quote>['"])(?P<name>descr|fortran_order|shape)(?P=quote)[ \t]*:[ \t]*"""
    r"""(?P<value>'[^'\\]*'|"[^"\\]*"|\([0-9, ]*\)|[A-Za-z]+|\[[^\]]*\])[ \t]*(?P<comma>,)?[ \t]*""",
    re.ASCII,
)
_SHAPE = re.compile(r"\(( *[0-9]{1,18} *,)* *([0-9]{1,18})? *\)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_DTYPES = {
    f"{order}{kind}{size}": np.dtype(f"{order}{kind}{size}")
    for kind, sizes in (("u", (1, 2, 4, 8)), ("i", (1, 2, 4, 8)), ("f", (2, 4, 8)))
    for size in sizes
    for order in ("<", ">", "=", *("|" if size == 1 else ""))
}
"""Whole and real numbers of at most eight bytes, in any byte order."""


@dataclass(frozen=True)
class Limits:
    """How much the service takes in.

    Attributes:
        body_bytes: largest request body.
        voxels: largest number of values in an image.
        seconds: longest time until all of a request is there.
        idle_seconds: longest time without anything of it.
    """

    body_bytes: int = 256 << 20
    voxels: int = 64 << 20
    seconds: float = 300.0
    idle_seconds: float = 20.0


def shape_words(task: SegmentationTask) -> str:
    """The axes of the arrays that a model takes, for example `(z, y, x)` or `(y, x, channel) with 3 channels`."""
    if task.channels == 1:
        return f"({', '.join(task.axes)})"
    return f"({', '.join(task.axes)}, channel) with {task.channels} channels"


@implements("REQ-029", "REQ-175", "REQ-348", "REQ-349", "RC-10")
def parse_npy(data: bytes, limits: Limits, task: SegmentationTask) -> NDArray[np.float32]:
    """Read an image of whole or real numbers from `.npy` bytes, as float32.

    Args:
        data: the file.
        limits: how much is taken.
        task: axes and channels of what is taken: (z, y, x) or (y, x), with channels last where there are several.

    Raises:
        InputError: what is wrong with the bytes, and how to make good ones; never what they say.
    """
    header, start = _header(data)
    found = _Fields.read(header)
    if found is None:
        raise InputError("the header of the .npy file is malformed", hint=_HINT)
    dtype = _DTYPES.get(found.descr)
    if dtype is None:
        raise InputError("the voxels are no single real numbers", hint=_HINT)
    wanted = f"the model takes {shape_words(task)}"
    axes = len(task.axes) + (task.channels > 1)
    if len(found.shape) != axes:
        raise InputError(f"the array has {len(found.shape)} axes; {wanted}", hint=_HINT)
    if min(found.shape) < 1:
        raise InputError("the array has no voxels", hint=_HINT)
    if task.channels > 1 and found.shape[-1] != task.channels:
        raise InputError(f"the array has {found.shape[-1]} channels; {wanted}", hint=_HINT)
    voxels = math.prod(found.shape)
    if voxels > limits.voxels:
        raise InputError(f"more voxels than the {limits.voxels} taken at once", hint="send it in blocks")
    if len(data) - start != voxels * dtype.itemsize:
        raise InputError("the file is shorter or longer than its header says", hint="send the whole file, unchanged")
    values = np.frombuffer(data, dtype=dtype, offset=start).reshape(found.shape, order="F" if found.fortran else "C")
    with np.errstate(all="ignore"):
        image = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(image).all():
        raise InputError("the image holds NaN, infinity or numbers too large", hint="repair the damaged voxels")
    return image


def _header(data: bytes) -> tuple[str, int]:
    """The header's text, and where the voxels begin.

    Raises:
        InputError: the file is of another format or version, or the header is too long.
    """
    if data[:6] != MAGIC or len(data) < 8:
        raise InputError("the file is no .npy file", hint=_HINT)
    width = _LENGTH_BYTES.get((data[6], data[7]))
    if width is None:
        raise InputError("this version of the .npy format is not taken", hint=_HINT)
    start = 8 + width
    length = int.from_bytes(data[8:start], "little")
    if length > _HEADER_LIMIT or len(data) < start + length:
        raise InputError("the header of the .npy file is malformed", hint=_HINT)
    return data[start : start + length].decode("latin-1"), start + length


class _Fields(NamedTuple):
    """What a header says, read without evaluating anything."""

    descr: str
    fortran: bool
    shape: tuple[int, ...]

    @classmethod
    def read(cls, header: str) -> _Fields | None:
        """The three fields of a header, in any order; None when it is anything else."""
        found: dict[str, str] = {}
        text = header.strip(" \t\n")
        if not (text.startswith("{") and text.endswith("}")):
            return None
        place, end = 1, len(text) - 1
        while place < end:
            item = _FIELD.match(text, place, end)
            if item is None or item["name"] in found:
                return None
            found[item["name"]], place = item["value"], item.end()
            if item["comma"] is None and place < end:
                return None
        if set(found) != {"descr", "fortran_order", "shape"} or found["fortran_order"] not in {"True", "False"}:
            return None
        if not _SHAPE.fullmatch(found["shape"]):
            return None
        shape = tuple(int(number) for number in _NUMBER.findall(found["shape"]))
        return cls(found["descr"].strip("'\""), found["fortran_order"] == "True", shape)


@implements("REQ-029", "REQ-322", "REQ-348")
def parse_spacing(text: str, task: SegmentationTask, *, former: bool = False) -> Spacing:
    """Read the voxel size of an image with its unit, for example `5 x 1 x 1 µm`; the result is in micrometres.

    Args:
        text: what the client sent.
        task: the axes that need a length each.
        former: whether it is `spacing_um` of version 0.1.0: `5,1,1` in micrometres.

    Raises:
        InputError: it is not one length below one metre for each axis.
    """
    parts = text.split(",") if former and len(text) <= _LONGEST_SPACING else []
    try:
        numbers = in_micrometres(read_spacing([f"{part.strip()} um" for part in parts] if former else text))
    except ValueError:
        numbers = ()
    if len(numbers) != len(task.axes) or not all(number < _METRE for number in numbers):
        name, wanted = ("spacing_um", "positive numbers") if former else ("spacing", "lengths with their unit")
        example = f"send `spacing` as {' x '.join(task.axes)}, for example {'5 x 1 x 1 µm'[-4 * len(task.axes) :]}"
        raise InputError(f"`{name}` is not {_COUNTS[len(task.axes)]} {wanted}", hint=example)
    return numbers
