"""Judging a receipt: that one entry was signed by its actor and stands in the log, without the log at hand."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import leaf_hash, verify_inclusion
from minivess.compliance.proofs.serving_logs import ANCHORED, ENROLLED, ServingHead, ServingLogs
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.log_entries import check_signature, read_details, read_entry
from minivess.compliance.verification.trust import Trust
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import ServingAnchored
from minivess.records.people.identity import Identity, PublicKey
from minivess.records.verdict import Check, Verdict

SERVED = frozenset({"inference", "inference.refusals", "inference.shadow"})
"""What a service records in its own log."""
OWN_KEYS = "the keys that the receipt itself names"
"""The trust that is used where the verifier brings no keys."""
_LETTING_IN = frozenset({"identity.enrolled", "identity.rotated"})


@implements("REQ-028")
def verify_receipt(
    receipt: Receipt, *, log_key: Register | Trust | PublicKey, actor: Register | Trust | PublicKey
) -> Verdict:
    """Judge a receipt offline.

    Args:
        receipt: what the log answered to whoever caused the entry.
        log_key: what the checkpoint is believed by: a trust file, the key that signs the log's checkpoints, or the
            log's register that names it for each size.
        actor: the actor's signing key, or the register or trust file that names it.

    Returns:
        Three checks: the entry's form, its signature, its place under the signed checkpoint. An entry of a serving log has
        five: first who vouches for that log, last whether the device's log knows of it by now. With a trust file that
        names no release rules the verdict is LIMITED.
    """
    if receipt.through:
        return _verify_through(receipt, log_key=log_key, actor=actor)
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
        believed = believe(receipt.checkpoint, _trust(log_key), origin)
        path = [from_base64(item) for item in receipt.proof]
        verify_inclusion(leaf_hash(line), receipt.index, believed.size, path, believed.root)
        words = f"is in the log of {believed.size} entries signed by {origin}"
        checks.append(Check(name=name, passed=True, detail=words))
    except MinivessError as error:
        checks.append(Check(name=name, passed=False, detail=error.message))
    subject = f"receipt {receipt.index}"
    return Verdict(subject=subject, checks=tuple(checks), trusted=True, limits=_limits(log_key))


def _limits(known: Register | Trust | PublicKey) -> tuple[str, ...]:
    return known.limits if isinstance(known, Trust) else ()


def _trust(known: Register | Trust | PublicKey) -> Trust:
    if isinstance(known, Register):
        return Trust.of_register(known)
    return Trust.of_key(known) if isinstance(known, PublicKey) else known


def _enrolled(known: Register | Trust, key_id: str, actor: str, index: int) -> PublicKey:
    if isinstance(known, Trust):
        try:
            return known.actor(actor, key_id)
        except VerificationError as error:
            raise VerificationError(f"entry {index}: {error.message}") from None
    identity = known.key(key_id, index)
    if identity.id != actor:
        raise VerificationError(f"entry {index}: the key is that of {identity.id}, not of {actor}")
    return identity.signing_key


@implements("REQ-172", "RC-60")
def _verify_through(
    receipt: Receipt, *, log_key: Register | Trust | PublicKey, actor: Register | Trust | PublicKey
) -> Verdict:
    """Judge the receipt of a serving log's entry by what the device's log says of the service and its log."""
    subject, name = f"receipt {receipt.index}", "receipt service"
    try:
        led = _led_by(receipt, log_key, actor)
        words = f"the log of the device enrolled {led.head.service} and its log {led.head.origin}"
        checks = [Check(name=name, passed=True, detail=words)]
        bare = receipt.model_copy(update={"through": ()})
        inner = verify_receipt(bare, log_key=led.head.log_key, actor=led.service_key)
        checks += inner.checks
        if not inner.holds:
            return Verdict(subject=subject, checks=tuple(checks), trusted=True)
        name = "receipt anchor"
        _check_author(receipt, led.head.service)
        if led.anchor is None and isinstance(log_key, Trust) and log_key.asks_for_witnesses:
            raise VerificationError("the witnesses that you ask for have not vouched for this: ask for a later receipt")
        checks.append(Check(name=name, passed=True, detail=_check_anchor(receipt, led, actor)))
    except ValidationError:
        checks = [Check(name=name, passed=False, detail="an entry of the device's log has a malformed payload")]
    except MinivessError as error:
        checks = [Check(name=name, passed=False, detail=error.message)]
    return Verdict(subject=subject, checks=tuple(checks), trusted=True, limits=_limits(log_key))


@implements("REQ-487")
def verify_receipt_alone(receipt: Receipt) -> Verdict:
    """Judge the receipt of an answer with the keys that it names itself. This shows damage. It does not show who signed.

    Args:
        receipt: of an entry of a serving log, with the entries of the device's log that name service and log.

    Returns:
        A verdict that is LIMITED at best.
    """
    subject, name = f"receipt {receipt.index}", "receipt service"
    checks: tuple[Check, ...] = ()
    try:
        entries = [read_entry(one.entry.encode("utf-8", errors="surrogatepass"), one.index) for one in receipt.through]
        (enrolled,) = [entry for entry in entries if entry.body.action == ENROLLED]
        (let_in,) = [entry for entry in entries if entry.body.action in _LETTING_IN]
        (head,) = ServingLogs().extend(enrolled).heads.values()
        bare = receipt.model_copy(update={"through": ()})
        checks = verify_receipt(bare, log_key=head.log_key, actor=_let_in(let_in).signing_key).checks
        _check_author(receipt, head.service)
    except MinivessError as error:
        checks = (*checks, Check(name=name, passed=False, detail=error.message))
    except ValueError:  # entries are missing, or their payloads are malformed
        checks = (*checks, Check(name=name, passed=False, detail="the receipt names no service and no serving log"))
    limit = "no trust file: the keys are those that the receipt itself names"
    return Verdict(subject=subject, checks=checks, trusted=False, trust=OWN_KEYS, limits=(limit,))


@dataclass(frozen=True)
class _Led:
    """What entries of the device's log say of a service and its log."""

    head: ServingHead
    service_key: PublicKey
    anchor: Entry | None


def _led_by(receipt: Receipt, log_key: Register | Trust | PublicKey, actor: Register | Trust | PublicKey) -> _Led:
    """Judge the receipts of the device's log: of the entries that let the service in, enrolled its log, and anchored it.

    Raises:
        VerificationError: one does not hold, is missing, or they are not about one service and log.
    """
    found: dict[str, Entry] = {}
    for one in receipt.through:
        entry = read_entry(one.entry.encode("utf-8", errors="surrogatepass"), one.index)
        action = "service" if entry.body.action in _LETTING_IN else entry.body.action
        if action in found or entry.body.outcome is not Outcome.COMPLETED:
            raise VerificationError(f"entry {one.index} of the device's log does not lead to the serving log")
        found[action] = entry
    for one, (action, entry) in zip(receipt.through, found.items(), strict=True):
        if action == "service" and isinstance(actor, PublicKey):
            continue  # its signer is not known here; the service's key is, and is compared below
        by = actor
        if action != "service" and isinstance(actor, Trust) and "service" in found:
            by = _let_in(found["service"]).signing_key  # whom a person that is trusted let in
        verdict = verify_receipt(one, log_key=log_key, actor=by)
        if verdict.first_failure is not None:
            raise VerificationError(f"entry {entry.body.index} of the device's log: {verdict.first_failure.detail}")
    enrolled, anchor, let_in = found.pop(ENROLLED, None), found.pop(ANCHORED, None), found.pop("service", None)
    if enrolled is None or let_in is None or found:
        raise VerificationError("the receipt lacks the entries of the device's log that enrol the service and its log")
    (head,) = ServingLogs().extend(enrolled).heads.values()
    identity = _let_in(let_in)
    service_key = actor if isinstance(actor, PublicKey) else identity.signing_key
    about = {(one.body.log, one.body.actor, one.body.key) for one in (enrolled, anchor) if one is not None}
    if about != {(let_in.body.log, identity.id, identity.signing_key.key_id)} or identity.signing_key != service_key:
        raise VerificationError("the entries of the device's log are not about one service")
    if parse_note(receipt.checkpoint).checkpoint.origin != head.origin:
        raise VerificationError(f"the receipt is for another log than {head.origin}")
    return _Led(head, service_key, anchor)


def _let_in(entry: Entry) -> Identity:
    return Identity.model_validate(entry.body.payload.get("identity"))


def _check_author(receipt: Receipt, service: str) -> None:
    body = read_entry(receipt.entry.encode("utf-8", errors="surrogatepass"), receipt.index).body
    if body.actor != service or body.action not in SERVED:
        raise VerificationError(f"entry {receipt.index} ({body.action} by {body.actor}) is no answer of {service}")


def _check_anchor(receipt: Receipt, led: _Led, actor: Register | Trust | PublicKey) -> str:
    """In words whether the device's log knows the checkpoint of a receipt.

    Raises:
        VerificationError: it knows another, or none although the service's key counts no longer.
    """
    if led.anchor is None:
        if isinstance(actor, Register) and (tenure := actor.tenures.get(led.service_key.key_id)) and tenure.end:
            raise VerificationError(
                f"the key of {led.head.service} was revoked, and no anchor shows that the answer was given before"
            )
        return "not in the device's log yet: after the next anchor the service gives a receipt that is"
    anchored = ServingAnchored.model_validate(led.anchor.body.payload)
    known = parse_note(anchored.note).verify(led.head.origin, led.head.log_key)
    held = parse_note(receipt.checkpoint).checkpoint
    if anchored.origin != led.head.origin or (known.size, known.root) != (held.size, held.root):
        raise VerificationError(f"entry {led.anchor.body.index} of the device's log anchors another checkpoint")
    return f"entry {led.anchor.body.index} of the device's log anchors these {known.size} entries"
