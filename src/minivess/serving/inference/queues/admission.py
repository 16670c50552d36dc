"""Places for requests: one must be free before a body is read, so that memory and work stay bounded whatever is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import Semaphore, fail_after

from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason
from minivess.serving.inference.request_form import Turned, TurnedError


@dataclass(frozen=True)
class Places:
    """How many requests are taken at a time.

    Attributes:
        taken: read or judged at a time; each may hold its body in memory.
        waiting: that wait for a place, without their body.
        seconds: longest wait for a place.
    """

    taken: int = 8
    waiting: int = 64
    seconds: float = 30.0


@implements("REQ-437", "RC-176")
class Admission:
    """Lets requests in.

    Args:
        places: how many.
    """

    def __init__(self, places: Places | None = None) -> None:
        self._places = places or Places()
        self._free: Semaphore | None = None
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place.

        Raises:
            TurnedError: too many wait already, or none became free in time.
        """
        free = self._free = self._free or Semaphore(self._places.taken)
        refuse_when_full(free.value, self._waiting, self._places)
        self._waiting += 1
        try:
            with fail_after(self._places.seconds):
                await free.acquire()
        except TimeoutError:
            raise TurnedError(_BUSY) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            free.release()


def refuse_when_full(free: int, waiting: int, places: Places) -> None:
    """Refuse a request that would wait where too many do.

    Raises:
        TurnedError: no place is free, and as many wait as may.
    """
    if free == 0 and waiting >= places.waiting:
        raise TurnedError(_BUSY)


_BUSY = Turned(
    RefusalReason.BUSY,
    503,
    "all places of the service are taken",
    "send the request again later",
    "busy",
    retry_after=5,
)
