"""verify.py's own arithmetic and canonical JSON against the libraries that this package uses."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from pack_builder import TEMPLATES

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.records.identity import KeyAlgorithm

pytestmark = pytest.mark.verifies("REQ-039", "RC-13")

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("script_verify", TEMPLATES / "verify.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


verify = load()


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


def test_the_high_twin_of_a_p256_signature_is_refused() -> None:
    key = generate(KeyAlgorithm.P256)
    r, s = decode_dss_signature(key.sign(b"data"))
    twin = base64.b64encode(encode_dss_signature(r, verify.N256 - s)).decode()
    assert not verify.signed_by(json.loads(canonical(key.public)), b"data", twin)


@given(st.integers(1, 60))
def test_roots_agree(size: int) -> None:
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    assert verify.merkle_root(list(hashes)) == root(hashes)


def test_p256_addition_of_a_point_to_itself_and_to_its_negative() -> None:
    generator = verify.G256
    negative = (generator[0], verify.P256 - generator[1], 1)
    assert verify.jacobian_add(generator, negative)[2] == 0
    assert verify.jacobian_add(generator, generator) == verify.jacobian_double(generator)
    assert verify.jacobian_add(generator, (1, 1, 0)) == generator
