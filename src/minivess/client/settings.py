"""How a client reaches a service: address, key, times, retries and the keys that it trusts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from minivess.compliance.verification.trust import Trust, read_trust
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements

_MAXIMUM_ANSWER = 1 << 30


@dataclass(frozen=True)
class Timeouts:
    """Seconds that the client waits.

    Attributes:
        connect: until there is a connection.
        write: until a part of the request is taken.
        read: until a part of the answer comes. Segmenting a large volume takes minutes.
    """

    connect: float = 5.0
    write: float = 60.0
    read: float = 300.0


@dataclass(frozen=True)
class Retries:
    """When and how often a request is sent again, with the same idempotency key.

    Attributes:
        attempts: how often a request is sent at most.
        first_wait: seconds before the second attempt, at most; each later wait may be twice as long.
        longest_wait: seconds of one wait, at most. A service that asks for more is not asked again.
        statuses: answers after which the request is sent again. 409: the service is still answering the first attempt.
    """

    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0
    statuses: frozenset[int] = frozenset({409, 429, 502, 503, 504})

    @implements("REQ-486")
    def wait(self, attempt: int, headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
        """Seconds until the next attempt, or None: there is none.

        The wait is what `Retry-After` states (RFC 9110, 10.2.3: seconds or a date). Without it, it is random between 0 and
        a bound that doubles with each attempt, so that many clients do not come back at the same time.

        Args:
            attempt: how many were made, from 1.
            headers: of the last answer, with names in lower case; empty where none came.
            now: the time.
        """
        if attempt >= self.attempts:
            return None
        stated = _stated_wait(headers.get("retry-after", ""), now or datetime.now(UTC))
        if stated is not None:
            return stated if stated <= self.longest_wait else None
        bound = min(self.longest_wait, self.first_wait * 2 ** (attempt - 1))
        return random.SystemRandom().uniform(0, bound)


def _stated_wait(text: str, now: datetime) -> float | None:
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp())


@dataclass(frozen=True)
class Settings:
    """What all calls of a client share.

    Attributes:
        url: of the service, for example `https://segment.example.org`.
        key: with which the service knows the caller; None where it asks for none.
        trust: the keys that receipts are verified with; None: those that a receipt names itself.
        timeouts: seconds that the client waits.
        retries: when a request is sent again.
        maximum_answer: bytes of an answer that are taken, also of a mask that is unpacked.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    trust: Trust | None = None
    timeouts: Timeouts = Timeouts()
    retries: Retries = Retries()
    maximum_answer: int = _MAXIMUM_ANSWER

    def __post_init__(self) -> None:
        """Refuse an address that is none, and a key that would be readable on the way.

        Raises:
            UsageError: the address is not one of http or https, or a key would be sent without TLS to another machine.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(
                "the address of the service is no http or https address", hint="for example https://host:8000"
            )
        if self.key is not None and parts.scheme == "http" and not _on_this_machine(parts.hostname):
            raise UsageError("a key is not sent without TLS to another machine", hint="use the https address")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and self.key.strip()):
            raise UsageError("the key has characters that no header can have", hint="pass the key without its line end")

    @classmethod
    def of(cls, url: str, *, trust: Trust | Path | str | None = None, **others: object) -> Settings:
        """The settings, with the trust file read.

        Raises:
            InputError: the trust file is missing or malformed.
            UsageError: see `__post_init__`.
        """
        known = read_trust(Path(trust)) if isinstance(trust, str | Path) else trust
        return cls(url.rstrip("/"), trust=known, **others)  # type: ignore[arg-type]


def _on_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
