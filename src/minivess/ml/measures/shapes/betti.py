"""Betti numbers of masks, from components and the Euler characteristic.

The foreground is a union of closed cubes (squares in a plane), so that it is 26-connected (8-connected) and the background
6-connected (4-connected). Then components - tunnels + cavities = vertices - edges + faces - cubes (Kong & Rosenfeld, Digital
topology, CVGIP 48, 1989). Components and cavities are counted by labels, and the tunnels follow.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask
from minivess.ml.measures.shapes.thinning import components


class BettiNumbers(NamedTuple):
    """Of one mask."""

    components: int
    tunnels: int
    """In a plane: holes."""
    cavities: int
    """In a plane: 0."""


@implements("REQ-377")
def betti_numbers(mask: Mask, count: int | None = None) -> BettiNumbers:
    """The Betti numbers of a binary mask (z, y, x) or (y, x). Beyond the edge of the field is background.

    Args:
        mask: binary.
        count: the number of its components, where it is known.
    """
    count = components(mask)[1] if count is None else count
    if not count:
        return BettiNumbers(0, 0, 0)
    cavities = 0
    if mask.ndim == 3:
        cavities = int(ndimage.label(~np.pad(mask, 1))[1]) - 1
    return BettiNumbers(count, count + cavities - euler_characteristic(mask), cavities)


def euler_characteristic(mask: Mask) -> int:
    """The Euler characteristic of a binary mask (z, y, x) or (y, x) as a union of closed cubes or squares.

    The cells of each kind that a cube touches are counted: of a kind that extends along some axes, there is one between any two
    neighbours along each of the others.
    """
    padded, total = np.pad(mask, 1), 0
    for extends in product((False, True), repeat=mask.ndim):
        touched = padded
        for axis, along in enumerate(extends):
            if not along:
                before, after = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
                touched = touched[before] | touched[after]
        total += (-1) ** sum(extends) * int(np.count_nonzero(touched))
    return total
