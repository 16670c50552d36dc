"""The Merkle tree against the published reference roots, and its proofs against every kind of lie."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivess.compliance.proofs.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_nodes,
    consistency_proof,
    frontier_nodes,
    inclusion_nodes,
    inclusion_proof,
    leaf_hash,
    node_id,
    nodes_in,
    root,
    tree_of,
    verify_consistency,
    verify_inclusion,
)
from minivess.foundation.errors import UsageError, VerificationError

pytestmark = pytest.mark.verifies("REQ-002", "RC-06")

LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
"""The leaves of certificate-transparency's reference tree."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 70)


def tree(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_reference_roots(size: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(text)) for text in LEAVES[:size]]
    assert root(hashes).hex() == ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(SIZES, st.data())
def test_every_leaf_can_be_proven(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = tree(size)
    verify_inclusion(hashes[index], index, size, inclusion_proof(tree_of(hashes), index, size), root(hashes))


@given(SIZES, st.data())
def test_a_proof_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    hashes = tree(size)
    index = data.draw(st.integers(0, size - 1))
    proof, head = inclusion_proof(tree_of(hashes), index, size), root(hashes)
    lies = [
        (leaf_hash(b"other"), index, size, proof, head),
        (hashes[index], index, size, (*proof, head), head),
        (hashes[index], size, size, proof, head),
        (hashes[index], -1, size, proof, head),
        (hashes[index], index, size, proof, leaf_hash(b"other")),
    ]
    if proof:
        other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
        lies += [(hashes[index], index, size, proof[:-1], head), (hashes[index], other, size, proof, head)]
    for lie in lies:
        with pytest.raises(VerificationError):
            verify_inclusion(*lie)


@given(SIZES, st.data())
def test_growth_can_be_proven_and_rewriting_cannot(size: int, data: st.DataObject) -> None:
    hashes = tree(size)
    old = data.draw(st.integers(0, size))
    proof = consistency_proof(tree_of(hashes), old, size)
    verify_consistency(old, size, proof, root(hashes[:old]), root(hashes))
    rewritten = leaf_hash(b"rewritten")
    for old_root, new_root in ((rewritten, root(hashes)), (root(hashes[:old]), rewritten)):
        if old or old_root == rewritten:
            with pytest.raises(VerificationError):
                verify_consistency(old, size, proof, old_root, new_root)
    with pytest.raises(VerificationError):
        verify_consistency(old, size, (*proof, rewritten), root(hashes[:old]), root(hashes))
    with pytest.raises(VerificationError):
        verify_consistency(size + 1, size, proof, root(hashes), root(hashes))


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it."""
    if len(hashes) == 1:
        return hashes[0]
    split = max(2**power for power in range(8) if 2**power < len(hashes))
    return hashlib.sha256(b"\1" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


def naive_path(index: int, hashes: list[bytes]) -> tuple[bytes, ...]:
    """PATH as RFC 6962 section 2.1.1 writes it."""
    if len(hashes) == 1:
        return ()
    split = max(2**power for power in range(8) if 2**power < len(hashes))
    if index < split:
        return (*naive_path(index, hashes[:split]), naive_root(hashes[split:]))
    return (*naive_path(index - split, hashes[split:]), naive_root(hashes[:split]))


def naive_subproof(old: int, hashes: list[bytes], whole: bool) -> tuple[bytes, ...]:
    """SUBPROOF as RFC 6962 section 2.1.2 writes it."""
    if old == len(hashes):
        return () if whole else (naive_root(hashes),)
    split = max(2**power for power in range(8) if 2**power < len(hashes))
    if old <= split:
        return (*naive_subproof(old, hashes[:split], whole), naive_root(hashes[split:]))
    return (*naive_subproof(old - split, hashes[split:], False), naive_root(hashes[:split]))


@pytest.mark.verifies("REQ-050")
@given(SIZES, st.data())
def test_proofs_are_those_of_the_rfc_and_need_few_nodes(size: int, data: st.DataObject) -> None:
    hashes = tree(size)
    nodes, index, old = tree_of(hashes), data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    wanted = {node: nodes[node] for node in inclusion_nodes(index, size)}
    assert inclusion_proof(wanted, index, size) == naive_path(index, hashes)
    assert len(wanted) <= 2 * size.bit_length()
    wanted = {node: nodes[node] for node in consistency_nodes(old, size)}
    assert consistency_proof(wanted, old, size) == naive_subproof(old, hashes, whole=True)
    assert len(wanted) <= 3 * size.bit_length()


@settings(max_examples=30)
@given(st.integers(0, 70))
def test_a_frontier_agrees_with_the_whole_tree(size: int) -> None:
    frontier, hashes = Frontier(), tree(size)
    made = [node for hashed in hashes for node, _ in frontier.append(hashed)]
    assert [node_id(*node) for node in made] == list(range(nodes_in(size)))
    assert frontier.peaks == tuple(tree_of(hashes)[node] for node in frontier_nodes(size))
    again = Frontier(frontier.size, frontier.peaks)
    assert again.root() == frontier.root() == (root(hashes) if hashes else EMPTY_ROOT)


def test_impossible_questions() -> None:
    for call in (
        lambda: inclusion_proof(tree_of(tree(3)), 3, 3),
        lambda: consistency_proof(tree_of(tree(3)), 4, 3),
        lambda: Frontier(3, [b""]),
    ):
        with pytest.raises(UsageError):
            call()
