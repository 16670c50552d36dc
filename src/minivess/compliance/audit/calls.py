"""Calls that wait to be committed together."""

from __future__ import annotations

import copy

from minivess.compliance.audit.batch import Act, Batch
from minivess.foundation.errors import CannotWriteError


class Call:
    """Acts of one caller that are committed together, and what became of them."""

    def __init__(self, acts: list[Act]) -> None:
        self.acts = acts
        self.batch: Batch | None = None
        self.error: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether it was committed or refused."""
        return self.batch is not None or self.error is not None


def own_error(error: BaseException) -> BaseException:
    """An error for one of several callers."""
    if isinstance(error, Exception):
        return copy.copy(error).with_traceback(None)
    return CannotWriteError("the entry was not acknowledged: the thread that wrote it was interrupted")
