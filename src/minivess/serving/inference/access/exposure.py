"""Where the service may listen: beyond the machine itself only for callers with keys, over TLS or behind a proxy."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements


@dataclass(frozen=True)
class Tls:
    """Files for TLS, in PEM.

    Attributes:
        certificate: the certificate and those of its issuers.
        key: its private key, without a passphrase.
    """

    certificate: Path
    key: Path

    @implements("REQ-451")
    def context(self) -> ssl.SSLContext:
        """TLS 1.2 at least, with the files.

        Raises:
            InputError: a file is missing or malformed, or they do not belong together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "they do not belong together"
            raise InputError(
                f"certificate and key cannot be used for TLS: {why}", hint="give two PEM files that belong together"
            ) from None
        return context


def tls_of(certificate: Path | None, key: Path | None) -> Tls | None:
    """The files for TLS; None when there are none.

    Raises:
        UsageError: one was given without the other.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS takes a certificate and its key", hint="give --tls-certificate and --tls-key")
    return Tls(certificate, key)


LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names by which a browser on this machine reaches the service without a key."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@implements("REQ-451", "RC-187")
def check_address(host: str, *, keys: bool, tls: bool, proxy: bool) -> None:
    """Refuse an address that others than this machine reach, unless callers need keys and the keys travel encrypted.

    Args:
        host: the address to listen on.
        keys: whether the log has a caller with a key.
        tls: whether the service has a certificate.
        proxy: whether the operator declared a proxy in front of the service, which encrypts.

    Raises:
        UsageError: the service may not listen there; the hint says what is missing.
    """
    if is_loopback(host):
        return
    missing = []
    if not keys:
        missing.append("callers have keys (`minivess caller create`)")
    if not (tls or proxy):
        missing.append("TLS is set up (--tls-certificate, --tls-key) or a proxy is declared (--behind-proxy)")
    if missing:
        raise UsageError(
            f"{host} is reached from other machines, and the service does not listen there yet",
            hint=f"first: {'; '.join(missing)}",
        )
