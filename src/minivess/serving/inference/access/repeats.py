"""Requests that are sent again: the same `Idempotency-Key` of the same caller gets the same answer, not a second entry.

Header: IETF draft-ietf-httpapi-idempotency-key-header-07. Answers are held in memory for a few minutes, within bounds of number
and bytes, and nowhere else. After a restart, or once they made room, a repeated request is answered anew, with another entry.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from minivess.foundation.digests import digest_bytes
from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference.access.gate import caller_of
from minivess.serving.inference.later_texts import PiecedResponse
from minivess.serving.inference.request_form import Asked, Turned, TurnedError

HEADER = "idempotency-key"
REPLAYED = "idempotency-replayed"
_RESERVATION: Final = "minivess.repeat"
_KEY = re.compile(r'"?([!#-\[\]-~]{1,200})"?', re.ASCII)
_KEPT = frozenset({200, 202, 422})
"""The answers that are on the record, or a job that will be. Others are tried anew."""


@dataclass(frozen=True)
class Bounds:
    """How many answers are held, how many bytes they have together, and for how many seconds."""

    answers: int = 256
    size: int = 256 << 20
    seconds: float = 600.0


@dataclass
class Held:
    """A request under a key: what it was, and its answer once there is one."""

    body: str
    since: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the answer."""
        return sum(len(piece) for piece in self.pieces)

    @property
    def running(self) -> bool:
        """Whether it is still being answered."""
        return self.status == 0


class Finished(NamedTuple):
    """An answer as it left.

    Attributes:
        status: of HTTP.
        headers: by their names in lower case.
        pieces: of its body.
    """

    status: int
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]


@implements("REQ-453", "RC-189")
class Repeats:
    """Answers by caller and key. Safe to use from several threads.

    Args:
        bounds: how much is held.
        check: raises where nothing may be answered at present.
        elapsed: seconds that never run backwards.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        *,
        check: Callable[[], None] = lambda: None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._check = check
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    async def answered(self, request: Request, asked: Asked) -> Response | None:
        """As `begin`, in a thread where there is a key: large images take a while to digest."""
        return await to_thread.run_sync(self.begin, request, asked) if HEADER in request.headers else None

    def begin(self, request: Request, asked: Asked) -> Response | None:
        """Look a request up by its key, and note that it is being answered.

        Args:
            request: its header may have a key; then its answer is held.
            asked: what it contains.

        Returns:
            The answer that was given before; None: answer it.

        Raises:
            NotInUseError: the model may not answer now.
            TurnedError: the key is malformed, belongs to another request, or to one that is still being answered.
        """
        stated = request.headers.get(HEADER)
        if stated is None:
            return None
        found = _KEY.fullmatch(stated)
        if found is None:
            words = "`Idempotency-Key` is not 1 to 200 visible characters"
            raise TurnedError(Turned(RefusalReason.INCOMPLETE, 400, words, "send a random UUID"))
        caller = caller_of(request)
        name = ("" if caller is None else caller.id, found[1])
        body = digest_bytes(f"{request.url.path} {digest_bytes(asked.data)} {asked._replace(data=b'')!r}".encode())
        held = self.reserve(name, body)
        if held is None:
            request.scope[_RESERVATION].append(name)
            return None
        if held.body != body:
            words = "this `Idempotency-Key` was sent with another request"
            raise TurnedError(Turned(RefusalReason.REPEATED, 422, words, "take a new key for each image", "repeated"))
        if held.running:
            words = "the request with this `Idempotency-Key` is still being answered"
            raise TurnedError(Turned(RefusalReason.REPEATED, 409, words, "send it again in a few seconds", "repeated"))
        self._check()
        return PiecedResponse(held.pieces, held.status, {**held.headers, REPLAYED: "true"})

    def reserve(self, name: tuple[str, str], body: str) -> Held | None:
        """What is known of a caller and key; None: nothing was, and from now on the request is being answered.

        Args:
            name: caller and key.
            body: digest of what the request contains.
        """
        with self._lock:
            self._forget()
            held = self._held.get(name)
            if held is None:
                self._held[name] = Held(body, self._elapsed())
            return held

    def knows(self, name: tuple[str, str]) -> bool:
        """Whether a request of that caller and key is being answered, or its answer is held."""
        with self._lock:
            self._forget()
            return name in self._held

    @property
    def most_bytes(self) -> int:
        """Bytes of the largest answer that is held."""
        return self._bounds.size

    def finish(self, name: tuple[str, str], answer: Finished | None) -> None:
        """Hold the answer of a request; None: there is none to hold, and the next request is answered anew."""
        with self._lock:
            held = self._held.get(name)
            if held is None:
                return
            if answer is None or sum(len(piece) for piece in answer.pieces) > self._bounds.size:
                del self._held[name]
                return
            kept = {one: answer.headers[one] for one in ("content-type", "location") if one in answer.headers}
            held.headers, held.pieces, held.status = kept, answer.pieces, answer.status
            held.since = self._elapsed()
            self._held.move_to_end(name)
            self._forget()

    def _forget(self) -> None:
        """Let go of answers that are too old or too many, the oldest first."""
        bounds, now = self._bounds, self._elapsed()
        done = [name for name, one in self._held.items() if not one.running]
        size = sum(self._held[name].size for name in done)
        for name in done:
            one = self._held[name]
            if len(self._held) <= bounds.answers and size <= bounds.size and now - one.since < bounds.seconds:
                continue
            size -= one.size
            del self._held[name]


class RepeatsMiddleware:
    """ASGI middleware that hands answers to `Repeats` as they leave."""

    def __init__(self, app: ASGIApp, *, repeats: Repeats) -> None:
        self._app = app
        self._repeats = repeats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and hold the answer where the request has a key."""
        start: Message = {}
        pieces: list[bytes] = []
        size, whole = 0, False
        reserved: list[tuple[str, str]] = []
        scope[_RESERVATION] = reserved

        async def watched(message: Message) -> None:
            nonlocal start, size, whole
            if reserved:
                if message["type"] == "http.response.start":
                    start = message
                elif message["type"] == "http.response.body":
                    size += len(message.get("body", b""))
                    whole = not message.get("more_body", False)
                    if size > self._repeats.most_bytes:
                        pieces.clear()
                    else:
                        pieces.append(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if reserved:
                answer = None
                if whole and size <= self._repeats.most_bytes and start.get("status") in _KEPT:
                    answer = Finished(start["status"], Headers(raw=list(start["headers"])), tuple(pieces))
                self._repeats.finish(reserved[0], answer)
