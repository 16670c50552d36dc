"""The Merkle tree against the published reference roots, and its proofs against every kind of lie."""

from __future__ import annotations

import hashlib

import pytest

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
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-002", "RC-06", "SU-07")

# Leaves, roots and proofs are those of certificate-transparency's reference tree as transparency-dev/merkle publishes
# them in proof/verify_test.go (Apache-2.0); indexes count from 0 here.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
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
INCLUSIONS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCIES = [
    (1, 1, []),
    (1, 8, INCLUSIONS[1][2]),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
    (
        6,
        7,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
]
SIZES = st.integers(1, 70)
HUGE = st.integers(1, 10**15)


def tree(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_reference_roots(size: int) -> None:
    hashes = [leaf_hash(bytes.fromhex(text)) for text in LEAVES[:size]]
    assert root(hashes).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "expected"), INCLUSIONS)
def test_the_reference_inclusion_proofs(index: int, size: int, expected: list[str]) -> None:
    hashes = [leaf_hash(bytes.fromhex(text)) for text in LEAVES]
    proof = inclusion_proof(tree_of(hashes), index, size)
    assert [item.hex() for item in proof] == expected
    verify_inclusion(hashes[index], index, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "expected"), CONSISTENCIES)
def test_the_reference_consistency_proofs(old: int, new: int, expected: list[str]) -> None:
    proof = consistency_proof(tree_of([leaf_hash(bytes.fromhex(text)) for text in LEAVES]), old, new)
    assert [item.hex() for item in proof] == expected
    verify_consistency(old, new, proof, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]))


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


class Uniform(dict[tuple[int, int], bytes]):
    """The complete subtrees over leaves that are all alike, of which a level has but one: a tree of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = [leaf_hash(b"")]
        for _ in range(60):
            self.levels.append(hashlib.sha256(b"\1" + self.levels[-1] * 2).digest())

    def __missing__(self, node: tuple[int, int]) -> bytes:
        self[node] = self.levels[node[0]]
        return self[node]


@pytest.mark.verifies("REQ-050")
@given(HUGE, st.data())
def test_proofs_of_huge_logs_hold_and_need_few_nodes(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    roots = {at: Frontier(at, [Uniform()[node] for node in frontier_nodes(at)]).root() for at in (old, size)}
    read = Uniform()
    verify_inclusion(leaf_hash(b""), index, size, inclusion_proof(read, index, size), roots[size])
    assert set(read) == set(inclusion_nodes(index, size))
    assert len(read) <= 2 * size.bit_length()
    read = Uniform()
    verify_consistency(old, size, consistency_proof(read, old, size), roots[old], roots[size])
    assert set(read) == set(consistency_nodes(old, size))
    assert len(read) <= 3 * size.bit_length()
    for level, position in read:
        assert (position + 1) << level <= size


@given(HUGE)
def test_nodes_are_numbered_without_gaps_in_the_order_they_become_complete(size: int) -> None:
    made = (size & -size).bit_length()
    numbers = [node_id(level, ((size - 1) >> level)) for level in range(made)]
    assert numbers == list(range(nodes_in(size - 1), nodes_in(size)))
    assert [node_id(*node) + 1 for node in frontier_nodes(size)][-1] == nodes_in(size)


@settings(max_examples=30)
@given(st.integers(0, 70), st.data())
def test_a_frontier_goes_on_from_its_peaks(size: int, data: st.DataObject) -> None:
    hashes, cut = tree(size), data.draw(st.integers(0, size))
    first = Frontier()
    for hashed in hashes[:cut]:
        first.append(hashed)
    second = Frontier(first.size, first.peaks)
    nodes = tree_of(hashes[:cut]) | dict(node for hashed in hashes[cut:] for node in second.append(hashed))
    assert nodes == tree_of(hashes)
    assert second.root() == root(hashes)
    assert first.root() == root(hashes[:cut])


def test_a_proof_without_its_nodes_is_no_proof() -> None:
    nodes = tree_of(tree(7))
    for node in inclusion_nodes(3, 7):
        with pytest.raises(KeyError):
            inclusion_proof({key: value for key, value in nodes.items() if key != node}, 3, 7)


def test_impossible_questions() -> None:
    for call in (
        lambda: inclusion_proof(tree_of(tree(3)), 3, 3),
        lambda: inclusion_nodes(-1, 3),
        lambda: consistency_nodes(-1, 3),
        lambda: consistency_proof(tree_of(tree(3)), 4, 3),
        lambda: Frontier(3, [b""]),
        lambda: Frontier(-1),
    ):
        with pytest.raises(UsageError):
            call()


@given(sizes=st.lists(st.integers(0, 40), max_size=5))
def test_many_leaves_at_once_make_the_tree_that_they_make_one_by_one(sizes: list[int]) -> None:
    hashes = [leaf_hash(str(number).encode()) for number in range(sum(sizes))]
    at_once, one_by_one = Frontier(), Frontier()
    for size in sizes:
        part = hashes[at_once.size : at_once.size + size]
        at_once.extend(part)
        for hashed in part:
            one_by_one.append(hashed)
        assert (at_once.size, at_once.peaks) == (one_by_one.size, one_by_one.peaks)
