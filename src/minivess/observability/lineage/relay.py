"""The relay: takes events from an outbox, in order, to a transport, at least once.

An event is marked delivered only after the transport says it is safe; a crash between the two delivers it again. The
outbox pattern: event and entry are committed together, delivery happens later and may fail without loss. What is not valid
does not leave, and neither does anything after it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.observability.lineage.transports import Change, Transport
from minivess.observability.lineage.validation import validate_event

_BATCH = 200


class Outbox(Protocol):
    """Where undelivered events wait; the audit log is one."""

    def pending_events(self, limit: int) -> Sequence[tuple[int, dict[str, Any]]]:
        """The oldest undelivered events in order, as (id, event)."""

    def mark_delivered(self, ids: Sequence[int]) -> None:
        """These need not be delivered again."""


@implements("REQ-005", "REQ-051")
class Relay:
    """Delivers what an outbox holds.

    Args:
        source: the outbox.
        transport: where events go.
    """

    def __init__(self, source: Outbox, transport: Transport) -> None:
        self._source = source
        self._transport = transport
        self._lock = threading.Lock()

    def deliver(self) -> int:
        """Deliver everything that waits; returns how many events.

        Raises:
            CouldNotCheckError: the transport or the outbox is out of reach, or an event is not valid; what was not
                delivered waits on.
        """
        delivered = 0
        with self._lock:
            while batch := self._source.pending_events(_BATCH):
                valid, fault = _valid(batch)
                taken = self._transport.send([event for _, event in valid]) if valid else 0
                self._source.mark_delivered([identifier for identifier, _ in valid[:taken]])
                delivered += taken
                if taken == len(valid) and fault is not None:
                    raise fault
        return delivered

    def redact(self, run: str, change: Change) -> None:
        """Change the events of a run where they were delivered to, if that is in our hands.

        Raises:
            CannotWriteError: the file cannot be written.
        """
        with self._lock:
            self._transport.redact(run, change)


def _valid(
    batch: Sequence[tuple[int, dict[str, Any]]],
) -> tuple[list[tuple[int, dict[str, Any]]], CouldNotCheckError | None]:
    """The events up to the first that is not valid, and what is wrong with that one."""
    valid: list[tuple[int, dict[str, Any]]] = []
    for identifier, event in batch:
        try:
            validate_event(event)
        except UsageError as error:
            return valid, CouldNotCheckError(
                f"event {identifier} of the outbox does not leave: {error.message}",
                hint="it and those after it wait; the entry it belongs to is not affected",
            )
        valid.append((identifier, event))
    return valid, None
