"""How many independent groups are needed to show that a measure is within a limit. Standard library only.

"Shown" means that the end of the two-sided interval by Student's t is within the limit. With n groups, and with the mean and
spread that were seen, the probability of that is the power, by the noncentral t distribution (Julious 2010, chapter 2). It is
exact for normal group means. The record has it also as simulated from the group means that were seen.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.comparison.noncentral import chi_squared_quantile, upper_tail
from minivess.records.evaluation.statistics.distributions import student_t
from minivess.records.evaluation.statistics.summaries import CONFIDENCE, FEWEST_SIMULATED, percent

POWER = 0.8
"""How probable it shall be that the limit is shown."""
MOST_GROUPS = 10_000
"""Beyond this number no number is stated."""
_CAUTION = 0.8
"""The confidence of the upper limit of the spread (Browne 1995)."""
_SAMPLES, _DRAWS = 400, 200_000


class GroupsNeeded(Record):
    """The number of groups that a claim needs."""

    limit: float
    at_least: bool
    """Whether the measure shall be at least the limit; else at most."""
    level: Annotated[float, Field(gt=0, lt=1)]
    """Of the two-sided interval whose end is compared."""
    power: Annotated[float, Field(gt=0, lt=1)]
    groups: Annotated[int, Field(ge=2)]
    """That were seen."""
    mean: float
    """Of the group means that were seen."""
    spread: Annotated[float, Field(ge=0)]
    """Their standard deviation."""
    needed: Annotated[int, Field(ge=2)] | None
    """Groups with this mean and spread; None: the mean is not within the limit, or more than 10,000 groups."""
    cautious: Annotated[int, Field(ge=2)] | None
    """The same with the upper 80 % limit of the spread, because few groups show the spread badly."""
    simulated_power: Annotated[float, Field(ge=0, le=1)] | None
    """How often so many groups showed the limit, drawn from those that were seen; None below 4 groups, or where `needed` is."""

    def sentence(self, claim: str, digits: int = 3) -> str:
        """The answer for people.

        Args:
            claim: what shall be shown, for example `clDice of at least 0.80`.
            digits: of mean and spread, after the decimal point.
        """
        if self.needed is None:
            inside = self.mean > self.limit if self.at_least else self.mean < self.limit
            if inside:
                return f"To show {claim} with this spread, more than {MOST_GROUPS:,} groups are needed."
            return f"With the mean of {self.mean:.{digits}f} that was seen, no number of groups shows {claim}."
        said = (
            f"To show {claim} with this spread, {self.needed} groups are needed (power {percent(self.power)}, interval of "
            f"level {percent(self.level)}; {self.groups} groups were seen, mean {self.mean:.{digits}f}, standard deviation "
            f"{self.spread:.{digits}f})."
        )
        if self.simulated_power is not None:
            said += f" Of samples drawn from the groups that were seen, {100 * self.simulated_power:.0f} % showed it."
        most = f"more than {MOST_GROUPS:,}" if self.cautious is None else f"{self.cautious}"
        return f"{said} With the upper 80 % limit of the spread, {most} groups are needed."


@implements("REQ-393")
def groups_needed(
    means: Sequence[float],
    limit: float,
    *,
    at_least: bool = True,
    level: float = CONFIDENCE,
    power: float = POWER,
    fewest: int = 2,
    seed: int = 0,
) -> GroupsNeeded:
    """How many groups are needed to show a limit with the mean and the spread of these.

    Args:
        means: one finite value a group.
        limit: what the true mean shall be shown to be within.
        at_least: whether the limit is the lowest that is wanted; else the highest.
        level: of the two-sided interval whose end is compared, between 0 and 1.
        power: how probable it shall be that the limit is shown, between 0 and 1.
        fewest: groups below which nothing is shown, whatever is measured.
        seed: of the simulated power.

    Raises:
        UsageError: there are fewer than two groups, or power or level are out of range.
    """
    count = len(means)
    if count < 2:
        raise UsageError(f"{count} group shows no spread", hint="a sample size needs at least two groups")
    if not 0 < power < 1 or not 0 < level < 1:
        raise UsageError("power and level are between 0 and 1")
    mean = math.fsum(means) / count
    spread = math.sqrt(math.fsum((one - mean) * (one - mean) for one in means) / (count - 1))
    inside = mean - limit if at_least else limit - mean
    needed = _fewest(inside, spread, level, power, fewest)
    upper = spread * math.sqrt((count - 1) / chi_squared_quantile(1 - _CAUTION, count - 1))
    simulated = None
    if needed is not None and count >= FEWEST_SIMULATED:
        simulated = _simulated(means, inside, needed, level, random.Random(seed))  # noqa: S311  repeatable, not secret
    return GroupsNeeded(
        limit=limit,
        at_least=at_least,
        level=level,
        power=power,
        groups=count,
        mean=mean,
        spread=spread,
        needed=needed,
        cautious=_fewest(inside, upper, level, power, fewest),
        simulated_power=simulated,
    )


@implements("REQ-393")
def power_of(inside: float, spread: float, groups: int, level: float) -> float:
    """The probability that the end of the interval is within the limit.

    Args:
        inside: how far the true mean is within the limit.
        spread: the standard deviation of group means, above 0.
        groups: at least 2.
        level: of the two-sided interval, between 0 and 1.
    """
    return upper_tail(student_t(level, groups - 1), groups - 1, inside / spread * math.sqrt(groups))


def _fewest(inside: float, spread: float, level: float, power: float, fewest: int) -> int | None:
    """The smallest number of groups with the power, by bisection: more groups have more power."""
    if inside <= 0:
        return None
    low, high = 1, 2
    while spread > 0 and power_of(inside, spread, high, level) < power:
        low, high = high, 2 * high
        if low >= MOST_GROUPS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = power_of(inside, spread, middle, level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return max(high, fewest) if high <= MOST_GROUPS else None


def _simulated(means: Sequence[float], inside: float, number: int, level: float, generator: random.Random) -> float:
    """How often the end of Student's t over a sample is within the limit. The spread of the samples is the one that was seen."""
    count, fsum, draw = len(means), math.fsum, generator.random
    mean = fsum(means) / count
    away = [(one - mean) * math.sqrt(count / (count - 1)) for one in means]
    samples, times = max(20, min(_SAMPLES, _DRAWS // number)), student_t(level, number - 1)
    shown = 0
    for _ in range(samples):
        sample = [away[int(draw() * count)] for _ in range(number)]
        middle = fsum(sample) / number
        error = math.sqrt(fsum((one - middle) * (one - middle) for one in sample) / (number * (number - 1)))
        shown += middle + inside - times * error >= 0
    return shown / samples
