"""Stenoses and leaks: where they are, how bad, and what they do to the picture. All of it is part of the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from minivess.ml.synthesis.exact import Floats, Stream, length, unit
from minivess.ml.synthesis.vasculature import Centreline

_EDGE = 4.0
"""Lesions keep this distance in µm from the faces of the box."""


@dataclass(frozen=True)
class Stenosis:
    """A narrowing: its middle (z, y, x) in µm, node, share of the diameter lost, length and radii in µm."""

    place_um: tuple[float, float, float]
    node: int
    degree: float
    length_um: float
    radius_before_um: float
    radius_um: float


@dataclass(frozen=True)
class Leak:
    """A cloud of dye outside a vessel: its middle (z, y, x) in µm, the node it leaks from, radius and brightness."""

    place_um: tuple[float, float, float]
    node: int
    radius_um: float
    brightness: float


def scaled(
    stenoses: tuple[Stenosis, ...], leaks: tuple[Leak, ...], factor: float
) -> tuple[tuple[Stenosis, ...], tuple[Leak, ...]]:
    """Lesions with all places and lengths multiplied."""
    narrowed = (
        replace(
            one,
            place_um=_times(one.place_um, factor),
            length_um=one.length_um * factor,
            radius_before_um=one.radius_before_um * factor,
            radius_um=one.radius_um * factor,
        )
        for one in stenoses
    )
    leaking = (replace(one, place_um=_times(one.place_um, factor), radius_um=one.radius_um * factor) for one in leaks)
    return tuple(narrowed), tuple(leaking)


def narrow(
    stream: Stream,
    line: Centreline,
    extent_um: tuple[float, float, float],
    *,
    count: int,
    degree: float,
    length_um: float,
) -> tuple[Centreline, tuple[Stenosis, ...]]:
    """Narrow vessels between two branchings: radius times 1 - degree (1 - (s / half length)^2)^2.

    Fewer than `count` are made where there is no further stretch of vessel that is long enough.
    """
    radii, taken = line.radii.copy(), np.zeros(len(line.nodes), dtype=bool)
    made: list[Stenosis] = []
    after = _only_child(line)
    for node in _sites(stream, line, extent_um):
        if len(made) == count:
            break
        stretch = _stretch(line, after, node, length_um / 2)
        if stretch is None or any(taken[index] for index, _ in stretch):
            continue
        for index, away in stretch:
            part = 1.0 - (2.0 * away / length_um) * (2.0 * away / length_um)
            radii[index] = line.radii[index] * (1.0 - degree * part * part)
            taken[index] = True
        before = float(line.radii[node])
        made.append(Stenosis(_place(line.nodes[node]), node, degree, length_um, before, float(radii[node])))
    return replace(line, radii=radii), tuple(made)


def leak(
    stream: Stream,
    line: Centreline,
    extent_um: tuple[float, float, float],
    *,
    count: int,
    radius_um: float,
    brightness: float,
) -> tuple[tuple[Leak, ...], Floats]:
    """Choose leaks: the lesions, and (n, 4) balls (z, y, x, radius in µm) whose union is their clouds, six a leak."""
    made: list[Leak] = []
    balls: list[Floats] = []
    for node in _sites(stream, line, extent_um):
        if len(made) == count:
            break
        along = unit(line.nodes[node] - line.nodes[line.parents[node]])
        aside = stream.normal(3)
        aside = unit(aside - (aside[0] * along[0] + aside[1] * along[1] + aside[2] * along[2]) * along)
        middle = line.nodes[node] + aside * (line.radii[node] + 0.4 * radius_um)
        if any(length(middle - np.array(other.place_um)) < 3 * radius_um for other in made):
            continue
        around = middle + unit(stream.normal(5, 3)) * (radius_um * (0.3 + 0.3 * stream.uniform(5))[:, None])
        sizes = radius_um * (0.5 + 0.3 * stream.uniform(5))
        balls.append(np.concatenate([[*middle, 0.8 * radius_um]])[None])
        balls.append(np.concatenate([around, sizes[:, None]], axis=1))
        made.append(Leak(_place(middle), node, radius_um, brightness))
    return tuple(made), np.concatenate(balls) if balls else np.zeros((0, 4))


def clouds(balls: Floats, shape: tuple[int, int, int], spacing: Floats) -> npt.NDArray[np.float32]:
    """How much leaked dye a voxel holds: (1 - (d / r)^2)^2 in each ball, the most of them where they overlap."""
    cloud = np.zeros(shape, dtype=np.float32)
    for ball in balls:
        low = np.maximum(np.floor((ball[:3] - ball[3]) / spacing), 0).astype(np.int64)
        high = np.minimum(np.ceil((ball[:3] + ball[3]) / spacing) + 1, shape).astype(np.int64)
        if (high <= low).any():
            continue
        z, y, x = (np.arange(low[a], high[a]) * float(spacing[a]) - float(ball[a]) for a in range(3))
        squares = (z * z)[:, None, None] + (y * y)[None, :, None] + (x * x)[None, None, :]
        part = np.maximum(1.0 - squares / float(ball[3] * ball[3]), 0.0)
        where = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        cloud[where] = np.maximum(cloud[where], (part * part).astype(np.float32))
    return cloud


def _sites(stream: Stream, line: Centreline, extent_um: tuple[float, float, float]) -> list[int]:
    """Nodes between two others and well inside the box, in random order."""
    inside = (line.nodes > _EDGE).all(axis=1) & (line.nodes < np.array(extent_um) - _EDGE).all(axis=1)
    usable = np.flatnonzero(inside & (line.parents >= 0) & (line.children == 1))
    order = np.argsort(stream.uniform(len(usable)), kind="stable")
    return [int(node) for node in usable[order]]


def _only_child(line: Centreline) -> list[int]:
    """The node after each, where there is exactly one and no loop ends there; else -1."""
    after = [-1] * len(line.nodes)
    single = line.children == 1
    for node, parent in enumerate(line.parents.tolist()):
        if parent >= 0 and single[parent]:
            after[parent] = node
    for goal in line.closures[:, 1].tolist():
        after[goal] = -1
    return after


def _stretch(line: Centreline, after: list[int], node: int, half: float) -> list[tuple[int, float]] | None:
    """The nodes within `half` µm along the vessel on both sides with their distance; None if a branching is nearer."""
    if after[node] < 0:
        return None
    found = [(node, 0.0)]
    for back in (True, False):
        here, away = node, 0.0
        while True:
            there = int(line.parents[here]) if back else after[here]
            if there < 0:
                return None
            away += float(length(line.nodes[there] - line.nodes[here]))
            if away >= half:
                break
            if after[there] < 0:
                return None
            found.append((there, away))
            here = there
    return found


def _times(place: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    return place[0] * factor, place[1] * factor, place[2] * factor


def _place(node: Floats) -> tuple[float, float, float]:
    return float(node[0]), float(node[1]), float(node[2])
