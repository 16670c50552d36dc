"""Base64 with exactly one spelling: RFC 4648 section 4, padded, with zero padding bits."""

from __future__ import annotations

import base64
import binascii

from minivess.foundation.errors import InputError


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode base64, refusing every spelling but the one `to_base64` writes.

    Raises:
        InputError: foreign characters, missing padding, or padding bits that are not zero.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise InputError("not valid base64") from None
    if to_base64(data) != text:
        raise InputError("the base64 is not in its one canonical spelling (RFC 4648 section 3.5)")
    return data
