"""Whether the lineage events of a pack are those of its log: one for each entry with an OpenLineage run, and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from minivess.compliance.release.lineage_events import EVENTS, expected_event, read_event
from minivess.compliance.release.pack_files import lines_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry


def run_ids(files: Mapping[str, bytes]) -> set[str]:
    """The run ids of all events; none where the pack has no events.

    Raises:
        VerificationError: a line is no OpenLineage event; the message names it.
    """
    if EVENTS not in files:
        return set()
    return {read_event(line, number).run for number, line in enumerate(lines_of(files, EVENTS), start=1)}


@implements("REQ-223", "RC-94")
def check_lineage(files: Mapping[str, bytes], entries: Iterable[Entry]) -> str:
    """Compare the events with the entries; returns in words what holds.

    Raises:
        VerificationError: names the first line that is no event, or is the event of no entry, or the first entry that
            has no event of its outcome.
    """
    expected = [(entry.body, event) for entry in entries if (event := expected_event(entry.body)) is not None]
    missing = Counter(event for _, event in expected)
    known = frozenset(missing)
    lines = lines_of(files, EVENTS)
    for number, line in enumerate(lines, start=1):
        found = read_event(line, number)
        if not missing[found]:
            what = "repeats the event" if found in known else "has no entry in the log"
            raise VerificationError(f"{EVENTS}:{number} {what}: {found.kind or 'no eventType'} of run {found.run}")
        missing[found] -= 1
    for body, event in expected:
        if missing[event]:
            raise VerificationError(
                f"entry {body.index} ({body.action}, {body.outcome.value}) has no {event.kind} event in {EVENTS}"
            )
    if not lines:
        raise VerificationError(f"{EVENTS} has no event")
    return f"{len(lines)} lineage events, each of the run and the outcome of its entry"
