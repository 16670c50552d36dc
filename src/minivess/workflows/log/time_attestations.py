"""Having others say when they saw the log: their word is an entry, before the next step of a look."""

from __future__ import annotations

import logging

from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification.look_times import ATTESTED
from minivess.foundation.errors import MinivessError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.records.log.witnessed import TimeAttested
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

_log = logging.getLogger(__name__)


@implements("REQ-168")
def attest_time(services: Services) -> Receipt | None:
    """Have the newest checkpoint cosigned by the project's witnesses, and record that as `time.attested`.

    To be called between criteria and request, and between approval and result. It never fails the action: where the witnesses
    cannot be reached, a warning says so, and the time of that phase is the machine's own.

    Returns:
        The receipt of the entry; None: the project names no witnesses, nothing happened since the last attestation, or the
        witnesses did not vouch.
    """
    policy, log = services.project.witnesses, services.log
    if policy is None or log.entry(log.size - 1).body.action == ATTESTED:
        return None
    try:
        note, _ = cosign_checkpoint(log, policy)
        size = parse_note(note).checkpoint.size
        return _record(services, TimeAttested(kind="cosignature", size=size, note=note))
    except MinivessError as failure:
        _log.warning("the time is the machine's own, for no witness attested it: %s", failure.message)
        return None


@implements("REQ-168")
def record_timestamp(services: Services, size: int, response: bytes) -> Receipt | None:
    """Record an RFC 3161 response that was verified and kept for the checkpoint of `size` entries.

    Returns:
        The receipt of the entry; None: it could not be recorded, and a warning says why.
    """
    note = services.log.checkpoint(size)
    try:
        return _record(services, TimeAttested(kind="rfc3161", size=size, note=note, token=to_base64(response)))
    except MinivessError as failure:
        _log.warning("the time stamp is kept, and is not an entry: %s", failure.message)
        return None


def _record(services: Services, attested: TimeAttested) -> Receipt:
    with recorded(services, ATTESTED, services.log.signer, instant=True) as record:
        record.payload(**attested.model_dump(mode="json", exclude_none=True))
    return record.receipt
