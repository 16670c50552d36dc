"""The gate before the application: who calls, with which key, how often, and how large a request.

It stands before anything of a body is read. Who is refused is counted by reason and not logged one by one. The address of a
client and headers that proxies add say nothing here: they can be written by anybody.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import dataclass, replace
from typing import Final

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference import problems
from minivess.serving.inference.access.buckets import Buckets
from minivess.serving.inference.access.headers import add_headers
from minivess.serving.inference.access.rules import Need, need_of
from minivess.serving.inference.volumes import Limits
from minivess.workflows.serving.access.callers import Caller, Callers
from minivess.workflows.serving.inference import InferenceService

_OPERATOR = "inform the service's operator; send the request again later"
_log = logging.getLogger(__name__)
_CALLER: Final = "minivess.caller"
_LONGEST_KEY = 256
_DIGITS = 18
_PORT = re.compile(r":[0-9]*\Z", re.ASCII)
_OF_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers by which a proxy says that a request comes from elsewhere."""
_FOREIGN_PAGES = frozenset({"cross-site", "same-site"})


@dataclass(frozen=True)
class Exposure:
    """How the service is reached.

    Attributes:
        keys_needed: whether everybody needs a key even while the log names no caller: on addresses beyond loopback.
        tls: whether it is reached over TLS of its own.
        hosts: names under which browsers may reach it without a key; None: any.
    """

    keys_needed: bool = False
    tls: bool = False
    hosts: frozenset[str] | None = None


def caller_of(request: Request) -> Caller | None:
    """Who asks; None where no key is needed."""
    found: Caller | None = request.scope.get(_CALLER)
    return found


def name_of(request: Request) -> str | None:
    """The name of who asks, for the entry of the answer; None where no key is needed."""
    caller = caller_of(request)
    return None if caller is None else caller.id


@implements("REQ-449")
def within(limits: Limits, caller: Caller | None) -> Limits:
    """What is taken of a caller: no larger requests than their own limit."""
    if caller is None or caller.body_bytes is None:
        return limits
    return replace(limits, body_bytes=min(limits.body_bytes, caller.body_bytes))


@implements("REQ-446", "REQ-449", "REQ-450", "RC-183", "RC-186")
class Gate:
    """ASGI middleware. It never raises an error of its own.

    Args:
        app: what is guarded.
        engine: knows the callers, and counts refusals.
        exposure: how the service is reached.
        buckets: how often each caller asked.
        clock: tells the time by which keys expire.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: InferenceService,
        exposure: Exposure | None = None,
        buckets: Buckets | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._app = app
        self._engine = engine
        self._exposure = exposure or Exposure()
        self._buckets = buckets or Buckets()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), tls=self._exposure.tls)
            await send(message)

        refusal = await self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, with_headers)

    async def _refusal(self, scope: Scope) -> Response | None:
        """Why a request is not let through; None: it is, and its caller stands in the scope."""
        need, headers = need_of(scope["path"]), Headers(scope=scope)
        if need == "open":
            return None
        try:
            callers = await to_thread.run_sync(self._engine.callers)
        except MinivessError as error:
            self._engine.turn_away(RefusalReason.NOT_IN_USE)
            return problems.problem_response("not-in-use", 503, error.message, hint=error.hint)
        except Exception as error:  # whatever it is, nothing is answered, and nothing of it is said
            _log.error("who may call could not be found out: %s", type(error).__name__)
            self._engine.turn_away(RefusalReason.FAILED)
            return problems.problem_response("not-in-use", 503, "who may call could not be found out", hint=_OPERATOR)
        return self._judged(scope, callers, need, headers)

    def _judged(self, scope: Scope, callers: Callers, need: Need, headers: Headers) -> Response | None:
        """Why a request to an address that is not for everybody is not let through."""
        if not callers and not self._exposure.keys_needed:
            return self._foreign(headers)
        caller = self._known(callers, headers)
        if caller is None:
            return self._turned(RefusalReason.UNKNOWN_CALLER)
        scope[_CALLER] = caller
        return self._beyond(caller, need, headers)

    def _beyond(self, caller: Caller, need: Need, headers: Headers) -> Response | None:
        """Why a caller who is known is not let through."""
        if need != "any" and need not in caller.scopes:
            return self._turned(RefusalReason.NOT_ALLOWED, f"the key of {caller.id} does not have the scope {need}")
        wait = self._buckets.take(caller.id, caller.requests_a_minute)
        if wait:
            words = f"{caller.id} may send {caller.requests_a_minute} requests a minute"
            return self._turned(RefusalReason.TOO_OFTEN, words, wait)
        announced, most = headers.get("content-length", ""), caller.body_bytes
        if most is not None and announced.isdecimal() and (len(announced) > _DIGITS or int(announced) > most):
            words = f"the request is larger than the {most} bytes taken of {caller.id}"
            return self._turned(RefusalReason.TOO_LARGE, words)
        return None

    def _known(self, callers: Callers, headers: Headers) -> Caller | None:
        """Whose key a request has; the digests of all keys are compared, whatever is sent."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        fits = scheme.lower() == "bearer" and 0 < len(key) <= _LONGEST_KEY
        return callers.holder(key.strip() if fits else "", self._clock())

    @implements("REQ-452", "RC-188")
    def _foreign(self, headers: Headers) -> Response | None:
        """Refuse what a page of another site lets a browser on this machine send, where no key would stop it.

        Browsers state where a request comes from (W3C Fetch Metadata), and the name they reached the service by: a name that
        is not one of this machine was pointed here by somebody else. The same holds for what a proxy on this machine passes
        on from others.
        """
        host = _PORT.sub("", headers.get("host", "")).lower()
        hosts = self._exposure.hosts
        foreign = headers.get("sec-fetch-site", "") in _FOREIGN_PAGES or any(one in headers for one in _OF_PROXIES)
        if not foreign and (hosts is None or host in hosts):
            return None
        return self._turned(RefusalReason.FOREIGN_PAGE)

    def _turned(self, reason: RefusalReason, detail: str = "", wait: float = 0.0) -> Response:
        """Count a refusal, and say why."""
        self._engine.turn_away(reason)
        kind, status, words, hint = _ANSWERS[reason]
        response = problems.problem_response(kind, status, detail or words, hint=hint)
        if status == 401:
            response.headers["www-authenticate"] = 'Bearer realm="minivess"'
        if wait:
            response.headers["retry-after"] = str(math.ceil(wait))
        return response


_ANSWERS: Final = {
    RefusalReason.UNKNOWN_CALLER: (
        "unknown-caller",
        401,
        "the request has no key that counts",
        "send `Authorization: Bearer KEY`; `minivess caller create` makes a key, and an expired one is rotated",
    ),
    RefusalReason.NOT_ALLOWED: ("not-allowed", 403, "", "ask for a key with this scope"),
    RefusalReason.FOREIGN_PAGE: (
        "not-allowed",
        403,
        "a page of another site or a proxy sent this, or the service was reached under a name that is not its own",
        "reach the service by its address on this machine, or give callers keys (`minivess caller create`)",
    ),
    RefusalReason.TOO_OFTEN: ("too-often", 429, "", "wait as long as `Retry-After` says"),
    RefusalReason.TOO_LARGE: ("too-large", 413, "", "send the image in blocks, or ask for a key with a larger limit"),
}
"""How each reason is answered: last part of the problem's type, status, words and hint."""
