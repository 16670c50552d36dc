"""What a verifier knows from elsewhere: keys of the log, witnesses, and who may sign (`--trust FILE`).

Format 2 is `{"format": "minivess-trust/2", "policy": "<C2SP tlog-policy>", "former": [{"log": <vkey>, "below": n}],
"roots": {"threshold": 2, "keys": [...]}, "release": {"rules": [...], "signers": [...]}, "services": [...],
"known": "<checkpoint>", "layout": 1}`. Format 1 (`{"log_key": ..., "people": [...]}`) is what 0.1.0 wrote. It names no release
rules, so a verdict by it is LIMITED.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field, ValidationError

from minivess.compliance.identity.keys import describe
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.canonical import parse_json
from minivess.compliance.proofs.checkpoint import parse_note, raw_ed25519
from minivess.compliance.proofs.cosignature import LOG, VerifierKey, parse_verifier_key, verifier_key
from minivess.compliance.proofs.tlog_policy import LogPolicy, parse_policy, policy_text
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug
from minivess.records.device.witnesses import WitnessPolicy
from minivess.records.people.approval import PolicyRule
from minivess.records.people.identity import Identity, KeyAlgorithm, PublicKey
from minivess.records.people.roles import IdentityKind, Role

FORMAT = "minivess-trust/2"
NO_RULES = "the trust file names no release rules"
_LIMIT = 1 << 20
_SHOWN = 12
"""Hexadecimal digits of a trust file's digest that a verdict shows."""
_HINT = "`minivess audit trust FILE` writes one"


class FormerLogKey(Record):
    """A key that signed the checkpoints of fewer than `below` entries."""

    key: PublicKey
    below: Annotated[int, Field(ge=1)]


class TrustedKeys(Record):
    """Format 1: the key that signs checkpoints, and the people and services whose signatures count."""

    log_key: PublicKey
    people: tuple[Identity, ...]
    witnesses: WitnessPolicy | None = None
    """Who must vouch for a checkpoint before it is believed."""
    former_log_keys: tuple[FormerLogKey, ...] = ()
    """In order, oldest first."""


class TrustedKey(Record):
    """A root or a service, and the key it signs with."""

    id: Slug
    key: PublicKey


class TrustedSigner(TrustedKey):
    """A person whose signature counts, in these roles."""

    name: ShortText
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]

    @classmethod
    def of(cls, identity: Identity) -> TrustedSigner:
        """The same, of an enrolled person."""
        return cls(id=identity.id, key=identity.signing_key, name=identity.name, roles=identity.roles)


class TrustedRoots(Record):
    """The roots of the log, and how many of them decide who the roots are."""

    threshold: Annotated[int, Field(ge=1, strict=True)]
    keys: Annotated[tuple[TrustedKey, ...], Field(min_length=1)]


class TrustedRelease(Record):
    """Signatures that a release must have at least, and the people whose signatures count."""

    rules: tuple[PolicyRule, ...] = ()
    signers: tuple[TrustedSigner, ...] = ()


class FormerKey(Record):
    """A verifier key of the log that signed the checkpoints of fewer than `below` entries."""

    log: str
    below: Annotated[int, Field(ge=1, strict=True)]


class TrustFile(Record):
    """Format 2."""

    format: Literal["minivess-trust/2"]
    policy: str
    former: tuple[FormerKey, ...] = ()
    """In order, oldest first."""
    roots: TrustedRoots
    release: TrustedRelease = TrustedRelease()
    services: tuple[TrustedKey, ...] = ()
    """Services whose entries count."""
    known: str | None = None
    """The newest checkpoint seen: a log must continue it."""
    layout: Annotated[int, Field(ge=1, strict=True)] = 1
    """The least layout of a pack."""


@dataclass(frozen=True)
class Trust:
    """What is trusted, whatever format said it."""

    policy: LogPolicy = field(default_factory=LogPolicy)
    key: PublicKey | None = None
    """The key of a log of any name, where that is all that is known (format 1)."""
    former: tuple[tuple[VerifierKey | PublicKey, int], ...] = ()
    roots: TrustedRoots | None = None
    rules: tuple[PolicyRule, ...] = ()
    signers: tuple[TrustedSigner, ...] = ()
    others: tuple[TrustedKey, ...] = ()
    """Roots and services: their entries count, their signatures on a release do not."""
    known: str | None = None
    layout: int = 1
    limits: tuple[str, ...] = ()
    """What is not checked for lack of it, in words; the verdict is LIMITED."""
    source: str = "keys that the caller gave"
    """Where the keys came from, in words, as a verdict names it."""

    @classmethod
    def of_key(cls, key: PublicKey, witnesses: WitnessPolicy | None = None) -> Trust:
        """Trust in one key of a log, and in witnesses."""
        return cls(policy=parse_policy(policy_text((), witnesses)), key=key)

    @classmethod
    def of_register(cls, register: Register, witnesses: WitnessPolicy | None = None) -> Trust:
        """Trust in the keys that a log names itself, and in witnesses."""
        ended = tuple((one.identity.signing_key, one.end) for one in register.log_keys if one.end is not None)
        return cls(policy=parse_policy(policy_text((), witnesses)), key=register.log_key, former=ended)

    def log_keys(self, origin: str, size: int) -> tuple[VerifierKey, ...]:
        """The keys that may sign the checkpoint of `size` entries of the log of that name."""
        keys = [*((key, below) for key, below in self.former if _is_of(key, origin))]
        former = next((key for key, below in keys if size < below), None)
        now = (self.key,) if self.key is not None else tuple(log for log in self.policy.logs if log.name == origin)
        return tuple(
            key if isinstance(key, VerifierKey) else VerifierKey(origin, LOG, raw_ed25519(key))
            for key in (now if former is None else (former,))
        )

    @property
    def asks_for_witnesses(self) -> bool:
        """Whether a checkpoint needs cosignatures."""
        return self.policy.quorum != "none"

    @property
    def log_key(self) -> PublicKey:
        """The key of the one log that is trusted, now.

        Raises:
            VerificationError: there are several logs.
        """
        if self.key is not None:
            return self.key
        if len(self.policy.logs) != 1:
            raise VerificationError("the trust file names several logs, or none")
        return _public(self.policy.logs[0])

    def actor(self, id: str, key_id: str) -> PublicKey:  # noqa: A002
        """The key of whoever signed an entry.

        Raises:
            VerificationError: they are not trusted with it.
        """
        for one in (*self.signers, *self.others):
            if one.id == id and one.key.key_id == key_id:
                return one.key
        raise VerificationError(f"{id} with this key is not among those you trust")

    def signs(self, identity: Identity) -> bool:
        """Whether the signature of an enrolled person counts, with this key, this name and these roles."""
        return TrustedSigner.of(identity) in self.signers


def _is_of(key: VerifierKey | PublicKey, origin: str) -> bool:
    return isinstance(key, PublicKey) or key.name == origin


def _public(key: VerifierKey) -> PublicKey:
    return describe(KeyAlgorithm.ED25519, Ed25519PublicKey.from_public_bytes(key.raw))


@implements("REQ-151")
def write_trust(
    register: Register,
    origin: str,
    *,
    witnesses: WitnessPolicy | None = None,
    rules: tuple[PolicyRule, ...] = (),
    known: str | None = None,
    layout: int = 1,
) -> str:
    """What a log says of itself, as a trust file of format 2, for somebody who takes it from a source they trust.

    Args:
        register: who may act.
        origin: of the log.
        witnesses: who must vouch for its checkpoints.
        rules: the signatures a release needs at least.
        known: its newest checkpoint.
        layout: the least layout of its packs.
    """
    people = [one for one in register.identities if one.kind is IdentityKind.PERSON]
    services = [one for one in register.identities if one.kind is IdentityKind.SERVICE]
    itself = [one.identity for one in register.log_keys]
    file = TrustFile(
        format="minivess-trust/2",
        policy=policy_text([verifier_key(origin, register.log_key, LOG)], witnesses),
        former=tuple(
            FormerKey(log=verifier_key(origin, one.identity.signing_key, LOG).text(), below=one.end)
            for one in register.log_keys
            if one.end is not None
        ),
        roots=TrustedRoots(threshold=register.threshold, keys=tuple(_key(one) for one in register.roots)),
        release=TrustedRelease(rules=rules, signers=tuple(TrustedSigner.of(one) for one in people)),
        services=tuple(_key(one) for one in (*services, *itself)),
        known=known,
        layout=layout,
    )
    plain = {name: value for name, value in file.model_dump(mode="json").items() if value not in (None, [])}
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _key(identity: Identity) -> TrustedKey:
    return TrustedKey(id=identity.id, key=identity.signing_key)


@implements("REQ-151")
def parse_trust(data: str | bytes) -> Trust:
    """Parse a trust file of either format.

    Raises:
        InputError: it is malformed, or its parts contradict each other.
    """
    value: Any = parse_json(data.encode("utf-8", errors="replace") if isinstance(data, str) else data, limit=_LIMIT)
    try:
        if isinstance(value, dict) and "format" in value:
            return _second(TrustFile.model_validate(value))
        return _first(TrustedKeys.model_validate(value))
    except ValidationError:
        raise InputError("this is no trust file", hint=_HINT) from None


def read_trust(path: Path) -> Trust:
    """Read a trust file. Verdicts name it and the first twelve digits of its digest.

    Raises:
        InputError: the file is missing or malformed.
    """
    try:
        data = read_limited(path, limit=_LIMIT)
        source = f"the trust file {path.name} ({digest_bytes(data)[: len('sha256:') + _SHOWN]})"
        return replace(parse_trust(data), source=source)
    except InputError as error:
        raise InputError(error.message, path=path.name, hint=error.hint or _HINT) from None


def _first(file: TrustedKeys) -> Trust:
    return Trust(
        policy=parse_policy(policy_text((), file.witnesses)),
        key=file.log_key,
        former=tuple((one.key, one.below) for one in file.former_log_keys),
        signers=tuple(TrustedSigner.of(one) for one in file.people),
        limits=(NO_RULES,),
    )


def _second(file: TrustFile) -> Trust:
    policy = parse_policy(file.policy)
    if not policy.logs:
        raise InputError("the policy of the trust file names no log")
    former = tuple((parse_verifier_key(one.log), one.below) for one in file.former)
    if any(key.kind != LOG for key, _ in former):
        raise InputError("a former key of the trust file is no key of a log")
    roots = file.roots
    if roots.threshold > len({root.id for root in roots.keys}) or len({root.id for root in roots.keys}) < len(
        roots.keys
    ):
        raise InputError("the roots of the trust file are fewer than their threshold, or one is there twice")
    if file.known is not None:
        parse_note(file.known)
    return Trust(
        policy=policy,
        former=former,
        roots=roots,
        rules=file.release.rules,
        signers=file.release.signers,
        others=(*roots.keys, *file.services),
        known=file.known,
        layout=file.layout,
        limits=() if file.release.rules else (NO_RULES,),
    )
