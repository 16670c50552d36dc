"""Witness formats of C2SP: keys, signatures and requests have one spelling each."""

from __future__ import annotations

import hashlib

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note, raw_ed25519, sign_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    WITNESS,
    AddCheckpoint,
    add_signatures,
    cosign,
    parse_request,
    parse_verifier_key,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.verification.witness import CONFLICT, MALFORMED, OK, UNKNOWN, UNPROVEN, Seen, judge_request
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.records.people.identity import KeyAlgorithm
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-054", "SU-07", "SU-15")

KEY, WITNESS_KEY = generate(KeyAlgorithm.ED25519), generate(KeyAlgorithm.ED25519)
ROOT = bytes(range(32))
NOTE = sign_note(Checkpoint("log.example/x", 7, ROOT), KEY)
GO_SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
"""The verifier key of Go's checksum database, as its tools carry it."""


def test_a_published_verifier_key_is_read_and_written_back() -> None:
    key = parse_verifier_key(GO_SUMDB)
    assert (key.name, key.kind, key.text()) == ("sum.golang.org", LOG, GO_SUMDB)


def test_a_verifier_key_has_one_spelling() -> None:
    text = verifier_key("w.example", WITNESS_KEY.public, WITNESS).text()
    assert parse_verifier_key(text).raw == raw_ed25519(WITNESS_KEY.public)
    for wrong in (text.replace("w.", "v."), text[:-1], text + " ", text.replace("+", "-"), "", text.upper()):
        with pytest.raises(InputError):
            parse_verifier_key(wrong)
    with pytest.raises(UsageError):
        verifier_key("a witness", WITNESS_KEY.public, WITNESS)


def test_the_signed_message_is_that_of_the_specification() -> None:
    line = cosign(NOTE, "w.example", WITNESS_KEY, 1_700_000_000)
    signature = parse_note(NOTE + line).signatures[1]
    raw = raw_ed25519(WITNESS_KEY.public)
    assert signature.key_hash == hashlib.sha256(b"w.example\n\x04" + raw).digest()[:4]
    assert signature.signature[:8] == (1_700_000_000).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1700000000\n" + NOTE.split("\n\n")[0].encode() + b"\n"
    assert WITNESS_KEY.sign(message) == signature.signature[8:]


def test_only_a_quorum_of_those_trusted_counts() -> None:
    keys = [generate(KeyAlgorithm.ED25519) for _ in range(3)]
    note = NOTE
    for number, key in enumerate(keys):
        note = add_signatures(note, cosign(note, f"w{number}", key, 5))
    assert add_signatures(note, cosign(note, "w0", keys[0], 5)) == note
    trusted = [verifier_key(f"w{number}", key.public, WITNESS) for number, key in enumerate(keys)]
    assert [(one.name, one.time) for one in verify_cosignatures(note, trusted, 3)] == [("w0", 5), ("w1", 5), ("w2", 5)]
    stranger = verifier_key("w0", generate(KeyAlgorithm.ED25519).public, WITNESS)
    assert len(verify_cosignatures(note, [stranger, *trusted[1:]], 2)) == 2
    with pytest.raises(VerificationError, match="2 of 3"):
        verify_cosignatures(note, [stranger, *trusted[1:]], 3)
    other = sign_note(Checkpoint("log.example/x", 8, ROOT), KEY) + cosign(note, "w0", keys[0], 5)
    with pytest.raises(VerificationError, match="w0 is wrong"):
        verify_cosignatures(other, trusted, 1)


@given(st.integers(0, 2**50), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_request_comes_back_as_it_was(old: int, proof: list[bytes]) -> None:
    request = AddCheckpoint(old, tuple(proof), NOTE)
    assert parse_request(request.text().encode()) == request


@given(st.binary(max_size=200), st.integers(0, 300))
def test_other_bytes_are_refused_or_the_same_request(noise: bytes, place: int) -> None:
    good = AddCheckpoint(3, (ROOT,), NOTE).text().encode()
    bent = good[:place] + noise + good[place + len(noise) :]
    try:
        again = parse_request(bent)
    except InputError:
        return
    assert again.text().encode() == bent


@pytest.mark.verifies("REQ-055", "RC-16")
def test_every_answer_of_a_witness() -> None:
    log = verifier_key("log.example/x", KEY.public, LOG)
    logs = {log.name: (log,)}

    def asked(old: int, note: str = NOTE, seen: Seen | None = None, proof: tuple[bytes, ...] = ()) -> int:
        known = {} if seen is None else {log.name: seen}
        return judge_request(AddCheckpoint(old, proof, note), logs, known).status

    assert asked(0) == OK
    assert asked(7, seen=Seen(7, ROOT)) == OK
    assert asked(7, seen=Seen(7, bytes(32))) == UNPROVEN
    assert asked(0, seen=Seen(7, ROOT)) == CONFLICT
    assert asked(8) == MALFORMED
    assert asked(3, seen=Seen(3, ROOT)) == UNPROVEN
    assert asked(0, proof=(ROOT,)) == UNPROVEN
    assert asked(0, sign_note(Checkpoint("other", 1, ROOT), KEY)) == UNKNOWN
    assert asked(0, sign_note(Checkpoint("log.example/x", 1, ROOT), WITNESS_KEY)) == 403
