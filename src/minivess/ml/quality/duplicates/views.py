"""The grey frames by which an image is compared, whatever its dimensions.

A flat image has one frame, and where it is not square a second one that was made square, since copies are often resized
to a square. Colour becomes luminance (ITU-R BT.601). A volume has its mean projections along z, y and x (the last two
when it has at least 32 planes) and the mean projections of its three thirds along z, which also tell a thick
sub-stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import UsageError
from minivess.ml.quality.duplicates.image_registration import COARSE, FINE, SIDE, Array, flatten, resample
from minivess.records.data.dataset import Axes

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
_COLOURS = (3, 4)
_DEEP = 32
_SQUARE = 1.03
_SIDES = ("projection along y", "projection along x")


@dataclass(frozen=True)
class View:
    """One frame of an image.

    Attributes:
        of: what it shows: `image`, `projection`, `third 1` and so on.
        grey: float32, the longer side `SIDE` pixels, in the units of the source.
        flat: `grey` band-passed and divided by its local contrast.
    """

    of: str
    grey: Array
    flat: Array

    @property
    def from_the_side(self) -> bool:
        """Whether it is a projection of a volume along y or x. Few planes make these alike, whatever they show."""
        return self.of in _SIDES


def comparable(image: npt.NDArray[np.generic], axes: Axes) -> npt.NDArray[np.generic]:
    """An image that `views` takes: channels that are not three, as colours are, by their mean.

    Args:
        image: in the order of `axes`.
        axes: its axes.
    """
    if not axes.endswith("c") or image.shape[-1] == 3:
        return image
    made: Array = np.asarray(image, np.float32).mean(axis=-1, dtype=np.float32)
    return made


def views(image: npt.NDArray[np.generic]) -> tuple[View, ...]:
    """All frames of an image.

    Args:
        image: (y, x), (z, y, x), or either with colours last: an array of three axes whose last has 3 or 4 entries is
            taken for a flat colour image.

    Raises:
        UsageError: the array has another number of axes.
    """
    return tuple(view for name, picture in _pictures(image) for view in _views(name, picture))


def _pictures(image: npt.NDArray[np.generic]) -> Iterator[tuple[str, Array]]:
    if image.ndim == 2 or (image.ndim == 3 and image.shape[-1] in _COLOURS):
        yield "image", _grey(image)
        return
    if image.ndim not in (3, 4):
        raise UsageError(f"an image of {image.ndim} axes cannot be compared")
    planes = np.stack([_small(_grey(plane)) for plane in image])
    yield "projection", planes.mean(axis=0)
    if len(planes) >= _DEEP:
        for axis, name in enumerate(_SIDES, start=1):
            yield name, planes.mean(axis=axis)
    if len(planes) >= 3:
        for number, third in enumerate(np.array_split(planes, 3), start=1):
            yield f"third {number}", third.mean(axis=0)


def _views(name: str, picture: Array) -> Iterator[View]:
    small = _small(picture)
    yield View(name, small, flatten(small, FINE, COARSE))
    if max(small.shape) > _SQUARE * min(small.shape):
        square = resample(picture, (SIDE, SIDE))
        yield View(name, square, flatten(square, FINE, COARSE))


def _grey(plane: npt.NDArray[np.generic]) -> Array:
    values = np.nan_to_num(np.asarray(plane, np.float32), posinf=0.0, neginf=0.0)
    return values if values.ndim == 2 else np.asarray(values[..., :3] @ _LUMINANCE, np.float32)


def _small(picture: Array) -> Array:
    longer = max(picture.shape)
    rows, columns = (max(8, round(size * SIDE / longer)) for size in picture.shape)
    return resample(picture, (rows, columns))
