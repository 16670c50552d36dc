"""The name of a private key in a token: a PKCS #11 URI (RFC 7512), read strictly.

Two things of the RFC are refused on purpose. A URI is kept in a key file, so a PIN in it (`pin-value`, `pin-source`) would
be a secret in a file; and a library in it (`module-path`, `module-name`) would let whoever writes the file choose the code
that runs. The PIN is asked for, and the library is set by whoever runs the program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from minivess.foundation.errors import InputError

MODULE_VARIABLE = "MINIVESS_PKCS11_MODULE"
"""The environment variable that names the token's library."""
URI_LIMIT = 1024
"""Characters of a URI at most."""
_SCHEME = "pkcs11:"
_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})+")
"""`pk11-pchar` of RFC 7512 section 2.3, at least one."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TEXTS = {"token": 32, "manufacturer": 32, "model": 16, "serial": 16, "object": 255}
"""Bytes of UTF-8 at most; the first four as `CK_TOKEN_INFO` of PKCS #11 v2.40 has them."""
_ID_LIMIT = 255
_CONTROL = 32


@dataclass(frozen=True)
class TokenKey:
    """Where a private key is: which token, and which key in it. What is None may be anything."""

    token: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    slot_id: int | None = None
    object: str | None = None
    """`CKA_LABEL` of the key."""
    id: bytes | None = None
    """`CKA_ID` of the key."""

    @property
    def uri(self) -> str:
        """The one URI this is written as."""
        parts = [
            f"{name}={quote(value, safe='')}"
            for name, value in (
                ("token", self.token),
                ("manufacturer", self.manufacturer),
                ("model", self.model),
                ("serial", self.serial),
                ("slot-id", None if self.slot_id is None else str(self.slot_id)),
                ("object", self.object),
            )
            if value is not None
        ]
        if self.id is not None:
            parts.append("id=" + "".join(f"%{byte:02X}" for byte in self.id))
        return _SCHEME + ";".join([*parts, "type=private"])


def parse_pkcs11_uri(text: str) -> TokenKey:
    """Read the URI of a private key.

    Known attributes: token, manufacturer, model, serial, slot-id, object, id, and `type=private`. The token must be named
    (by token, serial or slot-id), so that no PIN is shown to another one, and so must the key (by object or id).

    Raises:
        InputError: malformed, too long, an attribute twice or unknown, or one that would hold a PIN or choose a library.
    """
    if len(text) > URI_LIMIT:
        raise InputError(f"a PKCS #11 URI has {URI_LIMIT} characters at most")
    if not text.startswith(_SCHEME):
        raise InputError("not a PKCS #11 URI", hint="for example pkcs11:token=release;object=ada;type=private")
    path, query, options = text.removeprefix(_SCHEME).partition("?")
    attributes: dict[str, str] = {}
    for part in [*path.split(";"), *options.split("&")] if query else path.split(";"):
        name, equals, value = part.partition("=")
        _refuse_unsafe(name)
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InputError("the PKCS #11 URI is malformed (RFC 7512 section 2.3)")
        if name in attributes:
            raise InputError(f"the PKCS #11 URI gives {name} twice")
        attributes[name] = value
    if query:
        raise InputError("the PKCS #11 URI has a query, and none is allowed here")
    return _token_key(attributes)


def _refuse_unsafe(name: str) -> None:
    if name in {"pin-value", "pin-source"}:
        raise InputError(f"the PKCS #11 URI holds {name}", hint="leave the PIN out, it is asked for when it is needed")
    if name in {"module-path", "module-name"}:
        raise InputError(
            f"the PKCS #11 URI holds {name}", hint=f"leave it out and set {MODULE_VARIABLE} to the token's library"
        )


def _token_key(attributes: dict[str, str]) -> TokenKey:
    texts = {name: _text(name, attributes.pop(name), limit) for name, limit in _TEXTS.items() if name in attributes}
    slot, key_id, kind = (attributes.pop(name, None) for name in ("slot-id", "id", "type"))
    if attributes:
        raise InputError(f"the PKCS #11 URI has an attribute that is not known here: {min(attributes)}")
    if kind not in {None, "private"}:
        raise InputError("the PKCS #11 URI names something else than a private key", hint="type=private")
    identifier = None if key_id is None else unquote_to_bytes(key_id)
    if identifier is not None and len(identifier) > _ID_LIMIT:
        raise InputError(f"the id in a PKCS #11 URI has {_ID_LIMIT} bytes at most")
    if slot is not None and not (re.fullmatch("[0-9]{1,20}", slot) and int(slot) < 1 << 64):
        raise InputError("the slot-id in a PKCS #11 URI is a decimal number of 64 bits")
    where = TokenKey(**texts, slot_id=None if slot is None else int(slot), id=identifier)
    if where.token is None and where.serial is None and where.slot_id is None:
        raise InputError("the PKCS #11 URI does not say which token", hint="give token, serial or slot-id")
    if where.object is None and where.id is None:
        raise InputError("the PKCS #11 URI does not say which key", hint="give object, id or both")
    return where


def _text(name: str, value: str, limit: int) -> str:
    raw = unquote_to_bytes(value)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{name} in the PKCS #11 URI is not UTF-8") from None
    if len(raw) > limit or any(ord(char) < _CONTROL or ord(char) == 127 for char in text):
        raise InputError(f"{name} in the PKCS #11 URI is too long or holds control characters")
    return text
