"""Finding a token, a private key in it and its public half, and what a key must be to be used (PKCS #11 v2.40).

Everything here is called with the bindings, by `pkcs11` alone, which makes one call at a time and translates errors.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from minivess.compliance.identity.keys import describe
from minivess.compliance.identity.tokens.pkcs11_uri import MODULE_VARIABLE, TokenKey
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.records.people.identity import KeyAlgorithm, PublicKey

_P256_PARAMETERS = bytes.fromhex("06082a8648ce3d030107")
"""DER of the object identifier of P-256 (RFC 5480 section 2.1.1.1)."""
_POINTS = {
    KeyAlgorithm.P256: (65, bytes.fromhex("0441")),
    KeyAlgorithm.ED25519: (32, bytes.fromhex("0420")),
}
"""Bytes of a public point, and the DER header of the OCTET STRING that most tokens put it in."""


def load_library(pkcs11: Any) -> Any:
    """The token's library, loaded once.

    Raises:
        UsageError: MINIVESS_PKCS11_MODULE is not the absolute path of a file.
        CouldNotCheckError: it cannot be loaded.
    """
    path = os.environ.get(MODULE_VARIABLE, "")
    if not Path(path).is_absolute() or not Path(path).is_file():
        raise UsageError(
            "the library of the token is not set",
            hint=f"set {MODULE_VARIABLE} to the absolute path of the PKCS #11 library that came with the token",
        )
    try:
        return pkcs11.lib(path)
    except pkcs11.PKCS11Error:
        raise CouldNotCheckError("the library of the token cannot be loaded", hint=f"check {MODULE_VARIABLE}") from None


def find_token(pkcs11: Any, library: Any, where: TokenKey) -> Any:
    """The one token that fits.

    Raises:
        CouldNotCheckError: none does.
        UsageError: several do.
    """
    found = []
    for slot in library.get_slots(token_present=True):
        with suppress(pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised):
            token = slot.get_token()
            has = TokenKey(
                token=token.label,
                manufacturer=token.manufacturer_id,
                model=token.model,
                serial=token.serial.decode("utf-8", "replace"),
                slot_id=slot.slot_id,
            )
            names = ("token", "manufacturer", "model", "serial", "slot_id")
            if all(getattr(where, name) in {None, getattr(has, name)} for name in names):
                found.append(token)
    if not found:
        raise CouldNotCheckError("the token of the key is not there", hint="plug it in")
    if len(found) > 1:
        raise UsageError("the PKCS #11 URI fits more than one token", hint="add serial to it")
    return found[0]


def find_private_key(pkcs11: Any, session: Any, where: TokenKey) -> Any:
    """The one private key that fits, by `CKA_LABEL` and `CKA_ID`.

    Raises:
        CouldNotCheckError: none does.
        UsageError: several do.
    """
    wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    if where.object is not None:
        wanted[pkcs11.Attribute.LABEL] = where.object
    if where.id is not None:
        wanted[pkcs11.Attribute.ID] = where.id
    found = list(session.get_objects(wanted))
    if not found:
        raise CouldNotCheckError("the token has no private key of that name", hint="check object and id of the URI")
    if len(found) > 1:
        raise UsageError("the PKCS #11 URI fits more than one private key", hint="give object and id")
    return found[0]


def refuse_unfit(pkcs11: Any, key: Any) -> None:
    """Refuse a key that could leave its token, or that wants the PIN at every signature.

    Raises:
        UsageError: which of the two.
    """

    def has(attribute: Any, *, unknown: bool) -> bool:
        try:
            return bool(key[attribute])
        except pkcs11.AttributeTypeInvalid:
            return unknown

    if has(pkcs11.Attribute.EXTRACTABLE, unknown=True) or not has(pkcs11.Attribute.SENSITIVE, unknown=False):
        raise UsageError(
            "the key can be copied out of its token", hint="make one that is sensitive and not extractable"
        )
    if has(pkcs11.Attribute.ALWAYS_AUTHENTICATE, unknown=False):
        raise UsageError("the token wants its PIN at every signature by this key", hint="make one without that policy")


def public_half(pkcs11: Any, session: Any, key: Any) -> PublicKey:
    """The public half of a private key, from the public key object of the same id (or label, where there is no id).

    Raises:
        UsageError: the key is neither P-256 nor Ed25519.
        CouldNotCheckError: there is no such object, or several.
    """
    unfit = UsageError("the key in the token is neither P-256 nor Ed25519")
    known = {pkcs11.KeyType.EC: KeyAlgorithm.P256, pkcs11.KeyType.EC_EDWARDS: KeyAlgorithm.ED25519}
    algorithm = known.get(key.key_type)
    if algorithm is None:
        raise unfit
    same = pkcs11.Attribute.ID if key.id else pkcs11.Attribute.LABEL
    found = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY, same: key[same]}))
    if len(found) != 1:
        raise CouldNotCheckError(
            "the public half of the key is not beside it in the token", hint="one of the same id is looked for"
        )
    length, header = _POINTS[algorithm]
    point = found[0][pkcs11.Attribute.EC_POINT]
    point = point.removeprefix(header) if len(point) == length + len(header) else point
    p256 = algorithm is KeyAlgorithm.P256
    if len(point) != length or (p256 and found[0][pkcs11.Attribute.EC_PARAMS] != _P256_PARAMETERS):
        raise unfit
    try:
        if p256:
            return describe(algorithm, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
        return describe(algorithm, Ed25519PublicKey.from_public_bytes(point))
    except ValueError:
        raise unfit from None
