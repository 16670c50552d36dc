"""Counting requests that are turned away without an entry of their own.

Nothing that a client wrote is kept: a reason is one of a fixed few, and a count is a number.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.implements import implements
from minivess.records.log.serving_log import RefusalReason, RefusalsCounted

_MINUTE = 60.0


@implements("REQ-173", "RC-61")
class Refusals:
    """Counts by reason since they were taken last. Safe to use from several threads.

    Args:
        a_minute: how many refusals a minute may get an entry of their own.
        clock: tells the time that counts are dated with.
        elapsed: seconds that never run backwards.
    """

    def __init__(self, a_minute: int, *, clock: Clock = utc_now, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._counts: Counter[RefusalReason] = Counter()
        self._since = clock()
        self._window = elapsed()
        self._entries = 0

    def count(self, reason: RefusalReason) -> None:
        """One more request was turned away."""
        with self._lock:
            self._counts[reason] += 1

    def may_have_entry(self) -> bool:
        """Whether one more refusal may get an entry of its own; each that may is one less for this minute."""
        with self._lock:
            now = self._elapsed()
            if now - self._window >= _MINUTE:
                self._window, self._entries = now, 0
            if self._entries >= self._a_minute:
                return False
            self._entries += 1
            return True

    def take(self) -> RefusalsCounted | None:
        """What was counted since the last time; None when nothing was. Counting begins anew."""
        with self._lock:
            now = self._clock()
            since, self._since = self._since, now
            if not self._counts:
                return None
            counts, self._counts = dict(self._counts), Counter()
        return RefusalsCounted(since=min(since, now), until=now, counts=counts)

    def put_back(self, counted: RefusalsCounted) -> None:
        """Count these again: they could not be recorded."""
        with self._lock:
            self._counts.update(counted.counts)
            self._since = min(self._since, counted.since)
