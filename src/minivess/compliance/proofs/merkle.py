"""The Merkle hash tree of RFC 6962 section 2.1 and its proofs, verified as RFC 9162 section 2.1.3.2 and 2.1.4.2 say."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.implements import implements

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@implements("REQ-002")
class Frontier:
    """A tree that only grows, kept as the roots of its complete subtrees: O(log n) state, amortised O(1) an append.

    Args:
        size: number of leaves so far.
        peaks: roots of the complete subtrees from left (largest) to right; one for each bit set in `size`.

    Raises:
        UsageError: the number of peaks does not fit the size.
    """

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

    def append(self, hashed: bytes) -> tuple[bytes, ...]:
        """Add a leaf hash; returns the new leaf's inclusion proof in the tree as it is now."""
        proof = tuple(reversed(self._peaks))
        node, carry = hashed, self._size
        while carry & 1:
            node = node_hash(self._peaks.pop(), node)
            carry >>= 1
        self._peaks.append(node)
        self._size += 1
        return proof

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = node_hash(peak, node)
        return node


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 over leaf hashes."""
    frontier = Frontier()
    for hashed in leaf_hashes:
        frontier.append(hashed)
    return frontier.root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """PATH of RFC 6962 section 2.1.1: sibling hashes from the leaf up to the root's child.

    Raises:
        UsageError: there is no leaf of that index.
    """
    if not 0 <= index < len(leaf_hashes):
        raise UsageError(f"no leaf {index} in a tree of {len(leaf_hashes)}")
    if len(leaf_hashes) == 1:
        return ()
    split = _split(len(leaf_hashes))
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if index < split:
        return (*inclusion_proof(left, index), root(right))
    return (*inclusion_proof(right, index - split), root(left))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """PROOF of RFC 6962 section 2.1.2: that the first `old_size` leaves are a prefix of all of them.

    Raises:
        UsageError: `old_size` is below 0 or beyond the tree.
    """
    if not 0 <= old_size <= len(leaf_hashes):
        raise UsageError(f"a tree of {len(leaf_hashes)} leaves has no past of {old_size}")
    if old_size in (0, len(leaf_hashes)):
        return ()
    return _subproof(leaf_hashes, old_size, whole=True)


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
        raise VerificationError(f"entry {index} lies outside a log of {size} entries")
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


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _subproof(leaf_hashes: Sequence[bytes], old_size: int, *, whole: bool) -> tuple[bytes, ...]:
    if old_size == len(leaf_hashes):
        return () if whole else (root(leaf_hashes),)
    split = _split(len(leaf_hashes))
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if old_size <= split:
        return (*_subproof(left, old_size, whole=whole), root(right))
    return (*_subproof(right, old_size - split, whole=False), root(left))
