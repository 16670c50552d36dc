"""What became of training runs that no ensemble uses."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.compliance.identity.signer import Signer
from minivess.compliance.release.earlier_entries import EarlierEntries, unaccounted
from minivess.foundation.errors import UsageError
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


def unaccounted_runs(entries: Iterable[Entry]) -> tuple[int, ...]:
    """Indices of training runs that are neither in the newest ensemble nor given a disposition.

    Failed and killed runs count as well, by the entry that announced them: leaving one out needs a signed reason. A run
    that was refused before it was announced never began.
    """
    known = EarlierEntries(tuple(entry.body for entry in entries))
    return tuple(run.begun for run in unaccounted(known.runs, known.newest("ensemble")))


def dispose(services: Services, signer: Signer, index: int, *, verdict: str, reason: str) -> Receipt:
    """Say what became of a training run that no ensemble uses.

    Raises:
        UsageError: there is no such run, or it needs no disposition.
    """
    entries = tuple(services.log.entries())
    if index not in unaccounted_runs(entries):
        raise UsageError(
            f"entry {index} is no run without a disposition", hint="`minivess audit log --action training`"
        )
    run = next(one for one in EarlierEntries.of(entries).runs if one.names(index))
    with recorded(services, "run.disposition", signer, instant=True) as record:
        if run.ended is not None and run.outcome in {Outcome.COMPLETED, Outcome.FAILED}:
            record.rest_on(run.ended.index)
        record.payload(run=index, verdict=verdict, reason=reason)
    return record.receipt
