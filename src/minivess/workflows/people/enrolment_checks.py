"""What was checked about people before they could sign, as the log says."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.identities import IdentityEnrolled, LogCreated
from minivess.records.log.witnessed import Checked

ENROLMENTS = frozenset({"log.created", "identity.enrolled"})
"""Actions that let people sign."""


@implements("REQ-167")
def checks_in(entries: Iterable[Entry]) -> dict[str, str]:
    """What was checked about each person before they could sign, by id, in words: what, by whom, at which entry."""
    found: dict[str, str] = {}
    for entry in entries:
        body = entry.body
        if body.action not in ENROLMENTS or body.outcome is not Outcome.COMPLETED:
            continue
        said = PAYLOADS[body.action].model_validate(body.payload)
        known: dict[str, Checked] = {}
        if isinstance(said, LogCreated):
            known = said.checked or {}
        elif isinstance(said, IdentityEnrolled) and said.checked is not None:
            known = {said.identity.id: said.checked}
        for who, one in known.items():
            found[who] = f"{one.document}; {one.training}; checked by {body.actor} (entry {body.index})"
    return found
