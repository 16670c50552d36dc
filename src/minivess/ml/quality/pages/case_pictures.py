"""Small pictures of cases: the image with the outline of its mask, as PNG.

A flat image is one panel. A volume is two: the plane where it matters, and the maximum projection along z with the
outline of the mask's projection. Grey images are stretched from their 0.5th to their 99.5th percentile; colour stays as
it is. Channels that are not three are shown by their maximum.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import LoadedCase
from minivess.records.data.dataset import CaseRecord

if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = ((255, 176, 0), (0, 210, 230), (220, 80, 160), (120, 200, 60), (150, 130, 255), (255, 110, 60))
"""Outlines of classes on grey, by class; on colour images, where orange hides, they begin with the second."""

_GREYS = 64
"""Greys of a picture: as many as an eye tells apart at this size, so that a page of hundreds stays small."""
_COLOURS = 128
"""Colours of a picture of a colour image."""
_GAP = 4
_LARGEST = 2048


def outline_colours(record: CaseRecord) -> tuple[tuple[str, str], ...]:
    """The name of each class of a case, and the colour of its outline in pictures of it, as CSS writes it."""
    order = (*COLOURS[1:], COLOURS[0]) if _coloured(record) else COLOURS
    colours = ((one.name, order[(one.value - 1) % len(order)]) for one in record.classes)
    return tuple((name, f"#{red:02x}{green:02x}{blue:02x}") for name, (red, green, blue) in colours)


def _coloured(record: CaseRecord) -> bool:
    """Whether pictures of a case show its colours; channels that are not three are shown by their maximum."""
    return record.axes.endswith("c") and record.shape[-1] == 3


@implements("REQ-083")
def thumbnail(case: LoadedCase, size: int = 240, *, plane: int | None = None) -> bytes:
    """A picture of a case as a PNG file.

    Args:
        case: the case; volumes may be memory-mapped.
        size: longer side of a panel in pixels, 16 to 2048.
        plane: which plane of a volume is shown; by default the one with the largest mask.

    Raises:
        UsageError: the size or the plane is out of range.
    """
    if not 16 <= size <= _LARGEST:
        raise UsageError(f"a picture of {size} pixels cannot be made", hint=f"16 to {_LARGEST}")
    record = case.record
    scale = (float(record.spacing[-2]), float(record.spacing[-1]))
    image: npt.NDArray[np.float32] = case.image
    if record.axes.endswith("c") and not _coloured(record):
        image = image.max(axis=-1)
    if len(record.grid) == 2:
        return _png([_panel(np.asarray(image), np.asarray(case.label), scale, size)])
    index = fullest_plane(case.label) if plane is None else plane
    if not 0 <= index < record.grid[0]:
        raise UsageError(f"case {record.id} has no plane {index}")
    flat = _panel(np.asarray(image[index]), np.asarray(case.label[index]), scale, size)
    return _png([flat, _panel(image.max(axis=0), case.label.max(axis=0), scale, size)])


def fullest_plane(label: npt.NDArray[np.uint8]) -> int:
    """The plane of a mask (z, y, x) with most foreground; the middle one when there is none."""
    counts = np.count_nonzero(label, axis=(1, 2))
    return int(counts.argmax()) if counts.any() else label.shape[0] // 2


def _panel(
    image: npt.NDArray[np.float32], label: npt.NDArray[np.uint8], scale: tuple[float, float], size: int
) -> Image:
    """One panel: `image` (y, x) or (y, x, c), `label` (y, x)."""
    from PIL import Image

    tall, wide = image.shape[0] * scale[0], image.shape[1] * scale[1]
    longer = max(tall, wide)
    shape = (max(1, round(size * wide / longer)), max(1, round(size * tall / longer)))
    grow = shape[0] >= image.shape[1]
    way = Image.Resampling.NEAREST if grow else Image.Resampling.BOX
    colour = image.ndim == 3
    grey = Image.fromarray(_shown(image)).resize(shape, way)
    outline = _outline(label, shape)
    if colour:
        palette = np.array([(0, 0, 0), *COLOURS[1:], COLOURS[0]], np.uint8)
        painted = np.where(outline[..., None] > 0, palette[outline], np.asarray(grey))
        return Image.fromarray(painted.astype(np.uint8)).quantize(_COLOURS)
    indices = np.asarray(grey) // (256 // _GREYS)
    indices = np.where(outline > 0, _GREYS - 1 + outline, indices).astype(np.uint8)
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette(_palette())
    return picture


def _shown(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Values as bytes for the eye; NaN and infinities are black."""
    finite = np.isfinite(image)
    known = image[finite]
    if known.size == 0:
        return np.zeros(image.shape, np.uint8)
    if image.ndim == 3 and known.min() >= 0 and known.max() <= 255:
        low, high = 0.0, 255.0 if known.max() > 1 else 1.0
    else:
        low, high = (float(value) for value in np.percentile(known, (0.5, 99.5)))
    if high <= low:
        low, high = float(known.min()), float(known.max())
    span = high - low if high > low else 1.0
    stretched = np.where(finite, (np.where(finite, image, low) - low) / span, 0)
    return (255 * np.clip(stretched, 0, 1)).astype(np.uint8)


def _outline(label: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Where an outline goes and in which colour: 0 none, n the colour of class n; just outside the mask.

    `shape` is (wide, tall) of the picture.
    """
    from PIL import Image

    values = [int(value) for value in np.unique(label) if value]
    drawn = np.zeros((shape[1], shape[0]), np.uint8)
    grow = shape[0] >= label.shape[1]
    for value in values:
        mask = Image.fromarray((label == value).astype(np.uint8) * 255)
        small = np.asarray(mask.resize(shape, Image.Resampling.NEAREST if grow else Image.Resampling.BOX)) >= 96
        edge = np.zeros_like(small)
        edge[1:] |= small[:-1]
        edge[:-1] |= small[1:]
        edge[:, 1:] |= small[:, :-1]
        edge[:, :-1] |= small[:, 1:]
        edge &= ~small
        drawn[edge] = (value - 1) % len(COLOURS) + 1
    return drawn


def _palette() -> list[int]:
    greys = [round(255 * level / (_GREYS - 1)) for level in range(_GREYS)]
    return [part for level in greys for part in (level, level, level)] + [part for one in COLOURS for part in one]


def _png(panels: list[Image]) -> bytes:
    from PIL import Image

    whole = panels[0]
    if len(panels) > 1:
        shown = [panel.convert("RGB") for panel in panels]
        whole = Image.new(
            "RGB", (sum(panel.width for panel in shown) + _GAP * (len(shown) - 1), shown[0].height), "white"
        )
        left = 0
        for panel in shown:
            whole.paste(panel, (left, 0))
            left += panel.width + _GAP
        whole = whole.quantize(_COLOURS)
    stream = io.BytesIO()
    whole.save(stream, "PNG")
    return stream.getvalue()
