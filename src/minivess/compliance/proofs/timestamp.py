"""Trusted time for a checkpoint: RFC 3161 requests and responses, as bytes, so that they can be carried by hand.

What is stamped is the SHA-256 of the checkpoint's three lines. There is no nonce: the digest names one head of one log, and an
earlier stamp of the very same head would be as good.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.implements import implements

_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Timestamped:
    """When an authority saw a checkpoint, at the latest, and the serial number of its token."""

    time: datetime
    serial: int


def imprint_of(note: str) -> bytes:
    """What is stamped: SHA-256 of the checkpoint's text without signatures, 32 bytes."""
    return hashlib.sha256(parse_note(note).checkpoint.body().encode("utf-8")).digest()


@implements("REQ-056")
def timestamp_request(note: str) -> bytes:
    """The DER-encoded TimeStampReq (RFC 3161 section 2.4.1) for a checkpoint; asks for the authority's certificate.

    Raises:
        UsageError: the library is not installed.
    """
    library = _library()
    body = parse_note(note).checkpoint.body().encode("utf-8")
    builder = library.TimestampRequestBuilder().data(body).hash_algorithm(library.HashAlgorithm.SHA256)
    request: bytes = builder.nonce(nonce=False).cert_request(cert_request=True).build().as_bytes()
    return request


def stamped_imprint(response: bytes) -> bytes:
    """The digest that a response stamps; to find which checkpoint it is for.

    Raises:
        InputError: the bytes are no granted TimeStampResp.
    """
    found: bytes = _parsed(response).tst_info.message_imprint.message
    return found


@implements("REQ-056")
def verify_timestamp(note: str, response: bytes, roots: bytes) -> Timestamped:
    """Check that an authority one trusts stamped this checkpoint.

    Args:
        note: the checkpoint.
        response: a DER-encoded TimeStampResp.
        roots: PEM certificates of the authorities one trusts.

    Raises:
        InputError: response or certificates are malformed.
        VerificationError: it is for something else, or not by an authority one trusts.
        UsageError: the library is not installed.
    """
    library = _library()
    parsed = _parsed(response)
    try:
        authorities = x509.load_pem_x509_certificates(roots)
    except ValueError:
        raise InputError(
            "the certificates of the timestamp authorities are malformed", hint="give a PEM file"
        ) from None
    builder = library.VerifierBuilder()
    for authority in dict.fromkeys(authorities):
        builder = builder.add_root_certificate(authority)
    try:
        builder.build().verify(parsed, imprint_of(note))
    except (library.VerificationError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VerificationError(f"the timestamp does not hold for this checkpoint: {reason}") from None
    return Timestamped(parsed.tst_info.gen_time.astimezone(UTC), parsed.tst_info.serial_number)


def _parsed(response: bytes) -> Any:
    if len(response) > _LIMIT:
        raise InputError("the timestamp response is longer than 64 KiB")
    try:
        parsed = _library().decode_timestamp_response(response)
        if parsed.status not in {0, 1}:  # granted, granted with modifications
            raise InputError("the timestamp authority did not grant the request")
        parsed.tst_info  # noqa: B018  raises when there is none
    except ValueError:
        raise InputError("this is no timestamp response (RFC 3161)") from None
    return parsed


def _library() -> Any:
    try:
        import rfc3161_client
    except ModuleNotFoundError:
        raise UsageError("rfc3161-client is not installed", hint="pip install 'minivess[timestamps]'") from None
    return rfc3161_client
