"""What the matrix page shows, as a script: a page that opens from a disk may load scripts and nothing else."""

from __future__ import annotations

from typing import Any

from minivess.compliance.site.matrix.chains import targets, ways
from minivess.compliance.site.matrix.items_script import inert, to_json
from minivess.compliance.site.signatures import model_of
from minivess.compliance.site.view import ENTRIES_A_PAGE, TraceView, open_gaps
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceItem

NOWHERE = -1
"""The place of an item that a row does not have."""


@implements("REQ-510")
def matrix_script(view: TraceView) -> bytes:
    """The rows of the matrix as one assignment; items are named by their place in `data/items.js`.

    `ways` has hazard, risk, control and requirement of each row, `-1` for what it does not have. `details` has, for each
    requirement, its software units, its scenarios and tests (name, outcome, place), and its code (name, place). `open` has the
    messages of the open gaps of an item. `recorded` has the entry of the results; `model` name, digest and entry; both are
    null where the log has none, and `log` is false where no log was read. `listed` has the number of entries in a page, zero
    where there is none.
    """
    numbers = {item.id: number for number, item in enumerate(view.items)}
    found = list(ways(view))
    reached = {name for way in found for name in way.hazards}
    rows = [
        [numbers[item.id], *[NOWHERE] * 3] for item in view.items if item.kind == "hazard" and item.id not in reached
    ]
    for way in found:
        ends = [numbers.get(name, NOWHERE) for name in (way.risk, way.control, way.requirement)]
        rows += [[numbers.get(hazard, NOWHERE), *ends] for hazard in way.hazards or ("",)]
    trace, model = view.trace, model_of(view.trace)
    table: dict[str, Any] = {
        "ways": sorted(rows, key=lambda row: row[0] if row[0] >= 0 else len(numbers)),
        "details": {str(row[3]): [] for row in rows if row[3] >= 0},
        "open": {str(numbers[name]): list(messages) for name, messages in open_messages(view)},
        "stale": bool(trace.report and trace.report.stale),
        "recorded": trace.report.entry if trace.report else None,
        "model": None if model is None else [model.name, model.digest, model.entry],
        "log": trace.log is not None,
        "listed": ENTRIES_A_PAGE if trace.entries else 0,
    }
    for place in table["details"]:
        table["details"][place] = _details(view.items[int(place)], numbers)
    return b'"use strict";\nwindow.minivessMatrix = ' + inert(to_json(table)) + b";\n"


@implements("REQ-510", "RC-210")
def open_messages(view: TraceView) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The id of each item that has an open gap, and what is open at it."""
    return tuple((item.id, tuple(gap.message for gap in found)) for item in view.items if (found := open_gaps(item)))


def _details(item: TraceItem, numbers: dict[str, int]) -> list[Any]:
    """Software units, scenarios and tests, and code of a requirement."""
    return [
        [numbers[name] for name in targets(item, "allocated-to") if name in numbers],
        [
            *([row.name, row.outcome, f"{row.path}:{row.line}"] for row in item.scenarios),
            *([row.name, row.outcome, f"{row.path}:{row.line}"] for row in item.tests),
        ],
        [[row.name, f"{row.path}:{row.line}"] for row in item.code],
    ]
