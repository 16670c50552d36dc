"""What must hold before a release may be built: the policy's gates, the facts they judge, and their results."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from minivess.records.base import Record, ShortText, Slug
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import MeasureName
from minivess.records.items.items import ItemId
from minivess.records.items.trace import Gap, ResultReport
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.records.people.approval import Policy


class MetricGate(Record):
    """A statistic of a measure on the sealed test set: at least or at most a limit."""

    kind: Literal["metric"]
    id: Slug
    measure: MeasureName
    statistic: Literal["mean", "lower", "upper"] = "mean"
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> MetricGate:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either `at_least` or `at_most`")
        return self


class BaselineGate(Record):
    """The mean Dice must exceed that of the tuned intensity threshold by a margin."""

    kind: Literal["baseline"]
    id: Slug
    at_least: float


class ParityGate(Record):
    """The exported graph's largest absolute difference from its source, in probability."""

    kind: Literal["parity"]
    id: Slug
    at_most: Annotated[float, Field(ge=0)]


class CalibrationGate(Record):
    """The expected calibration error on the test set."""

    kind: Literal["calibration"]
    id: Slug
    at_most: Annotated[float, Field(ge=0, le=1)]


class CountGate(Record):
    """A number of things that are wrong, which must not exceed a limit (zero unless stated).

    `trace`: gaps of the traceability check; `risk`: residual risks that are not acceptable; `test-set`: openings of the
    sealed test set; `runs`: finished training runs without a disposition; `scenarios`: scenarios and linked tests that
    did not pass; `lineage`: lineage events not delivered; `criteria`: acceptance criteria, as registered in the log before
    the test set was opened, that the evaluation does not meet.
    """

    kind: Literal["criteria", "trace", "risk", "test-set", "runs", "scenarios", "lineage"]
    id: Slug
    at_most: Annotated[int, Field(ge=0)] = 0


Gate = Annotated[MetricGate | BaselineGate | ParityGate | CalibrationGate | CountGate, Field(discriminator="kind")]


class ReleasePolicy(Record):
    """`release/policy.yaml`: who must sign, and which gates must hold."""

    signatures: Policy
    gates: Annotated[tuple[Gate, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sound(self) -> ReleasePolicy:
        names = [gate.id for gate in self.gates]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two gates are called {twice[0]!r}")
        if len(self.signatures.rules) < 2:
            raise ValueError("a release needs the signatures of at least two people")
        return self


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
