"""How a request is counted that an error ended."""

from __future__ import annotations

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.records.log.serving_log import RefusalReason
from minivess.workflows.serving.access.in_use import NotInUseError

_FAILURES: tuple[tuple[type[Exception], RefusalReason], ...] = (
    (NotInUseError, RefusalReason.NOT_IN_USE),
    (CouldNotCheckError, RefusalReason.UNRECORDED),
    (RefusedError, RefusalReason.UNRECORDED),
    (Exception, RefusalReason.FAILED),
)
"""By kind of error; the first one that fits counts."""


def reason_of_failure(error: Exception) -> RefusalReason:
    """By which reason a request is counted that an error ended."""
    return next(reason for kind, reason in _FAILURES if isinstance(error, kind))
