"""What an import found, as lines for a person and as JSON with whole values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from minivess.compliance.exchange.differences import ChangedField
from minivess.compliance.exchange.foreign_items import Place, Remark
from minivess.foundation.implements import implements
from minivess.workflows.items.exchange import Import


def lines_of(made: Import) -> Iterator[str]:
    """Each remark, then what is new, changed and removed, a line each."""
    for remark in (*made.found.remarks, *made.differences.remarks):
        yield f"{remark.severity}: {remark}"
    for item in made.found.new:
        yield f"added: {item.place}: {item.id} `{item.fields.get('title', '')}` (there {item.origin})"
    for one in made.differences.changed:
        yield f"changed: {one.here}: {one.id} `{one.field}`: {_shown(one.old)} → {_shown(one.new)} ({one.there})"
    for gone in made.differences.removed:
        yield f"removed: {gone.here}: {gone.id} `{gone.title}` (there {gone.origin}) is not in {made.found.file} any more"


def summary_of(made: Import, *, dry_run: bool) -> str:
    """One line: how many items are written, differ, and were not taken."""
    lost = sum(one.severity == "lost" for one in made.found.remarks)
    changed = len({one.id for one in made.differences.changed})
    wrote = "would be written" if dry_run else "written"
    removed = len(made.differences.removed)
    parts = [
        f"{len(made.found.new)} item(s) {wrote} to {', '.join(made.found.files) or 'no file'}",
        *([f"{len(made.found.known)} item(s) known"] if made.found.known else []),
        *([f"{changed} changed and {removed} removed in the file, not here"] if changed or removed else []),
        f"{lost} value(s) could not be taken",
    ]
    return "; ".join(parts)


@implements("REQ-259")
def json_of(made: Import) -> dict[str, Any]:
    """All of it, JSON-ready, with whole values."""
    return {
        "new": [one.id for one in made.found.new],
        "known": [one.id for one in made.found.known],
        "files": list(made.found.files),
        "added": [
            {"id": one.id, "title": one.fields.get("title"), "origin": one.origin, "place": _place(one.place)}
            for one in made.found.new
        ],
        "changed": [_changed(one) for one in made.differences.changed],
        "removed": [
            {"id": one.id, "title": one.title, "origin": one.origin, "here": _place(one.here)}
            for one in made.differences.removed
        ],
        "remarks": [remark_of(one) for one in (*made.found.remarks, *made.differences.remarks)],
    }


def remark_of(remark: Remark) -> dict[str, Any]:
    """A remark, JSON-ready."""
    return {
        "severity": remark.severity,
        "place": str(remark.place),
        "at": _place(remark.place),
        "item": remark.item,
        "field": remark.field,
        "message": remark.message,
        "value": remark.value,
    }


def _changed(one: ChangedField) -> dict[str, Any]:
    places = {"here": _place(one.here), "there": _place(one.there)}
    return {"id": one.id, "field": one.field, "old": one.old, "new": one.new, **places}


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "within": place.within}


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
