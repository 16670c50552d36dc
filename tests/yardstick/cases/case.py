"""One log that verification is asked about, and small pieces that make such logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.roots import Roots, sign_change
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.tenure import possession_statement
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import MinivessError
from minivess.records.people.identity import Identity, KeyAlgorithm, PublicKey
from minivess.records.people.roles import IdentityKind, Role
from tests.support.builders.guarded_log import GuardedLog
from tests.support.builders.pack_builder import BEGIN, ada, ben, cleo, log_key
from tests.yardstick import story
from tests.yardstick.story import Pair

Words = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A log as it is handed to verification."""

    name: str
    pairs: tuple[Pair, ...]
    note: str
    words: Words | None
    """What the refusal must say; None: it must be accepted."""
    known: str | None = None
    trusted: PublicKey | None = None
    quick: bool = False
    ask: Callable[[], str] | None = None
    """Asked instead, where something else than the verification of a log is tried; answers with the refusal."""


def of(name: str, log: GuardedLog, words: Words | None, **more: Any) -> Case:
    return Case(name, tuple(log.pairs), log.checkpoint, words, **more)


def people() -> GuardedLog:
    """Cleo's log with Ada and Ben."""
    log = GuardedLog()
    log.create(cleo())
    for who in (ada(), ben()):
        log.enrol(cleo(), who)
    return log


def log_signer(key: PrivateKey | None = None) -> Signer:
    held = key or log_key()
    identity = Identity(
        id="log", name="Audit log", kind=IdentityKind.SERVICE, roles=(Role.SERVICE,), signing_key=held.public
    )
    return Signer(identity, held)


def under(who: Signer, **changes: Any) -> Signer:
    """Somebody under other particulars, with the same keys."""
    return Signer(who.identity.model_copy(update=changes), who._signing, who._encryption)


def with_key(who: Signer) -> Signer:
    key = generate(KeyAlgorithm.P256)
    return Signer(who.identity.model_copy(update={"signing_key": key.public}), key, who._encryption)


def note_over(pairs: list[Pair], key: PrivateKey | None = None) -> str:
    from minivess.compliance.proofs.merkle import leaf_hash, root

    head = Checkpoint(story.ORIGIN, len(pairs), root([leaf_hash(line) for line, _ in pairs]))
    return sign_note(head, key or log_key())


def refused(act: Callable[[], Any]) -> str:
    """What an act is refused with; empty: it is not."""
    try:
        act()
    except MinivessError as error:
        return error.message
    return ""


def roots_entry(log: GuardedLog, new: Roots, signers: list[Signer], **changes: Any) -> None:
    old = Roots((cleo().identity,), 1)
    key: PrivateKey | None = changes.pop("key", None)
    said = changes.pop("said", new)
    public = None if key is None else key.public
    envelopes = [sign_change(who, old, said, log_key=public, head=len(log.entries), now=BEGIN) for who in signers]
    payload = {
        "roots": [one.model_dump(mode="json") for one in new.members],
        "threshold": new.threshold,
        "envelopes": [one.model_dump(mode="json") for one in envelopes],
    }
    if key is not None:
        shown = changes.pop("shown_by", key).sign(
            possession_statement(log.origin, "log", log_key().public.key_id, key.public.key_id)
        )
        payload |= {"log_key": key.public.model_dump(mode="json"), "possession": to_base64(shown)}
    log.append(changes.pop("by", cleo()), "roots.changed", payload)
