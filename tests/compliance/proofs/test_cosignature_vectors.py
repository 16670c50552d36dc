"""Signed notes, checkpoints, verifier keys and cosignatures that other implementations published; what may count, and once.

The checkpoint of a public Certificate Transparency log with four witnesses, the one of Go's checksum database, and their
keys are facts those services publish. The keys and notes of `example.com/foo` and `PeterNeumann` are examples of
c2sp.org/signed-note (CC BY 4.0) and of Go's `sumdb/note` (BSD-3-Clause).
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note, parse_signature, sign_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    WITNESS,
    VerifierKey,
    add_signatures,
    cosign,
    parse_verifier_key,
    signatures_of,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.records.people.identity import KeyAlgorithm

pytestmark = pytest.mark.verifies("REQ-054", "SU-07")

CT_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
CT_WITNESSES = (
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
CT_NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIg"
    "IpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei5"
    "9RA23oHP7Ry1k3ZFWwQ=\n"
    "— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4Ascyl"
    "P3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWV"
    "uE0tgh0XwzdZsDsUAQ==\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrA"
    "WfBw==\n"
    "— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKF"
    "Ye/TmN9DAg==\n"
)
CT_TIME = 1779573024
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTE = (
    "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n"
    "— sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n"
)
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_LINE = (
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
)
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KEY, ONE, TWO = (generate(KeyAlgorithm.ED25519) for _ in range(3))
NOTE = sign_note(Checkpoint("log.example/x", 7, bytes(range(32))), KEY)


def _key(name: str, key: PrivateKey) -> VerifierKey:
    return verifier_key(name, key.public, WITNESS)


@pytest.mark.parametrize("text", [CT_LOG, *CT_WITNESSES, SUMDB, FOO, NEUMANN])
def test_published_verifier_keys_are_read_and_written_back(text: str) -> None:
    key = parse_verifier_key(text)
    assert key.text() == text
    assert key.kind == (WITNESS if text in CT_WITNESSES else LOG)


def test_the_example_of_the_specification_verifies() -> None:
    signature = parse_signature(FOO_LINE)
    key = parse_verifier_key(FOO)
    assert (signature.name, signature.key_hash) == (key.name, key.key_hash)
    Ed25519PublicKey.from_public_bytes(key.raw).verify(signature.signature, b"This is an example message.\n")


def test_a_public_log_and_its_four_witnesses_verify() -> None:
    log = parse_verifier_key(CT_LOG)
    assert parse_note(CT_NOTE).verify_any([(log.name, log.raw)]).size == 1432088532
    keys = [parse_verifier_key(text) for text in CT_WITNESSES]
    vouched = verify_cosignatures(CT_NOTE, keys, 4, now=CT_TIME)
    assert [(one.name, one.time) for one in vouched] == [(key.name, CT_TIME) for key in keys]
    with pytest.raises(VerificationError, match="is wrong"):
        verify_cosignatures(CT_NOTE.replace("1432088532", "1432088533"), keys, 1)


@pytest.mark.verifies("REQ-002")
def test_a_foreign_origin_is_read_where_foreign_logs_may_be_and_only_there() -> None:
    key = parse_verifier_key(SUMDB)
    held = parse_note(SUMDB_NOTE, foreign=True).verify_any([(key.name, key.raw)])
    assert (held.origin, held.size) == ("go.sum database tree", 6476701)
    with pytest.raises(InputError, match="origin"):
        parse_note(SUMDB_NOTE)


@pytest.mark.verifies("REQ-002")
def test_extension_lines_are_signed_and_are_not_our_own_logs() -> None:
    note = sign_note(Checkpoint("log.example/x", 7, bytes(32), ("timestamp 5", "more")), KEY)
    held = parse_note(note, foreign=True).verify("log.example/x", KEY.public)
    assert held.extensions == ("timestamp 5", "more")
    bent = note.replace("more", "less")
    with pytest.raises(VerificationError):
        parse_note(bent, foreign=True).verify("log.example/x", KEY.public)
    with pytest.raises(InputError, match="three lines"):
        parse_note(note)
    with pytest.raises(InputError, match="empty"):
        parse_note(note.replace("\nmore", "\n\nmore"), foreign=True)
    line = cosign(note, "w.example", ONE, 5)
    assert verify_cosignatures(note + line, [_key("w.example", ONE)], 1)
    with pytest.raises(VerificationError, match="is wrong"):
        verify_cosignatures(bent + line, [_key("w.example", ONE)], 1)


def test_one_signature_does_not_count_for_two_names() -> None:
    line = cosign(NOTE, "w1", ONE, 5)
    twin = _key("w2", ONE)
    again = f"— w2 {to_base64(twin.key_hash + parse_signature(line[:-1]).signature)}\n"
    with pytest.raises(UsageError, match="twice"):
        verify_cosignatures(NOTE + line + again, [_key("w1", ONE), twin], 2)
    same_name = [_key("w1", ONE), _key("w1", TWO)]
    assert len(verify_cosignatures(NOTE + line, same_name, 1)) == 1
    with pytest.raises(VerificationError, match="1 of 2"):
        verify_cosignatures(NOTE + line, same_name, 2)


def test_the_key_of_a_log_vouches_for_nothing() -> None:
    with pytest.raises(UsageError, match="witnesses"):
        verify_cosignatures(NOTE, [verifier_key("log.example/x", KEY.public, LOG)], 1)


@pytest.mark.parametrize(("time", "says"), [(0, "wrong"), (1 << 63, "wrong"), (1_000_601, "future")])
def test_a_time_that_cannot_be_does_not_count(time: int, says: str) -> None:
    key = _key("w", ONE)
    message = f"cosignature/v1\ntime {time}\n{NOTE.split(chr(10) * 2)[0]}\n".encode()
    line = f"— w {to_base64(key.key_hash + time.to_bytes(8, 'big') + ONE.sign(message))}\n"
    with pytest.raises(VerificationError, match=says):
        verify_cosignatures(NOTE + line, [key], 1, now=1_000_000)


def test_a_clock_a_little_ahead_counts() -> None:
    assert verify_cosignatures(NOTE + cosign(NOTE, "w", ONE, 1_000_600), [_key("w", ONE)], 1, now=1_000_000)


def test_each_key_has_one_line_and_it_is_the_newest() -> None:
    note = NOTE
    for time in range(1, 100):
        note = add_signatures(note, cosign(note, "w1", ONE, time) + cosign(note, "w2", TWO, time))
    assert len(parse_note(note).signatures) == 3
    assert [one.time for one in verify_cosignatures(note, [_key("w1", ONE), _key("w2", TWO)], 2)] == [99, 99]
    assert parse_note(note).verify("log.example/x", KEY.public).size == 7


def test_of_an_answer_only_lines_of_the_one_who_was_asked_are_taken() -> None:
    own, other = cosign(NOTE, "w1", ONE, 5), cosign(NOTE, "w2", TWO, 5)
    assert signatures_of(_key("w1", ONE), other + own) == own
    assert signatures_of(_key("w1", TWO), other + own) == ""
    for wrong in ("", own[:-1], own + "\n", own + "w1 AAAA\n", own.replace("\n", "\r\n")):
        with pytest.raises(InputError):
            signatures_of(_key("w1", ONE), wrong)


def test_a_note_holds_at_most_64_signatures() -> None:
    lines = "".join(f"— w{number} {to_base64(bytes(76))}\n" for number in range(63))
    assert len(parse_note(add_signatures(NOTE, lines)).signatures) == 64
    with pytest.raises(InputError, match="64"):
        add_signatures(NOTE, lines + f"— w63 {to_base64(bytes(76))}\n")
