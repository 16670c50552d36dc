"""The OpenLineage events of a log's entries: which are expected, and which of them a file lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from minivess.compliance.proofs.canonical import parse_json
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.log.entry import EVENT_OF_OUTCOME, EntryBody

EVENTS = "data/lineage/events.jsonl"
"""OpenLineage run events in a pack, one JSON object a line."""
_LIMIT = 1 << 20
"""Bytes of one event."""


class RunEvent(NamedTuple):
    """What is compared of an event."""

    run: str
    kind: str
    """The `eventType` of OpenLineage; empty where the event has none."""


def expected_event(body: EntryBody) -> RunEvent | None:
    """The event of an entry; None when it has no OpenLineage run."""
    run = body.context.openlineage_run
    return None if run is None else RunEvent(str(run), EVENT_OF_OUTCOME[body.outcome])


def read_events(events: bytes) -> Iterator[RunEvent]:
    """The events of a file.

    Raises:
        VerificationError: a line is no OpenLineage event; the message names it.
    """
    for number, line in enumerate(events.splitlines(), start=1):
        yield read_event(line, number)


def read_event(line: bytes, number: int) -> RunEvent:
    """One event.

    Raises:
        VerificationError: the line is no OpenLineage event; the message names it.
    """
    try:
        event: Any = parse_json(line, limit=_LIMIT)
        run, kind = event["run"]["runId"], event.get("eventType", "")
    except (InputError, KeyError, TypeError, AttributeError):
        run = kind = None
    if not isinstance(run, str) or not isinstance(kind, str):
        raise VerificationError(f"{EVENTS}:{number} is not an OpenLineage event")
    return RunEvent(run, kind)


def entries_without_event(bodies: Iterable[EntryBody], events: bytes) -> tuple[int, ...]:
    """Indices of entries with an OpenLineage run whose event of their outcome is not in the file.

    Raises:
        VerificationError: a line is no OpenLineage event; the message names it.
    """
    held, missing = Counter(read_events(events)), []
    for body in bodies:
        event = expected_event(body)
        if event is None:
            continue
        if not held[event]:
            missing.append(body.index)
        held[event] -= 1
    return tuple(missing)
