"""Signing a pack, and cosigning it as a holder of the key of the test set."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from minivess.compliance.identity.approvals import approve, open_approval
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.pack.pack import add_cosignature, add_signature
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.envelope import parse_envelope
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.bag import SIGNATURE, TAG_MANIFEST
from minivess.compliance.verification.holders import holders_of
from minivess.compliance.verification.pack import SIGNATURES_CHECK, verify_pack
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Manifestation, Policy, PolicyRule
from minivess.workflows.sealed.registration import policy_of
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

PACK_LIMIT = 4 << 30


@implements("REQ-037", "RC-08")
def sign(services: Services, signer: Signer, pack: Path) -> Manifestation:
    """Add a person's signature to a pack, in the role and meaning the policy asks them for.

    The signature is in the log before it is in the pack, so no pack carries one the log does not know.

    Raises:
        RefusedError: the pack does not hold, the person signed it already, or the policy does not ask for them.
    """
    with recorded(services, "release.sign", signer, instant=True) as record:
        failure = next(
            (check for check in verify_pack(pack).checks if not check.passed and check.name != SIGNATURES_CHECK), None
        )
        if failure is not None:
            raise RefusedError(f"the pack does not hold, so there is nothing to sign: {failure.name}: {failure.detail}")
        files = read_archive(read_limited(pack, limit=PACK_LIMIT))
        signatures = {name: parse_envelope(data) for name, data in files.items() if SIGNATURE.fullmatch(name)}
        if f"signatures/{signer.identity.id}.dsse.json" in signatures:
            raise RefusedError(f"{signer.identity.id} has signed this pack already", hint="another person must sign it")
        policy = policy_of(services).signatures
        register = services.log.standing.register
        rule = _open_rule(policy, [open_approval(envelope, register) for envelope in signatures.values()], signer)
        envelope = approve(
            signer,
            role=rule.role,
            meaning=rule.meaning,
            policy=policy,
            subjects=(Artifact(name=TAG_MANIFEST, digest=digest_bytes(files[TAG_MANIFEST])),),
            shown=digest_bytes(files["data/index.html"]),
            head=services.log.size,
            now=services.clock(),
        )
        record.payload(
            version=services.project.device.version,
            tag_manifest=digest_bytes(files[TAG_MANIFEST]),
            envelope=envelope.model_dump(mode="json"),
        )
    add_signature(pack, signer.identity.id, envelope)
    cosign_pack(services, signer, pack)
    return open_approval(envelope, services.log.standing.register)


@implements("REQ-134", "RC-43")
def cosign_pack(services: Services, signer: Signer, pack: Path) -> bool:
    """Cosign a pack's checkpoint as a holder of the test set's key; returns whether the signer is one.

    Raises:
        VerificationError: the checkpoint is not of the history that the log and the signer know; nothing is signed.
    """
    files = read_archive(read_limited(pack, limit=PACK_LIMIT))
    note = files[CHECKPOINT].decode("utf-8")
    size = parse_note(note).checkpoint.size
    entries = tuple(islice(services.log.entries(), size))
    if signer.identity.id not in holders_of(services.log.standing, LookHistory.fold(entries)):
        return False
    remembered_checkpoints.require(services.log, signer.identity)
    if remembered_checkpoints.contradicting_notes(services.log, {"the checkpoint of the pack": note}):
        raise VerificationError(
            "the checkpoint of the pack does not match the log of this workspace",
            hint="find out which of the two was changed",
        )
    if signer.identity.id not in WitnessKeys.fold(entries).cosigners(note):
        add_cosignature(pack, signer.identity.id, signer.cosign(note, int(services.clock().timestamp())))
    return True


def unannounced(services: Services) -> tuple[str, ...]:
    """Holders of the test set's key whose witness key the log does not know, so that they could not cosign a pack."""
    standing = services.log.standing
    return tuple(one for one in holders_of(standing) if one not in standing.witnesses.keys)


def _open_rule(policy: Policy, signed: list[Manifestation], signer: Signer) -> PolicyRule:
    """The first rule of the policy that nobody has met yet and that this person may meet."""
    met = [(item.role, item.meaning) for item in signed]
    for rule in policy.rules:
        if (rule.role, rule.meaning) in met:
            met.remove((rule.role, rule.meaning))
        elif rule.role in signer.identity.roles:
            return rule
    raise RefusedError(
        f"the policy {policy.name} requires no further signature of {signer.identity.id}",
        hint="it requires " + ", ".join(f"{rule.meaning.value} by {rule.role.value}" for rule in policy.rules),
    )
