"""What became of training runs that no ensemble uses."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.compliance.release.earlier_entries import EarlierEntries, unaccounted_runs
from minivess.foundation.errors import UsageError
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


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
