"""What ISO 14971 asks beyond single estimates: new risks, severity against class, benefit, and what users are told."""

from __future__ import annotations

from collections.abc import Iterator

from minivess.compliance.trace.links import Links
from minivess.foundation.implements import implements
from minivess.records.items.items import SoftwareItem
from minivess.records.items.risk_items import Risk
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.items.trace import Gap


@implements("REQ-111")
def unexamined(graph: Links) -> Iterator[Gap]:
    """Controls of which nobody said which risks they bring, or that say two things (ISO 14971 7.5)."""
    for control in graph.items.controls.values():
        if bool(control.new_risks) != (control.no_new_risks is not None):
            continue
        lack = (
            "names risks it brings, and says why it brings none"
            if control.new_risks
            else "names no risk that it brings, and does not say why it brings none (`new_risks`, `no_new_risks`)"
        )
        message = f"{control.id} ({control.title}) {lack}"
        yield Gap(kind="unexamined-control", item=control.id, message=message, source=control.source)


@implements("REQ-111")
def residual(graph: Links) -> Iterator[Gap]:
    """Risks that are too severe for the class, outweighed by nobody who may, or kept from users (7.4, clause 8)."""
    plan = graph.items.plan
    if plan is None:
        return
    wholes = [one for one in graph.items.of(SoftwareItem).values() if one.part_of is None]
    lower = next((one for one in wholes if one.safety_class < "C"), None)
    for risk in graph.items.risks.values():
        if lower is not None and plan.serious_from is not None and risk.initial.severity >= plan.serious_from:
            message = (
                f"{risk.id} can do serious harm (severity {risk.initial.severity}), but {lower.id} is of class "
                f"{lower.safety_class} (IEC 62304 4.3)"
            )
            yield Gap(kind="missing-link", item=risk.id, message=message, source=risk.source)
        if risk.benefit is not None and (lack := _unapproved(plan, risk)):
            yield Gap(kind="missing-link", item=risk.id, message=f"{risk.id} {lack}", source=risk.source)
        if (
            plan.disclosure is not None
            and plan.needs_disclosure(risk.residual)
            and risk.id not in graph.items.disclosed
        ):
            message = (
                f"{risk.id} remains {plan.level(risk.residual).name}, and {plan.disclosure.document} does not name it"
            )
            yield Gap(kind="untold-risk", item=risk.id, message=message, source=risk.source)


def _unapproved(plan: RiskPlan, risk: Risk) -> str:
    if risk.benefit_by is None:
        return "is outweighed by a benefit, but `benefit_by` does not name who judged so"
    if risk.benefit_by not in plan.benefit_approvers:
        return f"is outweighed by a benefit in the judgement of {risk.benefit_by}, whom the plan does not let judge so"
    return ""
