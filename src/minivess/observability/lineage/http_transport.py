"""Events to a server that speaks OpenLineage's HTTP, as Marquez does."""

from __future__ import annotations

import ipaddress
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.observability.lineage.file_transport import Change, FileTransport, line_of

TOKEN_VARIABLE = "MINIVESS_LINEAGE_TOKEN"  # noqa: S105  the name of a variable, not a token
_PATH = "/api/v1/lineage"
_LATER = frozenset({408, 425, 429})
_PAUSES = (0.2, 0.8)
"""Seconds between the tries of one event; then it waits for the next delivery."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_MAX_ANSWER = 4096
_MAX_SAID = 200


@implements("REQ-051")
class HttpTransport:
    """Posts events one by one, in order, to a server's lineage endpoint.

    A 2xx answer means that the server has the event. Answers that promise better times (5xx, 408, 425, 429) and broken
    connections are tried again twice, shortly; then the events wait in the outbox. Nothing is sent anywhere but to the
    server named: redirects are not followed, proxies of the environment not used. Certificates of https are checked.

    Args:
        url: `http(s)://host[:port]`, to which `/api/v1/lineage` is added, or the whole URL of the endpoint.
        token: sent as a bearer token (RFC 6750), over https or to this machine.
        beside: the file that events go to without a server. Its lock lets the processes of this machine take turns,
            and what it holds from before is redacted.
        timeout: seconds for one answer.
        sleep: waits so many seconds between tries.

    Raises:
        UsageError: events cannot go to this URL, or the token cannot be sent there.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        beside: FileTransport | None = None,
        timeout: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = _parts(url)
        plain = parts._replace(fragment="") if parts.path.strip("/") else parts._replace(path=_PATH, fragment="")
        self._url = urlunsplit(plain)
        self._headers = {"Content-Type": "application/json", "User-Agent": "minivess"}
        self._token = token
        if token:
            _check_token(token, parts)
            self._headers["Authorization"] = f"Bearer {token}"
        self._beside = beside
        self._timeout = timeout
        self._sleep = sleep
        self._lock = threading.Lock()
        self._opener = OpenerDirector()
        secure = parts.scheme == "https"
        server = HTTPSHandler(context=ssl.create_default_context()) if secure else HTTPHandler()
        for handler in (server, HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
            self._opener.add_handler(handler)

    @contextmanager
    def turn(self, *, wait: bool) -> Iterator[bool]:
        """The only right of this machine to send (without a file beside it: of this process).

        Raises:
            CannotWriteError: the folder of the file beside it cannot be made.
        """
        if self._beside is not None:
            with self._beside.turn(wait=wait) as ours:
                yield ours
            return
        ours = self._lock.acquire(blocking=wait)
        try:
            yield ours
        finally:
            if ours:
                self._lock.release()

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Post events until one is not taken.

        Raises:
            CouldNotCheckError: the first was not taken: the server is out of reach, or refuses it.
        """
        for number, event in enumerate(events):
            try:
                self._post(event)
            except CouldNotCheckError:
                if number:
                    return number
                raise
        return len(events)

    def redact(self, run: str, change: Change) -> None:
        """Change what went to the file before there was a server; what the server holds is for its operator to delete.

        Raises:
            CannotWriteError, CouldNotCheckError: as `FileTransport.redact`.
        """
        if self._beside is not None:
            self._beside.redact(run, change)

    def _post(self, event: dict[str, Any]) -> None:
        request = Request(self._url, data=line_of(event), headers=self._headers, method="POST")  # noqa: S310  scheme was checked
        for pause in (*_PAUSES, None):
            reason = self._tried(request)
            if reason is None:
                return
            if pause is not None:
                self._sleep(pause)
        raise CouldNotCheckError(
            f"lineage events cannot be delivered: {reason}",
            hint="they wait in the outbox and go with the next delivery",
        )

    def _tried(self, request: Request) -> str | None:
        """None when the server took it, else why not for now."""
        try:
            self._opener.open(request, timeout=self._timeout).close()
        except HTTPError as error:
            with error:
                if error.code in _LATER or error.code >= 500:
                    return f"the server answered {error.code}"
                raise CouldNotCheckError(
                    f"the lineage server refuses an event with {error.code}{self._said(error)}",
                    hint="the event and those after it wait in the outbox; look at the server's log",
                ) from None
        except (URLError, OSError, HTTPException) as error:
            cause = getattr(error, "reason", error)
            return f"the server is out of reach ({type(cause).__name__})"
        return None

    def _said(self, answer: HTTPError) -> str:
        """The first line of a refusal, without what a terminal would act on and without the token."""
        try:
            text = answer.readline(_MAX_ANSWER).decode("utf-8", errors="replace").strip()
        except (OSError, HTTPException):
            return ""
        if self._token:
            text = text.replace(self._token, "(token)")
        line = "".join(one for one in text.partition("\n")[0] if one.isprintable())[:_MAX_SAID].rstrip()
        return f": {line}" if line else ""


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("lineage events go to an http or https URL", hint="for example http://localhost:5000")
    if "@" in parts.netloc:
        raise UsageError(
            "the URL for lineage events carries a name or a password", hint=f"give a token by {TOKEN_VARIABLE}"
        )
    return parts


def _check_token(token: str, parts: SplitResult) -> None:
    if not _TOKEN.fullmatch(token):
        raise UsageError(f"{TOKEN_VARIABLE} holds something that is no bearer token", hint="RFC 6750, section 2.1")
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise UsageError(f"{TOKEN_VARIABLE} is not sent over an unencrypted connection", hint="use an https URL")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
