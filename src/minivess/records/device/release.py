"""The facts that the gates of a release judge, and their results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record, ShortText, Slug
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.items.items import ItemId
from minivess.records.items.trace import Gap, ResultReport
from minivess.records.models.model import CalibrationRecord, ExportRecord


class RiskJudgement(Record):
    """What the risk plan's matrix says about a risk after its controls."""

    id: ItemId
    level: ShortText
    acceptable: bool


class GateFacts(Record):
    """What the gates judge. A fact that is not known is None, and every gate that needs it fails."""

    evaluation: EvaluationRecord | None = None
    unmet: tuple[str, ...] | None = None
    """Registered acceptance criteria the evaluation does not meet, in words."""
    registered: Annotated[int, Field(ge=1)] | None = None
    """How many acceptance criteria were registered."""
    calibration: CalibrationRecord | None = None
    export: ExportRecord | None = None
    gaps: tuple[Gap, ...] | None = None
    """Gaps that nobody justified, or no longer."""
    justified: tuple[ShortText, ...] = ()
    """Gaps that somebody justified, each with who and until when: they do not fail a gate, and are always told."""
    risks: tuple[RiskJudgement, ...] | None = None
    openings: Annotated[int, Field(ge=0)] | None = None
    undisposed: tuple[int, ...] | None = None
    """Log indices of finished training runs that no ensemble uses and no disposition explains."""
    undelivered: Annotated[int, Field(ge=0)] | None = None
    report: ResultReport | None = None


class GateResult(Record):
    """How one gate was judged. `margin` is positive when there was room, negative by how much the gate was missed."""

    id: Slug
    kind: str
    title: ShortText
    passed: bool
    value: float | None
    comparison: Literal["at least", "at most"]
    limit: float
    margin: float | None
    message: str
    mend: str
    """What would mend it; empty when it passed."""
