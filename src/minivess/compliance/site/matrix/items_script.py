"""What the page of items searches, as a script: a page that opens from a disk may load scripts and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from minivess.compliance.site.view import STATUSES, Edge, TraceView, by_relation, open_gaps, status_word
from minivess.records.items.trace_data import TraceItem

SUSPECT, GAP, JUSTIFIED = 1, 2, 4


def items_script(view: TraceView) -> bytes:
    """The items as one assignment.

    Each row holds id, address, kind, title, status, flags, standards, up, down, scenarios, tests, places in the code,
    results by outcome (passed, failed, other), the words it is found by, the number of its evidence files, and the relations
    of up and down, one for each of their items. Kinds, statuses, standards, relations and items are named by their place in
    the lists.
    """
    numbers = {item.id: number for number, item in enumerate(view.items)}
    kinds = list(view.kinds)
    relations: dict[str, int] = {}

    def linked(edges: Iterable[Edge]) -> tuple[list[int], list[int]]:
        """The items at the other ends, and the relation of each; those of one relation together."""
        found = [(words, numbers[one]) for words, ids in by_relation(edges) for one in ids if one in numbers]
        return [one for _, one in found], [relations.setdefault(words, len(relations)) for words, _ in found]

    statuses = [*STATUSES, *sorted({item.status for item in view.items} - set(STATUSES))]
    standards = list(view.standards)
    kind_of, status_of, standard_of = (
        {name: number for number, name in enumerate(names)} for names in (kinds, statuses, standards)
    )
    rows = []
    for item in view.items:
        identifier = item.id
        (up, up_by), (down, down_by) = linked(view.up[identifier]), linked(view.down[identifier])
        outcomes = [result.outcome for result in item.results]
        passed, failed = outcomes.count("passed"), outcomes.count("failed")
        rows.append(
            [
                identifier,
                view.places[identifier].address,
                kind_of[item.kind],
                item.title,
                status_of[item.status],
                _flags(item),
                [standard_of[clause] for clause in item.standards],
                up,
                down,
                len(item.scenarios),
                len(item.tests),
                len(item.code),
                passed,
                failed,
                len(outcomes) - passed - failed,
                _words(item),
                sum(len(result.evidence) for result in item.results),
                up_by,
                down_by,
            ]
        )
    table = {
        "kinds": [[name, *view.kinds[name]] for name in kinds],
        "statuses": [[name, status_word(name)] for name in statuses],
        "standards": [[name, view.standards[name]] for name in standards],
        "relations": list(relations),
        "items": rows,
    }
    return b'"use strict";\nwindow.minivessItems = ' + inert(to_json(table)) + b";\n"


def to_json(value: Any) -> bytes:
    """JSON with sorted keys. Half a surrogate pair, which is no text, becomes a question mark, as on the pages."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "replace")


def inert(text: bytes) -> bytes:
    """JSON that can end neither a script element nor, in an old browser, a line."""
    escapes = ((b"<", b"\\u003c"), ("\u2028".encode(), b"\\u2028"), ("\u2029".encode(), b"\\u2029"))
    for found, written in escapes:
        text = text.replace(found, written)
    return text


def _flags(item: TraceItem) -> int:
    justified = any(gap.justified is not None for gap in item.gaps)
    return SUSPECT * bool(item.suspect) | GAP * bool(open_gaps(item)) | JUSTIFIED * justified


def _words(item: TraceItem) -> str:
    """Everything of an item that a search looks into, beside its id and title, in lower case."""
    parts = [row.value for row in (*item.text, *item.facts)]
    for scenario in item.scenarios:
        parts += (scenario.name, scenario.path)
    for place in (*item.tests, *item.code):
        parts += (place.name, place.path)
    parts += [file.path for result in item.results for file in result.evidence]
    parts += [gap.message for gap in item.gaps]
    parts.append(item.source.path)
    return " ".join(dict.fromkeys(parts)).lower()
