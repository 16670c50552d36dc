"""Typed keys: Ed25519 (RFC 8032), ECDSA P-256 with SHA-256 (FIPS 186-5), ML-DSA-44 (FIPS 204) and X25519 (RFC 7748).

A P-256 signature is DER with the smaller of the two possible `s` values, and nothing else is accepted: a signature that
was made cannot be written in another way. ML-DSA-44 is pure, with an empty context; its signatures have 2420 bytes and
one form by the standard.

Small secrets are wrapped with HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. The text
is `hpke-1:` and the base64 of encapsulated key (32 bytes) and ciphertext. Version 0.1.0 wrote plain base64, from X25519, HKDF
and AES-256-GCM put together by hand; such text is still opened and no longer written.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.people.identity import KeyAlgorithm, PublicKey

_PrivateKeys = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | MLDSA44PrivateKey | X25519PrivateKey
_PublicKeys = Ed25519PublicKey | ec.EllipticCurvePublicKey | MLDSA44PublicKey | X25519PublicKey
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_HPKE_FORM = "hpke-1:"
_WRAP_INFO = b"minivess-wrap/1\x00"
_WITNESS_INFO = b"minivess-witness/1"
_RAW = 32
_NONCE = 12
_TAG = 16


class PrivateKey:
    """A private key that never shows itself: `repr` names the public half alone."""

    def __init__(self, algorithm: KeyAlgorithm, key: _PrivateKeys) -> None:
        self.algorithm = algorithm
        self._key = key
        self._public = describe(algorithm, key.public_key())

    @classmethod
    def from_secret(cls, algorithm: KeyAlgorithm, secret: bytes) -> PrivateKey:
        """Rebuild a key from its 32 secret bytes (a big-endian scalar for P-256, the seed for ML-DSA-44).

        Raises:
            InputError: the bytes are no such key.
        """
        if len(secret) != _RAW:
            raise InputError("a private key has 32 bytes")
        try:
            if algorithm is KeyAlgorithm.ED25519:
                return cls(algorithm, Ed25519PrivateKey.from_private_bytes(secret))
            if algorithm is KeyAlgorithm.X25519:
                return cls(algorithm, X25519PrivateKey.from_private_bytes(secret))
            if algorithm is KeyAlgorithm.ML_DSA_44:
                return cls(algorithm, MLDSA44PrivateKey.from_seed_bytes(secret))
            return cls(algorithm, ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
        except ValueError:
            raise InputError("the private key is damaged") from None

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    @property
    def key_id(self) -> str:
        """Id of the public half."""
        return self._public.key_id

    def secret(self) -> bytes:
        """The 32 secret bytes: for a keystore to wrap, never for a log, a message or an entry."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.private_numbers().private_value.to_bytes(_RAW, "big")
        return self._key.private_bytes_raw()

    @implements("REQ-165")
    def witness(self) -> PrivateKey:
        """The Ed25519 key with which the owner of this X25519 key cosigns checkpoints.

        Derived from the 32 secret bytes with HKDF-SHA256 (RFC 5869), without salt, for a purpose of its own: key files stay as
        they are, and whoever signs with a token has such a key too.

        Raises:
            UsageError: this is a signing key.
        """
        if not isinstance(self._key, X25519PrivateKey):
            raise UsageError("a witness key is derived from an encryption key")
        seed = HKDF(algorithm=hashes.SHA256(), length=_RAW, salt=None, info=_WITNESS_INFO).derive(self.secret())
        return PrivateKey.from_secret(KeyAlgorithm.ED25519, seed)

    def sign(self, data: bytes) -> bytes:
        """Sign bytes: 64 raw bytes for Ed25519, DER with low `s` for P-256, 2420 raw bytes for ML-DSA-44.

        Raises:
            UsageError: this is an encryption key.
        """
        if isinstance(self._key, Ed25519PrivateKey | MLDSA44PrivateKey):
            return self._key.sign(data)
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return p256_signature(*decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256()))))
        raise UsageError("an X25519 key wraps, it does not sign")

    @implements("REQ-160")
    def unwrap(self, text: str, context: bytes) -> bytes:
        """Open what `wrap_for` closed for this key, or what `wrap_for` of version 0.1.0 did.

        Args:
            text: what `wrap_for` returned.
            context: the very bytes it was given.

        Raises:
            UsageError: this is a signing key.
            InputError: the text is malformed.
            RefusedError: it was wrapped for another key or another context, or was changed.
        """
        if not isinstance(self._key, X25519PrivateKey):
            raise UsageError("only an X25519 key unwraps")
        blob = from_base64(text.removeprefix(_HPKE_FORM))
        opened = _open_hpke if text.startswith(_HPKE_FORM) else _open_first_form
        try:
            return opened(self._key, blob, context)
        except (InvalidTag, ValueError):
            raise RefusedError(
                "the wrapped data cannot be opened: it is for another key or purpose, or was changed"
            ) from None

    def close(self) -> None:
        """Nothing to give back: the key lies in the memory of this process alone."""

    def __repr__(self) -> str:
        return f"<PrivateKey {self.algorithm.value} {self.key_id[:12]}>"


def generate(algorithm: KeyAlgorithm) -> PrivateKey:
    """A fresh key from the operating system's randomness."""
    if algorithm is KeyAlgorithm.ED25519:
        return PrivateKey(algorithm, Ed25519PrivateKey.generate())
    if algorithm is KeyAlgorithm.X25519:
        return PrivateKey(algorithm, X25519PrivateKey.generate())
    if algorithm is KeyAlgorithm.ML_DSA_44:
        return PrivateKey(algorithm, MLDSA44PrivateKey.generate())
    return PrivateKey(algorithm, ec.generate_private_key(ec.SECP256R1()))


def p256_signature(r: int, s: int) -> bytes:
    """The one form of a P-256 signature: DER (RFC 3279 section 2.2.3) with the smaller of `s` and its negative."""
    return encode_dss_signature(r, min(s, _P256_ORDER - s))


def verify(public_key: PublicKey, data: bytes, signature: bytes) -> None:
    """Check a signature with the algorithm the key states.

    Raises:
        InputError: the key record is malformed, or its id is not that of its bytes.
        VerificationError: the signature is wrong, or not in its one canonical form.
    """
    key = load_public(public_key)
    try:
        if isinstance(key, Ed25519PublicKey | MLDSA44PublicKey):
            key.verify(signature, data)
            return
        if isinstance(key, ec.EllipticCurvePublicKey):
            r, s = decode_dss_signature(signature)
            if encode_dss_signature(r, s) == signature and s <= _P256_ORDER // 2:
                key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
                return
    except (InvalidSignature, ValueError):
        pass
    raise VerificationError(f"the signature by key {public_key.key_id[:12]} is wrong")


def load_public(public_key: PublicKey) -> _PublicKeys:
    """The usable key of a record.

    Raises:
        InputError: malformed, of another algorithm than stated, or with an id that is not its own.
    """
    return _loaded(public_key.key_id, public_key.algorithm, public_key.spki)


@lru_cache(maxsize=1024)
def _loaded(key_id: str, algorithm: KeyAlgorithm, spki: str) -> _PublicKeys:
    der = from_base64(spki)
    if hashlib.sha256(der).hexdigest() != key_id:
        raise InputError(f"the key {key_id[:12]} does not have the id it claims")
    try:
        key = serialization.load_der_public_key(der)
    except Exception:
        raise InputError(f"the key {key_id[:12]} is malformed, or of a kind that is not known here") from None
    if isinstance(key, Ed25519PublicKey | X25519PublicKey | MLDSA44PublicKey | ec.EllipticCurvePublicKey):
        fits = {
            KeyAlgorithm.ED25519: isinstance(key, Ed25519PublicKey),
            KeyAlgorithm.X25519: isinstance(key, X25519PublicKey),
            KeyAlgorithm.ML_DSA_44: isinstance(key, MLDSA44PublicKey),
            KeyAlgorithm.P256: isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1),
        }
        if fits[algorithm] and _spki(key) == der:
            return key
    raise InputError(f"the key {key_id[:12]} is not the {algorithm.value} key it claims to be")


def describe(algorithm: KeyAlgorithm, key: _PublicKeys) -> PublicKey:
    """The record of a public key."""
    der = _spki(key)
    return PublicKey(key_id=hashlib.sha256(der).hexdigest(), algorithm=algorithm, spki=to_base64(der))


def raw_x25519(public_key: PublicKey) -> str:
    """The raw 32 bytes of an X25519 public key in base64, as `UnsealRequest.ephemeral_key` holds them.

    Raises:
        InputError: another kind of key.
    """
    key = load_public(public_key)
    if not isinstance(key, X25519PublicKey):
        raise InputError("not an X25519 key")
    return to_base64(key.public_bytes_raw())


@implements("REQ-160")
def wrap_for(recipient: PublicKey | str, data: bytes, *, context: bytes) -> str:
    """Encrypt a small secret so that one recipient alone can open it (HPKE, RFC 9180 section 6.1, `SealBase`).

    Args:
        recipient: an X25519 public key record, or its raw 32 bytes in base64.
        data: the secret.
        context: what it is for (`info` of RFC 9180); the same bytes are needed to unwrap. The associated data is empty.

    Returns:
        `hpke-1:` and the base64 of encapsulated key (32 bytes) and ciphertext (16 bytes longer than the secret).

    Raises:
        InputError: the recipient's key cannot be used.
    """
    raw = from_base64(recipient if isinstance(recipient, str) else raw_x25519(recipient))
    try:
        return _HPKE_FORM + to_base64(_HPKE.encrypt(data, X25519PublicKey.from_public_bytes(raw), context))
    except ValueError:
        raise InputError("the recipient's key is not a usable X25519 public key") from None


def _open_hpke(key: X25519PrivateKey, blob: bytes, context: bytes) -> bytes:
    if len(blob) < _RAW + _TAG:
        raise InputError("the wrapped data is too short")
    return _HPKE.decrypt(blob, key, context)


def _open_first_form(key: X25519PrivateKey, blob: bytes, context: bytes) -> bytes:
    """Open what version 0.1.0 wrapped: ephemeral key (32 bytes), nonce (12), sealed data.

    X25519 (RFC 7748), HKDF-SHA256 over both public keys (RFC 5869), AES-256-GCM (NIST SP 800-38D).
    """
    if len(blob) < _RAW + _NONCE + _TAG:
        raise InputError("the wrapped data is too short")
    ephemeral, nonce, sealed = blob[:_RAW], blob[_RAW : _RAW + _NONCE], blob[_RAW + _NONCE :]
    shared = key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    salt = ephemeral + key.public_key().public_bytes_raw()
    wrapping = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=_WRAP_INFO + context).derive(shared)
    return AESGCM(wrapping).decrypt(nonce, sealed, context)


def _spki(key: _PublicKeys) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
