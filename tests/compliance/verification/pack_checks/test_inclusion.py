"""Checkpoints in a pack beside that of its log are held to the same rules, and must be of its beginning."""

from __future__ import annotations

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.cosignature import LOG as LOG_KEY
from minivess.compliance.proofs.cosignature import WITNESS, cosign, verifier_key
from minivess.compliance.proofs.merkle import inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.tlog_proof import TlogProof
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT, believe_too, check_proofs
from minivess.compliance.verification.trust import parse_trust
from minivess.foundation.errors import VerificationError
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders.pack_builder import ORIGIN, LogBuilder, log_key, story, trusted_keys

pytestmark = pytest.mark.verifies("REQ-151", "RC-50")

LOG = story()
LEAVES = [leaf_hash(line) for line in LOG.lines]
REGISTER = Register.fold(LOG.entries)


def earlier(size: int, leaves: list[bytes] = LEAVES) -> TlogProof:
    """The proof of entry 2 under a checkpoint of fewer entries."""
    note = sign_note(Checkpoint(ORIGIN, size, root(leaves[:size])), log_key())
    return TlogProof(2, inclusion_proof(tree_of(leaves[:size]), 2, size), note)


def judged(proof: TlogProof, trust: bytes | None = None) -> str:
    files = {CHECKPOINT: LOG.checkpoint.encode(), "data/audit/proofs/2.tlog-proof": proof.text().encode()}
    return check_proofs(files, LOG.lines, REGISTER, None if trust is None else parse_trust(trust))


def test_an_earlier_checkpoint_of_the_log_is_believed() -> None:
    for size in (3, 8, len(LEAVES)):
        assert judged(earlier(size)).startswith("1 inclusion proofs")
        assert judged(earlier(size), trusted_keys(known=LOG.checkpoint))


def test_a_checkpoint_of_another_history_is_refused() -> None:
    forked = [*LEAVES[:6], *reversed(LEAVES[6:])]
    with pytest.raises(VerificationError, match=r"2.tlog-proof: two histories"):
        judged(earlier(10, forked))
    assert judged(earlier(5, forked))


def test_a_checkpoint_of_more_entries_than_the_pack_has_is_refused() -> None:
    more = [*LEAVES, leaf_hash(b"one more")]
    with pytest.raises(VerificationError, match=rf"covers {len(more)} entries, and the pack has {len(LEAVES)}"):
        judged(earlier(len(more), more))


def test_it_needs_the_witnesses_that_the_trust_file_names() -> None:
    key = generate(KeyAlgorithm.ED25519)
    own = verifier_key(ORIGIN, log_key().public, LOG_KEY).text()
    seen = verifier_key("w.example/1", key.public, WITNESS).text()
    asked = trusted_keys(policy=f"log {own}\nwitness w1 {seen}\nquorum w1\n")
    with pytest.raises(VerificationError, match="0 of 1 witnesses"):
        judged(earlier(5), asked)
    bare = earlier(5)
    vouched = TlogProof(2, bare.hashes, bare.checkpoint + cosign(bare.checkpoint, "w.example/1", key, 1_800_000_000))
    assert judged(vouched, asked)


def test_a_later_checkpoint_that_contradicts_the_known_one_is_refused() -> None:
    forked = sign_note(Checkpoint(ORIGIN, 5, root(LEAVES[1:6])), log_key())
    later = LogBuilder(entries=[*LOG.entries]).checkpoint
    with pytest.raises(VerificationError, match="two histories"):
        believe_too(later, ORIGIN, LEAVES, REGISTER, parse_trust(trusted_keys(known=forked)))
    assert believe_too(later, ORIGIN, LEAVES, REGISTER, None).size == len(LEAVES)
