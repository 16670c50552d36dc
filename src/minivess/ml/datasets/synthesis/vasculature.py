"""Geometry of a synthetic vascular network: a branching tree with capillary loops, in micrometres.

Growth is space colonisation (Runions et al., 2007, "Modeling trees with a space colonization algorithm", Eurographics
Workshop on Natural Phenomena; for vessels in OCT angiography Kreitner et al., arXiv:2306.10941). Radii obey Murray's
law (Murray, 1926, PNAS 12:207), with the sum of r^gamma conserved at each branching. Leaves are joined to other
branches, as capillary beds are closed networks and not trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_STEP = 4.0
_INFLUENCE = 40.0
_KILL = 13.0
_ATTRACTOR_VOLUME = 9000.0
_MAXIMUM_STEPS = 80
_LOOP_RANGE = (14.0, 48.0)
_LARGEST_RADIUS = 9.0


@dataclass(frozen=True)
class Centreline:
    """Straight pieces of vessel.

    Attributes:
        segments: (n, 2, 3) end points in micrometres, axes (z, y, x), from the centre of voxel (0, 0, 0).
        radii: (n, 2) radius of the lumen at those points, in micrometres.
        loops: how many of the joints between leaves and other branches were made.
    """

    segments: Floats
    radii: Floats
    loops: int


def grow(rng: np.random.Generator, extent_um: tuple[float, float, float], *, gamma: float = 3.0) -> Centreline:
    """Grow a network that fills a box.

    Args:
        rng: the only source of chance.
        extent_um: size of the box (z, y, x) in micrometres.
        gamma: Murray's exponent, 2.5 to 3 for small vessels.
    """
    box = np.asarray(extent_um, dtype=np.float64)
    nodes, parents = _colonise(rng, box)
    children = _children(parents)
    radii = _murray(rng, parents, children, gamma)
    nodes = _smooth(nodes, parents, children)
    inner = np.flatnonzero(parents >= 0)
    segments = np.stack([nodes[parents[inner]], nodes[inner]], axis=1)
    widths = np.stack([radii[inner], radii[inner]], axis=1)
    loops, loop_radii, count = _join_leaves(rng, nodes, parents, children, radii)
    return Centreline(np.concatenate([segments, loops]), np.concatenate([widths, loop_radii]), count)


def _colonise(rng: np.random.Generator, box: Floats) -> tuple[Floats, Integers]:
    from scipy.spatial import cKDTree

    margin = 8.0
    count = int(np.prod(box + 2 * margin) / _ATTRACTOR_VOLUME) + 8
    targets = rng.random((count, 3)) * (box + 2 * margin) - margin
    roots = int(rng.integers(2, 4))
    nodes = rng.random((roots, 3)) * (0.7 * box) + 0.15 * box
    for root in range(roots):
        axis = 0 if root == 0 else int(rng.integers(0, 3))
        nodes[root, axis] = -margin if rng.random() < 0.5 else box[axis] + margin
    parents = np.full(roots, -1, dtype=np.int64)
    heading = _unit(box / 2 - nodes)
    for _ in range(_MAXIMUM_STEPS):
        distance, nearest = cKDTree(nodes).query(targets)
        if not len(targets) or distance.min() > 4 * _INFLUENCE:
            break
        near = distance <= max(_INFLUENCE, float(distance.min()) + _STEP)
        pull = np.zeros_like(nodes)
        np.add.at(pull, nearest[near], _unit(targets[near] - nodes[nearest[near]]))
        growing = np.unique(nearest[near])
        direction = _unit(pull[growing] + 0.35 * heading[growing] + rng.normal(0.0, 0.25, (len(growing), 3)))
        fresh = nodes[growing] + _STEP * direction
        apart = cKDTree(nodes).query(fresh)[0] > 0.45 * _STEP
        nodes = np.concatenate([nodes, fresh[apart]])
        parents = np.concatenate([parents, growing[apart]])
        heading = np.concatenate([heading, direction[apart]])
        targets = targets[cKDTree(nodes).query(targets)[0] > _KILL]
        if not len(targets):
            break
    return nodes, parents


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt(np.sum(vectors * vectors, axis=-1, keepdims=True))
    unit: Floats = vectors / np.maximum(length, 1e-9)
    return unit


def _children(parents: Integers) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            children[parent].append(node)
    return children


def _murray(rng: np.random.Generator, parents: Integers, children: list[list[int]], gamma: float) -> Floats:
    leaf = 2.9 + 0.8 * rng.random(len(parents))
    power = np.zeros(len(parents))
    for node in range(len(parents) - 1, -1, -1):  # children come after their parents
        own = power[node] if children[node] else leaf[node] ** gamma
        power[node] = own
        if parents[node] >= 0:
            power[parents[node]] += own
    return np.minimum(power ** (1.0 / gamma), _LARGEST_RADIUS)


def _smooth(nodes: Floats, parents: Integers, children: list[list[int]]) -> Floats:
    chain = np.array([i for i in range(len(parents)) if parents[i] >= 0 and len(children[i]) == 1], dtype=np.int64)
    if not len(chain):
        return nodes
    after = np.array([children[i][0] for i in chain], dtype=np.int64)
    smooth = nodes.copy()
    for _ in range(2):
        smooth[chain] = 0.5 * smooth[chain] + 0.25 * (smooth[parents[chain]] + smooth[after])
    return smooth


def _join_leaves(
    rng: np.random.Generator, nodes: Floats, parents: Integers, children: list[list[int]], radii: Floats
) -> tuple[Floats, Floats, int]:
    segments: list[Floats] = []
    widths: list[Floats] = []
    count = 0
    for leaf in (i for i in range(len(parents)) if not children[i] and parents[i] >= 0):
        if rng.random() < 0.2:
            continue
        related = {leaf}
        node = leaf
        for _ in range(8):
            node = int(parents[node])
            if node < 0:
                break
            related.add(node)
            related.update(children[node])
        distance = np.sqrt(np.sum((nodes - nodes[leaf]) ** 2, axis=1))
        distance[list(related)] = np.inf
        distance[(distance < _LOOP_RANGE[0]) | (radii > 5.0)] = np.inf
        goal = int(np.argmin(distance))
        if distance[goal] > _LOOP_RANGE[1]:
            continue
        ahead = _unit(nodes[leaf] - nodes[parents[leaf]])
        bend = nodes[leaf] + 0.5 * distance[goal] * ahead + rng.normal(0.0, 3.0, 3)
        t = np.linspace(0.0, 1.0, max(4, int(distance[goal] / 3.0)))[:, None]
        curve = (1 - t) ** 2 * nodes[leaf] + 2 * t * (1 - t) * bend + t * t * nodes[goal]
        segments.append(np.stack([curve[:-1], curve[1:]], axis=1))
        widths.append(np.full((len(t) - 1, 2), radii[leaf]))
        count += 1
    if not segments:
        return np.zeros((0, 2, 3)), np.zeros((0, 2)), 0
    return np.concatenate(segments), np.concatenate(widths), count
