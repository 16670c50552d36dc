"""Keys: published vectors, one form of each signature, wrapping bound to key and purpose."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, verify, wrap_for
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.records.identity import KeyAlgorithm, PublicKey

pytestmark = pytest.mark.verifies("SU-08")

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RFC6979_SECRET = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
RFC6979_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
RFC6979_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
RFC8032_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC8032_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
    "655141438e7a100b"
)
RFC9881_KEY_ID = "837832708c5236d951581f1fddf2b79991b3424a0486d16da1ddad0fd69701be"
"""SHA-256 of the ML-DSA-44 public key in RFC 9881 appendix C.1.1.2, whose seed is the bytes 0 to 31."""


def test_ed25519_of_rfc_8032() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.ED25519, RFC8032_SECRET)
    assert key.sign(b"") == RFC8032_SIGNATURE
    verify(key.public, b"", RFC8032_SIGNATURE)


def test_p256_of_rfc_6979_in_its_low_form_alone() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.P256, RFC6979_SECRET)
    verify(key.public, b"sample", encode_dss_signature(RFC6979_R, ORDER - RFC6979_S))
    with pytest.raises(VerificationError):
        verify(key.public, b"sample", encode_dss_signature(RFC6979_R, RFC6979_S))


def test_ml_dsa_44_key_of_rfc_9881() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.ML_DSA_44, bytes(range(32)))
    assert key.key_id == RFC9881_KEY_ID
    signature = key.sign(b"data")
    assert len(signature) == 2420
    verify(key.public, b"data", signature)
    for position in range(0, 2420, 11):
        changed = bytearray(signature)
        changed[position] ^= 1
        with pytest.raises(VerificationError):
            verify(key.public, b"data", bytes(changed))


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.ED25519, KeyAlgorithm.P256, KeyAlgorithm.ML_DSA_44])
def test_signatures_hold_for_their_data_alone(algorithm: KeyAlgorithm) -> None:
    key = generate(algorithm)
    signature = key.sign(b"data")
    verify(key.public, b"data", signature)
    for data, changed in (
        (b"date", signature),
        (b"data", signature[:-1]),
        (b"data", b""),
        (b"data", signature + b"\0"),
    ):
        with pytest.raises(VerificationError):
            verify(key.public, data, changed)
    with pytest.raises(VerificationError):
        verify(generate(algorithm).public, b"data", signature)


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
def test_a_key_survives_its_secret_bytes_and_never_shows_them(algorithm: KeyAlgorithm) -> None:
    key = generate(algorithm)
    assert PrivateKey.from_secret(algorithm, key.secret()).public == key.public
    assert key.secret().hex() not in repr(key)
    assert key.public.key_id == hashlib.sha256(base64.b64decode(key.public.spki)).hexdigest()


def test_a_key_record_that_lies_is_refused() -> None:
    ed, p256 = generate(KeyAlgorithm.ED25519), generate(KeyAlgorithm.P256)
    lies = [
        generate(KeyAlgorithm.ML_DSA_44).public.model_copy(update={"algorithm": KeyAlgorithm.ED25519}),
        ed.public.model_copy(update={"algorithm": KeyAlgorithm.ML_DSA_44}),
        ed.public.model_copy(update={"key_id": p256.public.key_id}),
        ed.public.model_copy(update={"algorithm": KeyAlgorithm.P256}),
        PublicKey(
            key_id=hashlib.sha256(b"junk").hexdigest(), algorithm="ed25519", spki=base64.b64encode(b"junk").decode()
        ),
        ed.public.model_copy(update={"spki": ed.public.spki.rstrip("=") + "?"}),
    ]
    for lie in lies:
        with pytest.raises(InputError):
            verify(lie, b"data", ed.sign(b"data"))


@given(st.binary(max_size=64), st.binary(max_size=16))
def test_what_is_wrapped_opens_for_its_key_and_context(data: bytes, context: bytes) -> None:
    key = generate(KeyAlgorithm.X25519)
    for recipient in (key.public, raw_x25519(key.public)):
        text = wrap_for(recipient, data, context=context)
        assert key.unwrap(text, context) == data
        with pytest.raises(RefusedError):
            key.unwrap(text, context + b"x")
        with pytest.raises(RefusedError):
            generate(KeyAlgorithm.X25519).unwrap(text, context)


def test_any_changed_bit_of_wrapped_data_is_refused() -> None:
    key = generate(KeyAlgorithm.X25519)
    blob = base64.b64decode(wrap_for(key.public, b"secret", context=b"c"))
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(RefusedError):
            key.unwrap(base64.b64encode(changed).decode(), b"c")
    for text in ("", "AAAA", "not base64"):
        with pytest.raises(InputError):
            key.unwrap(text, b"c")


def test_keys_do_only_what_they_are_for() -> None:
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.X25519).sign(b"")
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.P256).unwrap("", b"")
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.ML_DSA_44).unwrap("", b"")
    with pytest.raises(InputError):
        wrap_for(base64.b64encode(bytes(32)).decode(), b"x", context=b"")
