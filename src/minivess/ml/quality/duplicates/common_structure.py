"""What all images of a set have in common: a disc, a logo or a text in one place is no sign of a copy.

The mean of many flattened frames keeps what is in the same place in each, and the rest averages out. Where the mean is
strong, every frame is set to 0, as outside the field of view (`image_registration.flatten`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.quality.duplicates.image_registration import Array
from minivess.ml.quality.duplicates.views import View

FEWEST = 30
"""Frames of one size from which on their mean is taken."""
_STRONG = 0.35
_LARGEST = 0.25
_GROWN = 2


@implements("REQ-310")
def without_common(images: Sequence[tuple[View, ...]]) -> list[tuple[View, ...]]:
    """The views of all images, with 0 where all frames of one kind and size are alike.

    Nothing is changed where fewer than 30 frames are of one kind and size, or where more than a quarter of the field is
    alike: then most images are copies of one.
    """
    sums: dict[tuple[str, tuple[int, ...]], tuple[int, Array]] = {}
    for views in images:
        for view in views:
            count, total = sums.get(_kind(view), (0, np.zeros_like(view.flat)))
            sums[_kind(view)] = count + 1, total + view.flat
    alike = {kind: mask for kind, (count, total) in sums.items() if (mask := _alike(count, total)) is not None}
    if not alike:
        return list(images)
    return [tuple(_masked(view, alike.get(_kind(view))) for view in views) for views in images]


def _kind(view: View) -> tuple[str, tuple[int, ...]]:
    return view.of, view.flat.shape


def _alike(count: int, total: Array) -> npt.NDArray[np.bool_] | None:
    from scipy.ndimage import binary_dilation

    if count < FEWEST:
        return None
    mask = np.abs(total / count) > max(_STRONG, 3 / math.sqrt(count))
    field = max(1, int(np.count_nonzero(total)))
    if not mask.any() or np.count_nonzero(mask) > _LARGEST * field:
        return None
    return np.asarray(binary_dilation(mask, iterations=_GROWN))


def _masked(view: View, mask: npt.NDArray[np.bool_] | None) -> View:
    return view if mask is None else dataclasses.replace(view, flat=np.where(mask, np.float32(0), view.flat))
