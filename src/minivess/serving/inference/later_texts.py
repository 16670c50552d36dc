"""Long texts of an answer that are made while it is sent, so that they are never whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from secrets import token_hex

from anyio import fail_after, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from minivess.foundation.implements import implements

Pieces = Callable[[], Iterator[bytes]]
"""Makes the pieces of a text, each time from the start."""


class PiecedResponse(Response):
    """JSON that is made in threads while it is sent.

    Args:
        parts: of the body: bytes, or what makes them in pieces.
        status: of HTTP.
        headers: beside the type of the content.
    """

    media_type = "application/json"

    def __init__(
        self, parts: Sequence[bytes | Pieces], status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(None, status, headers)
        self._parts: tuple[bytes | Pieces, ...] = tuple(parts)
        self._state_size()
        self._held = AsyncExitStack()
        self._seconds: float | None = None

    @property
    def size(self) -> int:
        """Bytes of the parts that are made already."""
        return sum(len(part) for part in self._parts if isinstance(part, bytes))

    def pieces(self) -> Iterator[bytes]:
        """The body in pieces."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from part()

    def make(self) -> None:
        """Make all parts now (blocking), and let go of what they are made of."""
        self._parts = tuple(self.pieces())
        self._state_size()

    def _state_size(self) -> None:
        """State the size where it is known."""
        if all(isinstance(part, bytes) for part in self._parts):
            self.headers["content-length"] = str(self.size)
        else:
            del self.headers["content-length"]

    def hold(self, held: AsyncExitStack, seconds: float) -> None:
        """Hold something until the answer is sent, or until its client took too long.

        Args:
            held: is closed then.
            seconds: until the client must have taken the answer.
        """
        self._held, self._seconds = held, seconds

    @implements("REQ-610", "RC-260")
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; where the client takes too long, it stays without its end, and the server closes the connection."""
        async with self._held:
            try:
                with fail_after(self._seconds):
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                    pieces = self.pieces()
                    while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                    await send({"type": "http.response.body", "body": b""})
            except TimeoutError:
                return
            finally:
                self._parts = ()


class LaterTexts:
    """The texts of one message that are made later. In the message, each is a name that nothing else can contain."""

    def __init__(self) -> None:
        self._made: dict[str, Pieces] = {}

    def text(self, make: Pieces) -> str:
        """A name in place of a text of ASCII characters that need no escape in JSON."""
        name = token_hex(16)
        self._made[name] = make
        return name

    def response(self, message: bytes) -> Response:
        """The answer with a message in which the texts are named, in the order of `text`."""
        if not self._made:
            return Response(message, media_type="application/json")
        return PiecedResponse(tuple(self._parts(message)))

    def _parts(self, message: bytes) -> Iterable[bytes | Pieces]:
        for name, make in self._made.items():
            before, _, message = message.partition(name.encode("ascii"))
            yield before
            yield make
        yield message
