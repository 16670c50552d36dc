"""Values at places of the sorted order of an image, without sorting or copying all of it.

A sample says between which two values a place lies. What is between them is a small part of the image. It is counted where that
part begins, so that the result is exact whatever the sample. NumPy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SAMPLED = 1 << 12
_SMALL = 1 << 13
"""Fewer values are partitioned as they are."""
_DEVIATIONS, _MORE = 5.0, 4
"""How far from its expected place in the sample a value may be: standard deviations of a binomial count, and places more."""


def order_statistics(values: NDArray[np.generic], places: Sequence[int]) -> list[np.generic]:
    """The values at places of the sorted order, in the type of the values.

    Args:
        values: finite numbers, at least one.
        places: from 0 to the number of values less one.
    """
    flat = values.ravel()
    if flat.size < _SMALL:
        ordered = np.partition(flat, sorted(set(places)))
        return [ordered[place] for place in places]
    sample = np.sort(flat[:: flat.size // _SAMPLED | 1])
    found: dict[int, np.generic] = {}
    for place in sorted(set(places)):
        if place not in found:
            together = [one for one in (place, place + 1) if one in places]
            found.update(_found(flat, sample, together))
    return [found[place] for place in places]


def percentiles(values: NDArray[np.generic], shares: Sequence[float]) -> tuple[float, ...]:
    """Percentiles, interpolated linearly: the numbers of `np.percentile`, bit for bit.

    Args:
        values: finite numbers, at least one.
        shares: from 0 to 100.
    """
    spots = [(values.size - 1) * (share / 100) for share in shares]
    ends = [(min(math.floor(spot), values.size - 1), min(math.floor(spot) + 1, values.size - 1)) for spot in spots]
    found = order_statistics(values, [place for pair in ends for place in pair])
    return tuple(
        _between(low, high, spot - place)
        for spot, (place, _), low, high in zip(spots, ends, found[::2], found[1::2], strict=True)
    )


def _between(low: np.generic, high: np.generic, share: float) -> float:
    """As NumPy interpolates: the difference in the type of the values, from the nearer end."""
    step = np.subtract(high, low)
    weight = np.float64(share)
    return float(high - step * (1 - weight) if share >= 0.5 else low + step * weight)


def _found(flat: NDArray[np.generic], sample: NDArray[np.generic], places: Sequence[int]) -> dict[int, np.generic]:
    """The values at neighbouring places."""
    share = places[0] / flat.size
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) * sample.size) + _MORE
    first, last = math.floor(share * sample.size - spread), math.ceil(share * sample.size + spread)
    within = np.ones(flat.shape, np.bool_) if last >= sample.size else flat <= sample[last]
    if first >= 0:
        within &= flat >= sample[first]
    inside, below = flat[within], 0 if first < 0 else int(np.count_nonzero(flat < sample[first]))
    if not (below <= places[0] and places[-1] < below + inside.size):  # the sample is like nothing else in the image
        inside, below = flat, 0
    ordered = np.partition(inside, [place - below for place in places])
    return {place: ordered[place - below] for place in places}
