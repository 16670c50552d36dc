"""The chains of a trace, for a printed document and a spreadsheet: from a hazard to what shows that it is controlled."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import Any

from minivess.compliance.site.signatures import model_of
from minivess.compliance.site.trace_tables import defused
from minivess.compliance.site.view import TraceView, not_run, status_word
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceItem


@dataclass(frozen=True)
class Chain:
    """One way from hazard to code. A requirement that controls no risk begins at itself."""

    hazards: tuple[str, ...] = ()
    risk: str = ""
    control: str = ""
    requirement: str = ""
    title: str = ""
    status: str = ""
    """Of the requirement; of the control or risk where the chain ends there."""
    scenarios: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    """Scenarios and tests without a result on this tree."""
    results: tuple[str, ...] = ()
    """How many results ended how."""
    evidence: tuple[str, ...] = ()
    """Files that the results name."""
    code: tuple[str, ...] = ()


@implements("REQ-107")
def chains(view: TraceView) -> tuple[Chain, ...]:
    """One chain for each risk, control and requirement that belong together, then the requirements without a risk."""
    risks = [item for item in view.items if item.kind == "risk"]
    found = [chain for risk in risks for chain in _of_risk(view, risk)]
    reached = {chain.requirement for chain in found}
    left = (item for item in view.items if item.kind == "software-requirement" and item.id not in reached)
    return (*found, *(_chain(item) for item in left))


def _of_risk(view: TraceView, risk: TraceItem) -> Iterator[Chain]:
    hazards = tuple(dict.fromkeys(_hazards(view, risk.id)))
    controls = _targets(risk, "controls")
    if not controls:
        yield Chain(hazards=hazards, risk=risk.id, title=risk.title, status=status_word(risk.status))
    for name in controls:
        control = view.by_id.get(name)
        for requirement in _targets(control, "implemented-by") if control else ():
            item = view.by_id.get(requirement)
            if item is not None:
                yield _chain(item, hazards=hazards, risk=risk.id, control=name)


def _hazards(view: TraceView, risk: str) -> Iterator[str]:
    """The hazards behind a risk: of the sequences of events that its situation follows from."""
    for situation in _targets(view.by_id[risk], "situation"):
        for sequence in _targets(view.by_id.get(situation), "follows"):
            yield from _targets(view.by_id.get(sequence), "from-hazard")


def _targets(item: TraceItem | None, relation: str) -> list[str]:
    return [] if item is None else [edge.target for edge in item.links if edge.relation == relation]


def _chain(item: TraceItem, **before: Any) -> Chain:
    outcomes = [result.outcome for result in item.results]
    return Chain(
        **before,
        requirement=item.id,
        title=item.title,
        status=status_word(item.status),
        scenarios=tuple(row.name for row in item.scenarios),
        tests=tuple(row.name for row in item.tests),
        not_run=not_run(item),
        results=tuple(f"{outcomes.count(word)} {word}" for word in dict.fromkeys(sorted(outcomes))),
        evidence=tuple(dict.fromkeys(file.path for result in item.results for file in result.evidence)),
        code=tuple(row.name for row in item.code),
    )


def chains_csv(view: TraceView) -> str:
    """The chains as CSV (RFC 4180), each with the entry that recorded its results and with model and entry of the model."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([*(column.name for column in fields(Chain)), "results_entry", "model", "model_entry"])
    report, model = view.trace.report, model_of(view.trace)
    ends = (report.entry if report else None, model and model.digest, model and model.entry)
    for chain in chains(view):
        cells = ["; ".join(value) if isinstance(value, tuple) else value for value in astuple(chain)]
        writer.writerow([defused(cell) for cell in cells] + ["" if end is None else end for end in ends])
    return stream.getvalue()
