"""Signing a pack, and cosigning it as a holder of the key of the test set.

A person first gets the pack verified against her own log (`examine`), before anything is asked of her. Then she signs: the
entry of her signature is in the log before the pack has the signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.identity.approvals import approve, open_approval, signature_list
from minivess.compliance.identity.signature_rules import missing_signatures
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.proofs.tlog_proof import LaterEntry, TlogProof
from minivess.compliance.rules.admission import refuse_maker
from minivess.compliance.rules.log_facts import LogFacts, read_log
from minivess.compliance.verification.bag import SIGNATURE_LIST, TAG_MANIFEST, read_pack
from minivess.compliance.verification.holders import COSIGNATURE, holders_of
from minivess.compliance.verification.pack import ENTRIES, SIGNATURES_CHECK, judge_files
from minivess.compliance.verification.pack_checks.inclusion import CHECKPOINT
from minivess.compliance.verification.signatures import (
    SIGNED,
    SIGNING_TEXT,
    SignedPack,
    check_present,
    prepared_release,
)
from minivess.compliance.verification.trust import parse_trust
from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import CouldNotCheckError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.log.entry import Outcome
from minivess.records.log.payloads.evidence import ReleaseSigned
from minivess.records.people.approval import Envelope, Manifestation, PolicyRule
from minivess.records.people.identity import Identity, Meaning
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.people import accounts
from minivess.workflows.people.key_states import counts
from minivess.workflows.people.keys import identity_of
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

PACK_LIMIT = 4 << 30
_BUILD_AGAIN = "build the release again"


@dataclass(frozen=True)
class PackToSign:
    """A pack that was verified for one person, and what she may sign it as."""

    path: Path
    pack: SignedPack
    log: LogFacts
    """The log in the pack."""
    version: str
    """Of the device."""
    identity: Identity
    rules: tuple[PolicyRule, ...]
    """The required signatures that are missing and that she may give, in the order of policy, trust file and built-in
    rules."""
    recorded: Recorded | None
    """Her signature, where the log has it and the pack does not."""
    demo: bool
    """Whether the log is that of a demonstration."""

    @property
    def text(self) -> str:
        """The signing text, as it is to be shown."""
        return self.pack.files[SIGNING_TEXT].decode("utf-8")

    @property
    def shown(self) -> Digest:
        """The digest of the signing text."""
        return digest_bytes(self.pack.files[SIGNING_TEXT])

    @property
    def meanings(self) -> tuple[Meaning, ...]:
        """What her signature can mean."""
        return tuple(dict.fromkeys(rule.meaning for rule in self.rules))

    def rule(self, meaning: Meaning | None) -> PolicyRule:
        """The rule that she meets with a meaning; None: the one that is left.

        Raises:
            UsageError: several are left, or none of this meaning is.
        """
        found = [rule for rule in self.rules if meaning in {None, rule.meaning}]
        if not found or (meaning is None and len(self.meanings) > 1):
            left = ", ".join(one.value for one in self.meanings)
            raise UsageError(f"{self.identity.id} can sign with the meaning {left}", hint="name one with --meaning")
        return found[0]


@dataclass(frozen=True)
class Recorded:
    """A signature that the log has."""

    index: int
    envelope: Envelope


@implements("REQ-234", "RC-08")
def examine(services: Services, who: str, path: Path) -> PackToSign:
    """Verify a pack for somebody who wants to sign it, against the log and what she remembers of it. No key is needed.

    Args:
        services: the workspace.
        who: the id of the person.
        path: the pack.

    Raises:
        VerificationError: the log does not continue what she saw of it, or the pack is not of this log.
        RefusedError: the pack does not hold, she cannot sign, signed it already, or no rule is left for her.
        UsageError, InputError: the project does not know her; the file is no pack.
    """
    identity = identity_of(services.workspace, who)
    remembered_checkpoints.require(services.log, identity)
    _refuse_unable(services, identity)
    files, container = read_pack(path)
    trusted = parse_trust(accounts.trusted_keys(services))
    verdict = judge_files(files, subject=path.name, container=container, trusted=trusted)
    failure = next((check for check in verdict.checks if not check.passed and check.name != SIGNATURES_CHECK), None)
    if failure is not None:
        raise RefusedError(f"the pack does not hold, so there is nothing to sign: {failure.name}: {failure.detail}")
    log = _packed_log(files)
    _refuse_other_history(services, log.note)
    pack = SignedPack(files, log.register, log.checkpoint, trusted, prepared_release(log.entries))
    if pack.prepared is None:
        raise RefusedError("the pack is of layout 1, which has no signing text", hint=_BUILD_AGAIN)
    _refuse_changed_keys(services, identity, log)
    signed = check_present(pack)
    if who in signed:
        raise RefusedError(f"{who} has signed this pack already", hint="another person must sign it")
    rules = _open_rules(services, pack, tuple(signed.values()), identity)
    before = _recorded(services, pack, identity, rules)
    return PackToSign(
        path, pack, log, pack.prepared.device.version, identity, rules, before, services.log.standing.register.demo
    )


@implements("REQ-037", "REQ-235", "RC-08", "RC-100")
def sign(services: Services, signer: Signer, asked: PackToSign, *, meaning: Meaning | None = None) -> Manifestation:
    """Add a person's signature to a pack, with the proof that it is in the log.

    The signature is in the log before it is in the pack. Where the log has it already, because signing was interrupted, the
    pack gets that one.

    Args:
        services: the workspace.
        signer: the person, unlocked.
        asked: the pack, as it was verified for her.
        meaning: what her signature means; None: the one meaning that is left for her.

    Raises:
        RefusedError: the log does not take the signature, or the pack was changed meanwhile.
        UsageError: several meanings are left, or none of this one is.
        CouldNotCheckError: the witnesses did not vouch for the entry. It is in the log; signing again puts it into the pack.
    """
    if signer.identity.id != asked.identity.id:
        raise UsageError(f"the pack was verified for {asked.identity.id}, not for {signer.identity.id}")
    files = _read(asked.path)
    if digest_bytes(files.get(TAG_MANIFEST, b"")) != asked.pack.tag_manifest.digest:
        raise RefusedError("the pack was changed while it was signed", hint="sign the pack again")
    made = asked.recorded or _record(services, signer, asked, asked.rule(meaning))
    signatures = SignedPack(files, asked.pack.register, asked.pack.head).envelopes()
    signatures[asked.identity.id] = made.envelope
    signed = {who: open_approval(envelope, asked.pack.register) for who, envelope in signatures.items()}
    line = _cosignature(services, signer, asked.log)
    from minivess.compliance.pack.pack import add_signatures  # loads all that makes a pack

    stem = f"signatures/{asked.identity.id}"
    add_signatures(
        asked.path,
        {
            f"{stem}.dsse.json": envelope_bytes(made.envelope),
            f"{stem}.tlog-proof": _proof(services, made.index, asked.pack.head).encode("utf-8"),
            SIGNATURE_LIST: signature_list(signed.values()),
            **({} if line is None else {COSIGNATURE.format(asked.identity.id): line.encode("utf-8")}),
        },
    )
    return signed[asked.identity.id]


@implements("REQ-134", "RC-43")
def cosign_pack(services: Services, signer: Signer, pack: Path) -> bool:
    """Cosign a pack's checkpoint as a holder of the test set's key; returns whether the signer is one.

    Raises:
        VerificationError: the checkpoint is not of the history that the log and the signer know; nothing is signed.
    """
    files = _read(pack)
    log = _packed_log(files)
    if signer.identity.id not in holders_of(services.log.standing, log.history):
        return False
    remembered_checkpoints.require(services.log, signer.identity)
    _refuse_other_history(services, log.note)
    line = _cosignature(services, signer, log)
    if line is not None:
        from minivess.compliance.pack.pack import add_signatures  # loads all that makes a pack

        add_signatures(pack, {COSIGNATURE.format(signer.identity.id): line.encode("utf-8")})
    return True


def unannounced(services: WorkspaceReader) -> tuple[str, ...]:
    """Holders of the test set's key whose witness key the log does not know, so that they could not cosign a pack."""
    standing = services.log.standing
    return tuple(one for one in holders_of(standing) if one not in standing.witnesses.keys)


def _refuse_unable(services: Services, identity: Identity) -> None:
    """Refuse people whose signature the log would not take, before they are asked for anything."""
    register, who = services.log.standing.register, identity.id
    if identity.kind is not IdentityKind.PERSON:
        raise RefusedError(f"{who} is a service; only people sign a release")
    state = register.state(who)
    if state == "valid" and not counts(register, identity):
        raise RefusedError(f"the key of {who} here is not the one that the log knows")
    if state != "valid":
        hint = {
            "locked": "another root or release manager reinstates them with `minivess identity reinstate`",
            "not enrolled": f"a root or release manager enrols them: `minivess identity enrol {who}`",
        }
        raise RefusedError(f"{who} cannot sign: {who} is {state} in the log", hint=hint.get(state, ""))


def _refuse_other_history(services: Services, note: str) -> None:
    if remembered_checkpoints.contradicting_notes(services.log, {"the checkpoint of the pack": note}):
        raise VerificationError(
            "the checkpoint of the pack does not match the log of this workspace",
            hint="find out which of the two was changed",
        )


def _refuse_changed_keys(services: Services, identity: Identity, log: LogFacts) -> None:
    """A pack is judged by the keys in its own log, so those must be the keys of today."""
    if not counts(log.register, identity):
        raise RefusedError(f"the log in the pack does not know the key of {identity.id}", hint=_BUILD_AGAIN)
    if log.register.log_key != services.log.key:
        raise RefusedError("the log has had another key since the pack was built", hint=_BUILD_AGAIN)


def _open_rules(
    services: Services, pack: SignedPack, signed: tuple[Manifestation, ...], identity: Identity
) -> tuple[PolicyRule, ...]:
    """The required signatures that are missing and that a person may give.

    Raises:
        RefusedError: there is none; or the log has no entry of a build of this pack.
    """
    standing, required = services.log.standing, pack.required_signatures()
    built = standing.packs.get(pack.tag_manifest.digest)
    if built is None:
        raise RefusedError("no release.build of this log made this pack", hint=_BUILD_AGAIN)
    roles = standing.register.person(identity.id).roles
    able = [one.rule for one in missing_signatures(required, signed) if one.rule.role in roles]
    if any(rule.role is Role.REVIEWER for rule in able):
        try:
            refuse_maker(standing, identity.id, None if built.model is None else (built.model,))
        except VerificationError:
            able = [rule for rule in able if rule.role is not Role.REVIEWER]
            if not able:
                raise
    if not able:
        raise RefusedError(
            f"the release requires no further signature of {identity.id}",
            hint="it requires " + "; ".join(map(str, required)),
        )
    return tuple(able)


def _recorded(
    services: Services, pack: SignedPack, identity: Identity, rules: tuple[PolicyRule, ...]
) -> Recorded | None:
    """The newest signature of a person on a pack that the log has and that still counts; None: there is none."""
    found = None
    for entry in services.log.entries(pack.head.size, actions={SIGNED}):
        body = entry.body
        if body.actor != identity.id or body.outcome is not Outcome.COMPLETED:
            continue
        said = ReleaseSigned.model_validate(body.payload)
        if said.tag_manifest != pack.tag_manifest.digest or body.key != identity.signing_key.key_id:
            continue
        one = open_approval(said.envelope, pack.register)
        if PolicyRule(role=one.role, meaning=one.meaning) in rules:
            found = Recorded(body.index, said.envelope)
    return found


def _record(services: Services, signer: Signer, asked: PackToSign, rule: PolicyRule) -> Recorded:
    """Sign, and append the entry of the signature."""
    subject = asked.pack.tag_manifest
    with recorded(services, SIGNED, signer, instant=True) as record:
        envelope = approve(
            signer,
            role=rule.role,
            meaning=rule.meaning,
            policy=asked.pack.policy().model_copy(
                update={"rules": tuple(one.rule for one in asked.pack.required_signatures())}
            ),
            subjects=(subject,),
            shown=asked.shown,
            head=services.log.size,
            now=services.clock(),
        )
        record.payload(version=asked.version, tag_manifest=subject.digest, envelope=envelope.model_dump(mode="json"))
    return Recorded(record.receipt.index, envelope)


def _proof(services: Services, index: int, packed: Checkpoint) -> str:
    """The `.tlog-proof` of an entry that was appended after a pack was built, cosigned where the project names witnesses.

    Raises:
        CouldNotCheckError: the witnesses did not vouch for a checkpoint that covers the entry.
    """
    log, witnesses = services.log, services.project.witnesses
    note = log.checkpoint()
    if witnesses is not None:
        try:
            note, _ = cosign_checkpoint(log, witnesses)
        except (RefusedError, CouldNotCheckError) as error:
            raise CouldNotCheckError(
                f"entry {index} has the signature, and the pack does not: {error.message}",
                hint="sign the pack again when the witnesses answer; the recorded signature is used",
            ) from None
    size = parse_note(note).checkpoint.size
    receipt = log.prove(index, size)
    later = LaterEntry(receipt.entry.encode("utf-8"), log.consistency(packed.size, size))
    return TlogProof(index, tuple(from_base64(one) for one in receipt.proof), note, later.extra()).text()


def _cosignature(services: Services, signer: Signer, log: LogFacts) -> str | None:
    """The cosignature of a pack's checkpoint by a holder of the test set's key; None: it takes none of hers, or has it."""
    who = signer.identity.id
    if who not in holders_of(services.log.standing, log.history) or who in WitnessKeys.fold(log.entries).cosigners(
        log.note
    ):
        return None
    return signer.cosign(log.note, int(services.clock().timestamp()))


def _packed_log(files: Mapping[str, bytes]) -> LogFacts:
    return read_log(files[ENTRIES].split(b"\n")[:-1], files[CHECKPOINT].decode("utf-8"))


def _read(pack: Path) -> dict[str, bytes]:
    return read_archive(read_limited(pack, limit=PACK_LIMIT))
