"""Whether a measured figure is within a bound: the one comparison that gates, criteria and evidence make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Side = Literal["at least", "at most"]


@dataclass(frozen=True)
class BoundVerdict:
    """How a figure compares with a bound."""

    met: bool
    margin: float | None
    """The distance to the nearest limit: positive inside, negative outside; None where the figure is unknown."""


@dataclass(frozen=True)
class Bound:
    """What a figure must be: at least one limit, at most another, or both. Limits are included.

    A bound without a limit is met by every figure that is known.
    """

    at_least: float | None = None
    at_most: float | None = None

    @property
    def side(self) -> Side:
        """The side of a bound that has one limit."""
        return "at most" if self.at_least is None else "at least"

    @property
    def limit(self) -> float:
        """The limit of a bound that has one; NaN without one."""
        found = self.at_most if self.at_least is None else self.at_least
        return math.nan if found is None else found

    def judge(self, value: float | None) -> BoundVerdict:
        """Compare a figure with the limits. A figure that is unknown or not finite meets no bound."""
        if value is None or not math.isfinite(value):
            return BoundVerdict(met=False, margin=None)
        margins = [] if self.at_least is None else [value - self.at_least]
        margins += [] if self.at_most is None else [self.at_most - value]
        margin = min(margins, default=math.inf)
        return BoundVerdict(met=margin >= 0, margin=margin if margins else None)
