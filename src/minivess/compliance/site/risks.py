"""The risk matrix before and after controls, each cell leading to the risks in it, and the list of all risks."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from minivess.compliance.site.references import Marks, References, mark
from minivess.compliance.site.templating import step
from minivess.compliance.site.view import TraceView, others
from minivess.records.items.trace_data import RiskCell, RiskLevel, RiskMatrix

STAGES = (("initial", "Before controls"), ("residual", "After controls"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: a severity and a probability at one stage."""

    anchor: str
    probability: str
    level: str
    acceptable: bool
    ids: list[str]
    refs: list[Markup]


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One risk with its levels before and after."""

    ref: Markup
    before: Markup | str
    after: Markup | str
    controls: list[Markup]
    mark: Markup


def matrices(risk: RiskMatrix, references: References) -> list[tuple[str, str, list[tuple[str, list[Cell]]], int]]:
    """For each stage: its name, its title, the rows from the gravest severity down, and the number of risks."""
    cells = {(cell.severity, cell.probability): cell for cell in risk.cells}
    found = []
    for stage, title in STAGES:
        rows = [
            (
                risk.severity[severity - 1],
                [
                    _cell(f"{stage}-{severity}-{number}", word, cells.get((severity, number)), stage, references)
                    for number, word in enumerate(risk.probability, start=1)
                ],
            )
            for severity in range(len(risk.severity), 0, -1)
        ]
        found.append((stage, title, rows, sum(len(cell.ids) for _, row in rows for cell in row)))
    return found


def _cell(anchor: str, word: str, cell: RiskCell | None, stage: str, references: References) -> Cell:
    ids = list(getattr(cell, stage)) if cell else []
    return Cell(
        anchor=anchor,
        probability=word,
        level=cell.level if cell else "",
        acceptable=bool(cell and cell.acceptable),
        ids=ids,
        refs=[references.full(identifier) for identifier in ids],
    )


def risk_rows(view: TraceView, references: References) -> list[RiskRow]:
    """Every item of kind risk, in the order of the ids."""
    scales = view.trace.risk
    marks = Marks()
    rows = []
    for item in sorted(view.items, key=lambda one: (len(one.id), one.id)):
        if item.kind != "risk":
            continue
        stages = {level.stage: level for level in item.levels}
        controls = others(edge for edge in view.down[item.id] if _is_control(view, edge.other))
        rows.append(
            RiskRow(
                ref=references.full(item.id),
                before=_estimate(stages.get("initial"), scales),
                after=_estimate(stages.get("residual"), scales),
                controls=[references.short(name) for name in controls],
                mark=marks[item.status],
            )
        )
    return rows


def _is_control(view: TraceView, identifier: str) -> bool:
    item = view.by_id.get(identifier)
    return item is None or item.kind == "risk-control"


def _estimate(level: RiskLevel | None, scales: RiskMatrix | None) -> Markup | str:
    if level is None:
        return "not estimated"
    severity, probability = ((), ()) if scales is None else (scales.severity, scales.probability)
    words = f"{step(level.severity, severity)} × {step(level.probability, probability)}"
    shown = mark("acceptable" if level.acceptable else "unacceptable", level.level)
    return Markup('{} <span class="soft small">{}</span>').format(shown, words)
