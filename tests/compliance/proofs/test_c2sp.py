"""Each MUST of the C2SP texts named in `proofs.checkpoint`, in our words, with a case that is accepted or refused.

The rules of tlog-witness that take a server are in tests/serving/witness/test_witness_rules.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.proofs.checkpoint import (
    MAX_SIZE,
    NOTE_LIMIT,
    Checkpoint,
    key_hash,
    parse_note,
    raw_ed25519,
    sign_note,
)
from minivess.compliance.proofs.cosignature import (
    LOG,
    WITNESS,
    AddCheckpoint,
    add_signatures,
    cosign,
    parse_request,
    parse_verifier_key,
    signatures_of,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import EMPTY_ROOT
from minivess.compliance.proofs.tlog_policy import parse_policy
from minivess.compliance.proofs.tlog_proof import parse_proof
from minivess.foundation.errors import MinivessError, UsageError
from minivess.records.people.identity import KeyAlgorithm

pytestmark = pytest.mark.verifies("REQ-153", "REQ-150", "SU-07")

KEY, ONE, TWO, OTHER = (generate(KeyAlgorithm.ED25519) for _ in range(4))
ORIGIN, ROOT = "log.example/x", bytes(range(32))
HEAD = Checkpoint(ORIGIN, 7, ROOT)
NOTE = sign_note(HEAD, KEY)
TEXT, _, LINE = NOTE.partition("\n\n")
LOG_KEY = (ORIGIN, raw_ed25519(KEY.public))
LARGE = 4627
"""Bytes of a signature of ML-DSA-87."""


@dataclass(frozen=True)
class Rule:
    """One MUST."""

    id: str
    words: str
    accepted: bool
    case: Callable[[], object]


def unknown(name: str, number: int = 0, size: int = 64) -> str:
    """A signature line of a key that is not known."""
    return f"— {name} {to_base64(number.to_bytes(4, 'big') + bytes(size))}\n"


def held(note: str | bytes, *, foreign: bool = False) -> object:
    return parse_note(note, foreign=foreign).verify_any([LOG_KEY])


def signed(body: str, name: str = ORIGIN, key: PrivateKey = KEY) -> str:
    """A note of any text."""
    line = to_base64(key_hash(name, raw_ed25519(key.public)) + key.sign(body.encode()))
    return f"{body}\n— {name} {line}\n"


def body(origin: str = ORIGIN, size: str = "7", root: str = to_base64(ROOT), more: str = "") -> str:
    return f"{origin}\n{size}\n{root}\n{more}"


def cosigned(
    time: int = 5, *, note: str = NOTE, now: float | None = None, change: Callable[[str], str] = str
) -> object:
    witness = verifier_key("w.example", ONE.public, WITNESS)
    return verify_cosignatures(note + change(cosign(note, "w.example", ONE, time)), [witness], 1, now=now)


def stamped(time: int) -> object:
    """A cosignature with any time, made by hand."""
    text = f"cosignature/v1\ntime {time}\n{TEXT}\n"
    key = verifier_key("w.example", ONE.public, WITNESS)
    blob = key.key_hash + time.to_bytes(8, "big") + ONE.sign(text.encode())
    return verify_cosignatures(f"{NOTE}— w.example {to_base64(blob)}\n", [key], 1)


def vkey(name: str, key: PrivateKey, kind: int = WITNESS) -> str:
    return verifier_key(name, key.public, kind).text()


def policy(*lines: str) -> object:
    return parse_policy("".join(f"{line}\n" for line in lines))


W1, W2 = f"witness w1 {vkey('w.example/1', ONE)}", f"witness w2 {vkey('w.example/2', TWO)}"
THE_LOG = f"log {vkey(ORIGIN, KEY, LOG)}"
PROOF = f"c2sp.org/tlog-proof@v1\nindex 3\n{to_base64(ROOT)}\n\n{NOTE}"


def request(text: str) -> object:
    return parse_request(text.encode())


def yes(id: str, words: str, case: Callable[[], object]) -> Rule:  # noqa: A002
    return Rule(id, words, accepted=True, case=case)


def no(id: str, words: str, case: Callable[[], object]) -> Rule:  # noqa: A002
    return Rule(id, words, accepted=False, case=case)


NOTES = [
    yes("note-1", "text, an empty line, and a signature line", lambda: held(NOTE)),
    no("note-2", "a note is UTF-8", lambda: held(NOTE.encode().replace(b"log.", b"lo\xff.", 1))),
    no("note-3", "a note has no control character but newlines", lambda: held(signed(body(ORIGIN + "\t")))),
    no("note-3b", "a carriage return is a control character", lambda: held(NOTE.replace("\n", "\r\n"))),
    yes("note-4", "a delete character is allowed in what is not ours", lambda: held(NOTE + unknown("a\x7fb"))),
    no("note-6", "a key name is not empty", lambda: held(NOTE + "— " + unknown("x")[3:])),
    no("note-7", "a key name has no space", lambda: held(NOTE + unknown("a b"))),
    no("note-8", "a key name has no other Unicode space", lambda: held(NOTE + unknown("a\u2003b"))),
    no("note-8b", "a line separator is a Unicode space", lambda: held(NOTE + unknown("a\u2028b"))),
    no("note-9", "a key name has no plus sign", lambda: held(NOTE + unknown("a+b"))),
    yes("note-10", "a key name may be any other text", lambda: held(NOTE + unknown("свидетель.example/ø·✓?=%&#"))),
    yes("note-10b", "a key name may be long", lambda: held(NOTE + unknown("w" * 900))),
    no("note-11", "a signature is base64 of more than four bytes", lambda: held(f"{NOTE}— x {to_base64(bytes(4))}\n")),
    no("note-11b", "base64 has one spelling", lambda: held(f"{NOTE}— x AAAAAAB=\n")),
    yes(
        "note-12",
        "16 signatures are accepted, also large ones",
        lambda: held(NOTE + "".join(unknown(f"w{number}.example", number, LARGE) for number in range(15))),
    ),
    no(
        "note-13",
        "the number of signatures has a limit",
        lambda: held(NOTE + "".join(map(unknown, map(str, range(64))))),
    ),
    no("note-13b", "the size of a note has a limit", lambda: held(NOTE + unknown("x", 0, NOTE_LIMIT))),
    yes("note-14", "a signature of an unknown key is ignored", lambda: held(NOTE + unknown("w.example", 1, 9))),
    yes("note-15", "so it is if it has the name of a known key", lambda: held(NOTE + unknown(ORIGIN, 1))),
    yes(
        "note-16",
        "so it is if it has the id of a known key",
        lambda: held(f"{NOTE}— other {to_base64(key_hash(*LOG_KEY) + bytes(64))}\n"),
    ),
    no(
        "note-17",
        "a signature of a known key is verified",
        lambda: held(NOTE.replace("\n7\n", "\n8\n")),
    ),
    no("note-18", "without a signature of a known key the note is refused", lambda: held(sign_note(HEAD, OTHER))),
    no(
        "note-19",
        "a wrong signature of one known key refuses the note, whatever the others",
        lambda: parse_note(
            f"{NOTE}— {ORIGIN} {to_base64(key_hash(ORIGIN, raw_ed25519(ONE.public)) + bytes(64))}\n"
        ).verify_any([LOG_KEY, (ORIGIN, raw_ed25519(ONE.public))]),
    ),
    yes(
        "note-20",
        "one of two known keys is enough",
        lambda: parse_note(NOTE).verify_any([(ORIGIN, raw_ed25519(ONE.public)), LOG_KEY]),
    ),
]

CHECKPOINTS = [
    no("checkpoint-1", "there are three lines at least", lambda: held(signed(f"{ORIGIN}\n7\n"), foreign=True)),
    no("checkpoint-2", "the origin is not empty", lambda: held(signed(body("")), foreign=True)),
    yes(
        "checkpoint-3",
        "the origin of another log may be any line",
        lambda: held(signed(body("go.sum database tree + more")), foreign=True),
    ),
    no("checkpoint-4", "the size has no leading zero", lambda: held(signed(body(size="07")))),
    no("checkpoint-4b", "the size has no sign", lambda: held(signed(body(size="+7")))),
    no("checkpoint-4c", "the size has ASCII digits", lambda: held(signed(body(size="٧")))),
    no("checkpoint-4d", "the size is not empty", lambda: held(signed(body(size="")))),
    yes(
        "checkpoint-5",
        "a log of no entries has the size 0",
        lambda: held(signed(body(size="0", root=to_base64(EMPTY_ROOT)))),
    ),
    yes("checkpoint-6", "the size may be 2^63 - 1", lambda: held(signed(body(size=str(MAX_SIZE))))),
    no("checkpoint-6b", "the size is not larger", lambda: held(signed(body(size=str(MAX_SIZE + 1))))),
    no("checkpoint-7", "the root is base64 in its one spelling", lambda: held(signed(body(root=to_base64(ROOT)[:-1])))),
    no("checkpoint-7b", "the root has 32 bytes", lambda: held(signed(body(root=to_base64(bytes(33)))))),
    yes("checkpoint-8", "extension lines may follow", lambda: held(signed(body(more="more\n")), foreign=True)),
    no("checkpoint-9", "an extension line is not empty", lambda: held(signed(body(more="a\n\nb\n")), foreign=True)),
    no("checkpoint-10", "there are no two signatures of one name and id", lambda: held(NOTE + LINE)),
    yes("checkpoint-11", "one name may have several keys", lambda: held(NOTE + unknown("w", 1) + unknown("w", 2))),
    no(
        "checkpoint-12",
        "no checkpoint of no entries with a root is signed",
        lambda: sign_note(Checkpoint("x", 0, ROOT), KEY),
    ),
    no(
        "checkpoint-13",
        "no size beyond 2^63 - 1 is signed",
        lambda: sign_note(Checkpoint("x", MAX_SIZE + 1, ROOT), KEY),
    ),
]

COSIGNATURES = [
    yes("cosignature-1", "a cosignature is 8 bytes of time and 64 of Ed25519", cosigned),
    no("cosignature-2", "it has no other length", lambda: cosigned(change=lambda line: line[:-5] + "\n")),
    yes("cosignature-3", "the time may be 2^63 - 1", lambda: stamped((1 << 63) - 1)),
    no("cosignature-4", "the time is not beyond 2^63 - 1", lambda: stamped(1 << 63)),
    no("cosignature-5", "a witness does not leave out the time", lambda: stamped(0)),
    no("cosignature-5b", "and signs none without it", lambda: cosign(NOTE, "w.example", ONE, 0)),
    no("cosignature-5c", "nor with a time before 1970", lambda: cosign(NOTE, "w.example", ONE, -5)),
    yes("cosignature-6", "a clock may be ten minutes ahead", lambda: cosigned(1_000, now=500)),
    no("cosignature-7", "a time further in the future is refused", lambda: cosigned(1_200, now=500)),
    no(
        "cosignature-8",
        "extension lines are signed",
        lambda: verify_cosignatures(
            signed(body(more="less\n")) + cosign(signed(body(more="more\n")), "w", ONE, 5),
            [verifier_key("w", ONE.public, WITNESS)],
            1,
        ),
    ),
    yes("cosignature-8b", "and stay as they are", lambda: cosigned(note=signed(body(more="more\n")))),
    no(
        "cosignature-9",
        "one key does not count as two witnesses",
        lambda: verify_cosignatures(
            NOTE + cosign(NOTE, "a", ONE, 5) + cosign(NOTE, "b", ONE, 5),
            [verifier_key(name, ONE.public, WITNESS) for name in "ab"],
            2,
        ),
    ),
    no(
        "cosignature-10",
        "a log's signature is no cosignature of its key",
        lambda: verify_cosignatures(NOTE, [verifier_key(ORIGIN, KEY.public, WITNESS)], 1),
    ),
    no(
        "cosignature-11",
        "a verifier key of another type is refused",
        lambda: parse_verifier_key(vkey("w", ONE).replace("+B", "+G")),
    ),
    yes(
        "cosignature-12",
        "cosignatures of unknown keys in an answer are ignored",
        lambda: (
            signatures_of(
                verifier_key("w", ONE.public, WITNESS), unknown("x", 1, 2428) + cosign(NOTE, "w", ONE, 5)
            ).count("\n")
            == 1
            or pytest.fail("not ignored")
        ),
    ),
]

REQUESTS = [
    yes(
        "request-1",
        "old size, proof, an empty line, a checkpoint",
        lambda: request(f"old 3\n{to_base64(ROOT)}\n\n{NOTE}"),
    ),
    yes("request-1b", "the proof may be empty", lambda: request(f"old 0\n\n{NOTE}")),
    no("request-2", "each line ends with a newline", lambda: request(f"old 3\n\n{NOTE}"[:-1])),
    no("request-3", "the first line is `old` and a size", lambda: request(f"size 3\n\n{NOTE}")),
    no("request-3b", "with one space", lambda: request(f"old  3\n\n{NOTE}")),
    no("request-3c", "without leading zeros", lambda: request(f"old 03\n\n{NOTE}")),
    yes("request-4", "up to 2^63 - 1", lambda: request(f"old {MAX_SIZE}\n\n{NOTE}")),
    no("request-4b", "and not beyond", lambda: request(f"old {MAX_SIZE + 1}\n\n{NOTE}")),
    no(
        "request-5",
        "a line of the proof is a hash in base64",
        lambda: request(f"old 3\n{to_base64(bytes(31))}\n\n{NOTE}"),
    ),
    yes("request-6", "the proof may have 63 lines", lambda: request(AddCheckpoint(3, (ROOT,) * 63, NOTE).text())),
    no("request-6b", "and not more", lambda: request(AddCheckpoint(3, (ROOT,) * 64, NOTE).text())),
    yes(
        "request-7",
        "the checkpoint may have several signatures, also large ones",
        lambda: request(f"old 3\n\n{NOTE}" + "".join(unknown(f"w{n}", n, LARGE) for n in range(15))),
    ),
]

PROOFS = [
    yes("proof-1", "header, index, audit path, an empty line, a checkpoint", lambda: parse_proof(PROOF)),
    no("proof-2", "the first line is the header", lambda: parse_proof(PROOF.replace("@v1", "@v2"))),
    yes("proof-3", "extra data may follow", lambda: parse_proof(PROOF.replace("index", "extra YWJj\nindex"))),
    no(
        "proof-3b",
        "before the index, not after it",
        lambda: parse_proof(PROOF.replace("index 3\n", "index 3\nextra YWJj\n")),
    ),
    no("proof-4", "there is an index", lambda: parse_proof(PROOF.replace("index 3\n", ""))),
    no("proof-4b", "without leading zeros", lambda: parse_proof(PROOF.replace("index 3", "index 03"))),
    yes("proof-5", "up to 2^63 - 1", lambda: parse_proof(PROOF.replace("index 3", f"index {MAX_SIZE}"))),
    no("proof-5b", "and not beyond", lambda: parse_proof(PROOF.replace("index 3", f"index {MAX_SIZE + 1}"))),
    no(
        "proof-6",
        "a line of the audit path is a hash",
        lambda: parse_proof(PROOF.replace(to_base64(ROOT) + "\n\n", "YWJj\n\n")),
    ),
    yes(
        "proof-7",
        "the checkpoint is there word for word",
        lambda: parse_proof(PROOF).checkpoint == NOTE or pytest.fail("not so"),
    ),
    yes(
        "proof-8",
        "with the cosignatures of witnesses",
        lambda: parse_proof(PROOF + cosign(NOTE, "w.example", ONE, 5)),
    ),
]

POLICIES = [
    yes(
        "policy-1",
        "logs, witnesses, groups and a quorum",
        lambda: policy(THE_LOG, W1, W2, "group g all w1 w2", "quorum g"),
    ),
    yes("policy-2", "no log and no witness", lambda: policy("quorum none")),
    yes(
        "policy-3",
        "blanks, tabs, empty lines and comments",
        lambda: policy("", " \t", "\t# ü", f" {W1}\t", "quorum\t w1 "),
    ),
    yes("policy-4", "URLs", lambda: policy(f"{THE_LOG} https://log.example", f"{W1} https://w.example", "quorum w1")),
    no("policy-4b", "one at most", lambda: policy(f"{THE_LOG} https://a https://b", "quorum none")),
    no("policy-5", "the last line ends with a newline", lambda: parse_policy("quorum none")),
    no("policy-6", "there is a quorum", lambda: policy(W1)),
    no("policy-6b", "and only one", lambda: policy(W1, "quorum w1", "quorum w1")),
    no("policy-6c", "of one name", lambda: policy(W1, W2, "quorum w1 w2")),
    no("policy-7", "the name of the quorum is defined before", lambda: policy("quorum w1", W1)),
    no("policy-8", "a member is defined before", lambda: policy("group g any w1", W1, "quorum g")),
    no("policy-8b", "so a group is no member of itself", lambda: policy(W1, "group g 1 w1 g", "quorum g")),
    no("policy-9", "a name is defined once", lambda: policy(W1, W2.replace("w2", "w1"), "quorum w1")),
    no("policy-9b", "also across kinds", lambda: policy(W1, "group w1 any w1", "quorum w1")),
    no("policy-10", "`none` is not defined", lambda: policy(W1.replace(" w1 ", " none "), "quorum none")),
    no("policy-10b", "and no member", lambda: policy(W1, "group g any w1 none", "quorum g")),
    no("policy-11", "a name is a member once", lambda: policy(W1, "group g any w1 w1", "quorum g")),
    no("policy-11b", "of one group", lambda: policy(W1, W2, "group a any w1", "group b any w1 w2", "quorum b")),
    no("policy-12", "a group has a member", lambda: policy(W1, "group g any", "quorum w1")),
    no("policy-13", "0 members cannot be asked for", lambda: policy(W1, "group g 0 w1", "quorum g")),
    no("policy-13b", "nor more than there are", lambda: policy(W1, "group g 2 w1", "quorum g")),
    no("policy-13c", "a number is written in decimal", lambda: policy(W1, "group g 0x1 w1", "quorum g")),
    no("policy-14", "two logs have two keys", lambda: policy(THE_LOG, f"log {vkey('other', KEY, LOG)}", "quorum none")),
    no("policy-14b", "two witnesses too", lambda: policy(W1, f"witness w9 {vkey('w.example/9', ONE)}", "quorum w1")),
    no("policy-15", "the key of a log is that of a log", lambda: policy(f"log {vkey(ORIGIN, KEY)}", "quorum none")),
    no(
        "policy-15b",
        "that of a witness that of a witness",
        lambda: policy(f"witness w {vkey('w', ONE, LOG)}", "quorum w"),
    ),
    no("policy-16", "a verifier key has its own hash", lambda: policy(W1[:-50] + "A" + W1[-49:], "quorum w1")),
    no("policy-17", "there are no control characters", lambda: policy("quorum none\r")),
    no("policy-17b", "a delete character is one", lambda: policy("# \x7f", "quorum none")),
    no("policy-18", "there are no other lines", lambda: policy("version 1", "quorum none")),
    yes("policy-19", "names may be any text", lambda: policy(W1.replace(" w1 ", " K€+/# "), "quorum K€+/#")),
    no("policy-19b", "compared as they are", lambda: policy(W1.replace(" w1 ", " K "), "quorum \u212a")),
]


@pytest.mark.parametrize(
    "rule", [*NOTES, *CHECKPOINTS, *COSIGNATURES, *REQUESTS, *PROOFS, *POLICIES], ids=lambda rule: rule.id
)
def test_each_must_has_a_case(rule: Rule) -> None:
    if rule.accepted:
        rule.case()
        return
    with pytest.raises(MinivessError):
        rule.case()


def test_a_key_id_is_that_of_the_specification() -> None:
    raw = raw_ed25519(ONE.public)
    assert verifier_key("w", ONE.public, WITNESS).key_hash == hashlib.sha256(b"w\n\x04" + raw).digest()[:4]
    assert verifier_key("w", ONE.public, LOG).key_hash == hashlib.sha256(b"w\n\x01" + raw).digest()[:4]


def test_the_signed_message_has_the_time_of_the_signature() -> None:
    blob = from_base64(cosign(NOTE, "w", ONE, 1_700_000_000).split(" ")[2].strip())
    assert int.from_bytes(blob[4:12], "big") == 1_700_000_000
    assert blob[12:] == ONE.sign(f"cosignature/v1\ntime 1700000000\n{TEXT}\n".encode())


def test_an_answer_is_joined_to_the_checkpoint_with_one_signature_for_each_key() -> None:
    first, later = (cosign(NOTE, "w.example", ONE, time) for time in (5, 9))
    assert add_signatures(add_signatures(NOTE, first), later) == NOTE + later


@pytest.mark.parametrize(
    ("quorum", "vouching", "met"),
    [
        ("none", "", True),
        ("a", "", False),
        ("a", "a", True),
        ("any", "c", True),
        ("any", "a", False),
        ("two", "bc", True),
        ("two", "b", False),
        ("both", "bca", True),
        ("both", "bc", False),
        ("both", "ab", False),
    ],
)
def test_a_quorum_counts_groups_of_groups(quorum: str, vouching: str, met: bool) -> None:
    keys = {name: generate(KeyAlgorithm.ED25519) for name in "abcdefg"}
    lines = [f"witness {name} {vkey(name, key)}" for name, key in keys.items()]
    groups = {
        "any": ["group any any b c"],
        "two": ["group two 2 b c d"],
        "both": ["group two 2 b c d", "group both all two a"],
    }
    text = "".join(f"{line}\n" for line in (*lines, *groups.get(quorum, []), f"quorum {quorum}"))
    assert parse_policy(text).met(set(vouching)) is met


def test_a_name_of_ours_has_no_control_characters() -> None:
    for name in ("a\x7fb", "a\x85b", "x" * 201, ""):
        with pytest.raises(UsageError):
            verifier_key(name, KEY.public, LOG)
