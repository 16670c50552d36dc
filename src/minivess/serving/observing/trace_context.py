"""The trace that a request belongs to, as its caller states it in `traceparent` (W3C Trace Context, 2021, section 3.2).

It names spans and nothing else. The name of a request in the log is made by the service; no header of a client takes its place,
`X-Request-ID` neither.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import NamedTuple

from minivess.foundation.implements import implements

_FORM = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.{0,200})?", re.ASCII
)
_LONGEST = 256


class TraceParent(NamedTuple):
    """The span that a request was sent in."""

    trace: int
    """128 bits, not 0."""
    span: int
    """64 bits, not 0."""
    sampled: bool


CURRENT: ContextVar[TraceParent | None] = ContextVar("traceparent", default=None)
"""Of the request that is being answered."""


@implements("REQ-464")
def parse_traceparent(values: list[str]) -> TraceParent | None:
    """The trace of a request; None: it states none, several, or a malformed one.

    Args:
        values: of all headers `traceparent` of the request.
    """
    if len(values) != 1 or len(values[0]) > _LONGEST:
        return None
    found = _FORM.fullmatch(values[0])
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return TraceParent(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & 1))
