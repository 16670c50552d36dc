"""A predetermined change control plan whose bounds a program can judge: `release/change-plan.yaml`.

The three parts are those of FDA's guidance on such plans (December 2024): description of modifications, modification protocol,
impact assessment.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.changes.difference import ComparedRelease
from minivess.records.evaluation.cases import OfClass
from minivess.records.evaluation.measures import MeasureName

PLAN_FORMAT: Final = "minivess-change-plan/1"
JUDGEMENT_FORMAT: Final = "minivess-change-judgement/1"

ModificationKind = Literal[
    "new-training-data", "retraining", "training-settings", "members", "calibration", "decision", "software"
]
"""What two packs can show of a modification."""

FixedFact = Literal[
    "device",
    "intended-use",
    "safety-class",
    "classes",
    "inputs",
    "architecture",
    "network",
    "preprocessing",
    "combination",
    "sealed-test-set",
    "acceptance-criteria",
    "release-gates",
]
"""What a plan can fix."""
ALWAYS_FIXED: tuple[FixedFact, ...] = ("device", "intended-use", "safety-class", "classes", "inputs")
"""What no plan can leave open: a change is another device, and needs a new submission."""

DatasetPart = Literal["train", "calibration"]


class PlannedModification(Record):
    """A modification that is planned, how it is made and checked, and what it can cause."""

    id: Slug
    """Its name."""
    title: ShortText
    """What is modified."""
    kinds: Annotated[tuple[ModificationKind, ...], Field(min_length=1)]
    """What it can change in a pack."""
    description: Statement
    """Description of the modification: what changes, why, how often, and for whom."""
    protocol: Statement
    """Modification protocol: data, training, evaluation, acceptance, and how users are informed."""
    impact: Statement
    """Impact assessment: benefits, risks, and how the risks are controlled."""
    risks: tuple[Annotated[str, StringConstraints(pattern=r"^RISK-[0-9]{2,5}$")], ...] = ()
    """Risks of the risk file that it touches."""


class PerformanceBound(Record):
    """What a measure must keep on the sealed test set."""

    measure: MeasureName
    """The measure."""
    of_class: OfClass = None
    """One class; without it, each class."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """The largest loss against the release before: non-inferiority by the paired interval."""
    at_least: float | None = None
    """The least value of the statistic."""
    at_most: float | None = None
    """The largest value of the statistic."""
    statistic: Literal["mean", "lower", "upper"] = "mean"
    """What `at_least` and `at_most` limit: the mean, or a limit of its interval."""
    subgroups_at_least: float | None = None
    """The least mean of each subgroup that has values."""
    subgroups_at_most: float | None = None
    """The largest mean of each subgroup that has values."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        limits = (self.margin, self.at_least, self.at_most, self.subgroups_at_least, self.subgroups_at_most)
        if all(one is None for one in limits):
            raise ValueError("a bound states a margin, `at_least`, `at_most`, or a limit of subgroups")
        return self


class DataBounds(Record):
    """What may change in the data."""

    parts: tuple[DatasetPart, ...] = ()
    """Parts to which cases may be added. The sealed test part is never one."""
    added_at_most: Annotated[int, Field(ge=0)] = 0
    """How many cases may be added."""
    removed_at_most: Annotated[int, Field(ge=0)] = 0
    """How many cases may be removed from these parts."""
    modalities: tuple[ShortText, ...] = ()
    """Modalities of added cases; without any, those of the release before."""


class ChangePlan(Record):
    """A whole plan."""

    format: Literal["minivess-change-plan/1"] = PLAN_FORMAT
    """The format of this file."""
    modifications: Annotated[tuple[PlannedModification, ...], Field(min_length=1)]
    """Every planned modification. A pack that shows another one is outside the plan."""
    fixed: tuple[FixedFact, ...] = ()
    """What must not change, beside the device, the intended use, the safety class, the classes and the inputs."""
    performance: Annotated[tuple[PerformanceBound, ...], Field(min_length=1)]
    """What the new model must reach."""
    data: DataBounds = DataBounds()
    """What may change in the data."""
    looks_at_most: Annotated[int, Field(ge=1)]
    """Looks at the sealed test set in all."""

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [one.id for one in self.modifications]
        if len(set(names)) < len(names):
            raise ValueError("two modifications have one id")
        return self

    @property
    def kept(self) -> tuple[FixedFact, ...]:
        """Everything that must not change."""
        return tuple(dict.fromkeys((*ALWAYS_FIXED, *self.fixed)))


Verdict = Literal["inside", "outside", "outside: new submission"]
"""`outside`: correct it and try again. `outside: new submission`: the plan does not cover it."""
WORST: tuple[Verdict, ...] = ("inside", "outside", "outside: new submission")
"""In ascending order."""


class JudgedBound(Record):
    """One bound, and where a release stands to it."""

    bound: ShortText
    part: Literal["description of modifications", "modification protocol", "impact assessment"]
    """The part of the plan that has it."""
    limit: str
    found: str
    verdict: Verdict
    entries: tuple[int, ...] = ()
    """Entries of the newer log that it was judged by."""
    digests: tuple[Digest, ...] = ()
    """Files that it was judged by."""


class ChangeJudgement(Record):
    """Whether a release is inside the plan of the release before."""

    format: Literal["minivess-change-judgement/1"] = JUDGEMENT_FORMAT
    old: ComparedRelease
    new: ComparedRelease
    plan: Digest | None
    """Of the plan in the old pack; None: it has none."""
    verdict: Verdict
    bounds: tuple[JudgedBound, ...]
