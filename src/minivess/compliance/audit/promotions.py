"""Which model is in which stage, and which were evaluated: a pure fold over the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.models import ModelPromoted

PROMOTING = frozenset({"model.export", "evaluation", "model.promote"})
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

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Promotions:
        """Read it from entries in order; entries of other actions are passed over."""
        known: set[str] = set()
        evaluated: set[str] = set()
        stages: dict[str, str] = {}
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
        return cls(frozenset(known), frozenset(evaluated), stages)

    @property
    def production(self) -> str | None:
        """The digest of the model in production."""
        return next((model for model, stage in self.stages.items() if stage == "production"), None)
