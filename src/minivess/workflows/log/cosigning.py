"""People as witnesses: each signer's tool cosigns the newest checkpoint once it is proven to continue what they saw before."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import Cosigned, add_signatures
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

_ROUNDS = 3


@implements("REQ-165")
def announce(services: Services, signer: Signer) -> None:
    """Make sure that the log knows with which key a person cosigns checkpoints: `identity.witness`, once a person.

    Raises:
        UsageError: the identity has no encryption key, from which the witness key is derived.
        RefusedError: the log does not take the entry from this signer.
        VerificationError: the log does not continue what the person saw.
    """
    key = signer.witness_key(services.log.origin)
    if witness_keys(services).keys.get(signer.identity.id) == key:
        return
    with recorded(services, "identity.witness", signer, instant=True) as record:
        record.payload(key=key.text())


@implements("REQ-165", "REQ-164")
def cosign(services: Services, signer: Signer) -> str:
    """Have the newest checkpoint cosigned by a person (C2SP tlog-cosignature), and keep the note in the log.

    The checkpoint is proven to continue what the person saw before, and is remembered before it is signed.

    Returns:
        The signed note with their cosignature line; it covers every entry that was acknowledged before the call.

    Raises:
        VerificationError: the log does not continue what the person saw.
        UsageError, RefusedError: as `announce`.
        CouldNotCheckError: the log grew again and again meanwhile.
    """
    announce(services, signer)
    for _ in range(_ROUNDS):
        note = remembered_checkpoints.newest(services.log)
        remembered_checkpoints.remember(services.log, signer.identity, note)
        if remembered_checkpoints.remembered(services.log, signer.identity) != parse_note(note).checkpoint:
            continue  # another process of the same person saw more meanwhile
        more = add_signatures(note, signer.cosign(note, int(services.clock().timestamp())))
        return services.log.keep_note(more)
    raise CouldNotCheckError("other commands appended to the log while it was cosigned", hint="try again")


def witness_keys(services: WorkspaceReader) -> WitnessKeys:
    """The keys with which people cosign checkpoints, as the log says."""
    return services.log.standing.witnesses


@implements("REQ-165")
def cosigners(services: WorkspaceReader, size: int | None = None) -> dict[str, Cosigned]:
    """The people, by id, who cosigned the checkpoint of `size` entries (by default the newest).

    Raises:
        VerificationError: the log did not sign that checkpoint, or a signature in the name of a person is wrong.
    """
    note = services.log.checkpoint(size)
    signed = parse_note(note)
    register = services.log.standing.register
    signed.verify(services.log.origin, register.log_key_at(signed.checkpoint.size))
    return witness_keys(services).cosigners(note)
