"""The C2SP tlog-proof file: its one spelling, that it proves its entry by itself, and that no change of it goes unnoticed."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.proofs.tlog_proof import TlogProof, parse_proof, receipt_of, write_tlog_proof
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.log.receipt import Receipt
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders.pack_builder import ORIGIN, LogBuilder, log_key, service, story
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-050", "REQ-028", "RC-06", "SU-07")

HASH = to_base64(b"\x07" * 32)
ENTRY_WITH_DETAILS, ENTRY_WITHOUT = 6, 5


@cache
def log() -> LogBuilder:
    """A whole log; its signatures are other ones each time it is made."""
    return story()


@cache
def note() -> str:
    """A signed checkpoint."""
    return sign_note(Checkpoint(ORIGIN, 3, b"\x07" * 32), log_key())


@cache
def written(index: int) -> str:
    """The proof of one entry of the story."""
    return write_tlog_proof(log().receipt(index))


def proof_text(*lines: str, checkpoint: str | None = None) -> str:
    """A proof of these lines after the header."""
    return "\n".join(("c2sp.org/tlog-proof@v1", *lines)) + "\n\n" + (note() if checkpoint is None else checkpoint)


def holds(text: str) -> bool:
    """Whether a proof convinces somebody who has it, the log's key and the actor's key, and nothing else."""
    actor = service("pipeline").identity.signing_key
    return verify_receipt(receipt_of(parse_proof(text)), log_key=log_key().public, actor=actor).holds


def test_every_byte_is_where_the_specification_puts_it() -> None:
    hashes = (b"\x01" * 32, b"\x02" * 32)
    assert TlogProof(5, hashes, note()).text() == (
        f"c2sp.org/tlog-proof@v1\nindex 5\n{to_base64(hashes[0])}\n{to_base64(hashes[1])}\n\n{note()}"
    )
    assert TlogProof(10, hashes[:1], note(), b"extra information").text() == (
        f"c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n{to_base64(hashes[0])}\n\n{note()}"
    )
    assert TlogProof(0, (), note()).text() == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note()}"


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(max_size=100),
)
def test_what_is_written_is_read(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = TlogProof(index, tuple(hashes), note(), extra)
    assert parse_proof(proof.text()) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1",
        "c2sp.org/tlog-proof@v1\n\n",
        proof_text(),
        proof_text("index 0").replace("@v1", "@v2"),
        proof_text("index 0").replace("\n", "\r\n"),
        "\n" + proof_text("index 0"),
        *(
            proof_text(f"index {number}")
            for number in ("", "01", "-1", "+1", "1 ", " 1", "0x1", "1.0", "1_0", "٣", "9" * 19, "9223372036854775808")
        ),
        proof_text("index  1"),
        proof_text("Index 1"),
        proof_text("index 1", "index 1"),
        proof_text("index 1", "extra YQ=="),
        proof_text("extra YQ==", "extra YQ==", "index 1"),
        proof_text("extra", "index 1"),
        proof_text("extra YQ", "index 1"),
        proof_text("extra YR==", "index 1"),
        proof_text("extra  YQ==", "index 1"),
        proof_text("extra _w==", "index 1"),
        proof_text("index 1", HASH[:-1]),
        proof_text("index 1", HASH + " "),
        proof_text("index 1", to_base64(b"\x07" * 31)),
        proof_text("index 1", to_base64(b"\x07" * 33)),
        proof_text("index 1", *[HASH] * 64),
        proof_text("index 1", HASH, checkpoint=""),
        proof_text("index 1", HASH, checkpoint="no note"),
        proof_text("index 1", HASH) + "\n",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_proof(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    for whole in (text, f"c2sp.org/tlog-proof@v1\n{text}", f"c2sp.org/tlog-proof@v1\nindex 1\n{text}\n\n{note()}"):
        with suppress(InputError):
            assert parse_proof(whole).text() == whole


def test_size_is_bounded() -> None:
    entry, details = ("x" * (1 << 20) for _ in range(2))
    largest = Receipt(index=0, entry=entry, proof=(HASH,) * 63, checkpoint=note(), details=details)
    assert receipt_of(parse_proof(write_tlog_proof(largest))) == largest
    with pytest.raises(InputError, match="4 MiB"):
        parse_proof(TlogProof(0, (), note(), bytes(3 << 20)).text())


@given(
    st.dictionaries(st.text("ab\n\u2028\U0001f600", max_size=3), st.text("ab\n\u2028\x85", max_size=9), max_size=4),
    st.none() | st.dictionaries(st.text("ab\n"), st.integers(0, 9), max_size=3),
    st.lists(st.binary(min_size=32, max_size=32).map(to_base64), max_size=8),
)
def test_receipts_come_back(entry: dict[str, str], details: dict[str, int] | None, hashes: list[str]) -> None:
    receipt = Receipt(
        index=7,
        entry=canonical(entry).decode("utf-8"),
        proof=tuple(hashes),
        checkpoint=note(),
        details=None if details is None else canonical(details).decode("utf-8"),
    )
    proof = parse_proof(write_tlog_proof(receipt))
    assert proof.entry() == canonical(entry)
    assert proof.details() == (None if details is None else canonical(details))
    assert receipt_of(proof) == receipt


@pytest.mark.parametrize(
    "changes",
    [
        {"index": -1},
        {"index": 2**63},
        {"entry": ""},
        {"entry": "a\nb"},
        {"entry": "a\n"},
        {"entry": "\ud800"},
        {"details": ""},
        {"details": "a\nb"},
        {"proof": ("YQ==",)},
        {"proof": (HASH[:-1],)},
        {"proof": (HASH,) * 64},
        {"checkpoint": ""},
    ],
)
def test_no_proof_is_written_that_could_not_be_read(changes: dict[str, Any]) -> None:
    receipt = Receipt(index=0, entry="{}", proof=(HASH,), checkpoint=note())
    assert receipt_of(parse_proof(write_tlog_proof(receipt))) == receipt
    with pytest.raises(InputError):
        write_tlog_proof(receipt.model_copy(update=changes))


@pytest.mark.parametrize(
    "extra", [None, b"", b"\n", b"\n{}", b"{}\n", b"{}\n{}\n", b"{}\n{}\n{}", b"\xff", b"{}\n\xff"]
)
def test_extra_data_of_another_form_is_refused(extra: bytes | None) -> None:
    proof = parse_proof(TlogProof(0, (), note(), extra).text())
    with pytest.raises(InputError):
        receipt_of(proof)


@pytest.mark.parametrize("index", [ENTRY_WITH_DETAILS, ENTRY_WITHOUT])
def test_a_proof_holds_what_its_entry_says_and_proves_no_other(index: int) -> None:
    proof = parse_proof(written(index))
    assert (proof.entry(), proof.details()) == log().pairs[index]
    assert (proof.index, proof.hashes) == (index, log().proof(index).hashes)
    trust = Trust.of_key(log_key().public)
    head = believe(proof.checkpoint, trust, ORIGIN)
    assert (head.size, head.root) == (log().head.size, log().head.root)
    verify_inclusion(leaf_hash(proof.entry()), index, head.size, proof.hashes, head.root)
    for other in (log().lines[index + 1], proof.entry()[:-1], b""):
        with pytest.raises(VerificationError):
            verify_inclusion(leaf_hash(other), index, head.size, proof.hashes, head.root)
    with pytest.raises(VerificationError):
        believe(proof.checkpoint, trust, "another.example")
    with pytest.raises(VerificationError):
        believe(proof.checkpoint, Trust.of_key(generate(KeyAlgorithm.ED25519).public), ORIGIN)


@settings(max_examples=200)
@given(st.sampled_from([ENTRY_WITH_DETAILS, ENTRY_WITHOUT]), st.floats(0, 1, exclude_max=True), st.integers(1, 127))
def test_any_changed_byte_of_a_proof_is_noticed(index: int, place: float, flipped: int) -> None:
    assert holds(written(index))
    changed = bytearray(written(index).encode("utf-8"))
    changed[int(place * len(changed))] ^= flipped
    with suppress(InputError, UnicodeDecodeError):
        assert not holds(changed.decode("utf-8"))


def test_details_cannot_be_exchanged_and_may_be_left_away() -> None:
    for details, held in ((None, True), (log().details[4], False), (b"{}", False), (log().details[7], False)):
        text = None if details is None else details.decode("utf-8")
        assert holds(write_tlog_proof(log().receipt(ENTRY_WITH_DETAILS).model_copy(update={"details": text}))) is held


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    for known in (False, True):
        name = ORIGIN if known else "witness.example"
        foreign = f"— {name} {to_base64(bytes(4) + b'\x07' * 72)}\n"
        text = written(ENTRY_WITHOUT) + foreign
        assert parse_proof(text).checkpoint.endswith(foreign)
        assert holds(text)
