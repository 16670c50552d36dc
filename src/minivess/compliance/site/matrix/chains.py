"""The chains of a trace, for a printed document and a spreadsheet: from a hazard to what shows that it is controlled."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

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


class Way(NamedTuple):
    """The ids of one way from hazards to a requirement; empty where it ends before."""

    hazards: tuple[str, ...] = ()
    risk: str = ""
    control: str = ""
    requirement: str = ""


@implements("REQ-107", "REQ-510")
def ways(view: TraceView) -> Iterator[Way]:
    """One way for each risk, control and requirement that belong together, then controls and requirements without a risk.

    A risk without a control and a control without a requirement have a way that ends there.
    """
    reached = set()
    for risk in view.items:
        if risk.kind == "risk":
            before = Way(tuple(dict.fromkeys(_hazards(view, risk.id))), risk.id)
            for control in targets(risk, "controls") or ("",):
                for way in _from_control(view, before._replace(control=control)):
                    reached |= {way.control, way.requirement}
                    yield way
    for item in view.items:
        if item.kind == "risk-control" and item.id not in reached:
            for way in _from_control(view, Way(control=item.id)):
                reached.add(way.requirement)
                yield way
    for item in view.items:
        if item.kind == "software-requirement" and item.id not in reached:
            yield Way(requirement=item.id)


def _from_control(view: TraceView, way: Way) -> Iterator[Way]:
    """A way from its control on, once for each requirement of the control."""
    for requirement in targets(view.by_id.get(way.control), "implemented-by") or ("",):
        yield way._replace(requirement=requirement)


@implements("REQ-107")
def chains(view: TraceView) -> tuple[Chain, ...]:
    """One chain for each way, with what shows that its last item is met."""
    return tuple(_chain(view, way) for way in ways(view))


def _hazards(view: TraceView, risk: str) -> Iterator[str]:
    """The hazards behind a risk: of the sequences of events that its situation follows from."""
    for situation in targets(view.by_id[risk], "situation"):
        for sequence in targets(view.by_id.get(situation), "follows"):
            yield from targets(view.by_id.get(sequence), "from-hazard")


def targets(item: TraceItem | None, relation: str) -> list[str]:
    """The ids that an item names by a relation."""
    return [] if item is None else [edge.target for edge in item.links if edge.relation == relation]


def _chain(view: TraceView, way: Way) -> Chain:
    last = next(name for name in (way.requirement, way.control, way.risk) if name)
    item = view.by_id.get(last)
    if item is None:
        return Chain(*way, title="not found")
    if not way.requirement:
        return Chain(*way, title=item.title, status=status_word(item.status))
    outcomes = [result.outcome for result in item.results]
    return Chain(
        *way,
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
