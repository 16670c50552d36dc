"""What must hold before a release may be built: its gates and signatures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug
from minivess.records.device.attested import AttestedKind
from minivess.records.evaluation.cases import OfClass, absent, there
from minivess.records.evaluation.measures import MeasureName
from minivess.records.people.approval import Policy

COUNTS = "counts"
"""Kind and name of the gate that fails where there is no case, group, requirement, risk, control or scenario."""
SOURCE = "source"
"""Kind and name of the gate that fails for each reason why nothing may be released from the source tree."""
DOCUMENTS = "documents"
"""Kind of the gate that fails while chapters of documents are owed and not written."""
APPROVALS = "approvals"
"""Kind of the gate that fails while something has to be approved and was not, as it is now."""
NEVER_WAIVED = frozenset({"criteria", "counts", "source", "risk", "runs", "lineage", "test-set"})
"""Kinds of gates that no waiver lets fail: what was registered before the look, what counts looks and runs, and the risk plan."""
BUILT_IN_KINDS = (COUNTS, SOURCE)
"""Gates that are judged before every release, in this order after those of the policy."""
PRETRAINING = "pretraining"
"""Kind and name of the gate on weights that members started from. Without a line in the policy it is judged where a member
did not start from its seed."""


@implements("REQ-514")
class LimitedGate(Record):
    """A gate whose limit has a reason."""

    reason: Annotated[ShortText | None, AfterValidator(there), Field(exclude_if=absent)] = None
    """Why the limit is what it is: shown beside the gate and in the signing text."""


class MetricGate(LimitedGate):
    """A statistic of a measure on the sealed test set: at least or at most a limit."""

    kind: Literal["metric"]
    id: Slug
    measure: MeasureName
    of_class: OfClass = None
    """The class whose figures are limited, by its name. Without it, every class must meet the limit."""
    statistic: Literal["mean", "lower", "upper"] = "mean"
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> MetricGate:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either `at_least` or `at_most`")
        return self


class BaselineGate(LimitedGate):
    """The mean Dice must exceed that of the tuned intensity threshold by a margin."""

    kind: Literal["baseline"]
    id: Slug
    at_least: float


class ParityGate(LimitedGate):
    """The exported graph's largest absolute difference from its source, in probability."""

    kind: Literal["parity"]
    id: Slug
    at_most: Annotated[float, Field(ge=0)]


class CalibrationGate(LimitedGate):
    """The expected calibration error on the test set."""

    kind: Literal["calibration"]
    id: Slug
    at_most: Annotated[float, Field(ge=0, le=1)]


CountKind = Literal[
    "criteria",
    "trace",
    "risk",
    "test-set",
    "runs",
    "scenarios",
    "lineage",
    "documents",
    "counts",
    "source",
    "approvals",
    AttestedKind,
]
"""What can be counted."""


@implements("REQ-218", "REQ-550")
class CountGate(LimitedGate):
    """A number of things that are wrong, which must not exceed a limit (zero unless stated).

    `trace`: gaps of the traceability check; `risk`: residual risks that are not acceptable; `test-set`: openings of the
    sealed test set; `runs`: finished training runs without a disposition; `scenarios`: scenarios and linked tests that
    did not pass; `lineage`: lineage events not delivered; `criteria`: acceptance criteria, as registered in the log before
    the test set was opened, that the evaluation does not meet; `counts`: those of cases, groups, requirements, risks,
    controls and scenarios of which there are none; `documents`: chapters that the manufacturer owes and that are not written;
    `source`: reasons why nothing may be released from the source tree, for
    example uncommitted changes. `counts` and `source` are built in: they are judged with and without a line here, and allow
    no exception. `approvals`: plans, requirements and the like that nobody approved as they stand now. The other kinds count
    what the tool found in the source tree: `suspects`: links of which one end changed after the review; `units`: software
    units without passed tests on this tree; `clauses`: open clauses of one standard; `vulnerabilities`: known ones that nobody
    dealt with; `licences`: packages under a licence that is not allowed; `expiries`: justifications that no longer count;
    `drafts`: texts that say that they are drafts, and requirements with an open point.
    """

    kind: CountKind
    id: Slug
    standard: Annotated[ShortText | None, Field(exclude_if=lambda standard: standard is None)] = None
    """Of `clauses`: the standard, as `minivess trace standards` calls it."""
    at_most: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _of_a_standard(self) -> CountGate:
        if (self.standard is None) != (self.kind != "clauses"):
            raise ValueError("a gate of the kind `clauses` names a `standard`, and no other does")
        return self

    @model_validator(mode="after")
    def _no_exception(self) -> CountGate:
        if self.kind in BUILT_IN_KINDS and self.at_most:
            raise ValueError(f"the gate `{self.kind}` allows no exception")
        return self


@implements("REQ-551")
class ConformalGate(LimitedGate):
    """The recall of the conformal mask on the test set: the coverage that was promised."""

    kind: Literal["conformal"]
    id: Slug
    statistic: Literal["mean", "lower", "upper"] = "mean"
    at_least: Annotated[float, Field(ge=0, le=1)]


@implements("REQ-551")
class SubgroupGate(LimitedGate):
    """The largest difference of the means of a subgroup and of all other groups, over the subgroups of one attribute.

    A mean is over independent groups, and of several classes the worst counts. Cases that do not state the attribute are a
    subgroup. With fewer than two subgroups nothing is known, and the gate fails.
    """

    kind: Literal["subgroups"]
    id: Slug
    measure: MeasureName
    attribute: ShortText
    at_most: Annotated[float, Field(ge=0)]


@implements("REQ-551")
class LatencyGate(LimitedGate):
    """Seconds of one patch through the exported graph, as they were measured when it was exported."""

    kind: Literal["latency"]
    id: Slug
    at_most: Annotated[float, Field(gt=0)]


@implements("REQ-551")
class WitnessGate(LimitedGate):
    """Hours from the newest entry that attests the time of a checkpoint to the last entry before the preparation."""

    kind: Literal["witness"]
    id: Slug
    at_most: Annotated[float, Field(ge=0)]


@implements("REQ-330", "RC-140")
class PretrainingGate(LimitedGate):
    """Members that started from weights whose training data are `refused` or `unknown`; above 0 with a `reason` alone."""

    kind: Literal["pretraining"]
    id: Slug
    at_most: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _with_reason(self) -> PretrainingGate:
        if self.at_most and self.reason is None:
            raise ValueError("the gate `pretraining` allows members above 0 with a `reason` alone")
        return self


Gate = Annotated[
    MetricGate
    | BaselineGate
    | ParityGate
    | CalibrationGate
    | ConformalGate
    | SubgroupGate
    | LatencyGate
    | WitnessGate
    | CountGate
    | PretrainingGate,
    Field(discriminator="kind"),
]


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
        for gate in self.gates:
            if gate.id in (*BUILT_IN_KINDS, PRETRAINING) and gate.kind != gate.id:
                raise ValueError(f"only the gate of kind `{gate.id}` is called `{gate.id}`")
        if len(self.signatures.rules) < 2:
            raise ValueError("a release needs the signatures of at least two people")
        return self
