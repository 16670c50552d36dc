"""What others keep or check of the log: proofs, checkpoints, the log's verifier key and requests for a time stamp."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.proofs.checkpoint import NOTE_LIMIT
from minivess.compliance.proofs.cosignature import LOG, verifier_key
from minivess.compliance.proofs.timestamp import timestamp_request
from minivess.compliance.proofs.tlog_proof import write_tlog_proof
from minivess.foundation.files import read_limited
from minivess.workflows.session.services import WorkspaceReader


def proof_of(services: WorkspaceReader, index: int) -> str:
    """The C2SP tlog-proof of an entry, with the entry in it.

    Raises:
        UsageError: there is no such entry.
    """
    return write_tlog_proof(services.log.prove(index))


def verifier_key_of(services: WorkspaceReader) -> str:
    """The log's C2SP verifier key, for a witness."""
    return verifier_key(services.log.origin, services.log.key, LOG).text()


def timestamp_request_of(services: WorkspaceReader) -> bytes:
    """An RFC 3161 request for the newest checkpoint."""
    return timestamp_request(services.log.checkpoint())


def read_checkpoint(file: Path) -> bytes:
    """A checkpoint that was kept in a file.

    Raises:
        InputError: it is missing or too large.
    """
    return read_limited(file, limit=NOTE_LIMIT)
