"""Histograms that add up exactly: bins begin at multiples of a width that is a power of two."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import UsageError
from minivess.records.data.profile import Histogram, Quantiles

FINE, COARSE = 1024, 128
"""Most bins of a case's histogram, and of a group's."""

_SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class WholeCounts:
    """Counts of every value of a source of whole numbers with at most 16 bits; `exact` turns False for anything else."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.exact = dtype.kind in "ui" and dtype.itemsize <= 2
        self._low, high = (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) if self.exact else (0, 0)
        self._counts = np.zeros(high - self._low + 1, np.int64)

    def add(self, plane: npt.NDArray[np.float32]) -> None:
        """Count the values of a plane."""
        if not self.exact:
            return
        if float(plane.min()) < self._low or float(plane.max()) >= self._low + len(self._counts):
            self.exact = False
            return
        whole = plane.astype(np.int32)
        if not np.array_equal(whole, plane):
            self.exact = False
            return
        self._counts += np.bincount((whole - self._low).ravel(), minlength=len(self._counts))

    def values(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The values met, ascending, and how often."""
        met = np.flatnonzero(self._counts)
        return met + self._low, self._counts[met]


def binned(
    low: float,
    high: float,
    *,
    values: npt.NDArray[np.int64] | None = None,
    numbers: npt.NDArray[np.int64] | None = None,
    flat: npt.NDArray[np.float32] | None = None,
) -> Histogram:
    """The histogram of values and their numbers, or of finite values one by one, in at most `FINE` bins.

    Args:
        low: the smallest value.
        high: the largest.
        values: whole numbers, with
        numbers: how often each was met; or
        flat: every value.
    """
    exponent = _exponent(low, high, whole=values is not None)
    width = math.ldexp(1.0, exponent)
    first = math.floor(low / width)
    bins = math.floor(high / width) - first + 1
    if values is not None and numbers is not None:
        places = (np.floor(values / width) - first).astype(np.int64)
        counts = np.bincount(places, weights=numbers, minlength=bins).astype(np.int64)
    elif flat is not None:
        places = (np.floor(flat.astype(np.float64) / width) - first).astype(np.int64)
        counts = np.bincount(places, minlength=bins)
    else:
        raise UsageError("a histogram needs values")
    return Histogram(first=first, width=width, counts=tuple(int(count) for count in counts))


def _exponent(low: float, high: float, *, whole: bool) -> int:
    """The power of two that is the width of the bins: the smallest that needs at most `FINE`; 1 or more for counts."""
    if whole:
        exponent = 0
    elif high > low:
        exponent = math.frexp((high - low) / FINE)[1] - 1
    else:
        return 0 if high == 0 else max(-1000, math.frexp(high)[1] - 20)
    while math.floor(high / math.ldexp(1.0, exponent)) - math.floor(low / math.ldexp(1.0, exponent)) >= FINE:
        exponent += 1
    return exponent


def quantiles_of(
    *,
    values: npt.NDArray[np.int64] | None = None,
    numbers: npt.NDArray[np.int64] | None = None,
    flat: npt.NDArray[np.float32] | None = None,
) -> Quantiles:
    """The smallest value that at least each share of the voxels does not exceed (inverted distribution function).

    Args:
        values: whole numbers, ascending, with
        numbers: how often each was met; or
        flat: every value, ascending.
    """
    if values is not None and numbers is not None:
        upto = np.cumsum(numbers)
        found = [values[np.searchsorted(upto, share * upto[-1])] for share in _SHARES]
    elif flat is not None:
        found = [flat[max(0, math.ceil(share * flat.size) - 1)] for share in _SHARES]
    else:
        raise UsageError("quantiles need values")
    return Quantiles(**dict(zip(Quantiles.model_fields, (float(value) for value in found), strict=True)))


def added(histograms: Iterable[Histogram]) -> Histogram:
    """The sum of histograms in at most `COARSE` bins; exact, as bins only ever join.

    Raises:
        UsageError: there are none.
    """
    parts = list(histograms)
    if not parts:
        raise UsageError("no histogram to add")
    width = max(part.width for part in parts)
    while True:
        firsts = [_place(part, 0, width) for part in parts]
        lasts = [_place(part, len(part.counts) - 1, width) for part in parts]
        first, last = min(firsts), max(lasts)
        if last - first < COARSE:
            break
        width *= 2
    counts = np.zeros(last - first + 1, np.int64)
    for part in parts:
        ratio = _ratio(width, part.width)
        places = (part.first + np.arange(len(part.counts))) // ratio - first
        np.add.at(counts, places, np.asarray(part.counts, np.int64))
    return Histogram(first=first, width=width, counts=tuple(int(count) for count in counts))


def _place(part: Histogram, index: int, width: float) -> int:
    return (part.first + index) // _ratio(width, part.width)


def _ratio(wide: float, narrow: float) -> int:
    """How many bins join; beyond 2^62 all that there can be."""
    return min(round(wide / narrow), 1 << 62)
