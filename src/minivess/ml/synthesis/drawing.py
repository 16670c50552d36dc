"""From a network to voxels: which class each belongs to, and how much dye it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.synthesis.exact import Floats, Integers, Stream
from minivess.ml.synthesis.parameters import SynthesisParameters
from minivess.ml.synthesis.vasculature import Centreline
from minivess.records.data.source import VesselClasses

Singles = npt.NDArray[np.float32]

ARTERY, VEIN = 1, 2
_REACH = 2.0
_BETWEEN = 1.0
"""Tissue in µm between an artery and a vein that meet: the two walls."""


class Tissue(NamedTuple):
    """What a network is in voxels.

    Attributes:
        label: uint8, the class of each voxel; 0 is background.
        dye: float32, brightness before optics; about 1 in the brightest vessel.
        thickness: float32, blood along a line of sight across the vessel; 1 in the middle of the widest one, 0 outside
            and for grey images, which do not need it.
        oxygenated: whether the blood is that of an artery.
    """

    label: npt.NDArray[np.uint8]
    dye: Singles
    thickness: Singles
    oxygenated: npt.NDArray[np.bool_]


class _Pieces(NamedTuple):
    """The straight pieces of a network: (m, 2, 3) ends and (m, 2) radii in µm, (m,) brightness and tree."""

    segments: Floats
    widths: Floats
    glow: Floats
    tree: Integers

    def of(self, tree: int) -> _Pieces:
        mine = self.tree == tree
        return _Pieces(self.segments[mine], self.widths[mine], self.glow[mine], self.tree[mine])


class _Drawn(NamedTuple):
    """Signed distance to the nearest wall in µm (negative inside), brightness and mean radius in µm of that vessel."""

    distance: Singles
    brightness: Singles
    radius: Singles

    @property
    def dye(self) -> Singles:
        """Brightness in the lumen, with a soft edge of one micrometre."""
        made: Singles = _soft(self.distance) * self.brightness
        return made


@implements("REQ-326")
def draw(
    stream: Stream, line: Centreline, shape: tuple[int, int, int], spacing: Floats, settings: SynthesisParameters
) -> Tissue:
    """Draw a network.

    Args:
        stream: decides the brightness of each vessel.
        line: the network; for a picture its `flat` form.
        shape: voxels (z, y, x).
        spacing: voxel size (z, y, x) in micrometres.
        settings: `classes` and how they look.
    """
    segments, widths = line.segments, line.widths
    thickness = 0.5 * (widths[:, 0] + widths[:, 1])
    glow = (0.72 + 0.28 * np.clip((thickness - 1.5) / 3.0, 0.0, 1.0)) * (0.9 + 0.1 * stream.uniform(len(thickness)))
    pieces = _Pieces(segments, widths, glow, line.tree_of_segments)
    return _WAYS[settings.classes](stream, pieces, shape, spacing, settings)


def _vessels(
    stream: Stream, pieces: _Pieces, shape: tuple[int, int, int], spacing: Floats, settings: SynthesisParameters
) -> Tissue:
    drawn = _draw(pieces, shape, spacing)
    label = (drawn.distance <= 0).astype(np.uint8)
    return Tissue(label, drawn.dye, _thickness(drawn, settings), np.zeros(shape, dtype=np.bool_))


def _arteries_and_veins(
    stream: Stream, pieces: _Pieces, shape: tuple[int, int, int], spacing: Floats, settings: SynthesisParameters
) -> Tissue:
    """Where both would be, the artery is.

    Its wall is stiffer and its pressure higher, so it presses the vein aside; in the retina it also lies in front at
    most crossings (Weinberg et al., 1990, Am J Ophthalmol 109:298).
    """
    artery, vein = (_draw(pieces.of(tree), shape, spacing) for tree in (0, 1))
    vein = vein._replace(distance=np.maximum(vein.distance, np.float32(_BETWEEN) - artery.distance))
    label = np.where(artery.distance <= 0, ARTERY, np.where(vein.distance <= 0, VEIN, 0)).astype(np.uint8)
    dye = np.maximum(artery.dye * _beats(stream, shape[1], settings)[:, None], vein.dye)
    thickness = np.maximum(_thickness(artery, settings), _thickness(vein, settings))
    return Tissue(label, dye, thickness, label == ARTERY)


def _lumens_and_walls(
    stream: Stream, pieces: _Pieces, shape: tuple[int, int, int], spacing: Floats, settings: SynthesisParameters
) -> Tissue:
    """Where vessels meet, the lumen is; the wall goes around both."""
    drawn = _draw(pieces, shape, spacing, reach=settings.wall_um + _REACH)
    label = np.where(drawn.distance <= 0, 1, np.where(drawn.distance <= settings.wall_um, 2, 0)).astype(np.uint8)
    shell = _soft(drawn.distance - np.float32(settings.wall_um)) - _soft(drawn.distance)
    dye = drawn.dye + shell * np.float32(settings.wall_brightness)
    return Tissue(label, dye, _thickness(drawn, settings), np.zeros(shape, dtype=np.bool_))


_WAYS: dict[VesselClasses, Callable[[Stream, _Pieces, tuple[int, int, int], Floats, SynthesisParameters], Tissue]] = {
    "vessel": _vessels,
    "artery-vein": _arteries_and_veins,
    "lumen-wall": _lumens_and_walls,
}


def _beats(stream: Stream, lines: int, settings: SynthesisParameters) -> Singles:
    """Brightness of the dye of arteries in each line along y: a triangle wave around 1 that starts anywhere in a beat."""
    beat = np.arange(lines) / settings.lines_per_beat + stream.one()
    made: Singles = (1.0 + settings.pulsation * (4.0 * np.abs(beat - np.floor(beat) - 0.5) - 1.0)).astype(np.float32)
    return made


def _soft(distance: Singles) -> Singles:
    made: Singles = np.clip(np.float32(0.5) - distance, np.float32(0.0), np.float32(1.0))
    return made


def _thickness(drawn: _Drawn, settings: SynthesisParameters) -> Singles:
    if not settings.colour:
        return np.zeros_like(drawn.distance)
    deep = np.maximum(-drawn.distance, np.float32(0.0))
    half = np.sqrt(deep * np.maximum(np.float32(2.0) * drawn.radius - deep, np.float32(0.0)))
    made: Singles = half / np.float32(settings.largest_radius_um)
    return made


def _draw(pieces: _Pieces, shape: tuple[int, int, int], spacing: Floats, *, reach: float = _REACH) -> _Drawn:
    distance = np.full(shape, reach, dtype=np.float32)
    brightness = np.zeros(shape, dtype=np.float32)
    radius = np.zeros(shape, dtype=np.float32)
    axes = [np.arange(n, dtype=np.float64) * s for n, s in zip(shape, spacing, strict=True)]
    segments, widths = pieces.segments, pieces.widths
    thickness = 0.5 * (widths[:, 0] + widths[:, 1])
    pad = (widths.max(axis=1) + reach)[:, None]
    low = np.floor((segments.min(axis=1) - pad) / spacing).astype(np.int64)
    high = np.ceil((segments.max(axis=1) + pad) / spacing).astype(np.int64) + 1
    low, high = np.maximum(low, 0), np.minimum(high, np.asarray(shape))
    for index in np.flatnonzero((high > low).all(axis=1)).tolist():
        where = tuple(slice(a, b) for a, b in zip(low[index].tolist(), high[index].tolist(), strict=True))
        start, end = segments[index].tolist()
        z, y, x = (axis[part] - origin for axis, part, origin in zip(axes, where, start, strict=True))
        away = _to_wall((z[:, None, None], y[None, :, None], x[None, None, :]), start, end, widths[index].tolist())
        closer = away < distance[where]
        distance[where][closer] = away[closer]
        brightness[where][closer] = pieces.glow[index]
        radius[where][closer] = thickness[index]
    return _Drawn(distance, brightness, radius)


def _to_wall(place: tuple[Floats, Floats, Floats], start: list[float], end: list[float], radii: list[float]) -> Singles:
    """Distance of places, given from `start`, to the wall of one straight piece whose radius goes from one to another."""
    z, y, x = place
    way = [b - a for a, b in zip(start, end, strict=True)]
    square = max(way[0] * way[0] + way[1] * way[1] + way[2] * way[2], 1e-9)
    along = np.clip((z * way[0] + y * way[1] + x * way[2]) / square, 0.0, 1.0)
    off_z, off_y, off_x = z - along * way[0], y - along * way[1], x - along * way[2]
    away = np.sqrt(off_z * off_z + off_y * off_y + off_x * off_x)
    change = radii[1] - radii[0]
    return np.asarray(away - (radii[0] + along * change if change else radii[0])).astype(np.float32)
