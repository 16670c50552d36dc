"""How often each caller may ask: a token bucket for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from minivess.foundation.implements import implements

_MINUTE = 60.0


@dataclass
class _Bucket:
    tokens: float
    at: float


@implements("REQ-449", "RC-186")
class Buckets:
    """Tokens of each caller: a request takes one, and they come back evenly, up to those of ten seconds.

    So a caller can ask a few times at once, and in any minute not more often than the limit and that burst. There are as
    many buckets as callers that the log names. Safe to use from several threads.

    Args:
        elapsed: seconds that never run backwards.
    """

    def __init__(self, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, caller: str, a_minute: int) -> float:
        """Take one token of a caller; returns 0, or the seconds until there is one.

        Args:
            caller: whose.
            a_minute: tokens that come back in a minute.
        """
        rate = a_minute / _MINUTE
        most = max(1.0, rate * 10.0)
        with self._lock:
            now = self._elapsed()
            bucket = self._buckets.setdefault(caller, _Bucket(most, now))
            bucket.tokens = min(most, bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.tokens >= 1.0:
                bucket.tokens -= 1.0
                return 0.0
            return (1.0 - bucket.tokens) / rate
