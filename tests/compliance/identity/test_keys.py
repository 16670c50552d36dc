"""Keys: published vectors, one form of each signature, wrapping bound to key and purpose."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, verify, wrap_for
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.records.people.identity import KeyAlgorithm, PublicKey
from tests.support.properties import given
from tests.support.properties import strategies as st

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


RFC9180_INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
RFC9180_EPHEMERAL = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
RFC9180_RECIPIENT = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
RFC9180_SEALED = (
    "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
    "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
)
"""RFC 9180 appendix A.1.1: the same KEM and KDF with AES-128-GCM; encapsulated key and first ciphertext."""
PLAIN = b"Beauty is truth, truth beauty"
FIRST_FORM = "8UU4jebkPmB4J/0JE1Azr9EYm9wHPJ8svjlT1SUKyDg6cRFWtUg6eSCkSl0HQNyASADg/+zrKB3ZLVH0NfMonMeY4Os="
"""`data key` as version 0.1.0 wrapped it for the recipient above, with the context `minivess test`."""


def _extract(suite: bytes, salt: bytes, label: bytes, data: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + data, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\x01", "sha256")[:length]


def hpke_seal(ephemeral: bytes, recipient: bytes, plain: bytes, info: bytes, aad: bytes, *, aead: int) -> bytes:
    """RFC 9180 sections 4.1 and 5.1 once more, with the ephemeral key given; `aead` is 1 (AES-128) or 2 (AES-256)."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00" + bytes([aead])
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    public = private.public_key().public_bytes_raw()
    shared = private.exchange(X25519PublicKey.from_public_bytes(recipient))
    shared = _expand(kem, _extract(kem, b"", b"eae_prk", shared), b"shared_secret", public + recipient, 32)
    context = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    key = _expand(suite, secret, b"key", context, 16 * aead)
    return public + AESGCM(key).encrypt(_expand(suite, secret, b"base_nonce", context, 12), plain, aad)


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


@pytest.mark.verifies("REQ-160")
def test_wrapping_is_hpke_as_rfc_9180_has_it() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.X25519, RFC9180_RECIPIENT)
    recipient = base64.b64decode(raw_x25519(key.public))
    sealed = hpke_seal(RFC9180_EPHEMERAL, recipient, PLAIN, RFC9180_INFO, b"Count-0", aead=1)
    assert sealed.hex() == RFC9180_SEALED
    sealed = hpke_seal(RFC9180_EPHEMERAL, recipient, PLAIN, RFC9180_INFO, b"", aead=2)
    assert key.unwrap("hpke-1:" + base64.b64encode(sealed).decode(), RFC9180_INFO) == PLAIN


@pytest.mark.verifies("REQ-160")
def test_what_the_first_version_wrapped_still_opens_and_is_no_longer_written() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.X25519, RFC9180_RECIPIENT)
    assert key.unwrap(FIRST_FORM, b"minivess test") == b"data key"
    for text, context in ((FIRST_FORM, b"another"), (f"hpke-1:{FIRST_FORM}", b"minivess test")):
        with pytest.raises(RefusedError):
            key.unwrap(text, context)
    assert wrap_for(key.public, b"data key", context=b"c").startswith("hpke-1:")


@pytest.mark.verifies("REQ-160")
def test_any_changed_bit_of_wrapped_data_is_refused() -> None:
    key = PrivateKey.from_secret(KeyAlgorithm.X25519, RFC9180_RECIPIENT)
    for form, context in ((wrap_for(key.public, b"secret", context=b"c"), b"c"), (FIRST_FORM, b"minivess test")):
        prefix, _, text = form.rpartition(":")
        start, blob = (f"{prefix}:" if prefix else ""), base64.b64decode(text)
        for position in range(len(blob)):
            changed = bytearray(blob)
            changed[position] ^= 1
            with pytest.raises(RefusedError):
                key.unwrap(start + base64.b64encode(changed).decode(), context)
        for short in ("", "AAAA", "not base64", "hpke-2:" + text):
            with pytest.raises(InputError):
                key.unwrap(start + short, context)


def test_keys_do_only_what_they_are_for() -> None:
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.X25519).sign(b"")
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.P256).unwrap("", b"")
    with pytest.raises(UsageError):
        generate(KeyAlgorithm.ML_DSA_44).unwrap("", b"")
    with pytest.raises(InputError):
        wrap_for(base64.b64encode(bytes(32)).decode(), b"x", context=b"")
