"""Standard streams whose reader may go away, as `head` does: the rest is discarded, and the command ends as it would have."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from minivess.foundation.implements import implements


@implements("REQ-207")
class DiscardingStream:
    """A text stream that discards what it is given once its reader has gone.

    The command goes on to its end, so that its exit code still answers the question.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or discard."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Flush, or discard."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def tolerate_readers_that_leave() -> None:
    """Let stdout and stderr discard what has no reader any more."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:
            setattr(sys, name, DiscardingStream(stream))
