"""The Merkle hash tree of RFC 6962 section 2.1 and its proofs, verified as RFC 9162 section 2.1.3.2 and 2.1.4.2 say.

A node is `(level, position)`: leaves are level 0, and node (l, p) is the root over leaves p * 2**l up to, and without,
(p + 1) * 2**l. Such a complete subtree never changes again, so a store keeps its hash and any proof takes O(log n) of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves."""

Node = tuple[int, int]
"""Level and position of a complete subtree."""
Part = tuple[int, int]
"""A stretch of leaves: from the first up to, and without, the second."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def nodes_in(size: int) -> int:
    """How many complete subtrees, leaves included, a tree of `size` leaves has."""
    return 2 * size - size.bit_count()


def node_id(level: int, position: int) -> int:
    """The number of a node when nodes are counted from 0 in the order in which growing leaf by leaf completes them."""
    leaves = (position + 1) << level
    # When its last leaf has come, this node is complete, and above it as many more as the count of leaves allows.
    above = (leaves & -leaves).bit_length() - 1 - level
    return nodes_in(leaves) - 1 - above


def frontier_nodes(size: int) -> tuple[Node, ...]:
    """The largest complete subtrees of a tree of `size` leaves, from left to right."""
    return tuple(_complete(0, size))


@implements("REQ-002")
class Frontier:
    """A tree that only grows, kept as the roots of its complete subtrees: O(log n) state, amortised O(1) an append.

    Args:
        size: number of leaves so far.
        peaks: roots of the complete subtrees from left (largest) to right; one for each bit set in `size`.

    Raises:
        UsageError: the number of peaks does not fit the size.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or size.bit_count() != len(peaks):
            raise UsageError(f"a tree of {size} leaves does not have {len(peaks)} complete subtrees")
        self._size = size
        self._peaks = list(peaks)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees, from left to right: all that is needed to go on later."""
        return tuple(self._peaks)

    def append(self, hashed: bytes) -> list[tuple[Node, bytes]]:
        """Add a leaf hash; returns the complete subtrees it makes, itself first, each with its hash."""
        position, level, peaks = self._size, 0, self._peaks
        self._size = position + 1
        made = [((0, position), hashed)]
        while position & 1:
            hashed = node_hash(peaks.pop(), hashed)
            position >>= 1
            level += 1
            made.append(((level, position), hashed))
        peaks.append(hashed)
        return made

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Add many leaf hashes, level by level: the same tree as `append` makes of them, in less time."""
        position, row, left_over = self._size, list(hashes), list[bytes]()
        while row:
            if position & 1:
                row.insert(0, self._peaks.pop())
            if len(row) & 1:
                left_over.append(row.pop())
            row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
            position >>= 1
        self._peaks += reversed(left_over)
        self._size += len(hashes)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _joined(self._peaks)


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 over leaf hashes."""
    frontier = Frontier()
    for hashed in leaf_hashes:
        frontier.append(hashed)
    return frontier.root()


def tree_of(leaf_hashes: Sequence[bytes]) -> dict[Node, bytes]:
    """Every complete subtree over leaf hashes, for logs that fit in memory."""
    frontier = Frontier()
    return dict(made for hashed in leaf_hashes for made in frontier.append(hashed))


def inclusion_parts(index: int, size: int) -> list[Part]:
    """The stretches of leaves whose roots are the inclusion proof of a leaf, from the leaf upwards.

    Raises:
        UsageError: there is no leaf of that index.
    """
    if not 0 <= index < size:
        raise UsageError(f"no leaf {index} in a tree of {size}")
    start, end, parts = 0, size, []
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            parts.append((split, end))
            end = split
        else:
            parts.append((start, split))
            start = split
    return parts[::-1]


def part_hash(nodes: Mapping[Node, bytes], part: Part) -> bytes:
    """The root over a stretch of leaves of a proof.

    Raises:
        KeyError: a node is missing.
    """
    return _joined([nodes[node] for node in _complete(*part)])


def inclusion_nodes(index: int, size: int) -> tuple[Node, ...]:
    """The complete subtrees that the inclusion proof of leaf `index` in a tree of `size` leaves is made of.

    Raises:
        UsageError: there is no leaf of that index.
    """
    return tuple(node for part in inclusion_parts(index, size) for node in _complete(*part))


def inclusion_proof(nodes: Mapping[Node, bytes], index: int, size: int) -> tuple[bytes, ...]:
    """PATH of RFC 6962 section 2.1.1: sibling hashes from the leaf up to the root's child.

    Args:
        nodes: hashes of complete subtrees; `inclusion_nodes` are needed.
        index: the leaf's place.
        size: number of leaves of the tree.

    Raises:
        UsageError: there is no leaf of that index.
        KeyError: a node is missing.
    """
    return tuple(part_hash(nodes, part) for part in inclusion_parts(index, size))


def consistency_nodes(old_size: int, new_size: int) -> tuple[Node, ...]:
    """The complete subtrees that the consistency proof from `old_size` to `new_size` leaves is made of.

    Raises:
        UsageError: `old_size` is below 0 or beyond the tree.
    """
    return tuple(node for part in _consistency_parts(old_size, new_size) for node in _complete(*part))


def consistency_proof(nodes: Mapping[Node, bytes], old_size: int, new_size: int) -> tuple[bytes, ...]:
    """PROOF of RFC 6962 section 2.1.2: that the first `old_size` leaves are a prefix of all `new_size`.

    Args:
        nodes: hashes of complete subtrees; `consistency_nodes` are needed.
        old_size: number of leaves before.
        new_size: number of leaves now.

    Raises:
        UsageError: `old_size` is below 0 or beyond the tree.
        KeyError: a node is missing.
    """
    return tuple(part_hash(nodes, part) for part in _consistency_parts(old_size, new_size))


@implements("REQ-002", "REQ-028")
def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Check an inclusion proof (RFC 9162 section 2.1.3.2).

    Args:
        hashed: the leaf hash.
        index: the leaf's place, from 0.
        size: number of leaves of the tree.
        proof: sibling hashes from leaf to root.
        expected_root: root of the tree.

    Raises:
        VerificationError: the leaf is not at that place of that tree.
    """
    if not 0 <= index < size:
        raise VerificationError(f"entry {index} is outside a log of {size} entries")
    place, last, node = index, size - 1, hashed
    for sibling in proof:
        if last == 0:
            raise VerificationError(f"the inclusion proof of entry {index} is too long")
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        place >>= 1
        last >>= 1
    if last != 0 or node != expected_root:
        raise VerificationError(f"entry {index} is not in the log of {size} entries: the inclusion proof does not hold")


def verify_consistency(old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that a tree is a continuation of an older one (RFC 9162 section 2.1.4.2).

    Raises:
        VerificationError: the older tree is not a prefix of the newer one.
    """
    failure = VerificationError(f"the log of {new_size} entries does not continue the log of {old_size} entries")
    if not 0 <= old_size <= new_size:
        raise failure
    if old_size in (0, new_size):
        expected = new_root if old_size == new_size else EMPTY_ROOT
        if proof or old_root != expected:
            raise failure
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise failure
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise failure
        if place & 1 or place == last:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            new_node = node_hash(new_node, sibling)
        place >>= 1
        last >>= 1
    if last != 0 or old_node != old_root or new_node != new_root:
        raise failure


def _consistency_parts(old_size: int, new_size: int) -> list[Part]:
    """The stretches of leaves whose roots are the consistency proof, in its order."""
    if not 0 <= old_size <= new_size:
        raise UsageError(f"a tree of {new_size} leaves has no past of {old_size}")
    if old_size in {0, new_size}:
        return []
    start, end, parts = 0, new_size, []
    while old_size != end:
        split = start + _split(end - start)
        if old_size <= split:
            parts.append((split, end))
            end = split
        else:
            parts.append((start, split))
            start = split
    if start:  # the verifier knows the old root itself only when the old tree is one complete subtree from leaf 0
        parts.append((start, end))
    return parts[::-1]


def _complete(start: int, end: int) -> Iterator[Node]:
    """The largest complete subtrees over leaves from `start`, where one begins, up to `end`, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _joined(hashes: Sequence[bytes]) -> bytes:
    """The root over neighbouring complete subtrees of falling size."""
    if not hashes:
        return EMPTY_ROOT
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return node


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
