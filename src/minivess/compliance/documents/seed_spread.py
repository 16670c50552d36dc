"""How far the members of an ensemble, which differ in their seed alone, are apart in validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from minivess.foundation.implements import implements
from minivess.records.models.model import RunRecord


@dataclass(frozen=True)
class SeedSpread:
    """The validation Dice of the members in one class."""

    mean: float
    least: float
    greatest: float
    members: int
    """Members in whose validation the class was defined."""


@implements("REQ-363")
def seed_spread(runs: Sequence[RunRecord]) -> dict[str, SeedSpread]:
    """The spread of each class by its name; empty where no member was validated during training."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, dice in (run.validation or {}).items():
            if dice is not None:
                found.setdefault(name, []).append(dice)
    return {
        name: SeedSpread(math.fsum(values) / len(values), min(values), max(values), len(values))
        for name, values in found.items()
    }
