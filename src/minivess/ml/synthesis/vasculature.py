"""Geometry of a synthetic vascular network: a branching tree with capillary loops, in micrometres.

Growth is space colonisation (Runions et al., 2007, "Modeling trees with a space colonization algorithm", Eurographics
Workshop on Natural Phenomena; for vessels in OCT angiography Kreitner et al., arXiv:2306.10941). Radii obey Murray's
law (Murray, 1926, PNAS 12:207), with the sum of r^gamma conserved at each branching. Leaves are joined to other
branches, as capillary beds are closed networks and not trees.

While it grows, the tree stands on a lattice of 1/1024 µm, where squared distances are exact whole numbers of lattice
units: so no decision depends on how a library orders or fuses its operations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from minivess.ml.synthesis.exact import Floats, Integers, Stream, length, power, unit

_STEP = 4.0
_INFLUENCE = 40.0
_KILL = 13.0
_MAXIMUM_STEPS = 80
_MARGIN = 8.0
_LOOP_RANGE = (14.0, 48.0)
_LATTICE = 1024.0
_APART = 9.0
"""Distance in µm that the goals of a second network keep from the first."""
_PULL = 2.0**30
_WANDER = 16.0
"""Distance in µm between the knots of the field by which vessels wander."""
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Centreline:
    """A network of vessels as a graph.

    Attributes:
        nodes: (n, 3) places in micrometres, axes (z, y, x), from the centre of voxel (0, 0, 0).
        radii: (n,) radius of the lumen there, in micrometres.
        parents: (n,) index of the node before each; -1 where a vessel enters the volume.
        closures: (k, 2) pairs of nodes joined besides: each closes a loop.
        tree: (n,) which tree a node belongs to: 0, or with veins 0 for arteries and 1 for veins.
    """

    nodes: Floats
    radii: Floats
    parents: Integers
    closures: Integers
    tree: Integers

    @property
    def loops(self) -> int:
        """How many of the joints between leaves and other branches were made."""
        return len(self.closures)

    @property
    def segments(self) -> Floats:
        """(m, 2, 3) end points of the straight pieces: one for each node with a parent, then the closures."""
        inner = np.flatnonzero(self.parents >= 0)
        tree = np.stack([self.nodes[self.parents[inner]], self.nodes[inner]], axis=1)
        return np.concatenate([tree, self.nodes[self.closures]])

    @property
    def widths(self) -> Floats:
        """(m, 2) radius at those end points; after a branching a piece starts with its own radius."""
        inner = np.flatnonzero(self.parents >= 0)
        before = self.parents[inner]
        start = np.where(self.children[before] == 1, self.radii[before], self.radii[inner])
        last = self.radii[self.closures[:, 0]]
        return np.concatenate([np.stack([start, self.radii[inner]], axis=1), np.stack([last, last], axis=1)])

    @property
    def tree_of_segments(self) -> Integers:
        """(m,) which tree each straight piece belongs to."""
        return np.concatenate([self.tree[self.parents >= 0], self.tree[self.closures[:, 0]]])

    @property
    def flat(self) -> Centreline:
        """The network as seen along z: every node in the plane z = 0."""
        return replace(self, nodes=self.nodes * np.array([0.0, 1.0, 1.0]))

    def scaled(self, factor: float) -> Centreline:
        """The network with all places and radii multiplied."""
        return self if factor == 1.0 else replace(self, nodes=self.nodes * factor, radii=self.radii * factor)

    @property
    def children(self) -> Integers:
        """(n,) how many nodes come after each."""
        return np.bincount(self.parents[self.parents >= 0], minlength=len(self.parents)).astype(np.int64)


@dataclass(frozen=True)
class Growth:
    """What shapes a network; the units and ranges are those of `SynthesisParameters`."""

    attractor_volume_um3: float = 9000.0
    roots: int = 0
    loops: float = 0.8
    gamma: float = 3.0
    leaf_radius_um: float = 2.9
    largest_radius_um: float = 9.0


def grow(
    stream: Stream,
    extent_um: tuple[float, float, float],
    shaped: Growth | None = None,
    *,
    beside: Centreline | None = None,
) -> Centreline:
    """Grow a network that fills a box.

    Args:
        stream: the only source of chance.
        extent_um: size of the box (z, y, x) in micrometres.
        shaped: what shapes it.
        beside: another network in the box; the new one is drawn to the tissue that it leaves free.
    """
    shaped = shaped or Growth()
    nodes, parents = _colonise(stream, np.asarray(extent_um, dtype=np.float64), shaped, beside)
    children = _children(parents)
    radii = _murray(stream, parents, children, shaped)
    nodes = _smooth(nodes, parents, children)
    return _join_leaves(stream, nodes, parents, children, radii, share=shaped.loops)


def wander(stream: Stream, line: Centreline, amplitude_um: float, extent_um: tuple[float, float, float]) -> Centreline:
    """Displace a network by a smooth random field (cubic B-splines), so that its vessels wind; joints stay joined.

    Args:
        stream: the only source of chance.
        line: the network.
        amplitude_um: root mean square of the displacement.
        extent_um: size of the box (z, y, x) in micrometres.
    """
    knots = [int(size / _WANDER) + 8 for size in extent_um]
    field = stream.normal(*knots, 3) * (3.0 * amplitude_um)  # B-splines reduce the spread to about a third
    moved = np.zeros_like(line.nodes)
    place = line.nodes / _WANDER + 2.0
    low = np.floor(place)
    weights = _splines(place - low)
    first = low.astype(np.int64)
    for corner in range(64):
        offset = (corner // 16, corner // 4 % 4, corner % 4)
        at = tuple(np.clip(first[:, a] + offset[a], 0, knots[a] - 1) for a in range(3))
        share = weights[offset[0]][:, 0] * weights[offset[1]][:, 1] * weights[offset[2]][:, 2]
        moved = moved + share[:, None] * field[at]
    return replace(line, nodes=line.nodes + moved)


def together(first: Centreline, second: Centreline) -> Centreline:
    """Two networks in one: the nodes of the second come after those of the first and belong to tree 1."""
    count = len(first.nodes)
    parents = np.where(second.parents >= 0, second.parents + count, -1)
    return Centreline(
        np.concatenate([first.nodes, second.nodes]),
        np.concatenate([first.radii, second.radii]),
        np.concatenate([first.parents, parents]),
        np.concatenate([first.closures, second.closures + count]),
        np.concatenate([first.tree, np.ones_like(second.tree)]),
    )


def _splines(t: Floats) -> tuple[Floats, ...]:
    """The four uniform cubic B-spline weights at the fraction t between two knots."""
    u = 1.0 - t
    inner = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0, (4.0 - 6.0 * u * u + 3.0 * u * u * u) / 6.0
    return u * u * u / 6.0, inner[0], inner[1], t * t * t / 6.0


def _colonise(stream: Stream, box: Floats, shaped: Growth, beside: Centreline | None = None) -> tuple[Floats, Integers]:
    from scipy.spatial import cKDTree

    wide = box + 2 * _MARGIN
    count = int(float(wide[0] * wide[1] * wide[2]) / shaped.attractor_volume_um3) + 8
    targets = _on_lattice(stream.uniform(count, 3) * wide - _MARGIN)
    if beside is not None:
        free = targets[cKDTree(_on_lattice(beside.nodes)).query(targets)[0] > _APART]
        targets = free if len(free) else targets
        count = len(targets)
    roots = shaped.roots or 2 + stream.below(2)
    nodes = stream.uniform(roots, 3) * (0.7 * box) + 0.15 * box
    for root in range(roots):
        axis = 0 if root == 0 else stream.below(3)
        nodes[root, axis] = -_MARGIN if stream.one() < 0.5 else box[axis] + _MARGIN
    nodes = _on_lattice(nodes)
    parents = np.full(roots, -1, dtype=np.int64)
    heading = unit(box / 2 - nodes)
    squares, nearest = _nearer(targets, nodes, np.full(count, np.inf), np.zeros(count, dtype=np.int64), 0)
    for _ in range(_MAXIMUM_STEPS):
        distance = np.sqrt(squares)
        closest = float(distance.min())
        if closest > 4 * _INFLUENCE:
            break
        near = distance <= max(_INFLUENCE, closest + _STEP)
        growing, place = np.unique(nearest[near], return_inverse=True)
        # rounded to multiples of 2^-30, so that their sum is exact in any order
        pulls = np.rint(unit(targets[near] - nodes[nearest[near]]) * _PULL) / _PULL
        pull = np.zeros((len(growing), 3))
        np.add.at(pull, place, pulls)
        direction = unit(pull + 0.35 * heading[growing] + 0.25 * stream.normal(len(growing), 3))
        fresh = _on_lattice(nodes[growing] + _STEP * direction)
        apart = cKDTree(nodes).query(fresh)[0] > 0.45 * _STEP
        fresh = fresh[apart]
        squares, nearest = _nearer(targets, fresh, squares, nearest, len(nodes))
        nodes = np.concatenate([nodes, fresh])
        parents = np.concatenate([parents, growing[apart]])
        heading = np.concatenate([heading, direction[apart]])
        left = np.sqrt(squares) > _KILL
        targets, squares, nearest = targets[left], squares[left], nearest[left]
        if not len(targets):
            break
    return nodes, parents


def _on_lattice(places: Floats) -> Floats:
    made: Floats = np.rint(places * _LATTICE) / _LATTICE
    return made


def _nearer(targets: Floats, fresh: Floats, squares: Floats, nearest: Integers, offset: int) -> tuple[Floats, Integers]:
    """Squared distance to the nearest node and its index, now that `fresh` nodes follow `offset` older ones.

    Of nodes at the same distance the oldest counts.
    """
    squares, nearest = squares.copy(), nearest.copy()
    step = max(1, _AT_ONCE // max(1, len(targets)))
    for start in range(0, len(fresh), step):
        some = fresh[start : start + step]
        away = np.zeros((len(targets), len(some)))
        for axis in range(3):
            along = targets[:, axis, None] - some[None, :, axis]
            away += along * along
        best = away.argmin(axis=1)
        least = away[np.arange(len(targets)), best]
        closer = least < squares
        squares[closer], nearest[closer] = least[closer], best[closer] + offset + start
    return squares, nearest


def _children(parents: Integers) -> list[list[int]]:
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents.tolist()):
        if parent >= 0:
            children[parent].append(node)
    return children


def _murray(stream: Stream, parents: Integers, children: list[list[int]], shaped: Growth) -> Floats:
    leaf = power(shaped.leaf_radius_um + 0.8 * stream.uniform(len(parents)), shaped.gamma).tolist()
    flow = [0.0] * len(parents)
    above = parents.tolist()
    for node in range(len(above) - 1, -1, -1):  # children come after their parents
        if not children[node]:
            flow[node] = leaf[node]
        if above[node] >= 0:
            flow[above[node]] += flow[node]
    return np.minimum(power(np.array(flow), 1.0 / shaped.gamma), shaped.largest_radius_um)


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
    stream: Stream, nodes: Floats, parents: Integers, children: list[list[int]], radii: Floats, *, share: float
) -> Centreline:
    places, widths, above = [nodes], [radii], [parents]
    closures: list[tuple[int, int]] = []
    count = len(nodes)
    for leaf in (i for i in range(len(parents)) if not children[i] and parents[i] >= 0):
        if stream.one() >= share:
            continue
        related = {leaf}
        node = leaf
        for _ in range(8):
            node = int(parents[node])
            if node < 0:
                break
            related.add(node)
            related.update(children[node])
        distance = length(nodes - nodes[leaf])
        distance[list(related)] = np.inf
        distance[(distance < _LOOP_RANGE[0]) | (radii > 5.0)] = np.inf
        goal = int(np.argmin(distance))
        if distance[goal] > _LOOP_RANGE[1]:
            continue
        ahead = unit(nodes[leaf] - nodes[parents[leaf]])
        bend = nodes[leaf] + 0.5 * distance[goal] * ahead + 3.0 * stream.normal(3)
        pieces = max(3, int(distance[goal] / 3.0) - 1)
        t = (np.arange(1, pieces) / pieces)[:, None]
        places.append((1 - t) * (1 - t) * nodes[leaf] + 2 * t * (1 - t) * bend + t * t * nodes[goal])
        widths.append(np.full(pieces - 1, radii[leaf]))
        above.append(np.array([leaf, *range(count, count + pieces - 2)], dtype=np.int64))
        count += pieces - 1
        closures.append((count - 1, goal))
    pairs = np.array(closures, dtype=np.int64).reshape(-1, 2)
    tree = np.zeros(count, dtype=np.int64)
    return Centreline(np.concatenate(places), np.concatenate(widths), np.concatenate(above), pairs, tree)
