"""Where events go: a file by default, or a server that speaks OpenLineage's HTTP (Marquez, for example)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from minivess.foundation.settings import Settings
from minivess.observability.lineage.file_transport import Change, FileTransport
from minivess.observability.lineage.http_transport import TOKEN_VARIABLE, HttpTransport

__all__ = ["TOKEN_VARIABLE", "Change", "FileTransport", "HttpTransport", "Transport", "transport_for"]


class Transport(Protocol):
    """Where events go."""

    def turn(self, *, wait: bool) -> AbstractContextManager[bool]:
        """The right to send and redact, which one relay has at a time: whether it was given.

        Args:
            wait: until it is given; else not while another has it.
        """

    def send(self, events: Sequence[dict[str, Any]]) -> int:
        """Take events in order; returns how many from the first on are safe. Called by whoever has the turn.

        Raises:
            CouldNotCheckError: the far side is out of reach or refuses, and not even the first is safe.
        """

    def redact(self, run: str, change: Change) -> None:
        """Change the events of a run that were sent, where that is possible. Called by whoever has the turn."""


def transport_for(settings: Settings) -> Transport:
    """The transport that a workspace's settings ask for: the server they name, else the file.

    Raises:
        UsageError: the URL is none that events can go to, or `MINIVESS_LINEAGE_TOKEN` cannot be sent there.
    """
    file = FileTransport(settings.lineage_file)
    if not settings.lineage_url:
        return file
    return HttpTransport(settings.lineage_url, token=os.environ.get(TOKEN_VARIABLE), beside=file)
