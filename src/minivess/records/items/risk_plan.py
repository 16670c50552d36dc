"""The risk management plan's arithmetic (ISO 14971:2019 4.4 d, 5.5, 6): scales, bins, and the matrix that decides.

Nothing here is an opinion typed beside a risk: probability is the product of P1 and P2 put into the plan's bins, the
level is what the matrix says for severity and probability, and acceptability is what the plan says about the level.
Products are exact (decimal): in binary, 0.1 times 0.1 is already more than 0.01 and would fall into the next bin.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.risk_items import FACTOR_WORDS, ControlKind, Estimate, Factor, FieldCount, Risk

Verdict = Literal["acceptable", "unacceptable"]
_EXACT = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)
"""For products: the usual context rounds at 28 digits, and a rounded product can fall into the next step."""


class SeverityStep(Record):
    """One step of the severity scale."""

    word: ShortText
    """The name of the step."""
    meaning: Statement
    """What the step means for this device."""


class ProbabilityStep(Record):
    """One step of the probability scale: probabilities up to `upper`, starting where the step below ends."""

    word: ShortText
    """The name of the step."""
    upper: Annotated[Decimal, Field(gt=0, le=1)]
    """The largest probability of the step."""
    meaning: Statement
    """What the step means for this device."""


class ProbabilityScale(Record):
    """Steps from the least to the most probable, and the two conventions that change results."""

    inclusive: Literal["upper", "lower"]
    """Which limit belongs to a step: with `upper`, a probability equal to a step's upper limit is in that step."""
    combine: Literal["product-of-upper-limits"]
    """P = upper limit of P1's step times upper limit of P2's step, put into a step of this scale; never above P1 or P2."""
    steps: Annotated[tuple[ProbabilityStep, ...], Field(min_length=2)]
    """The steps, lowest first."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(below.upper >= above.upper for below, above in pairwise(self.steps)):
            raise ValueError("upper limits must rise from step to step")
        if self.steps[-1].upper != 1:
            raise ValueError("the last step must reach 1")
        return self

    def step_of(self, probability: Decimal) -> int:
        """The step (from 1) a probability in (0, 1] falls into. 1 itself is always in the last step."""
        uppers = [step.upper for step in self.steps]
        place = bisect_left(uppers, probability) if self.inclusive == "upper" else bisect_right(uppers, probability)
        return min(place, len(uppers) - 1) + 1

    def updated(self, step: int, events: int, trials: int) -> int:
        """The step of a probability that was estimated before and has been counted since.

        The estimate counts as one event in as many trials as its upper limit makes it likely, which is a Beta(1, 1/u - 1)
        prior; the new probability is the mean after the count, (1 + events) / (1/u + trials). Without trials the estimate
        stands.
        """
        if not trials:
            return step
        return self.step_of((1 + events) / (1 / self.steps[step - 1].upper + trials))

    @implements("REQ-261")
    def combined(self, p1: int, p2: int) -> int:
        """The step of P1 times P2: that of the product of the two upper limits, and never above the step of P1 or of P2.

        A product is at most as probable as each of its factors. Without this limit, `inclusive: lower` would put certain
        times step k into step k + 1, because the upper limit of step k belongs to the step above.
        """
        product = _EXACT.multiply(self.steps[p1 - 1].upper, self.steps[p2 - 1].upper)
        return min(p1, p2, self.step_of(product))


class RiskLevel(Record):
    """A level the matrix may name, from best to worst in the plan, and whether a residual risk may have it."""

    name: Slug
    """The name of the level."""
    acceptable: bool
    """Whether a risk at this level is acceptable."""
    meaning: Statement
    """What the level means."""


class Disclosure(Record):
    """The residual risks in the information for users, and its document (ISO 14971:2019 clause 8)."""

    from_level: Slug
    """The best level that it names; worse ones too."""
    document: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$", max_length=200)]
    """Path in the source tree; it names each such risk by its id."""


class RiskPlan(Record):
    """Criteria for risk acceptability, fixed before any risk is estimated (ISO 14971 4.4)."""

    scope: Statement
    """The devices, the uses and the phases that the plan covers."""
    severity: Annotated[tuple[SeverityStep, ...], Field(min_length=2)]
    """The scale of severity, lowest step first."""
    probability: ProbabilityScale
    software_p1: Statement
    """What P1 is taken to be for a software failure, and why."""
    levels: Annotated[tuple[RiskLevel, ...], Field(min_length=2)]
    """The risk levels, best first."""
    matrix: tuple[tuple[Slug, ...], ...]
    """One row a severity step (1 first), one column a probability step (1 first)."""
    overall: Statement
    """How the overall residual risk is judged (clause 8)."""
    disclosure: Disclosure | None = None
    """The information for users on residual risks."""
    benefit_approvers: tuple[Slug, ...] = ()
    """People or roles who may judge that a benefit outweighs a risk that is not acceptable (7.4)."""
    serious_from: Annotated[int | None, Field(ge=1)] = None
    """The first step of severity that is serious injury or death: software that can do so is of class C (IEC 62304 4.3)."""
    review: Statement
    """Who reviews the file, and when (clauses 9 and 10)."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        order = {level.name: rank for rank, level in enumerate(self.levels)}
        if len(order) != len(self.levels):
            raise ValueError("a level is named twice")
        if len(self.matrix) != len(self.severity):
            raise ValueError(f"the matrix has {len(self.matrix)} rows for {len(self.severity)} severities")
        for row in self.matrix:
            if len(row) != len(self.probability.steps):
                raise ValueError(f"a matrix row has {len(row)} levels for {len(self.probability.steps)} probabilities")
            unknown = next((name for name in row if name not in order), None)
            if unknown is not None:
                raise ValueError(f"the matrix names `{unknown}`, which is no level of this plan")
        ranks = [[order[name] for name in row] for row in self.matrix]
        if any(left > right for row in ranks for left, right in pairwise(row)) or any(
            above > below for upper, lower in pairwise(ranks) for above, below in zip(upper, lower, strict=True)
        ):
            raise ValueError("a higher severity or probability may not give a better level")
        if self.disclosure is not None and self.disclosure.from_level not in order:
            raise ValueError(f"`disclosure` names `{self.disclosure.from_level}`, which is no level of this plan")
        if self.serious_from is not None and self.serious_from > len(self.severity):
            raise ValueError(f"`serious_from` is not on the scale of 1 to {len(self.severity)}")
        accepted = [level.acceptable for level in self.levels]
        if accepted != sorted(accepted, reverse=True):
            raise ValueError("levels go from best to worst: none after an unacceptable one can be acceptable")
        return self

    def outside(self, estimate: Estimate) -> str | None:
        """What of an estimate is not on the plan's scales, in words; None when all of it is."""
        if estimate.severity > len(self.severity):
            return f"severity {estimate.severity} is not on the plan's scale of 1 to {len(self.severity)}"
        for name, step in (("p1", estimate.p1), ("p2", estimate.p2)):
            if step > len(self.probability.steps):
                return f"{name} {step} is not on the plan's scale of 1 to {len(self.probability.steps)}"
        return None

    def probability_of(self, estimate: Estimate) -> int:
        """The step of the probability of harm. The estimate must be on the scales (`outside`)."""
        return self.probability.combined(estimate.p1, estimate.p2)

    def level(self, estimate: Estimate) -> RiskLevel:
        """The level the matrix gives. The estimate must be on the scales (`outside`)."""
        name = self.matrix[estimate.severity - 1][self.probability_of(estimate) - 1]
        return next(level for level in self.levels if level.name == name)

    def counted(self, risk: Risk, counts: Iterable[FieldCount]) -> Estimate:
        """The residual estimate after what was seen in use: P1 by situations among uses, P2 by harms among situations."""
        mine = [count for count in counts if count.risk == risk.id]
        uses, situations = sum(one.exposures for one in mine), sum(one.situations for one in mine)
        return Estimate(
            severity=risk.residual.severity,
            p1=self.probability.updated(risk.residual.p1, situations, uses),
            p2=self.probability.updated(risk.residual.p2, sum(one.harms for one in mine), situations),
        )

    def rank(self, estimate: Estimate) -> int:
        """How bad the level of an estimate is: 0 for the best."""
        return [level.name for level in self.levels].index(self.level(estimate).name)

    @implements("REQ-266")
    def missing_reduction(self, risk: Risk) -> str | None:
        """That a residual risk above the best level is not said to be reduced as far as possible; None when nothing is owed."""
        if self.rank(risk.residual) == 0 or risk.as_far_as_possible is not None:
            return None
        level = self.level(risk.residual).name
        return f"{risk.id} remains {level}, and nothing states why no further control is practicable (`as_far_as_possible`)"

    def needs_disclosure(self, estimate: Estimate) -> bool:
        """Whether users are told of a residual risk that is estimated so."""
        names = [level.name for level in self.levels]
        return self.disclosure is not None and self.rank(estimate) >= names.index(self.disclosure.from_level)

    def verdict(self, estimate: Estimate) -> Verdict:
        """Whether a risk estimated so may remain."""
        return "acceptable" if self.level(estimate).acceptable else "unacceptable"

    def contradiction(self, risk: Risk) -> str | None:
        """What a risk says against the plan's arithmetic: a step off the scale, or a typed verdict that differs."""
        steps = [(f"after {name}", estimate) for name, estimate in zip(risk.controls, risk.after, strict=False)]
        for which, estimate in (("initial", risk.initial), *steps, ("residual", risk.residual)):
            if (problem := self.outside(estimate)) is not None:
                return f"{which}: {problem}"
        if risk.after and (len(risk.after) != len(risk.controls) or risk.after[-1] != risk.residual):
            return f"{risk.id}: `after` gives one estimate a control, and the last of them is the residual one"
        computed = self.verdict(risk.residual)
        if risk.verdict is not None and risk.verdict != computed:
            return (
                f"the verdict typed for {risk.id} is {risk.verdict}, but the plan's matrix gives {computed} "
                f"(severity {risk.residual.severity}, probability {self.probability_of(risk.residual)}, "
                f"level {self.level(risk.residual).name})"
            )
        return None


@implements("REQ-265")
def missing_bases(risk: Risk) -> tuple[str, ...]:
    """Lower estimates that rest on nothing: of severity or P2, or of P1 by more than one step (ISO 14971 5.5, 7.2).

    One step of P1 is what a verified control shows by its scenarios. More, or another severity or P2, needs a basis.
    """
    based = {factor for basis in risk.bases for factor in basis.of}
    lowered: dict[Factor, tuple[int, int]] = {
        "severity": (risk.initial.severity, risk.residual.severity),
        "p1": (risk.initial.p1 - 1, risk.residual.p1),
        "p2": (risk.initial.p2, risk.residual.p2),
    }
    return tuple(
        f"{risk.id} lowers {FACTOR_WORDS[factor]} from {getattr(risk.initial, factor)} to {getattr(risk.residual, factor)} "
        "without a basis (`bases`: data, literature, or an expert with name and date)"
        for factor, (before, after) in lowered.items()
        if after < before and factor not in based
    )


def missing_reasons(risk: Risk, kinds: tuple[ControlKind, ...]) -> tuple[str, ...]:
    """Reasons a risk owes its reader and does not give (ISO 14971 7.1, 7.3).

    Args:
        risk: the risk.
        kinds: the kinds of its controls.
    """
    owed = []
    if risk.residual.severity < risk.initial.severity and risk.severity_reason is None:
        steps = f"from {risk.initial.severity} to {risk.residual.severity}"
        owed.append(f"{risk.id} lowers severity {steps} without `severity_reason`")
    if kinds and set(kinds) == {ControlKind.INFORMATION} and risk.information_reason is None:
        owed.append(f"{risk.id} is controlled by information for safety alone without `information_reason`")
    if not kinds and risk.residual != risk.initial:
        owed.append(f"{risk.id} changes its estimate without any control")
    return tuple(owed)
