"""The traceability matrix as a flat list of items with links both ways: what the start page filters and follows."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "need": "User need",
    "risk": "Risk",
    "control": "Risk control",
    "requirement": "Requirement",
    "scenario": "Scenario",
}
STATUSES = {
    "passed": "passed",
    "failed": "failed",
    "open": "not verified",
    "acceptable": "acceptable",
    "unacceptable": "not acceptable",
    "stated": "stated",
}
_OUTCOMES = {"passed": "passed", "failed": "failed"}


@dataclass(frozen=True)
class Place:
    """Something with a name and, where known, a file and line."""

    name: str
    where: str
    outcome: str = ""


@dataclass(frozen=True)
class TraceItem:
    """One item of the matrix. `up` leads to why it exists, `down` to how it is met; both hold ids of other items."""

    id: str
    kind: str
    title: str
    text: str
    status: str
    where: str
    facts: tuple[tuple[str, str], ...] = ()
    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    tests: tuple[Place, ...] = ()
    code: tuple[Place, ...] = ()
    entries: tuple[int, ...] = field(default=())
    """Log entries that recorded its results."""


def trace_items(matrix: dict[str, Any], results_entry: int | None) -> tuple[TraceItem, ...]:
    """Flatten `TraceGraph.to_json()`.

    Args:
        matrix: the graph as JSON-ready data.
        results_entry: index of the log entry that recorded the results, None when there is none.

    Returns:
        Needs, risks, controls, requirements and scenarios, each in the order of its file. Links name only items
        of this list.
    """
    recorded = () if results_entry is None else (results_entry,)
    scenarios = {_where(item): f"SC-{number:03}" for number, item in enumerate(matrix["scenarios"], start=1)}
    items = [
        *(_need(item) for item in matrix["user_needs"]),
        *(_risk(item) for item in matrix["risks"]),
        *(_evidenced(item, "control", scenarios, recorded) for item in matrix["controls"]),
        *(_evidenced(item, "requirement", scenarios, recorded) for item in matrix["requirements"]),
        *(_scenario(item, scenarios, recorded) for item in matrix["scenarios"]),
    ]
    known = {item.id for item in items}
    return tuple(_closed(item, known) for item in items)


def _closed(item: TraceItem, known: set[str]) -> TraceItem:
    fields = {name: getattr(item, name) for name in item.__dataclass_fields__}
    fields["up"] = tuple(dict.fromkeys(name for name in item.up if name in known))
    fields["down"] = tuple(dict.fromkeys(name for name in item.down if name in known))
    return TraceItem(**fields)


def _need(item: dict[str, Any]) -> TraceItem:
    return TraceItem(
        id=item["id"],
        kind="need",
        title=item["title"],
        text=item["statement"],
        status="stated",
        where=_where(item),
        down=tuple(item["requirements"]),
    )


def _risk(item: dict[str, Any]) -> TraceItem:
    return TraceItem(
        id=item["id"],
        kind="risk",
        title=item["title"],
        text=item["hazard"],
        status="acceptable" if item["verdict"] == "acceptable" else "unacceptable",
        where=_where(item),
        facts=(
            ("Sequence of events", item["sequence_of_events"]),
            ("Hazardous situation", item["hazardous_situation"]),
            ("Harm", item["harm"]),
            ("Before control", _estimate(item["initial"])),
            ("After control", _estimate(item["residual"])),
        ),
        down=tuple(item["controls"]),
    )


def _evidenced(item: dict[str, Any], kind: str, scenarios: dict[str, str], recorded: tuple[int, ...]) -> TraceItem:
    control = kind == "control"
    outcomes = {result["name"]: result["outcome"] for result in item["results"]}
    facts = (
        (("Kind of control", item["kind"].replace("-", " ")),)
        if control
        else (
            ("Rationale", item["rationale"]),
            ("Category", item["category"].replace("-", " ")),
            ("Safety class", item["safety_class"]),
        )
    )
    return TraceItem(
        id=item["id"],
        kind=kind,
        title=item["title"],
        text=item["statement"],
        status=_OUTCOMES.get(item["verdict"], "open"),
        where=_where(item),
        facts=facts,
        up=tuple(item["risks"] if control else [*item["derives_from"], *item["controls"]]),
        down=(
            *(item["implemented_by"] if control else ()),
            *(scenarios[_where(found)] for found in item["scenarios"] if _where(found) in scenarios),
        ),
        tests=tuple(Place(test["name"], _where(test), outcomes.get(test["name"], "")) for test in item["tests"]),
        code=tuple(Place(link["name"], _where(link)) for link in item["code"]),
        entries=recorded if item["results"] else (),
    )


def _scenario(item: dict[str, Any], scenarios: dict[str, str], recorded: tuple[int, ...]) -> TraceItem:
    ran = item["outcome"] in _OUTCOMES
    return TraceItem(
        id=scenarios[_where(item)],
        kind="scenario",
        title=item["name"],
        text=item["feature"],
        status=_OUTCOMES.get(item["outcome"], "open"),
        where=_where(item),
        facts=(("Result", f"{item['outcome']} in {item['seconds']:.2f} s" if ran else str(item["outcome"])),),
        up=tuple(item["tags"]),
        entries=recorded if ran else (),
    )


def _where(item: dict[str, Any]) -> str:
    return f"{item['source']['path']}:{item['source']['line']}"


def _estimate(estimate: dict[str, Any]) -> str:
    known = f", level {estimate['level']}" if "level" in estimate else ""
    return f"severity {estimate['severity']}, P1 {estimate['p1']}, P2 {estimate['p2']}{known}"


def as_json(items: tuple[TraceItem, ...]) -> list[dict[str, Any]]:
    """The items as JSON-ready data."""
    return [asdict(item) for item in items]


def matrix_csv(matrix: dict[str, Any]) -> str:
    """The matrix's flat rows as CSV (RFC 4180): one row a chain from risk to requirement to evidence."""
    columns = ("risk", "control", "control_verdict", "requirement", "title", "verdict", "scenarios", "tests", "code")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    for row in matrix["rows"]:
        writer.writerow([_cell(row[column]) for column in columns])
    return stream.getvalue()


def _cell(value: Any) -> str:
    text = "; ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
