"""verify.py's own arithmetic and canonical JSON against the libraries that this package uses."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from pydantic import ValidationError

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.roots import Roots, sign_change
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.verification.log import verify_entries
from minivess.records.device.attested import Attested
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders.pack_builder import (
    BEGIN,
    ORIGIN,
    LogBuilder,
    ada,
    cleo,
    log_files,
    log_key,
    trusted_keys,
    trusted_keys_of_0_1_0,
)
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.verify_script import verify

pytestmark = pytest.mark.verifies("REQ-039", "RC-13", "SU-14")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_agrees(value: object) -> None:
    data = canonical(value)
    assert verify.canonical(value) == data
    assert verify.canonical(verify.parse(data, "it")) == data


@settings(max_examples=500)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_agree(value: float) -> None:
    assert verify.number_text(value).encode() == canonical(value)


@pytest.mark.parametrize(
    "data", [b'{"a":1,"a":1}', b"1.0", b"NaN", b"[1, 2]", b"\xff", b"1e999", b"[" * 99999, b"9" * 999]
)
def test_other_spellings_are_refused(data: bytes) -> None:
    with pytest.raises(verify.WrongError):
        verify.parse(data, "it")


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=100), st.sampled_from([KeyAlgorithm.ED25519, KeyAlgorithm.P256]), st.integers(0, 511))
def test_signatures_agree(message: bytes, algorithm: KeyAlgorithm, bit: int) -> None:
    key = generate(algorithm)
    public = json.loads(canonical(key.public))
    signature = bytearray(key.sign(message))
    text = base64.b64encode(bytes(signature)).decode()
    assert verify.signed_by(public, message, text)
    assert not verify.signed_by(public, message + b"x", text)
    signature[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(verify.WrongError):
        assert not verify.signed_by(public, message, base64.b64encode(bytes(signature)).decode())


NUMBERS = {
    "number": (),
    "positive": (-1, 0),
    "from-0": (-1,),
    "share": (-1, 2),
    "between-0-1": (-1, 0, 1, 2),
    "above-0-to-1": (-1, 0, 2),
    "overlap-share": (-1, 1, 2),
}
"""What each type of a number in verify.py refuses of -1, 0, 0.5, 1 and 2."""


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_number_is_within_the_limits_of_its_type(kind: str) -> None:
    refused = []
    for value in (-1, 0, 0.5, 1, 2):
        try:
            verify.fit(value, kind, "it")
        except verify.WrongError:
            refused.append(value)
    assert tuple(refused) == NUMBERS[kind]
    for other in (True, "1", None, [1]):
        with pytest.raises(verify.WrongError, match=r"it: (no|a) number"):
            verify.fit(other, kind, "it")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("neighbours", [6, 18, 26], [0, 8, 27, "6"]),
        ("shares", [{}, {"x": 0.5, "y": None}], [{"x": 2}, {"x": "1"}, [0.5]]),
        ("sentences", [{}, {"dice": "of voxels"}], [{"more": "x"}, {"dice": 1}, ["dice"]]),
        ("counts", [[2, 7, 1]], [[2, 7], [2, 7, 1, 0], [2, -7, 1], [2, 7.5, 1], {}]),
    ],
)
def test_a_type_refuses_what_is_not_of_it(kind: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert verify.fit(value, kind, "it") == value
    for value in bad:
        with pytest.raises(verify.WrongError, match="it"):
            verify.fit(value, kind, "it")


def test_roots_can_agree_and_are_all_of_a_demonstration_or_none() -> None:
    people, real, shown = verify.People(), {"id": "ada"}, {"id": "ben", "demo": True}
    people.check_roots([real, {"id": "cleo"}], 2)
    for roots, threshold in (([real], 0), ([real], 2), ([real, real], 1), ([], 1)):
        with pytest.raises(verify.WrongError, match="threshold"):
            people.check_roots(roots, threshold)
    with pytest.raises(verify.WrongError, match="mixes demo"):
        people.check_roots([real, shown], 1)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("missing_chapters", "a chapter", "b chapter"),
        ("open_clauses", "5.1", "5.2"),
        ("anomalies", {"id": "ANO-01", "title": "z"}, {"id": "ANO-02", "title": "a"}),
        ("gaps", {"item": "A", "kind": "z", "message": "z"}, {"item": "B", "kind": "a", "message": "a"}),
        (
            "justified",
            {"item": "A", "kind": "a", "message": "b", "remark": "a"},
            {"item": "A", "kind": "a", "message": "b", "remark": "b"},
        ),
    ],
)
def test_both_verifiers_ask_for_the_lists_of_the_tool_in_order(name: str, first: Any, second: Any) -> None:
    tool = {"name": "minivess", "version": "0.2.0"}
    whole: dict[str, Any] = {"format": "minivess-attested/1", "tool": tool, "tree": "sha256:" + 64 * "0"}
    whole.update(gaps=[], justified=[], open_clauses=[], anomalies=[])
    for rows in ([], [first], [first, second], [first, first]):
        whole[name] = rows
        assert verify.fit(whole, "attested", "it") == whole
        Attested.model_validate_json(json.dumps(whole))
    whole[name] = [second, first]
    with pytest.raises(verify.WrongError, match=rf"{name} is not in order"):
        verify.fit(whole, "attested", "it")
    with pytest.raises(ValidationError, match=rf"`{name}` is not in order"):
        Attested.model_validate_json(json.dumps(whole))


def test_a_form_may_leave_fields_open() -> None:
    assert verify.fit({"kind": "risk", "more": 1}, "trace-item", "it") == {"kind": "risk", "more": 1}
    for value in ({"more": 1}, {"kind": 1}, ["kind"]):
        with pytest.raises(verify.WrongError, match="it"):
            verify.fit(value, "trace-item", "it")


def test_the_high_twin_of_a_p256_signature_is_refused() -> None:
    key = generate(KeyAlgorithm.P256)
    r, s = decode_dss_signature(key.sign(b"data"))
    twin = base64.b64encode(encode_dss_signature(r, verify.N256 - s)).decode()
    assert not verify.signed_by(json.loads(canonical(key.public)), b"data", twin)


@given(st.integers(1, 60))
def test_roots_agree(size: int) -> None:
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    assert verify.merkle_root(list(hashes)) == root(hashes)


def plain(point: tuple[int, int, int]) -> tuple[int, int]:
    """A projective point of P-256 as x and y."""
    inverse = pow(point[2], -1, verify.P256)
    return point[0] * inverse % verify.P256, point[1] * inverse % verify.P256


def test_p256_addition_of_a_point_to_itself_and_to_its_negative() -> None:
    generator, nothing = verify.G256, (0, 1, 0)
    negative = (generator[0], verify.P256 - generator[1], 1)
    assert verify.p256_add(generator, negative)[2] == 0
    assert verify.p256_add(nothing, nothing)[2] == 0
    point = generator
    for number in range(1, 6):
        private = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
        assert plain(point) == (private.x, private.y)
        assert plain(verify.p256_add(point, nothing)) == plain(verify.p256_add(nothing, point)) == plain(point)
        point = verify.p256_add(generator, point)


def signed_files(log: LogBuilder, key: PrivateKey) -> dict[str, bytes]:
    return log_files(log.pairs, sign_note(log.head, key))


def rekeyed(old: PrivateKey, new: PrivateKey, possession: str) -> tuple[LogBuilder, dict[str, Any]]:
    """A log with a lock-out, and the payload of a change of its key that its root agreed to."""
    log = LogBuilder()
    log.create(cleo())
    log.enrol(cleo(), ada())
    register = Register.fold(log.entries)
    itself = Signer(register.log_keys[0].identity, old)
    for attempt in range(1, 6):
        log.append(itself, "identity.unlock-failed", {"identity": "ada", "attempt": attempt})
    log.append(itself, "identity.locked", {"identity": "ada", "attempts": 5})
    log.append(cleo(), "identity.reinstated", {"identity": "ada", "reason": "it was her"})
    roots = Roots(register.roots, 1)
    envelope = sign_change(cleo(), roots, roots, log_key=new.public, head=len(log.entries), now=BEGIN)
    payload = {
        "roots": [one.model_dump(mode="json") for one in roots.members],
        "threshold": 1,
        "envelopes": [envelope.model_dump(mode="json", by_alias=True)],
        "log_key": new.public.model_dump(mode="json"),
        "possession": possession,
    }
    return log, payload


@pytest.mark.verifies("REQ-058", "REQ-116")
def test_lock_outs_and_a_changed_log_key_are_followed() -> None:
    new = generate(KeyAlgorithm.ED25519)
    statement = possession_statement(ORIGIN, "log", log_key().public.key_id, new.public.key_id)
    log, payload = rekeyed(log_key(), new, to_base64(new.sign(statement)))
    log.append(cleo(), "roots.changed", payload)
    log.append(ada(), "ensemble", {"members": 2, "rule": "mean"})
    trust = verify.read_trust(trusted_keys())
    pack = verify.Pack(signed_files(log, new), trust)
    assert pack.check_log().startswith(f"{len(log.entries)} entries")
    assert pack.people.log_key(len(log.entries)) == json.loads(canonical(new.public))
    assert all(check.passed for check in verify_entries(log.pairs, sign_note(log.head, new))[0])
    with pytest.raises(verify.WrongError):
        verify.Pack(signed_files(log, log_key()), trust).check_log()
    with pytest.raises(verify.WrongError, match="log key that counts"):
        verify.Pack(signed_files(log, new), verify.read_trust(trusted_keys_of_0_1_0())).check_log()


@pytest.mark.verifies("REQ-116")
def test_a_key_nobody_showed_to_hold_is_refused_by_both() -> None:
    new = generate(KeyAlgorithm.ED25519)
    log, payload = rekeyed(log_key(), new, to_base64(log_key().sign(b"something else")))
    log.append(cleo(), "roots.changed", payload)
    with pytest.raises(verify.WrongError, match="possession of the new key"):
        verify.Pack(signed_files(log, new), None).check_log()
    assert not all(check.passed for check in verify_entries(log.pairs, sign_note(log.head, new))[0])


@pytest.mark.verifies("REQ-116")
def test_another_key_than_the_roots_agreed_to_is_refused_by_both() -> None:
    new, other = generate(KeyAlgorithm.ED25519), generate(KeyAlgorithm.ED25519)
    statement = possession_statement(ORIGIN, "log", log_key().public.key_id, other.public.key_id)
    log, payload = rekeyed(log_key(), new, to_base64(other.sign(statement)))
    payload["log_key"] = other.public.model_dump(mode="json")
    log.append(cleo(), "roots.changed", payload)
    with pytest.raises(verify.WrongError, match="another change"):
        verify.Pack(signed_files(log, other), None).check_log()
    assert not all(check.passed for check in verify_entries(log.pairs, sign_note(log.head, other))[0])


@pytest.mark.verifies("REQ-058")
@pytest.mark.parametrize("attempts", [4, 6])
def test_a_lock_without_five_wrong_passphrases_is_refused_by_both(attempts: int) -> None:
    log = LogBuilder()
    log.create(cleo())
    log.enrol(cleo(), ada())
    itself = Signer(Register.fold(log.entries).log_keys[0].identity, log_key())
    for attempt in range(1, attempts + 1):
        log.append(itself, "identity.unlock-failed", {"identity": "ada", "attempt": min(attempt, 5)})
    log.append(itself, "identity.locked", {"identity": "ada", "attempts": attempts})
    with pytest.raises(verify.WrongError, match=r"five|miscounts"):
        verify.Pack(signed_files(log, log_key()), None).check_log()
    assert not all(check.passed for check in verify_entries(log.pairs, sign_note(log.head, log_key()))[0])
