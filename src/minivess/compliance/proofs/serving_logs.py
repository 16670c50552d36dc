"""The serving logs that a device's log knows: a pure fold over its `serving.enrolled` and `serving.anchored` entries.

A serving log is known by its origin and key from the entry that enrolled it. Every later checkpoint of it in the device's
log must be signed by that key and continue the one before (RFC 6962 consistency), so that a serving log that was rolled
back or rewritten cannot be anchored again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import ValidationError

from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.serving_log import ServingAnchored, ServingEnrolled
from minivess.records.people.identity import KeyAlgorithm, PublicKey

ENROLLED, ANCHORED = "serving.enrolled", "serving.anchored"
SERVING_ACTIONS = frozenset({ENROLLED, ANCHORED})


def serving_origin(device: str, site: str) -> str:
    """The name of a device's serving log at a site."""
    return f"{device}/serving/{site}"


@dataclass(frozen=True)
class ServingHead:
    """A serving log as the device's log knows it."""

    origin: str
    log_key: PublicKey
    service: str
    head: Checkpoint
    """The newest checkpoint in the device's log."""
    enrolled: int
    """Index of the entry that enrolled it."""
    anchored: int | None = None
    """Index of the newest entry that anchored it."""
    note: str = ""
    """The signed note of `head`."""


@implements("REQ-171", "RC-60")
@dataclass(frozen=True)
class ServingLogs:
    """Every serving log of a device, by origin. A value: `extend` returns another one."""

    heads: Mapping[str, ServingHead] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> ServingLogs:
        """The state after these entries of the device's log, in order.

        Raises:
            VerificationError: an entry does not fit those before it; the message names its index.
        """
        logs = cls()
        for entry in entries:
            logs = logs.extend(entry)
        return logs

    def extend(self, entry: Entry) -> ServingLogs:
        """The state after one more entry.

        Raises:
            VerificationError: it does not fit those before it; the message names its index.
        """
        body = entry.body
        if body.action not in SERVING_ACTIONS or body.outcome is not Outcome.COMPLETED:
            return self
        try:
            head = self._enrol(entry) if body.action == ENROLLED else self._anchor(entry)
        except ValidationError:
            raise VerificationError(f"entry {body.index} ({body.action}) has a malformed payload") from None
        except MinivessError as error:
            raise VerificationError(f"entry {body.index} ({body.action}): {error.message}") from None
        return ServingLogs(MappingProxyType({**self.heads, head.origin: head}))

    def _enrol(self, entry: Entry) -> ServingHead:
        body, said = entry.body, ServingEnrolled.model_validate(entry.body.payload)
        if said.origin != serving_origin(body.log, said.site):
            raise VerificationError(f"{said.origin} is not the name of this device's serving log {said.site}")
        if said.service != body.actor:
            raise VerificationError(f"{body.actor} enrols the log of {said.service}")
        if said.origin in self.heads:
            raise VerificationError(f"{said.origin} was enrolled before")
        if said.log_key.algorithm is not KeyAlgorithm.ED25519:
            raise VerificationError("checkpoints are signed with an Ed25519 key")
        if hashlib.sha256(from_base64(said.log_key.spki)).hexdigest() != said.log_key.key_id:
            raise VerificationError("the key of the serving log does not have the id it claims")
        if any(one.log_key.key_id == said.log_key.key_id for one in self.heads.values()):
            raise VerificationError("another serving log has this key")
        head = parse_note(said.note).verify(said.origin, said.log_key)
        if head.size < 1:
            raise VerificationError("the serving log is empty")
        return ServingHead(said.origin, said.log_key, said.service, head, body.index, note=said.note)

    def _anchor(self, entry: Entry) -> ServingHead:
        body, said = entry.body, ServingAnchored.model_validate(entry.body.payload)
        known = self.heads.get(said.origin)
        if known is None:
            raise VerificationError(f"{said.origin} was not enrolled")
        if known.service != body.actor:
            raise VerificationError(f"{body.actor} anchors the log of {known.service}")
        head = parse_note(said.note).verify(known.origin, known.log_key)
        if head.size <= known.head.size:
            raise VerificationError(
                f"{head.size} entries of {known.origin} are not more than the {known.head.size} known"
            )
        proof = [from_base64(item) for item in said.proof]
        verify_consistency(known.head.size, head.size, proof, known.head.root, head.root)
        return ServingHead(
            known.origin, known.log_key, known.service, head, known.enrolled, anchored=body.index, note=said.note
        )
