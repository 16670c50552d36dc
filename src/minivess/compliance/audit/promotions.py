"""Which model is in which stage, and which were evaluated: a pure fold over the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.evidence import ReleaseRevoked
from minivess.records.log.payloads.models import ModelPromoted

RELEASE_REVOKED = "release.revoked"
PROMOTING = frozenset({"model.export", "evaluation", "model.promote", RELEASE_REVOKED})
"""The actions it is read from."""


@implements("REQ-060")
@dataclass(frozen=True)
class Promotions:
    """The stage of every model that an export made, by digest."""

    known: frozenset[str] = frozenset()
    """Models that a completed export made."""
    evaluated: frozenset[str] = frozenset()
    """Models that a completed evaluation on the sealed test set looked at."""
    stages: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, str] = field(default_factory=dict)
    """Models that a revoked release has, which were not promoted since: the release and why, in words."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Promotions:
        """Read it from entries in order; entries of other actions are passed over."""
        known: set[str] = set()
        evaluated: set[str] = set()
        stages: dict[str, str] = {}
        revoked: dict[str, str] = {}
        for entry in entries:
            body = entry.body
            if body.outcome is not Outcome.COMPLETED:
                continue
            if body.action == "model.export":
                known |= {item.digest for item in body.outputs} | (
                    {body.context.model} if body.context.model else set()
                )
            elif body.action == "evaluation" and body.context.model:
                evaluated.add(body.context.model)
            elif body.action == "model.promote":
                moved = ModelPromoted.model_validate(body.payload)
                if moved.stage == "production":
                    stages |= {model: "retired" for model, stage in stages.items() if stage == "production"}
                stages[moved.model] = moved.stage
                revoked.pop(moved.model, None)
            elif body.action == RELEASE_REVOKED and (found := revoked_model(body)) is not None:
                stages[found[0]] = "retired"
                revoked[found[0]] = found[1]
        return cls(frozenset(known), frozenset(evaluated), stages, revoked)

    @property
    def production(self) -> str | None:
        """The digest of the model in production."""
        return next((model for model, stage in self.stages.items() if stage == "production"), None)


@implements("REQ-576", "RC-243")
def revoked_model(body: EntryBody) -> tuple[str, str] | None:
    """The model of the release that an entry revokes, and the revocation in words."""
    said = ReleaseRevoked.model_validate(body.payload)
    return said.model, f"release {said.version} was revoked by entry {body.index}: {said.reason}"
