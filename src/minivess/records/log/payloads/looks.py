"""Payloads about looks at the test set: criteria, request, approval, opening and evaluation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record, Slug
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion, CriterionOutcome
from minivess.records.evaluation.statistics.summaries import ClassFigures, Interval
from minivess.records.people.approval import UnsealGrant, UnsealRequest


class CriteriaRegistered(Record):
    """Acceptance criteria and the plan of the analysis, fixed before the test set is opened."""

    criteria: tuple[Criterion, ...]
    plan: AnalysisPlan | None = None
    """None: criteria alone, under which nothing opens."""


class LookRequested(Record):
    """Somebody asks to open the test set once."""

    request: UnsealRequest


class LookApproved(Record):
    """Somebody else lets them."""

    grant: UnsealGrant


class LookOpened(Record):
    """The grant was used. This entry stands before the first plain byte."""

    request: Slug


class Evaluated(Record):
    """The result of one opening."""

    request: Slug
    cases: int
    aggregates: dict[str, Interval]
    baseline_dice: float
    look: Annotated[int, Field(ge=1)] = 1
    """Which look at this test set it was."""
    criteria: tuple[CriterionOutcome, ...] = ()
    classes: Annotated[dict[str, ClassFigures], Field(exclude_if=lambda value: not value)] = Field(default={})
    """The figures of each of several classes by its name. Empty for one class."""

    @property
    def levels(self) -> frozenset[float]:
        """The levels of the intervals of its aggregates."""
        held = [self.aggregates, *(figures.aggregates for figures in self.classes.values())]
        return frozenset(interval.level for aggregates in held for interval in aggregates.values())
