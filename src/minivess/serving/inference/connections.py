"""Connections whose client keeps them open without sending a request or reading an answer are closed.

The time of a body is a limit of the application. The server itself waits without end for the head of a request, for the rest of
a body after its answer, and for a client to read.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from minivess.foundation.implements import implements


@implements("REQ-461", "RC-191")
class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with an end to each time of waiting.

    Attributes:
        head_seconds: until the head of a request is there, from the connection or from the first byte after an answer.
        read_seconds: until the client reads on, when it does not take its answer.
    """

    head_seconds = 20.0
    read_seconds = 60.0
    _head: asyncio.TimerHandle | None = None
    _read: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for a first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; those outside a request have as long as the head of one."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        else:
            self._stop_head()

    def pause_writing(self) -> None:
        """The client does not read: wait for a while."""
        super().pause_writing()
        if self._read is None:
            self._read = self.loop.call_later(self.read_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads on."""
        super().resume_writing()
        self._stop_read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        super().connection_lost(exc)
        self._stop_head()
        self._stop_read()

    def _wait_for_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_read(self) -> None:
        if self._read is not None:
            self._read.cancel()
            self._read = None
