"""The state of a log after some of its entries: who may act, under which table, and what was done so far.

A value, made by `admission.admit` alone, one entry after the other. Whoever decides something asks it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from minivess.compliance.identity.register import Register
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.proofs.serving_logs import ServingLogs
from minivess.compliance.rules.actions import ANYONE, LOG, PERSON, ROOT, ActionRule, ActionTable, LogKind, table
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.rules.makers import Makers
from minivess.compliance.rules.references import Preparation, References
from minivess.compliance.rules.registrations import Registrations
from minivess.compliance.rules.restores import Restore
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Outcome
from minivess.records.people.identity import LOG_IDENTITY, Identity
from minivess.records.people.roles import IdentityKind, Role

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Standing:
    """Everything that decides what may be appended next."""

    register: Register = field(default_factory=Register)
    """Who holds which key. Its size lags behind when the last entries were about other matters; see `people_at`."""
    rules: ActionTable = field(default_factory=lambda: table(1))
    adopted: int = 0
    """From which entry on the table in force is followed."""
    kind: LogKind = "device"
    started: Mapping[int, tuple[str, str]] = _NOTHING
    """Actions that were started and have not ended: action and actor, by index."""
    test_set: LookHistory = field(default_factory=LookHistory)
    makers: Makers = field(default_factory=Makers)
    service_actions: Mapping[str, frozenset[str] | None] = _NOTHING
    """The actions each service was enrolled for, by id; None for those that version 0.1.0 enrolled."""
    witnesses: WitnessKeys = field(default_factory=WitnessKeys)
    """The keys with which people cosign checkpoints."""
    serving: ServingLogs = field(default_factory=ServingLogs)
    """The serving logs of the device, with their newest checkpoints."""
    registrations: Registrations = field(default_factory=Registrations)
    """What was fixed before looks at the test set."""
    references: References = field(default_factory=References)
    """The entries that others may rest on."""
    prepared: Preparation | None = None
    """The newest release that was prepared."""
    packs: Mapping[str, Preparation] = _NOTHING
    """The packs that were built, by the digest of their tag manifest."""
    restores: tuple[Restore, ...] = ()
    """The backups from which the log went on."""
    allowed: set[tuple[str, str, str, bool]] = field(default_factory=set, compare=False)
    """Keys, actors and actions that were found to go together since the register or the table changed."""

    @property
    def sealed(self) -> Mapping[str, tuple[str, ...]]:
        """Who holds the data key of a sealed test part, by the root of its manifest; see `Registrations.holders`."""
        return self.registrations.holders

    def with_register(self, register: Register) -> Standing:
        """With other people; what was found of keys is looked up again."""
        return replace(self, register=register, allowed=set())

    def people_at(self, size: int) -> Register:
        """The register after `size` entries, the last of which this state was made with."""
        return self.register if self.register.size >= size else self.register.advance(size - 1)

    def check_may(self, row: ActionRule, body: Any) -> None:
        """Say whether the actor of an entry may append its action.

        Raises:
            VerificationError: the key does not count, is another actor's, or the table does not let the actor do this.
        """
        refused = body.outcome == Outcome.REFUSED
        known = (body.key, body.actor, body.action, refused)
        if known in self.allowed:
            return
        identity = self.register.check_actor(body.key, body.actor, body.index)
        if row.log not in {"any", self.kind}:
            raise VerificationError(f"{body.action} does not belong into the log of a {self.kind}")
        # That a person was refused says nothing but that; a service keeps to what it was enrolled for.
        excused = refused and identity.kind is IdentityKind.PERSON
        if not excused and not _permits(row, self, identity, body):
            raise VerificationError(f"{identity.id} may not append {body.action}: it takes {_words(row)}")
        self.allowed.add(known)


def _permits(row: ActionRule, standing: Standing, identity: Identity, body: Any) -> bool:
    """Whether a row of the table lets an identity append an entry."""
    return any(_is(word, standing, identity, body) for word in row.by)


def _is(word: str, standing: Standing, identity: Identity, body: Any) -> bool:
    if identity.id == LOG_IDENTITY or word == LOG:
        return identity.id == word == LOG_IDENTITY
    if word in {ANYONE, PERSON, ROOT}:
        person = identity.kind is IdentityKind.PERSON
        return {ANYONE: True, PERSON: person, ROOT: identity in standing.register.roots}[word]
    if word == Role.SERVICE.value and identity.kind is IdentityKind.SERVICE:
        named = standing.service_actions.get(identity.id)
        return named is None or body.action in named or body.action.startswith("identity.")
    return word in {role.value for role in identity.roles}


def _words(row: ActionRule) -> str:
    *first, last = ["a " + word if word != "log" else "the log itself" for word in row.by]
    return f"{', '.join(first)} or {last}" if first else last
