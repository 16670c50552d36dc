"""What rules and profile need to know of a case, measured plane by plane while each array is read once.

Colour images are measured in luma (ITU-R BT.601), rounded for whole-numbered sources; saturation looks at each channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.digests import Digest
from minivess.ml.cases.prepared import LoadedCase
from minivess.ml.quality.histograms import WholeCounts, binned, quantiles_of
from minivess.records.base import Record
from minivess.records.data.profile import Histogram, Quantiles

SPECK = 8
"""Components with fewer voxels are specks."""

VERSION = 1
"""Raised with every change to what is measured, so that remembered measures are made again."""

Floats = npt.NDArray[np.float64]
_LUMA = (np.float32(0.299), np.float32(0.587), np.float32(0.114))


class Components(Record):
    """Connected parts of one class of the mask (8 neighbours in a plane, 26 in a volume)."""

    number: int
    largest: int
    """Voxels of the largest."""
    specks: int
    """How many have fewer than `SPECK` voxels."""
    speck_plane: int | None
    """A plane with a speck."""
    voxels: int
    """Of the class."""


class Measures(Record):
    """One case in figures. Planes are counted along z; a flat image has one."""

    version: int = VERSION
    image: Digest
    label: Digest
    dtype: str
    """Type of the source's numbers."""
    voxels: int
    not_finite: int
    minimum: float
    """Smallest finite value; 0 where there is none. The same for `maximum`."""
    maximum: float
    mean: float
    deviation: float
    histogram: Histogram
    quantiles: Quantiles
    levels: int | None
    """Number of different values; None for sources that are not whole numbers of at most 16 bits."""
    at_minimum: float
    at_maximum: float
    """Share of voxels at the smallest and at the largest value met."""
    pile: float | None
    """How often the largest value is met, by the mean of the five values below it; None for fewer values."""
    saturated: float | None
    """Share of voxels at the largest value the source's type can hold; None for types that have no such limit."""
    saturated_plane: int
    """The plane with most of them."""
    not_finite_plane: int
    """The plane with most NaN and infinite voxels."""
    plane_means: tuple[float, ...]
    constant_planes: tuple[int, ...]
    repeated_planes: tuple[int, ...]
    """Planes equal to the one before them."""
    plane_foreground: tuple[int, ...]
    """Voxels of the mask in each plane."""
    class_voxels: dict[int, int]
    """Voxels of each value of the mask but 0."""
    inside: float | None
    """Mean of the image in the mask; None without one. `outside` likewise."""
    outside: float | None
    outside_deviation: float | None
    goes_on_before: float | None
    """How much of the contrast of the mask's first plane is left in its footprint one plane earlier; None: no plane."""
    goes_on_after: float | None
    noise: float
    sharpness: float | None
    components: dict[int, Components]

    @property
    def foreground(self) -> int:
        """Voxels of the mask."""
        return sum(self.class_voxels.values())


@dataclass
class _Sums:
    """What adds up over planes."""

    not_finite: list[int] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    squares: float = 0.0
    total: float = 0.0
    inside: float = 0.0
    inside_squares: float = 0.0
    saturated: list[int] = field(default_factory=list)
    gradient: float = 0.0
    gradients: int = 0
    laplacian: float = 0.0
    laplacians: int = 0
    repeated: list[int] = field(default_factory=list)
    constant: list[int] = field(default_factory=list)


def measure(case: LoadedCase) -> Measures:
    """Measure a case.

    Args:
        case: its arrays, in memory or memory-mapped.
    """
    record = case.record
    colour, flat = record.axes.endswith("c"), len(record.grid) == 2
    dtype = number_type(record.source_dtype)
    top = float(np.iinfo(dtype).max) if dtype.kind in "ui" and dtype.itemsize <= 2 else None
    label = case.label[np.newaxis] if flat else case.label
    image = case.image[np.newaxis] if flat else case.image
    counts = np.bincount(np.asarray(label).ravel(), minlength=2)
    in_planes = np.count_nonzero(label, axis=(1, 2))
    sums, whole = _Sums(), WholeCounts(dtype)
    before: npt.NDArray[np.float32] | None = None
    for index in range(image.shape[0]):
        plane = np.asarray(image[index])
        if top is not None:
            full = plane >= top
            sums.saturated.append(int(np.count_nonzero(full.any(axis=-1) if colour else full)))
        if colour:
            plane = luma(plane)
            plane = np.rint(plane) if top is not None else plane
        plane = _finite(plane, sums)
        if before is not None and np.array_equal(plane, before):
            sums.repeated.append(index)
        before = plane
        whole.add(plane)
        _add(plane, np.asarray(label[index]), bool(in_planes[index]), sums)
    voxels, inside = int(label.size), int(in_planes.sum())
    outside = voxels - inside
    low, high = min(sums.lows), max(sums.highs)
    values, numbers = whole.values() if whole.exact else (None, None)
    flat_values = None if whole.exact else _values(image, colour)
    mean = sums.total / voxels
    variance = max(0.0, sums.squares / voxels - mean * mean)
    rest_mean = (sums.total - sums.inside) / outside if outside else None
    rest_deviation = (
        math.sqrt(max(0.0, (sums.squares - sums.inside_squares) / outside - rest_mean * rest_mean))
        if rest_mean is not None
        else None
    )
    edges = np.flatnonzero(in_planes)
    return Measures(
        image=record.image,
        label=record.label,
        dtype=record.source_dtype,
        voxels=voxels,
        not_finite=sum(sums.not_finite),
        minimum=low,
        maximum=high,
        mean=mean,
        deviation=math.sqrt(variance),
        histogram=binned(low, high, values=values, numbers=numbers, flat=flat_values),
        quantiles=quantiles_of(values=values, numbers=numbers, flat=flat_values),
        levels=None if values is None else len(values),
        at_minimum=_share(low, values, numbers, flat_values),
        at_maximum=_share(high, values, numbers, flat_values),
        pile=None if numbers is None or len(numbers) < 6 else float(numbers[-1] / numbers[-6:-1].mean()),
        saturated=None if top is None else sum(sums.saturated) / voxels,
        saturated_plane=int(np.argmax(sums.saturated)) if sums.saturated else 0,
        not_finite_plane=int(np.argmax(sums.not_finite)),
        plane_means=tuple(sums.means),
        constant_planes=tuple(sums.constant),
        repeated_planes=tuple(sums.repeated),
        plane_foreground=tuple(int(number) for number in in_planes),
        class_voxels={value: int(number) for value, number in enumerate(counts) if value and number},
        inside=sums.inside / inside if inside else None,
        outside=rest_mean,
        outside_deviation=rest_deviation,
        goes_on_before=_goes_on(image, label, edges[0], -1, colour) if len(edges) else None,
        goes_on_after=_goes_on(image, label, edges[-1], 1, colour) if len(edges) else None,
        noise=math.sqrt(math.pi / 2) / 6 * sums.laplacian / sums.laplacians if sums.laplacians else 0.0,
        sharpness=sums.gradient / sums.gradients / variance if variance > 0 and sums.gradients else None,
        components={
            value: _components(np.asarray(label) == value if len(counts) > 2 else np.asarray(label) > 0)
            for value, number in enumerate(counts)
            if value and number
        },
    )


def luma(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The luma of a colour image (…, 3 channels): 0.299 R + 0.587 G + 0.114 B; the mean of fewer or more channels.

    Written out, as a matrix product rounds differently on different processors.
    """
    if image.shape[-1] != 3:
        return np.asarray(image.mean(axis=-1))
    return np.asarray(image[..., 0] * _LUMA[0] + image[..., 1] * _LUMA[1] + image[..., 2] * _LUMA[2])


def number_type(name: str) -> np.dtype[Any]:
    """The type of a source's numbers; float32 where the name is none that NumPy knows."""
    try:
        return np.dtype(name)
    except TypeError:
        return np.dtype(np.float32)


def _finite(plane: npt.NDArray[np.float32], sums: _Sums) -> npt.NDArray[np.float32]:
    """The plane with its NaN and infinite voxels replaced by its smallest finite value, counted in `sums`."""
    low, high = float(plane.min()), float(plane.max())
    if math.isfinite(low) and math.isfinite(high):
        sums.lows.append(low)
        sums.highs.append(high)
        sums.not_finite.append(0)
        return plane
    good = np.isfinite(plane)
    sums.not_finite.append(int(good.size - np.count_nonzero(good)))
    known = plane[good]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    sums.lows.append(low)
    sums.highs.append(high)
    return np.where(good, plane, np.float32(low))


def _add(plane: npt.NDArray[np.float32], label: npt.NDArray[np.uint8], marked: bool, sums: _Sums) -> None:
    """Add what a plane (y, x) of finite values and its mask contribute."""
    wide = plane.astype(np.float64)
    total = float(wide.sum())
    sums.total += total
    sums.squares += float(np.square(wide).sum())
    sums.means.append(total / plane.size)
    if sums.lows[-1] == sums.highs[-1]:
        sums.constant.append(len(sums.means) - 1)
    if marked:
        inside = wide[label > 0]
        sums.inside += float(inside.sum())
        sums.inside_squares += float(np.square(inside, out=inside).sum())
    for steps in (np.diff(wide, axis=0), np.diff(wide, axis=1)):
        sums.gradient += float(np.square(steps, out=steps).sum())
    sums.gradients += plane.size
    if min(plane.shape) >= 3:
        twice = np.diff(np.diff(wide, 2, axis=0), 2, axis=1)
        sums.laplacian += float(np.abs(twice, out=twice).sum())
        sums.laplacians += twice.size


def _values(image: npt.NDArray[np.float32], colour: bool) -> npt.NDArray[np.float32]:
    """All finite values of an image, sorted; luma of a colour image."""
    flat = (luma(np.asarray(image)) if colour else np.asarray(image)).ravel()
    flat = flat[np.isfinite(flat)]
    return np.sort(flat) if flat.size else np.zeros(1, np.float32)


def _share(
    value: float,
    values: npt.NDArray[np.int64] | None,
    numbers: npt.NDArray[np.int64] | None,
    flat: npt.NDArray[np.float32] | None,
) -> float:
    if values is not None and numbers is not None:
        return float(numbers[values == int(value)].sum() / numbers.sum())
    if flat is None:
        return 0.0
    target = np.float32(value)
    return float((np.searchsorted(flat, target, "right") - np.searchsorted(flat, target, "left")) / flat.size)


def _goes_on(
    image: npt.NDArray[np.float32], label: npt.NDArray[np.uint8], index: int, step: int, colour: bool
) -> float | None:
    """How much of the contrast between mask and rest in plane `index` is left in the same places one plane on."""
    after = int(index) + step
    if not 0 <= after < image.shape[0]:
        return None
    mask = np.asarray(label[index]) > 0
    here, there = (np.asarray(image[plane]) for plane in (int(index), after))
    if colour:
        here, there = luma(here), luma(there)
    if mask.all() or not (np.isfinite(here).all() and np.isfinite(there).all()):
        return None
    rest = float(here[~mask].mean(dtype=np.float64))
    contrast = float(here[mask].mean(dtype=np.float64)) - rest
    if contrast == 0:
        return None
    left = float(there[mask].mean(dtype=np.float64)) - float(there[~mask].mean(dtype=np.float64))
    return left / contrast


def _components(mask: npt.NDArray[np.bool_]) -> Components:
    """Connected parts of a mask (z, y, x) that is not empty; only its bounding box is searched."""
    from scipy import ndimage

    box = tuple(
        slice(int(line[0]), int(line[-1]) + 1)
        for line in (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    )
    parts, number = ndimage.label(mask[box], structure=np.ones((3, 3, 3), dtype=bool))
    sizes = np.bincount(parts.ravel(), minlength=2)[1:]
    small = sizes < SPECK
    speck = None
    if small.any():
        found = parts == int(np.argmax(small)) + 1
        speck = int(np.flatnonzero(found.any(axis=(1, 2)))[0]) + box[0].start
    return Components(
        number=int(number),
        largest=int(sizes.max()),
        specks=int(np.count_nonzero(small)),
        speck_plane=speck,
        voxels=int(sizes.sum()),
    )
