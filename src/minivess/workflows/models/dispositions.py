"""What became of training runs that no ensemble uses."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import UsageError
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


def unaccounted_runs(entries: Iterable[Entry]) -> tuple[int, ...]:
    """Indices of training runs that nobody accounts for: neither in the newest ensemble nor given a disposition.

    Failed and killed runs count as well, by the entry that announced them: leaving one out needs a signed reason. A run
    that was refused before it was announced never began.
    """
    runs: dict[int, set[int]] = {}
    weights: dict[int, str | None] = {}
    used: set[str] = set()
    disposed: set[int] = set()
    for entry in entries:
        body = entry.body
        if body.action == "training":
            if body.outcome is Outcome.REFUSED and body.started is None:
                continue
            run = body.index if body.started is None else body.started
            runs.setdefault(run, {run}).add(body.index)
            if body.outcome is Outcome.COMPLETED:
                weights[run] = body.context.model
        elif body.outcome is Outcome.COMPLETED and body.action == "ensemble":
            used = {artifact.digest for artifact in body.inputs}
        elif body.outcome is Outcome.COMPLETED and body.action == "run.disposition":
            disposed.add(int(body.payload["run"]))
    return tuple(run for run, indices in runs.items() if weights.get(run) not in used and not indices & disposed)


def dispose(services: Services, signer: Signer, index: int, *, verdict: str, reason: str) -> Receipt:
    """Say what became of a training run that no ensemble uses.

    Raises:
        UsageError: there is no such run, or it needs no disposition.
    """
    if index not in unaccounted_runs(services.log.entries()):
        raise UsageError(
            f"entry {index} is no run without a disposition", hint="`minivess audit log --action training`"
        )
    with recorded(services, "run.disposition", signer, instant=True) as record:
        record.payload(run=index, verdict=verdict, reason=reason)
    return record.receipt
