"""Judging a receipt: that one entry was signed by its actor and stands in the log, without the log at hand."""

from __future__ import annotations

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.tlog_proof import TlogProof
from minivess.compliance.verification.log import check_signature, read_details, read_entry
from minivess.compliance.verification.trust import TrustedKeys
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.identity import PublicKey
from minivess.records.receipt import Receipt
from minivess.records.verdict import Check, Verdict


@implements("REQ-028")
def verify_receipt(
    receipt: Receipt, *, log_key: Register | TrustedKeys | PublicKey, actor: Register | TrustedKeys | PublicKey
) -> Verdict:
    """Judge a receipt offline.

    Args:
        receipt: what the log answered to whoever caused the entry.
        log_key: the key that signs the log's checkpoints, known from elsewhere, or what names it for each size.
        actor: the actor's signing key, or the register or trusted keys that name it.

    Returns:
        Three checks: the entry's form, its signature, its place under the signed checkpoint.
    """
    checks: list[Check] = []
    name = "receipt entry"
    try:
        line = receipt.entry.encode("utf-8", errors="surrogatepass")
        entry = read_entry(line, receipt.index)
        head = parse_note(receipt.checkpoint).checkpoint
        origin = head.origin
        if entry.body.index != receipt.index or entry.body.log != origin:
            raise VerificationError("the receipt is for another entry or another log than its entry says")
        if receipt.details is not None:
            read_details(receipt.details.encode("utf-8", errors="surrogatepass"), entry)
        checks.append(Check(name=name, passed=True, detail=f"entry {receipt.index} ({entry.body.action}) of {origin}"))
        name = "receipt signature"
        key = (
            actor if isinstance(actor, PublicKey) else _enrolled(actor, entry.body.key, entry.body.actor, receipt.index)
        )
        if key.key_id != entry.body.key:
            raise VerificationError(
                f"entry {receipt.index} was signed with another key than that of {entry.body.actor}"
            )
        check_signature(entry, key)
        checks.append(Check(name=name, passed=True, detail=f"signed by {entry.body.actor}"))
        name = "receipt proof"
        proof = TlogProof(receipt.index, tuple(from_base64(item) for item in receipt.proof), receipt.checkpoint)
        signed_by = log_key if isinstance(log_key, PublicKey) else log_key.log_key_at(head.size)
        size = proof.verify(line, origin, signed_by).size
        checks.append(Check(name=name, passed=True, detail=f"stands in the log of {size} entries signed by {origin}"))
    except MinivessError as error:
        checks.append(Check(name=name, passed=False, detail=error.message))
    return Verdict(subject=f"receipt {receipt.index}", checks=tuple(checks), trusted=True)


def _enrolled(known: Register | TrustedKeys, key_id: str, actor: str, index: int) -> PublicKey:
    if isinstance(known, TrustedKeys):
        for one in known.people:
            if one.id == actor and one.signing_key.key_id == key_id:
                return one.signing_key
        raise VerificationError(f"entry {index}: {actor} with this key is not among those you trust")
    identity = known.key(key_id, index)
    if identity.id != actor:
        raise VerificationError(f"entry {index}: the key is that of {identity.id}, not of {actor}")
    return identity.signing_key
