"""One request with its retries, without any connection: the sync and the async client run the same steps."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from minivess.client.problems import OPERATOR, Problem, ServiceUnavailableError
from minivess.client.settings import Retries
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements


@dataclass(frozen=True)
class Ask:
    """A request to send.

    Attributes:
        method: of HTTP.
        path: below the address of the service, with its first slash.
        headers: beside those of every request.
        fields: text parts of the form.
        file: bytes of the part with the image; None: the request has no form.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = field(default=None, repr=False)


class Wait(NamedTuple):
    """A pause before the next attempt, in seconds."""

    seconds: float


class Reply(NamedTuple):
    """What the service answered. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoReplyError(Exception):
    """No answer came: the message has the kind of failure and nothing of the request."""


type Steps[T] = Generator[Ask | Wait, Reply | None, T]
"""Yields what is to be sent or waited for, takes the reply, and returns the result."""


@implements("REQ-486")
def exchange(ask: Ask, retries: Retries) -> Steps[Reply]:
    """Send a request until there is an answer that is final, with a wait before each further attempt.

    Raises:
        ServiceUnavailableError: no attempt reached the service.
    """
    for attempt in count(1):
        headers: Mapping[str, str] = {}
        reply, failure = None, ""
        try:
            reply = yield ask
        except NoReplyError as error:
            failure = str(error)
        if reply is not None:
            headers = reply.headers
            if reply.status not in retries.statuses:
                return reply
        seconds = retries.wait(attempt, headers)
        if seconds is None:
            break
        yield Wait(seconds)
    if reply is not None:
        return reply
    words = f"the service did not answer in {attempt} attempt{'' if attempt == 1 else 's'}: {failure}"
    raise ServiceUnavailableError(Problem(detail=words, hint=f"check the address; {OPERATOR}"))


class Collected:
    """The body of an answer as it comes, within a limit.

    Args:
        headers: of the answer.
        limit: bytes.

    Raises:
        InputError: the answer is packed, which was not asked for, or has more bytes.
    """

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise InputError("the answer is packed, and the client asked for a plain one", hint=OPERATOR)
        self._limit = limit
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """One more part.

        Raises:
            InputError: there are more bytes than the limit.
        """
        self._body += chunk
        if len(self._body) > self._limit:
            raise InputError(f"the answer has more than {self._limit} bytes", hint="allow more with `maximum_answer`")

    @property
    def body(self) -> bytes:
        """All parts."""
        return bytes(self._body)
