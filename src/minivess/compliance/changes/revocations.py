"""Which releases a log revokes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from minivess.compliance.audit.promotions import RELEASE_REVOKED
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.evidence import ReleaseRevoked


@dataclass(frozen=True)
class Revocation:
    """An entry that revokes a release."""

    index: int
    actor: str
    time: datetime
    said: ReleaseRevoked

    @property
    def words(self) -> str:
        """In one sentence, with what users must do."""
        said = self.said
        return (
            f"release {said.version} was revoked by entry {self.index} of {self.actor} on {self.time:%Y-%m-%d}, "
            f"decided by {said.decided_by}: {said.reason}; users must: {said.instructions}"
        )


@implements("REQ-575", "RC-242")
def revocations(entries: Iterable[Entry], tag_manifest: str) -> tuple[Revocation, ...]:
    """The entries that revoke a pack.

    Args:
        entries: of the log, as new as there are.
        tag_manifest: the digest that people signed.
    """
    found = []
    for entry in entries:
        body = entry.body
        if (body.action, body.outcome) != (RELEASE_REVOKED, Outcome.COMPLETED):
            continue
        said = ReleaseRevoked.model_validate(body.payload)
        if said.tag_manifest == tag_manifest:
            found.append(Revocation(body.index, body.actor, body.time, said))
    return tuple(found)
