"""Having the log's newest checkpoint vouched for by k of n witnesses (C2SP tlog-witness)."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import (
    AddCheckpoint,
    Cosigned,
    add_signatures,
    parse_verifier_key,
    verify_cosignatures,
)
from minivess.compliance.verification.witness import CONFLICT, OK, UNPROVEN
from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.witness import WitnessAddress, WitnessPolicy

_TIMEOUT = 10.0
_LIMIT = 64 * 1024


@implements("REQ-054", "REQ-055", "RC-16")
def cosign_checkpoint(log: AuditLog, policy: WitnessPolicy) -> tuple[str, tuple[Cosigned, ...]]:
    """Ask every witness, and keep their signatures with the checkpoint.

    Returns:
        The checkpoint with the signatures, and who vouches for it since when.

    Raises:
        VerificationError: a witness has seen another history of this log: a split view, or a log that was rolled back.
        RefusedError: fewer than the quorum vouched; says what each other one answered.
    """
    note = log.checkpoint()
    answers: list[str] = []
    for witness in policy.witnesses:
        try:
            line = _ask(log, note, witness)
            verify_cosignatures(add_signatures(note, line), [parse_verifier_key(witness.key)], 1)
        except VerificationError:
            raise
        except MinivessError as error:
            answers.append(f"{witness.name}: {error.message}")
            continue
        note = add_signatures(note, line)
    keys = [parse_verifier_key(witness.key) for witness in policy.witnesses]
    try:
        vouched = verify_cosignatures(note, keys, policy.quorum)
    except VerificationError as error:
        raise RefusedError(error.message, hint="; ".join(answers)) from None
    log.keep_note(note)
    return note, vouched


def _ask(log: AuditLog, note: str, witness: WitnessAddress) -> str:
    """A witness's signature line: first as if it knew nothing, then from the size it says it saw last."""
    head = parse_note(note).checkpoint
    status, text = _post(witness, AddCheckpoint(0, (), note))
    if status == CONFLICT:
        seen = text.strip()
        if not (seen.isascii() and seen.isdigit() and len(seen) <= 16):
            raise InputError("it answered a conflict without a size")
        if int(seen) > head.size:
            raise VerificationError(
                f"the witness {witness.name} vouched for {seen} entries of this log, and {head.size} are here: "
                "the log was rolled back, or shows two histories"
            )
        old = int(seen)
        status, text = _post(witness, AddCheckpoint(old, log.consistency(old, head.size), note))
        if status in {CONFLICT, UNPROVEN}:
            raise VerificationError(
                f"the witness {witness.name} vouched for another history of the first {old} entries: a split view"
            )
    if status != OK:
        raise CouldNotCheckError(f"it answered {status}: {' '.join(text.split())[:200]}")
    return text


def _post(witness: WitnessAddress, request: AddCheckpoint) -> tuple[int, str]:
    parts = urlsplit(witness.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        try:
            path = f"{parts.path.rstrip('/')}/add-checkpoint"
            connection.request("POST", path, request.text().encode("utf-8"), {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            return answer.status, answer.read(_LIMIT).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CouldNotCheckError(f"out of reach ({type(error).__name__})") from None
