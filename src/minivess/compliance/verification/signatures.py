"""Judging the signatures of people on a pack.

A release signature is two files: `signatures/<id>.dsse.json` with what a person signed, and `signatures/<id>.tlog-proof`, which
proves that the log holds her `release.sign` entry and continues the log of the pack. `signatures/SIGNATURES.txt` lists name, time
and meaning of each signature. Packs of layout 1 have the first kind of file alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.approvals import check_policy, open_approval, signature_list
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES, RequiredSignature, signatures_of_release
from minivess.compliance.proofs.checkpoint import Checkpoint
from minivess.compliance.proofs.envelope import parse_envelope
from minivess.compliance.proofs.merkle import leaf_hash, verify_consistency, verify_inclusion
from minivess.compliance.proofs.tlog_proof import TlogProof, parse_proof
from minivess.compliance.release.pack_files import bytes_of, json_of, text_of
from minivess.compliance.verification.bag import SIGNATURE, SIGNATURE_LIST, SIGNATURE_PROOF, TAG_MANIFEST
from minivess.compliance.verification.log_entries import check_fields, check_signature, read_entry
from minivess.compliance.verification.pack_checks.inclusion import believe_too
from minivess.compliance.verification.trust import Trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.evidence import ReleaseSigned
from minivess.records.people.approval import Envelope, Manifestation, Policy

POLICY, SIGNING_TEXT = "data/release/policy.json", "data/signing-text.txt"
PREPARED, SIGNED = "release.prepare", "release.sign"
_POLICY_LIMIT = 1 << 20


@dataclass(frozen=True)
class SignedPack:
    """A pack whose log was verified, as its signatures are judged."""

    files: Mapping[str, bytes]
    register: Register
    """Who may sign, after the last entry of the pack's log."""
    head: Checkpoint
    """Of the pack's log."""
    trusted: Trust | None = None
    """The verifier's own keys."""
    prepared: ReleasePrepared | None = None
    """What the pack's last entry says; None in packs of layout 1."""

    @property
    def tag_manifest(self) -> Artifact:
        """What people sign.

        Raises:
            VerificationError: it is missing.
        """
        if TAG_MANIFEST not in self.files:
            raise VerificationError(f"{TAG_MANIFEST} is missing, and it is what people sign")
        return Artifact(name=TAG_MANIFEST, digest=digest_bytes(self.files[TAG_MANIFEST]))

    def envelopes(self) -> dict[str, Envelope]:
        """What was signed, not verified yet, by the id in the name of its file.

        Raises:
            VerificationError: a file is malformed.
        """
        found = {}
        for name in sorted(self.files):
            match = SIGNATURE.fullmatch(name)
            if match is None:
                continue
            try:
                found[match[1]] = parse_envelope(self.files[name])
            except InputError as error:
                raise VerificationError(f"{name}: {error.message}") from None
        return found

    def policy(self) -> Policy:
        """The signatures that the pack's release policy asks for.

        Raises:
            VerificationError: it is missing or malformed.
        """
        value: Any = json_of(self.files, POLICY, limit=_POLICY_LIMIT)
        try:
            if set(value) != {"policy", "gates"} or not isinstance(value["gates"], list):
                raise VerificationError(f"{POLICY} is not a policy with its gates")
            return Policy.model_validate(value["policy"])
        except (ValidationError, TypeError):
            raise VerificationError(f"{POLICY} is not a policy with its gates") from None

    @implements("REQ-268", "RC-122")
    def required_signatures(self) -> tuple[RequiredSignature, ...]:
        """The signatures that the release policy, the verifier's own rules and the built-in ones require together.

        Raises:
            VerificationError: the policy is missing or malformed.
        """
        return signatures_of_release(
            self.policy().rules,
            () if self.trusted is None else self.trusted.rules,
            () if self.prepared is None else LEAST_RULES,
        )


def prepared_release(entries: Sequence[Entry]) -> ReleasePrepared | None:
    """What the last entry of a pack's log says when it is a completed `release.prepare`; None otherwise."""
    if not entries:
        return None
    body = entries[-1].body
    if body.action != PREPARED or body.outcome is not Outcome.COMPLETED:
        return None
    return ReleasePrepared.model_validate(body.payload)


@implements("REQ-037", "REQ-235", "RC-08", "RC-13")
def check_signatures(pack: SignedPack) -> str:
    """Judge all signatures of a pack by its policy and by the verifier's own; returns in words who signed.

    Raises:
        VerificationError: names the first signature or file that is missing or wrong.
        RefusedError: as `check_policy`.
    """
    envelopes = pack.envelopes()
    if not envelopes:
        raise VerificationError("the pack is not signed")
    subject, policy = pack.tag_manifest, pack.policy()
    if len(policy.rules) < 2:
        raise VerificationError(f"{POLICY} asks for fewer than two signatures; a release needs two people")
    if pack.prepared is None:
        _refuse_logged(pack)
    else:
        _check_pairs(pack, envelopes)
        _check_logged(pack, envelopes)
    signed = check_policy(
        policy, tuple(envelopes.values()), (subject,), pack.register, required=pack.required_signatures()
    )
    _check_each(pack, dict(zip(envelopes, signed, strict=True)))
    if pack.prepared is not None:
        _check_list(pack, signed)
    needed, words = len(pack.required_signatures()), "; ".join(_words(item) for item in signed)
    demo = ". DEMO KEYS: this proves nothing about a real device" if pack.register.demo else ""
    return f"{needed} of {needed} required signatures: {words}{demo}"


@implements("REQ-235")
def check_present(pack: SignedPack) -> dict[str, Manifestation]:
    """Judge the signatures that a pack of layout 2 has so far; others may be missing.

    Returns:
        What was signed, by id.

    Raises:
        VerificationError: names the first signature or file that is wrong.
    """
    envelopes, subject = pack.envelopes(), pack.tag_manifest
    _check_pairs(pack, envelopes)
    signed = _check_logged(pack, envelopes)
    for name, one in signed.items():
        if one.subjects != (subject,):
            raise VerificationError(f"{name} signed something else than what is here")
    _check_each(pack, signed)
    if envelopes or SIGNATURE_LIST in pack.files:
        _check_list(pack, tuple(signed.values()))
    return signed


def _check_each(pack: SignedPack, signed: Mapping[str, Manifestation]) -> None:
    for name, one in signed.items():
        if one.signer != name:
            raise VerificationError(f"signatures/{name}.dsse.json holds the signature of {one.signer}")
        if one.head < pack.head.size:
            raise VerificationError(f"{name} signed on a log of {one.head} entries, older than the one in the pack")
        if pack.trusted is not None and not pack.trusted.signs(pack.register.person(name)):
            raise VerificationError(
                f"{name} signed, but is not among the people you trust with this key and these roles"
            )


def _refuse_logged(pack: SignedPack) -> None:
    """A pack of layout 1 has neither proofs of its signatures nor a list of them."""
    for name in sorted(pack.files):
        if name == SIGNATURE_LIST or SIGNATURE_PROOF.fullmatch(name):
            raise VerificationError(f"{name} is unexpected in a pack of layout 1")


def _check_pairs(pack: SignedPack, envelopes: Mapping[str, Envelope]) -> None:
    """Each signature has its proof, and each proof its signature."""
    proofs = {match[1] for name in pack.files if (match := SIGNATURE_PROOF.fullmatch(name))}
    for name in sorted(proofs - set(envelopes)):
        raise VerificationError(f"signatures/{name}.tlog-proof is a proof without signatures/{name}.dsse.json")
    for name in sorted(set(envelopes) - proofs):
        raise VerificationError(
            f"signatures/{name}.tlog-proof is missing: nothing proves that the log has the signature of {name}"
        )


def _check_logged(pack: SignedPack, envelopes: Mapping[str, Envelope]) -> dict[str, Manifestation]:
    """Compare each signature with the text that was shown, and with the entry that its proof leads to."""
    text = bytes_of(pack.files, SIGNING_TEXT)
    signed: dict[str, Manifestation] = {}
    for name, envelope in envelopes.items():
        one = open_approval(envelope, pack.register)
        if any(one.signer == other.signer for other in signed.values()):
            raise VerificationError(f"{one.signer} signed twice; each signature needs another person")
        if one.shown != digest_bytes(text):
            raise VerificationError(f"{one.signer} was shown another text than {SIGNING_TEXT}")
        check_logged(pack, name, envelope)
        signed[name] = one
    return signed


def _check_list(pack: SignedPack, signed: Sequence[Manifestation]) -> None:
    if bytes_of(pack.files, SIGNATURE_LIST) != signature_list(signed):
        raise VerificationError(f"{SIGNATURE_LIST} is not the list of the signatures in the pack")


@implements("REQ-235", "RC-100")
def check_logged(pack: SignedPack, signer: str, envelope: Envelope) -> None:
    """Compare a signature with the entry that its proof leads to.

    Raises:
        VerificationError: names the proof, and what is wrong with it.
    """
    name = f"signatures/{signer}.tlog-proof"
    text = text_of(pack.files, name)
    try:
        proof = parse_proof(text)
        entry = _proven_entry(pack, proof)
        _check_entry(pack, entry, signer, envelope)
    except MinivessError as error:
        raise VerificationError(f"{name}: {error.message}") from None


def _proven_entry(pack: SignedPack, proof: TlogProof) -> Entry:
    """The entry of a proof, once it is proven to be in a later log that continues that of the pack."""
    later, head = proof.later_entry(), pack.head
    believed = believe_too(proof.checkpoint, head.origin, (), pack.register, pack.trusted)
    if not head.size <= proof.index < believed.size:
        raise VerificationError(
            f"entry {proof.index} is not between the {head.size} entries of the pack and the {believed.size} of its checkpoint"
        )
    try:
        verify_consistency(head.size, believed.size, later.consistency, head.root, believed.root)
    except MinivessError:
        raise VerificationError(
            f"its log of {believed.size} entries does not continue the {head.size} entries of the pack"
        ) from None
    verify_inclusion(leaf_hash(later.entry), proof.index, believed.size, proof.hashes, believed.root)
    return read_entry(later.entry, proof.index)


def _check_entry(pack: SignedPack, entry: Entry, signer: str, envelope: Envelope) -> None:
    body = entry.body
    where = f"entry {body.index}"
    if (body.action, body.outcome) != (SIGNED, Outcome.COMPLETED):
        raise VerificationError(f"{where} is {body.outcome.value} {body.action}, not a completed {SIGNED}")
    check_fields(body, None)
    said = ReleaseSigned.model_validate(body.payload)
    version = None if pack.prepared is None else pack.prepared.device.version
    for what, found, expected in (
        ("is of the log", body.log, pack.head.origin),
        ("is by", body.actor, signer),
        ("is signed with the key", body.key, envelope.signatures[0].keyid),
        ("is of version", said.version, version),
        ("is of the pack", said.tag_manifest, pack.tag_manifest.digest),
    ):
        if found != expected:
            raise VerificationError(f"{where} {what} {found}, not {expected}")
    if said.envelope != envelope:
        raise VerificationError(f"{where} has another signature than signatures/{signer}.dsse.json")
    check_signature(entry, pack.register.check_actor(body.key, body.actor, body.index).signing_key)


def _words(item: Manifestation) -> str:
    return f"{item.printed_name} ({item.role.value}, {item.meaning.value}, {item.time:%Y-%m-%d %H:%M} UTC)"
