"""The residual risks of a release (`release/risks.json`): what is needed to look each up in the plan's matrix, and no verdict."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from minivess.foundation.implements import implements
from minivess.records.base import Record, Statement
from minivess.records.items.items import ItemId
from minivess.records.items.risk_items import Estimate
from minivess.records.items.risk_plan import RiskPlan


class ResidualRisk(Record):
    """One risk after its controls."""

    id: ItemId
    residual: Estimate
    controls: tuple[ItemId, ...]
    benefit: Statement | None
    """Why its benefit outweighs it, in the judgement of somebody whom the plan lets judge so (ISO 14971 7.4); else None."""


class ResidualRisks(Record):
    """The plan, every risk after its controls, and the controls. Levels and verdicts are looked up, never written."""

    plan: RiskPlan
    risks: Annotated[tuple[ResidualRisk, ...], Field(max_length=10_000)]
    controls: Annotated[tuple[ItemId, ...], Field(max_length=10_000)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, ids in (("risk", [one.id for one in self.risks]), ("control", list(self.controls))):
            twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
            if twice:
                raise ValueError(f"the {name} {twice[0]} is there twice")
        known = set(self.controls)
        for risk in self.risks:
            problem = self.plan.outside(risk.residual)
            if problem is not None:
                raise ValueError(f"{risk.id}: {problem}")
            unknown = next((name for name in risk.controls if name not in known), None)
            if unknown is not None:
                raise ValueError(f"{risk.id} names the control {unknown}, which is not among the controls")
        return self

    def level(self, risk: ResidualRisk) -> str:
        """The name of the level that the matrix gives a risk."""
        return self.plan.level(risk.residual).name

    @implements("REQ-231")
    def counts(self) -> dict[str, int]:
        """How many risks are at each level of the plan, best level first."""
        found = {level.name: 0 for level in self.plan.levels}
        for risk in self.risks:
            found[self.level(risk)] += 1
        return found

    @implements("REQ-231")
    def unacceptable(self) -> tuple[ResidualRisk, ...]:
        """Risks at a level that the plan does not accept and whose benefit does not outweigh them, in order of the file."""
        return tuple(
            risk for risk in self.risks if self.plan.verdict(risk.residual) == "unacceptable" and risk.benefit is None
        )
