"""Checkpoints, tlog-proofs and DSSE envelopes against published vectors and byte by byte."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.checkpoint import Checkpoint, key_hash, parse_note, sign_note
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.envelope import (
    envelope_bytes,
    make_statement,
    pae,
    parse_envelope,
    parse_statement,
    payload_of,
    seal_envelope,
)
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.proofs.tlog_proof import TlogProof, parse_proof, receipt_of, write_tlog_proof
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.records.artifact import Artifact
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders.pack_builder import ORIGIN, ada, ben, log_key, story
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-002", "RC-06", "SU-07")

NEUMANN = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
NEUMANN_TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_LINE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SOFA = (
    """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

"""
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_key_hash_and_signature_of_the_go_note_example() -> None:
    assert NEUMANN[0] == 1
    hashed = key_hash("PeterNeumann", NEUMANN[1:])
    assert hashed.hex() == "c74f20a3"
    blob = from_base64(NEUMANN_LINE)
    assert blob[:4] == hashed
    Ed25519PublicKey.from_public_bytes(NEUMANN[1:]).verify(blob[4:], NEUMANN_TEXT)


def test_the_c2sp_example_with_a_witness_is_read() -> None:
    note = parse_note(SOFA)
    assert note.checkpoint.size == 20852163
    assert SOFA.startswith(note.checkpoint.body() + "\n")
    assert [item.name for item in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]


def test_a_note_has_exactly_this_form() -> None:
    note = sign_note(Checkpoint(ORIGIN, 3, b"\x07" * 32), log_key())
    body, signature = note.split("\n\n")
    assert body == f"{ORIGIN}\n3\n{to_base64(bytes([7]) * 32)}"
    assert signature.encode().startswith(b"\xe2\x80\x94 " + ORIGIN.encode() + b" ")
    assert parse_note(note).verify(ORIGIN, log_key().public).size == 3


def test_another_key_or_another_name_did_not_sign() -> None:
    note = parse_note(sign_note(Checkpoint(ORIGIN, 3, b"\x07" * 32), log_key()))
    with pytest.raises(VerificationError):
        note.verify(ORIGIN, generate(KeyAlgorithm.ED25519).public)
    with pytest.raises(VerificationError):
        note.verify("another.example", log_key().public)


def test_any_changed_byte_of_a_checkpoint_is_noticed() -> None:
    note = story().checkpoint.encode("utf-8")
    for position in range(len(note)):
        for bit in (1, 0x10, 0x80):
            changed = bytearray(note)
            changed[position] ^= bit
            with pytest.raises((InputError, VerificationError)):
                parse_note(changed.decode("utf-8", errors="surrogateescape")).verify(ORIGIN, log_key().public)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (parse_note, parse_proof):
        with pytest.raises(InputError):
            parse(text)


def test_origins_that_cannot_be_key_names_are_refused() -> None:
    for origin in ("", "a b", "a+b", "a\nb", "a\u00a0b"):
        with pytest.raises(UsageError):
            sign_note(Checkpoint(origin, 1, b"\x00" * 32), log_key())


@pytest.mark.verifies("REQ-028")
def test_a_proof_file_proves_its_entry_and_no_other() -> None:
    log = story()
    proof = log.proof(4)
    text = proof.text()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 4\n")
    assert parse_proof(text) == proof
    whole = parse_proof(write_tlog_proof(log.receipt(4)))
    assert (whole.index, whole.hashes, whole.checkpoint) == (proof.index, proof.hashes, proof.checkpoint)
    assert receipt_of(whole) == log.receipt(4)
    with pytest.raises(InputError, match="does not hold its entry"):
        receipt_of(proof)
    head = believe(proof.checkpoint, Trust.of_key(log_key().public), ORIGIN)
    assert head.size == len(log.entries)
    verify_inclusion(leaf_hash(log.lines[4]), proof.index, head.size, proof.hashes, head.root)
    with pytest.raises(VerificationError):
        verify_inclusion(leaf_hash(log.lines[5]), proof.index, head.size, proof.hashes, head.root)


def test_a_proof_with_extra_data_round_trips() -> None:
    proof = TlogProof(0, (b"\x01" * 32,), SOFA, b"extra information")
    assert "\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 0\n" in proof.text()
    assert parse_proof(proof.text()) == proof


@pytest.mark.parametrize("index", ["01", "-1", "+1", "", "1 ", "٣"])
def test_an_index_has_one_spelling(index: str) -> None:
    with pytest.raises(InputError):
        parse_proof(f"c2sp.org/tlog-proof@v1\nindex {index}\n\n{SOFA}")


def test_pae_is_that_of_the_dsse_protocol() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_envelopes_and_statements_come_back() -> None:
    subject = Artifact(name="release/pack", digest="sha256:" + "a" * 64)
    payload = make_statement([subject], "urn:example:1", {"by": "ada"})
    envelope = seal_envelope(payload, ada())
    again = parse_envelope(envelope_bytes(envelope))
    assert again == envelope
    statement = parse_statement(payload_of(again))
    assert (statement.subjects, statement.predicate) == ((subject,), {"by": "ada"})


@pytest.mark.parametrize("text", ["YQ", "YR==", "YQ==\n", "Y Q==", "YQ=", "é", "_w=="])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(InputError):
        from_base64(text)


def test_an_envelope_must_be_canonical() -> None:
    data = envelope_bytes(seal_envelope(b"{}", ben()))
    for changed in (data + b"\n", data.replace(b":", b": ", 1), b"{}", b"[]", b"null"):
        with pytest.raises(InputError):
            parse_envelope(changed)
