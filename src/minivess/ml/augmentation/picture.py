"""A picture of augmented patches, so that a person sees what a network learns from."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.ml.augmentation.patches import Image, Label, Patches

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SHOWN = 16
"""Patches of a picture."""
SIDE = 192
"""Longer side of a patch in pixels of the picture."""
GAP = 6
OUTLINES = ((255, 176, 0), (0, 210, 230), (220, 80, 160), (120, 200, 60), (150, 130, 255), (255, 110, 60))
"""Of classes on grey, in their order; on colours they begin with the second."""

Pixels = NDArray[np.uint8]


@implements("REQ-355", "RC-147")
def augmentation_picture(patches: Iterable[Patches], path: Path) -> None:
    """Write a PNG of up to 16 patches with the outlines of their masks, in rows of four.

    A volume shows its middle slice. All patches have one scale of intensities, so that their brightness can be compared:
    from the 1st to the 99th percentile of all voxels shown. Three channels are colours; of others the first is shown.

    Args:
        patches: as training draws them. Patches beyond the 16th are not drawn.
        path: of the file; it is whole or absent.

    Raises:
        CannotWriteError: the disk is full or out of reach.
    """
    import PIL.Image

    planes = [_middle(*pair) for pair in islice(patches, SHOWN)]
    grey = np.concatenate([plane.ravel() for plane, _ in planes]) if planes else np.zeros(1, np.float32)
    low, high = (float(value) for value in np.percentile(grey, (1, 99)))
    tiles = [_tile(plane, mask, low, max(high - low, 1e-6)) for plane, mask in planes]
    wide, tall = tiles[0].size if tiles else (SIDE, SIDE)
    columns = min(4, max(1, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    whole = PIL.Image.new("RGB", (columns * (wide + GAP) - GAP, rows * (tall + GAP) - GAP), "white")
    for number, tile in enumerate(tiles):
        whole.paste(tile, (number % columns * (wide + GAP), number // columns * (tall + GAP)))
    stream = io.BytesIO()
    whole.save(stream, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, stream.getvalue())


def _middle(image: Image, label: Label) -> tuple[NDArray[np.float32], Label]:
    """The middle slice (y, x, 1 or 3 channels) and its mask (y, x)."""
    if label.ndim == 3:
        middle = label.shape[0] // 2
        image, label = image[:, middle], label[middle]
    colours = image if image.shape[0] == 3 else image[:1]
    return np.moveaxis(colours, 0, -1), label


def _tile(plane: NDArray[np.float32], mask: Label, low: float, spread: float) -> Picture:
    """A slice with outlines, enlarged without interpolation."""
    import PIL.Image

    times = max(1, SIDE // max(mask.shape))
    shown = (255 * np.clip((plane - low) / spread, 0, 1)).astype(np.uint8)
    colours = shown.shape[-1] == 3
    large = _enlarged(shown if colours else shown.repeat(3, axis=-1), times)
    classes = _enlarged(mask, times)
    outlines = np.array(OUTLINES[1:] + OUTLINES[:1] if colours else OUTLINES, np.uint8)
    edge = _edge(classes)
    large[edge] = outlines[(classes[edge].astype(np.intp) - 1) % len(outlines)]
    return PIL.Image.fromarray(large)


def _enlarged(values: Pixels, times: int) -> Pixels:
    return values.repeat(times, axis=0).repeat(times, axis=1)


def _edge(classes: Label) -> NDArray[np.bool_]:
    """Pixels of a class with a neighbour of another one, or of the background."""
    edge = np.zeros(classes.shape, np.bool_)
    for axis in (0, 1):
        one, other = np.moveaxis(classes, axis, 0)[:-1], np.moveaxis(classes, axis, 0)[1:]
        differs, marked = one != other, np.moveaxis(edge, axis, 0)
        marked[:-1] |= differs & (one > 0)
        marked[1:] |= differs & (other > 0)
    return edge
