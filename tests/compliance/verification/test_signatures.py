"""Release signatures of layout 2: each is an entry of the log, proven to be so, and listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import sign_note
from minivess.compliance.proofs.cosignature import LOG, verifier_key
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.proofs.tlog_proof import LaterEntry, parse_proof
from minivess.compliance.verification.bag import SIGNATURE_LIST, TAG_MANIFEST
from minivess.compliance.verification.signatures import SIGNING_TEXT, check_present, check_signatures
from minivess.compliance.verification.trust import parse_trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.records.people.identity import KeyAlgorithm, Meaning
from minivess.records.people.roles import Role
from tests.support.builders import guarded_log, logged_signatures
from tests.support.builders.guarded_log import MODEL, GuardedLog
from tests.support.builders.pack_builder import (
    ORIGIN,
    RELEASE_POLICY,
    ben,
    cleo,
    log_files,
    log_key,
    person,
    trust_file,
)

pytestmark = pytest.mark.verifies("REQ-235", "RC-100", "SU-14")

BEN, CLEO = "signatures/ben", "signatures/cleo"
LIST = (
    "Benoît Müller (ben), 2026-11-20 09:00:00 UTC, review, independent-reviewer\n"
    "Cleo Papadopoulou (cleo), 2026-11-20 09:01:00 UTC, approval, release-manager\n"
)
Files = dict[str, bytes]


@cache
def prepared() -> tuple[tuple[object, ...], Files]:
    """The entries of a log with a prepared release, and what a pack of it needs for its signatures."""
    log = guarded_log.prepared()
    files = {
        **log_files(log.pairs, log.checkpoint),
        SIGNING_TEXT: b"MiniVess signing text, layout 2\nDevice: vessel-segmenter 1.0\n",
        "data/release/policy.json": canonical({"policy": RELEASE_POLICY.model_dump(mode="json"), "gates": []}),
        TAG_MANIFEST: b"of this pack\n",
    }
    logged_signatures.record_build(log, files, cleo(), version="1.0", model=MODEL)
    return tuple(log.entries), files


def built() -> tuple[GuardedLog, Files]:
    """A log of its own with a pack that was built and not signed."""
    entries, files = prepared()
    return GuardedLog(entries=list(entries), details=[None] * len(entries)), dict(files)


@cache
def _signed() -> tuple[tuple[object, ...], Files]:
    log, files = built()
    done = logged_signatures.sign_logged(log, files, (ben(), cleo()), version="1.0")
    return tuple(log.entries), done


def signed() -> tuple[GuardedLog, Files]:
    """A log of its own with a pack that two people signed."""
    entries, files = _signed()
    return GuardedLog(entries=list(entries), details=[None] * len(entries)), dict(files)


def refusal(log: GuardedLog, files: Files, **changes: object) -> str:
    """What is wrong with the signatures of a pack; empty: nothing."""
    try:
        check_signatures(logged_signatures.signed_pack(log, files, **changes))
    except RefusedError as error:
        return error.message
    return ""


def test_two_logged_signatures_hold() -> None:
    log, files = signed()
    words = check_signatures(logged_signatures.signed_pack(log, files))
    assert words == (
        "2 of 2 required signatures: Benoît Müller (independent-reviewer, review, 2026-11-20 09:00 UTC); "
        "Cleo Papadopoulou (release-manager, approval, 2026-11-20 09:01 UTC)"
    )
    assert files[SIGNATURE_LIST].decode("utf-8") == LIST


def test_one_logged_signature_holds_as_far_as_it_goes() -> None:
    log, files = built()
    half = logged_signatures.sign_logged(log, files, (ben(),), version="1.0")
    pack = logged_signatures.signed_pack(log, half)
    assert [(who, one.meaning) for who, one in check_present(pack).items()] == [("ben", Meaning.REVIEW)]
    assert "a signature is missing: approval by release-manager" in refusal(log, half)


def test_a_pack_without_signatures_has_none_to_judge() -> None:
    log, files = built()
    assert check_present(logged_signatures.signed_pack(log, files)) == {}
    assert refusal(log, files) == "the pack is not signed"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            f"{BEN}.tlog-proof",
            "signatures/ben.tlog-proof is missing: nothing proves that the log has the signature of ben",
        ),
        (f"{CLEO}.tlog-proof", "signatures/cleo.tlog-proof is missing"),
        (SIGNATURE_LIST, "signatures/SIGNATURES.txt is missing"),
        (SIGNING_TEXT, "data/signing-text.txt is missing"),
        (TAG_MANIFEST, "tagmanifest-sha512.txt is missing"),
        ("data/release/policy.json", "data/release/policy.json is missing"),
        (f"{BEN}.dsse.json", "signatures/ben.tlog-proof is a proof without signatures/ben.dsse.json"),
    ],
)
def test_a_missing_file_is_named(name: str, words: str) -> None:
    log, files = signed()
    del files[name]
    assert words in refusal(log, files)


def test_a_policy_that_misses_a_signature_is_named() -> None:
    log, files = signed()
    for name in (f"{BEN}.dsse.json", f"{BEN}.tlog-proof"):
        del files[name]
    assert "a signature is missing: review by independent-reviewer" in refusal(log, files)


def test_a_copy_of_a_signature_under_another_name_is_named() -> None:
    log, files = signed()
    for kind in ("dsse.json", "tlog-proof"):
        files[f"signatures/cora.{kind}"] = files[f"{BEN}.{kind}"]
        files.pop(f"{CLEO}.{kind}")
    assert refusal(log, files) == "ben signed twice; each signature needs another person"
    for kind in ("dsse.json", "tlog-proof"):
        files.pop(f"{BEN}.{kind}")
    assert "signatures/cora.tlog-proof: entry" in refusal(log, files)
    assert refusal(log, files).endswith("is by ben, not cora")


def test_a_proof_without_its_signature_is_named() -> None:
    log, files = signed()
    files["signatures/dan.tlog-proof"] = files[f"{BEN}.tlog-proof"]
    assert refusal(log, files) == "signatures/dan.tlog-proof is a proof without signatures/dan.dsse.json"


def test_the_proof_of_another_person_is_refused() -> None:
    log, files = signed()
    files[f"{BEN}.tlog-proof"], files[f"{CLEO}.tlog-proof"] = files[f"{CLEO}.tlog-proof"], files[f"{BEN}.tlog-proof"]
    found = refusal(log, files)
    assert found.startswith("signatures/ben.tlog-proof: ")
    assert found.endswith("is by cleo, not ben")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LIST.replace("review,", "approval,").encode(),
        "".join(reversed(LIST.splitlines(True))).encode(),
        LIST[:-1].encode(),
    ],
    ids=["empty", "another meaning", "another order", "cut off"],
)
def test_another_list_is_refused(content: bytes) -> None:
    log, files = signed()
    assert refusal(log, files | {SIGNATURE_LIST: content}) == (
        "signatures/SIGNATURES.txt is not the list of the signatures in the pack"
    )


def test_another_signing_text_was_not_shown() -> None:
    log, files = signed()
    files[SIGNING_TEXT] += b"Known anomalies (attested): 0\n"
    assert refusal(log, files) == "ben was shown another text than data/signing-text.txt"


def test_a_signature_of_a_log_older_than_the_pack_is_refused() -> None:
    log, files = built()
    envelope = logged_signatures.envelope_of(files, ben(), head=3)
    index = logged_signatures.record_signature(log, files, ben(), envelope, version="1.0")
    files[f"{BEN}.dsse.json"] = envelope_bytes(envelope)
    files[f"{BEN}.tlog-proof"] = (
        logged_signatures.proof_of(log, index, logged_signatures.packed_size(files)).text().encode()
    )
    files |= logged_signatures.sign_logged(log, files, (cleo(),), version="1.0")
    assert refusal(log, files) == "ben signed on a log of 3 entries, older than the one in the pack"


def entry_of_ben(log: GuardedLog, files: Files, make: Callable[[GuardedLog, Files], int]) -> Files:
    """A pack that Ben signed, with the proof of an entry that `make` appends, and that Cleo signed after him."""
    envelope = logged_signatures.envelope_of(files, ben(), head=len(log.entries))
    index = make(log, files)
    half = {
        **files,
        f"{BEN}.dsse.json": envelope_bytes(envelope),
        f"{BEN}.tlog-proof": logged_signatures.proof_of(log, index, logged_signatures.packed_size(files))
        .text()
        .encode(),
    }
    return logged_signatures.sign_logged(log, half, (cleo(),), version="1.0")


def test_the_entry_must_have_this_very_signature() -> None:
    log, files = built()

    def another_time(log: GuardedLog, files: Files) -> int:
        later = logged_signatures.envelope_of(files, ben(), head=len(log.entries), minutes=90)
        return logged_signatures.record_signature(log, files, ben(), later, version="1.0")

    changed = entry_of_ben(log, files, another_time)
    assert "has another signature than signatures/ben.dsse.json" in refusal(log, changed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "0.9"}, "is of version 0.9, not 1.0"),
        ({"tag_manifest": digest_bytes(b"another pack")}, f"is of the pack {digest_bytes(b'another pack')}, not "),
    ],
    ids=["another version", "another pack"],
)
def test_the_entry_must_be_of_this_pack_and_version(changes: dict[str, str], words: str) -> None:
    log, files = built()

    def other(log: GuardedLog, files: Files) -> int:
        envelope = logged_signatures.envelope_of(files, ben(), head=len(log.entries))
        return logged_signatures.record_signature(log, files, ben(), envelope, **({"version": "1.0"} | changes))

    assert words in refusal(log, entry_of_ben(log, files, other))


def test_the_entry_must_be_a_signature() -> None:
    log, files = built()
    changed = entry_of_ben(log, files, lambda log, _: log.refuse(ben(), "release.sign").body.index)
    assert "is refused release.sign, not a completed release.sign" in refusal(log, changed)


def test_the_entry_must_come_after_the_pack() -> None:
    log, files = signed()
    size = logged_signatures.packed_size(files)
    proof = logged_signatures.proof_of(log, size - 1, size).text().encode()
    words = refusal(log, files | {f"{BEN}.tlog-proof": proof})
    assert f"entry {size - 1} is not between the {size} entries of the pack" in words


def test_the_entry_must_be_signed_by_its_actor() -> None:
    log, files = signed()
    size = logged_signatures.packed_size(files)
    index = parse_proof(files[f"{BEN}.tlog-proof"].decode()).index
    log.entries[index] = log.entries[index].model_copy(update={"signature": log.entries[index - 1].signature})
    proof = logged_signatures.proof_of(log, index, size).text().encode()
    words = refusal(log, files | {f"{BEN}.tlog-proof": proof})
    assert f"entry {index} (release.sign) was changed, or was not signed by ben" in words


def test_a_proof_of_a_fork_is_refused() -> None:
    """The log's operator forks it before the pack was built, and lets people sign in the fork."""
    log, files = signed()
    size = logged_signatures.packed_size(files)
    fork = GuardedLog(entries=log.entries[: size - 2], details=[None] * (size - 2))
    while len(fork.entries) < size:
        fork.refuse(cleo(), "release.build")
    logged_signatures.record_build(fork, files, cleo(), version="1.0", model=MODEL)
    forked = logged_signatures.sign_logged(fork, files, (ben(), cleo()), version="1.0")
    total = len(fork.entries)
    assert refusal(log, forked) == (
        f"signatures/ben.tlog-proof: its log of {total - 1} entries does not continue the {size} entries of the pack"
    )


def test_a_checkpoint_of_another_key_is_not_believed() -> None:
    log, files = signed()
    proof = parse_proof(files[f"{BEN}.tlog-proof"].decode())
    other = sign_note(log.head, generate(KeyAlgorithm.ED25519))
    changed = replace(proof, checkpoint=other).text().encode()
    assert "not signed by a log key that you trust" in refusal(log, files | {f"{BEN}.tlog-proof": changed})


def test_the_checkpoint_of_a_proof_needs_the_witnesses_of_the_trust_file() -> None:
    log, files = signed()
    keys = trust_file()
    witness = verifier_key("witness.example/w", generate(KeyAlgorithm.ED25519).public, 4)
    policy = f"log {verifier_key(ORIGIN, log_key().public, LOG).text()}\nwitness w {witness.text()}\nquorum w\n"
    trusted = parse_trust(canonical(keys | {"policy": policy}))
    assert "which is not the quorum you ask for" in refusal(log, files, trusted=trusted)
    assert refusal(log, files, trusted=parse_trust(canonical(keys))) == ""


def test_a_broken_proof_is_named() -> None:
    log, files = signed()
    proof = parse_proof(files[f"{BEN}.tlog-proof"].decode())
    later = proof.later_entry()
    for extra, words in (
        (None, "not an entry with a consistency proof"),
        (b"{}", "not an entry with a consistency proof"),
        (LaterEntry(later.entry, ()).extra(), "does not continue"),
        (LaterEntry(later.entry.replace(b'"1.0"', b'"2.0"'), later.consistency).extra(), ""),
    ):
        changed = files | {f"{BEN}.tlog-proof": replace(proof, extra=extra).text().encode()}
        found = refusal(log, changed)
        assert found.startswith("signatures/ben.tlog-proof: ")
        assert words in found
    assert refusal(log, files | {f"{BEN}.tlog-proof": b"\xff"}) == "signatures/ben.tlog-proof is not UTF-8 text"


def test_a_pack_of_layout_1_has_neither_proofs_nor_a_list() -> None:
    log, files = signed()
    for name in (f"{BEN}.tlog-proof", SIGNATURE_LIST):
        kept = {other: content for other, content in files.items() if not other.endswith((".tlog-proof", ".txt"))}
        plain = kept | {
            TAG_MANIFEST: files[TAG_MANIFEST],
            "data/audit/checkpoint.txt": files["data/audit/checkpoint.txt"],
        }
        assert refusal(log, plain, prepared=None) == ""
        assert refusal(log, plain | {name: files[name]}, prepared=None) == f"{name} is unexpected in a pack of layout 1"


@pytest.mark.verifies("REQ-234", "SU-06")
def test_a_printed_name_stays_in_its_line() -> None:
    """A name with a line break would look like a second signature."""
    log, files = built()
    eve = person("eve", "Eve\nMax (max), now", Role.REVIEWER)
    envelope = logged_signatures.envelope_of(files, eve, head=len(log.entries))
    listed = logged_signatures.with_list({"signatures/eve.dsse.json": envelope_bytes(envelope)})[SIGNATURE_LIST]
    assert listed.decode() == "Eve?Max (max), now (eve), 2026-11-20 09:00:00 UTC, review, independent-reviewer\n"
