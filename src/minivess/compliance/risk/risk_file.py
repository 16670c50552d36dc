"""The risk management file: plan, risks and controls, every level and verdict computed (ISO 14971 clauses 4 to 7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from minivess.compliance.items.items import Items, load_items
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Record
from minivess.records.items.items import Item
from minivess.records.items.residual_risks import ResidualRisk, ResidualRisks
from minivess.records.items.risk_items import Estimate, Risk, RiskControl, story
from minivess.records.items.risk_plan import RiskPlan, Verdict, missing_bases, missing_reasons
from minivess.records.items.trace import Gap


class Judgement(Record):
    """What the plan makes of one risk."""

    risk: str
    initial_probability: int
    initial_level: str
    residual_probability: int
    residual_level: str
    verdict: Verdict
    """Whether the residual risk is acceptable."""


class Cell(Record):
    """One cell of the risk matrix: a severity, a probability of harm, the level, and the risks that are in it."""

    severity: int
    probability: int
    level: str
    acceptable: bool
    initial: tuple[str, ...]
    residual: tuple[str, ...]


class OverallRisk(Record):
    """What the single risks say about the overall residual risk (clause 8); a person judges it by the plan's method."""

    method: str
    """In the plan's words."""
    initial: dict[str, int]
    """How many risks are at each level before control, best level first."""
    residual: dict[str, int]
    unacceptable: tuple[str, ...]
    """Risks that the matrix does not accept, whether somebody outweighed them or not."""
    outweighed: tuple[str, ...]
    together: dict[str, tuple[str, ...]]
    """By harm: the risks above the best level that lead to it, where there are several."""
    told: tuple[str, ...]
    """Risks that users have to be told of."""


@dataclass(frozen=True)
class RiskFile:
    """Plan, risks and controls of one source tree, in the order of the files."""

    plan: RiskPlan
    risks: tuple[Risk, ...]
    controls: tuple[RiskControl, ...]
    items: Mapping[str, Item]
    """By id, everything that was read: hazards, sequences of events, situations and harms as well."""

    @classmethod
    @implements("REQ-034")
    def load(cls, source: Path) -> Self:
        """Read `risk/plan.yaml` and the lists of items in the other files of `risk/`.

        Raises:
            InputError: a file is missing or malformed, an estimate is off the plan's scales, or a typed verdict differs
                from what the matrix gives; with file and line.
        """
        return cls.of(load_items(source, folders=("risk",)))

    @classmethod
    def of(cls, items: Items) -> Self:
        """The risk management file among items that were read already. An id that is used twice counts twice.

        Raises:
            InputError: there is no plan.
        """
        if items.plan is None:
            raise InputError("no such file", path="risk/plan.yaml")
        listed = (*items.all(), *items.repeated)
        risks = tuple(item for item in listed if isinstance(item, Risk))
        controls = tuple(item for item in listed if isinstance(item, RiskControl))
        return cls(items.plan, risks, controls, items.by_id)

    def level(self, estimate: Estimate) -> str:
        """The name of the level the matrix gives an estimate.

        Raises:
            InputError: the estimate is off the plan's scales.
        """
        problem = self.plan.outside(estimate)
        if problem is not None:
            raise InputError(problem)
        return self.plan.level(estimate).name

    def verdict(self, risk: Risk) -> Judgement:
        """Levels before and after control, and whether what remains is acceptable.

        Raises:
            InputError: an estimate is off the plan's scales.
        """
        return Judgement(
            risk=risk.id,
            initial_level=self.level(risk.initial),
            initial_probability=self.plan.probability_of(risk.initial),
            residual_level=self.level(risk.residual),
            residual_probability=self.plan.probability_of(risk.residual),
            verdict=self.plan.verdict(risk.residual),
        )

    @implements("REQ-111")
    def overall(self) -> OverallRisk:
        """The overall residual risk, as far as it follows from the single ones."""
        harms: defaultdict[str, list[str]] = defaultdict(list)
        initial, residual = ({level.name: 0 for level in self.plan.levels} for _ in range(2))
        for risk in self.risks:
            initial[self.plan.level(risk.initial).name] += 1
            residual[self.plan.level(risk.residual).name] += 1
            if self.plan.rank(risk.residual) > 0:
                harms[risk.harm].append(risk.id)
        refused = [risk for risk in self.risks if self.plan.verdict(risk.residual) == "unacceptable"]
        return OverallRisk(
            method=self.plan.overall,
            initial=initial,
            residual=residual,
            unacceptable=tuple(risk.id for risk in refused),
            outweighed=tuple(risk.id for risk in refused if risk.benefit is not None),
            together={harm: tuple(risks) for harm, risks in harms.items() if len(risks) > 1},
            told=tuple(risk.id for risk in self.risks if self.plan.needs_disclosure(risk.residual)),
        )

    @implements("REQ-231")
    def residual(self) -> ResidualRisks:
        """The residual risks as a pack holds them. A benefit counts when a person judged it whom the plan authorises.

        Raises:
            InputError: an estimate is off the plan's scales, an id is used twice, or a risk names an unknown control.
        """
        risks = tuple(
            ResidualRisk(
                id=risk.id,
                residual=risk.residual,
                controls=risk.controls,
                benefit=risk.benefit if risk.benefit_by in self.plan.benefit_approvers else None,
            )
            for risk in self.risks
        )
        try:
            return ResidualRisks(plan=self.plan, risks=risks, controls=tuple(control.id for control in self.controls))
        except ValidationError as error:
            raise InputError(
                first_error(error), path="risk", hint="`minivess trace check` names file and line"
            ) from None

    @property
    def acceptable(self) -> bool:
        """Whether every residual risk is acceptable and no reason is owed."""
        return not self.gaps()

    def rows(self) -> tuple[tuple[str, str, str, str, str, str], ...]:
        """The risks for a terminal: id, title, initial level, residual level, controls, verdict."""
        judged = ((risk, self.verdict(risk)) for risk in self.risks)
        return tuple(
            (risk.id, risk.title, made.initial_level, made.residual_level, ", ".join(risk.controls), made.verdict)
            for risk, made in judged
        )

    def to_json(self) -> dict[str, Any]:
        """Plan, risks with what the plan makes of them, controls, matrix and gaps as JSON-ready data."""
        return {
            "plan": self.plan.model_dump(mode="json"),
            "risks": [
                {
                    **risk.model_dump(mode="json"),
                    **story(risk, self.items),
                    "judgement": self.verdict(risk).model_dump(),
                }
                for risk in self.risks
            ],
            "controls": [control.model_dump(mode="json") for control in self.controls],
            "matrix": [[cell.model_dump(mode="json") for cell in row] for row in self.matrix()],
            "overall": self.overall().model_dump(mode="json"),
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps()],
            "acceptable": self.acceptable,
        }

    def matrix(self) -> tuple[tuple[Cell, ...], ...]:
        """The risk matrix, worst severity first, least probability first, with each risk in its two cells."""
        initial: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        residual: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for risk in self.risks:
            initial[risk.initial.severity, self.plan.probability_of(risk.initial)].append(risk.id)
            residual[risk.residual.severity, self.plan.probability_of(risk.residual)].append(risk.id)
        acceptable = {level.name: level.acceptable for level in self.plan.levels}
        return tuple(
            tuple(
                Cell(
                    severity=severity,
                    probability=probability,
                    level=level,
                    acceptable=acceptable[level],
                    initial=tuple(initial[severity, probability]),
                    residual=tuple(residual[severity, probability]),
                )
                for probability, level in enumerate(row, start=1)
            )
            for severity, row in reversed(tuple(enumerate(self.plan.matrix, start=1)))
        )

    def gaps(self) -> tuple[Gap, ...]:
        """Reasons that are owed (ISO 14971 7.1, 7.3) and residual risks that are not acceptable, in file order."""
        controls = {control.id: control for control in self.controls}
        return tuple(gap for risk in self.risks for gap in risk_gaps(self.plan, risk, controls))


def risk_gaps(plan: RiskPlan, risk: Risk, controls: Mapping[str, RiskControl]) -> Iterator[Gap]:
    """What one risk lacks: reasons and bases that are owed for it, and a residual risk that is acceptable or outweighed.

    Args:
        plan: judges the risk.
        risk: the risk.
        controls: the risk control measures by id.
    """
    for message in missing_reasons(risk, tuple(controls[name].kind for name in risk.controls if name in controls)):
        yield Gap(kind="missing-link", item=risk.id, message=message, source=risk.source)
    reduction = plan.missing_reduction(risk)
    for message in (*missing_bases(risk), *(() if reduction is None else (reduction,))):
        yield Gap(kind="unfounded-estimate", item=risk.id, message=message, source=risk.source)
    if plan.verdict(risk.residual) == "unacceptable" and risk.benefit is None:
        message = f"{risk.id} remains {plan.level(risk.residual).name} with its controls"
        yield Gap(kind="unacceptable-risk", item=risk.id, message=message, source=risk.source)
