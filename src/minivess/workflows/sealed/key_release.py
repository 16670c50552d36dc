"""The data keys of the sealed test part: with their custodian, or released to the requester of a look."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.identity.keys import PrivateKey, raw_x25519, wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.base import Record, Slug
from minivess.records.data.seal import SealManifest
from minivess.records.people.approval import UnsealGrant, UnsealRequest
from minivess.records.people.identity import KeyAlgorithm
from minivess.workflows.log.cosigning import cosign
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import SEAL_CONTEXT

_GRANT_LIMIT = 64 * 1024
EPHEMERAL_CONTEXT = b"minivess/test-set/ephemeral-key/1"


def custodian_keys(signer: Signer, manifest: SealManifest) -> bytes:
    """The data keys of a sealed test part, unwrapped by one of their holders: 32 bytes for each session of sealing.

    Raises:
        RefusedError: the test set was not sealed for the signer.
    """
    wrapped = manifest.wrapped_keys.get(signer.identity.id)
    if wrapped is None:
        raise RefusedError(f"the test set was not sealed for {signer.identity.id}")
    return b"".join(signer.unwrap(one, context=SEAL_CONTEXT) for one in wrapped)


def key_file(workspace: Workspace, request_id: str) -> Path:
    """The file of the private key that a request was made with, wrapped to the requester."""
    return workspace.test_set / f"{request_id}.key"


def grant_file(workspace: Workspace, request_id: str) -> Path:
    """The file that an approval hands out: the data keys, wrapped to the key of the request."""
    return workspace.test_set / f"{request_id}.grant"


def pending_file(workspace: Workspace, request_id: str) -> Path:
    """The file of an approval whose entry is not under a cosigned checkpoint yet."""
    return workspace.test_set / f".{request_id}.pending"


class HandedOut(Record):
    """The content of a grant file."""

    request: Slug
    checkpoint: str
    """Body of the checkpoint that the approval was based on."""
    wrapped_key: str
    """HPKE (RFC 9180), info: request digest and `checkpoint`."""


def prepare_key(services: Services, asked: UnsealRequest, data_keys: bytes, base: str) -> str:
    """Wrap the data keys for a request and keep them apart; returns the digest that the entry names."""
    workspace, body = Workspace(services.workspace), note_body(base)
    wrapped = wrap_for(asked.ephemeral_key, data_keys, context=_grant_context(asked, body))
    content = canonical(HandedOut(request=asked.id, checkpoint=body, wrapped_key=wrapped))
    # Only who made the request can open this. It is kept so that an interrupted approval can be finished.
    write_atomic(pending_file(workspace, asked.id), content, mode=0o600)
    return digest_bytes(content)


@implements("REQ-133", "RC-03")
def hand_out(services: Services, signer: Signer, request_id: str) -> None:
    """Give the requester the wrapped key, once the checkpoint over the approval is cosigned and remembered."""
    workspace = Workspace(services.workspace)
    pending = pending_file(workspace, request_id)
    grant = services.log.standing.test_set.grants[request_id].grant
    if digest_bytes(read_limited(pending, limit=_GRANT_LIMIT)) != grant.key_digest:
        raise VerificationError(f"the key prepared for {request_id} is not the one that its approval names")
    cosign(services, signer)
    if services.project.witnesses is not None:
        cosign_checkpoint(services.log, services.project.witnesses)
    pending.replace(grant_file(workspace, request_id))


def note_body(note: str) -> str:
    """The signed part of a checkpoint: its text up to and with the newline before the blank line."""
    return note.split("\n\n", 1)[0] + "\n"


def _grant_context(asked: UnsealRequest, checkpoint: str) -> bytes:
    return b"minivess/test-set/grant/2/" + digest_of(asked).encode("ascii") + b"\n" + checkpoint.encode("utf-8")


@implements("RC-03")
def released_keys(services: Services, signer: Signer, asked: UnsealRequest, grant: UnsealGrant) -> bytes:
    """The data keys that an approval released to the requester.

    Raises:
        RefusedError: a key file is gone, is another one than the log names, or is not the signer's.
    """
    workspace = Workspace(services.workspace)
    private, handed = key_file(workspace, asked.id), grant_file(workspace, asked.id)
    for path, what in ((private, "the key of the request"), (handed, "the key that the approval released")):
        if not path.is_file():
            raise RefusedError(
                f"{what} {asked.id} is not here",
                hint="run this where the request was made; an approver finishes an interrupted approval by approving again",
            )
    content = read_limited(handed, limit=_GRANT_LIMIT)
    if digest_bytes(content) != grant.key_digest:
        raise RefusedError(f"the released key of {asked.id} is not the one that the log names")
    raw = signer.unwrap(private.read_text(encoding="ascii"), context=EPHEMERAL_CONTEXT)
    ephemeral = PrivateKey.from_secret(KeyAlgorithm.X25519, raw)
    if raw_x25519(ephemeral.public) != asked.ephemeral_key:
        raise RefusedError(f"the key in {private.name} is not the one that request {asked.id} was made with")
    given = HandedOut.model_validate_json(content)
    return ephemeral.unwrap(given.wrapped_key, context=_grant_context(asked, given.checkpoint))
