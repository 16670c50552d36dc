"""The relay: takes events from an outbox, in order, to a transport, at least once.

An event is marked delivered only after the transport says it is safe; a crash between the two delivers it again. The
outbox pattern: event and entry are committed together, delivery happens later and may fail without loss. What is not valid
does not leave, and neither does anything after it.

One relay of a machine delivers at a time. Others leave their events to it: it looks again after it has given up its turn.
Relays of several machines on one outbox may deliver an event more than once, but none before all that precede it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.observability.lineage.event_validation import validate_event
from minivess.observability.lineage.transports import Change, Transport

_BATCH = 200

Waiting = Sequence[tuple[int, dict[str, Any]]]


class Outbox(Protocol):
    """Where undelivered events wait; the audit log is one."""

    def pending_events(self, limit: int) -> Waiting:
        """The oldest undelivered events in order, as (id, event)."""

    def mark_delivered(self, ids: Sequence[int]) -> None:
        """These need not be delivered again."""


@implements("REQ-005", "REQ-051", "REQ-174")
class Relay:
    """Delivers what an outbox holds.

    Args:
        source: the outbox.
        transport: where events go.
    """

    def __init__(self, source: Outbox, transport: Transport) -> None:
        self._source = source
        self._transport = transport
        self._due = threading.Event()

    @property
    def due(self) -> bool:
        """Whether events were announced by `expect` since the last delivery began."""
        return self._due.is_set()

    def expect(self) -> None:
        """An event was put into the outbox, to be delivered later: nothing is delivered here."""
        self._due.set()

    def deliver(self) -> int:
        """Deliver everything that waits, unless another relay is at it; returns how many events this one delivered.

        Raises:
            CouldNotCheckError: the transport or the outbox is out of reach, or an event is not valid; what was not
                delivered waits on.
        """
        delivered = 0
        self._due.clear()
        while self._waiting(1):
            with self._transport.turn(wait=False) as ours:
                if not ours:
                    return delivered
                delivered += self._deliver_batch()
        return delivered

    def redact(self, run: str, change: Change) -> None:
        """Change the events of a run where they were delivered to, if that is in our hands.

        Raises:
            CannotWriteError: the file cannot be written.
            CouldNotCheckError: the file is damaged where it names the run.
        """
        with self._transport.turn(wait=True):
            self._transport.redact(run, change)

    def _deliver_batch(self) -> int:
        valid, fault = _valid(self._waiting(_BATCH))
        taken = self._transport.send([event for _, event in valid]) if valid else 0
        self._source.mark_delivered([identifier for identifier, _ in valid[:taken]])
        if fault is not None and taken == len(valid):
            raise fault
        return taken

    def _waiting(self, limit: int) -> Waiting:
        try:
            return self._source.pending_events(limit)
        except (ValueError, RecursionError):
            raise CouldNotCheckError(
                "the outbox holds something that is no JSON",
                hint="events wait; the entries they belong to are not affected",
            ) from None


def _valid(batch: Waiting) -> tuple[list[tuple[int, dict[str, Any]]], CouldNotCheckError | None]:
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
