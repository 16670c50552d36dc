"""Payloads about looks at the test set: criteria, request, approval, opening and evaluation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Record, Slug
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion, CriterionOutcome, Interval
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
