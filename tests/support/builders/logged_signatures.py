"""Release signatures of layout 2 on the files of a pack: the entry in the log, its proof, and the list of signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from minivess.compliance.identity.approvals import approve, signature_list
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.pack.pack import add_signatures
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.envelope import envelope_bytes, parse_envelope, parse_statement, payload_of
from minivess.compliance.proofs.merkle import consistency_proof, leaf_hash, tree_of
from minivess.compliance.proofs.tlog_proof import LaterEntry, TlogProof
from minivess.compliance.verification.bag import SIGNATURE, SIGNATURE_LIST, TAG_MANIFEST
from minivess.compliance.verification.signatures import SIGNING_TEXT, SignedPack
from minivess.foundation.digests import digest_bytes
from minivess.records.artifact import Artifact
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.log.entry import Context
from minivess.records.people.approval import Envelope, Manifestation, Policy
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role
from tests.support.builders.pack_builder import BEGIN, RELEASE_POLICY, LogBuilder

CHECKPOINT = "data/audit/checkpoint.txt"
MEANINGS = {Role.REVIEWER: Meaning.REVIEW, Role.RELEASE_MANAGER: Meaning.APPROVAL}


def packed_size(files: Mapping[str, bytes]) -> int:
    """The number of entries of the log in a pack."""
    return parse_note(files[CHECKPOINT].decode("utf-8")).checkpoint.size


def record_build(log: LogBuilder, files: Mapping[str, bytes], who: Signer, *, version: str, model: str) -> None:
    """The entry that a pack was built, after the log of the pack."""
    payload = {"version": version, "tag_manifest": digest_bytes(files[TAG_MANIFEST]), "gates": 1, "files": len(files)}
    log.append(who, "release.build", payload, context=Context(model=model))


def envelope_of(
    files: Mapping[str, bytes],
    who: Signer,
    *,
    head: int,
    meaning: Meaning | None = None,
    policy: Policy = RELEASE_POLICY,
    minutes: int = 60,
    shown: str | None = None,
) -> Envelope:
    """What a person signs in the first of their roles, `minutes` after the log began."""
    role = who.identity.roles[0]
    return approve(
        who,
        role=role,
        meaning=meaning or MEANINGS[role],
        policy=policy,
        subjects=[Artifact(name=TAG_MANIFEST, digest=digest_bytes(files[TAG_MANIFEST]))],
        shown=shown or digest_bytes(files[SIGNING_TEXT]),
        head=head,
        now=BEGIN + timedelta(minutes=minutes),
    )


def record_signature(
    log: LogBuilder, files: Mapping[str, bytes], who: Signer, envelope: Envelope, *, version: str, **changes: Any
) -> int:
    """The entry of a signature; gives its index."""
    payload = {
        "version": version,
        "tag_manifest": digest_bytes(files[TAG_MANIFEST]),
        "envelope": envelope.model_dump(mode="json"),
        **changes,
    }
    return log.append(who, "release.sign", payload).body.index


def proof_of(log: LogBuilder, index: int, packed: int) -> TlogProof:
    """The proof of an entry under the present checkpoint of a log, of which a pack has the first `packed` entries."""
    hashes = [leaf_hash(line) for line in log.lines]
    proof = log.proof(index)
    later = LaterEntry(log.lines[index], consistency_proof(tree_of(hashes), packed, len(hashes)))
    return TlogProof(index, proof.hashes, proof.checkpoint, later.extra())


def with_list(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with the list of the signatures among them."""
    envelopes = [parse_envelope(content) for name, content in files.items() if SIGNATURE.fullmatch(name)]
    said = [Manifestation.model_validate(parse_statement(payload_of(one)).predicate) for one in envelopes]
    return {**files, SIGNATURE_LIST: signature_list(said)}


def sign_logged(
    log: LogBuilder,
    files: Mapping[str, bytes],
    people: Sequence[Signer],
    *,
    version: str,
    packed: int | None = None,
    policy: Policy = RELEASE_POLICY,
) -> dict[str, bytes]:
    """Sign a pack whose build the log has, one person after the other, a minute apart.

    Args:
        log: the log, which grows.
        files: of the pack, with the signatures it has already.
        people: who signs, each in the first of their roles.
        version: of the device.
        packed: the number of entries in the pack; by default as its checkpoint says.
        policy: under which they sign.
    """
    signed = dict(files)
    size = packed_size(files) if packed is None else packed
    text = digest_bytes(files.get(SIGNING_TEXT, b""))
    for number, who in enumerate(people):
        envelope = envelope_of(files, who, head=len(log.entries), minutes=60 + number, policy=policy, shown=text)
        index = record_signature(log, files, who, envelope, version=version)
        signed[f"signatures/{who.identity.id}.dsse.json"] = envelope_bytes(envelope)
        signed[f"signatures/{who.identity.id}.tlog-proof"] = proof_of(log, index, size).text().encode("utf-8")
    return with_list(signed)


def sign_zip(pack: Path, log: LogBuilder, people: Sequence[Signer], *, version: str, policy: Policy) -> None:
    """As `sign_logged`, for the zip of a pack."""
    files = read_archive(pack.read_bytes())
    signed = sign_logged(log, files, people, version=version, policy=policy)
    added = {name: content for name, content in signed.items() if name not in files or name == SIGNATURE_LIST}
    add_signatures(pack, added)


def signed_pack(log: LogBuilder, files: Mapping[str, bytes], **changes: Any) -> SignedPack:
    """The pack as its signatures are judged, without its log being verified."""
    size = packed_size(files)
    body = log.entries[size - 1].body
    prepared = ReleasePrepared.model_validate(body.payload) if body.action == "release.prepare" else None
    head = parse_note(files[CHECKPOINT].decode("utf-8")).checkpoint
    fields: dict[str, Any] = {"register": Register.fold(log.entries[:size]), "head": head, "prepared": prepared}
    return SignedPack(files, **(fields | changes))
