"""Who made a model: followed back through what the log says each step read and made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minivess.foundation.implements import implements

STEPS = frozenset({"training", "ensemble", "calibration", "model.export"})
"""The actions whose actors are the makers of a model."""


@implements("REQ-131")
@dataclass(frozen=True)
class Makers:
    """The steps that made models, and who asked to evaluate which model. A value: methods return another one."""

    made: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By digest: the entries that made it."""
    steps: Mapping[int, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """By index: who acted, and the digests of what was read and made: who made one of the files too is a maker."""
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By digest of a model: who requested its evaluation."""
    exported: frozenset[str] = frozenset()
    """Digests that a completed export made."""
    evaluated: frozenset[str] = frozenset()
    """Models with a completed evaluation on the sealed test set."""

    def with_step(self, body: Any) -> Makers:
        """After a completed step."""
        outputs = {one.digest for one in body.outputs} | ({body.context.model} if body.context.model else set())
        made = dict(self.made)
        for digest in outputs:
            made[digest] = (*made.get(digest, ()), body.index)
        steps = {**self.steps, body.index: (body.actor, tuple(one.digest for one in (*body.inputs, *body.outputs)))}
        exported = self.exported | outputs if body.action == "model.export" else self.exported
        return Makers(made, steps, self.asked, frozenset(exported), self.evaluated)

    def with_request(self, model: str, requester: str) -> Makers:
        """After a request to evaluate a model."""
        asked = {**self.asked, model: self.asked.get(model, frozenset()) | {requester}}
        return Makers(self.made, self.steps, asked, self.exported, self.evaluated)

    def with_evaluation(self, model: str) -> Makers:
        """After a completed evaluation."""
        return Makers(self.made, self.steps, self.asked, self.exported, self.evaluated | {model})

    def of(self, digests: Iterable[str] | None) -> frozenset[str]:
        """Everybody who trained, ensembled, calibrated or exported something of which these were made, or asked for them.

        Args:
            digests: of a model and its calibration; None: of everything in the log.
        """
        if digests is None:
            actors = {actor for actor, _ in self.steps.values()}
            return frozenset(actors.union(*self.asked.values()))
        waiting, seen, found = list(digests), set[str](), set[str]()
        while waiting:
            digest = waiting.pop()
            if digest in seen:
                continue
            seen.add(digest)
            found |= self.asked.get(digest, frozenset())
            for index in self.made.get(digest, ()):
                actor, inputs = self.steps[index]
                found.add(actor)
                waiting += inputs
        return frozenset(found)
