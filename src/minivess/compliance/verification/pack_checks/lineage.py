"""Whether the lineage events of a pack are those of its log: one for each entry with an OpenLineage run, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from minivess.compliance.release.pack_files import json_value, lines_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import EVENT_OF_OUTCOME, Entry

EVENTS = "data/lineage/events.jsonl"
"""OpenLineage run events, one JSON object a line."""
_LIMIT = 1 << 20
"""Bytes of one event."""


class RunEvent(NamedTuple):
    """What is compared of an event."""

    run: str
    kind: str
    """The `eventType` of OpenLineage."""


def run_ids(files: Mapping[str, bytes]) -> set[str]:
    """The run ids of all events; none where the pack has no events.

    Raises:
        VerificationError: a line is no OpenLineage event; the message names it.
    """
    if EVENTS not in files:
        return set()
    return {_event(line, number)[0] for number, line in enumerate(lines_of(files, EVENTS), start=1)}


@implements("REQ-223", "RC-94")
def check_lineage(files: Mapping[str, bytes], entries: Iterable[Entry]) -> str:
    """Compare the events with the entries; returns in words what holds.

    Raises:
        VerificationError: names the first line that is no event, or is the event of no entry, or the first entry that
            has no event of its outcome.
    """
    expected = [(entry.body, event) for entry in entries if (event := _event_of(entry)) is not None]
    missing = Counter(event for _, event in expected)
    known = frozenset(missing)
    lines = lines_of(files, EVENTS)
    for number, line in enumerate(lines, start=1):
        found = RunEvent(*_event(line, number))
        if not missing[found]:
            what = "repeats the event" if found in known else "has no entry in the log"
            raise VerificationError(f"{EVENTS}:{number} {what}: {found.kind or 'no eventType'} of run {found.run}")
        missing[found] -= 1
    for body, event in expected:
        if missing[event]:
            raise VerificationError(
                f"entry {body.index} ({body.action}, {body.outcome.value}) has no {event.kind} event in {EVENTS}"
            )
    return f"{len(lines)} lineage events, each of the run and the outcome of its entry"


def _event_of(entry: Entry) -> RunEvent | None:
    run = entry.body.context.openlineage_run
    return None if run is None else RunEvent(str(run), EVENT_OF_OUTCOME[entry.body.outcome])


def _event(line: bytes, number: int) -> tuple[str, str]:
    """Run id and event type of a line; the type is empty where the event has none."""
    where = f"{EVENTS}:{number}"
    event = json_value(line, where, limit=_LIMIT)
    run = event.get("run") if isinstance(event, dict) else None
    run_id = run.get("runId") if isinstance(run, dict) else None
    kind = event.get("eventType", "") if isinstance(event, dict) else None
    if not isinstance(run_id, str) or not isinstance(kind, str):
        raise VerificationError(f"{where} is not an OpenLineage event")
    return run_id, kind
