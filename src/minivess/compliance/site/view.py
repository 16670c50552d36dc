"""The trace as its readers ask it: items by id, links both ways, and where on the site each item stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.items.trace_data import TRACE_FORMAT, ItemGap, LinkReview, TraceData, TraceItem, TraceKind

ITEMS_A_PAGE = 50
"""Items stand in pages of this many numbers. A page an item was measured too: creating and removing 5,500 files takes longer
than writing what is in them, and an address that follows from the id alone outlives every other item."""

ENTRIES_A_PAGE = 100
"""Entries of the log in one page."""

STATUSES = {
    "passed": "passed",
    "failed": "failed",
    "untested": "untested",
    "stale": "stale",
    "acceptable": "acceptable",
    "unacceptable": "not acceptable",
    "none": "no verification required",
}
"""Every status in the order in which it is counted, with the word people read."""

NOT_RUN = "not run"
"""The outcome of a scenario or test without a result on this tree."""
_OUTCOMES = {NOT_RUN: "not run for this release"}
_DOWNWARD = frozenset({"implemented-by", "controls", "controlled-by", "allocated-to", "uses", "new-risks"})
"""Relations whose target shows how an item is met. Every other relation names what an item stems from."""
_REGULAR = re.compile(r"([A-Z]{1,12})-([0-9]{1,9})", re.ASCII)


class Edge(NamedTuple):
    """One link, seen from one of its ends."""

    words: str
    """The relation in the direction in which it is read here."""
    other: str
    """The id at the other end, which may be of no item."""
    suspect: bool
    reviewed: LinkReview | None


class Place(NamedTuple):
    """Where an item stands on the site: the page in `items/`, and the anchor on it."""

    page: str
    anchor: str

    @property
    def address(self) -> str:
        """The address as seen from another page in `items/`."""
        return f"{self.page}#{self.anchor}"


class PackPaths(NamedTuple):
    """Where the pack around a site has its other parts, as seen from the top of the site. A site on its own has none."""

    home: str = ""
    """The page that leads to the site."""
    proofs: str = ""
    """The folder with a proof of each of the entries `proven`, by its index."""
    proven: frozenset[int] = frozenset()
    files: str = ""
    """The folder with the evidence files that results name."""


class TraceView:
    """A trace with its links followed both ways.

    Args:
        trace: what `trace.trace_data.view` gives.
        pack: where the pack around the site has its other parts.

    Raises:
        InputError: an id stands twice.
    """

    def __init__(self, trace: TraceData, pack: PackPaths = PackPaths()) -> None:  # noqa: B008  a value
        self.trace = trace
        self.pack = pack
        self.items = trace.items
        self.by_id: dict[str, TraceItem] = {item.id: item for item in self.items}
        if len(self.by_id) != len(self.items):
            raise InputError("an id occurs twice in the trace", hint="`minivess trace check` names both places")
        self.kinds = _kinds(trace.kinds, self.items)
        self.up: dict[str, list[Edge]] = {identifier: [] for identifier in self.by_id}
        self.down: dict[str, list[Edge]] = {identifier: [] for identifier in self.by_id}
        self.artifacts = frozenset(
            edge.target for item in self.items for edge in item.links if edge.relation == "rests-on"
        )
        """What items rest on beside text: named, and no items."""
        self._follow({row.name: (row.forward, row.backward) for row in trace.relations})

    def _follow(self, words: Mapping[str, tuple[str, str]]) -> None:
        for item in self.items:
            for declared in item.links:
                relation, target = declared.relation, declared.target
                forward, backward = words.get(relation) or (relation.replace("-", " "), f"{relation} of")
                near, far = (self.down, self.up) if relation in _DOWNWARD else (self.up, self.down)
                state = (declared.suspect, declared.reviewed)
                near[item.id].append(Edge(forward, target, *state))
                if target in far:
                    far[target].append(Edge(backward, item.id, *state))

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where each item stands."""
        return {identifier: place(identifier) for identifier in self.by_id}

    @cached_property
    def pages(self) -> dict[str, list[TraceItem]]:
        """The items of each page in `items/`, both in the order of the trace."""
        pages: dict[str, list[TraceItem]] = {}
        for item in self.items:
            pages.setdefault(self.places[item.id].page, []).append(item)
        return pages

    @cached_property
    def standards(self) -> dict[str, int]:
        """Every clause that an item names, with the number of items, clauses in the order of their numbers."""
        counts: dict[str, int] = {}
        for item in self.items:
            for clause in item.standards:
                counts[clause] = counts.get(clause, 0) + 1
        return dict(sorted(counts.items(), key=lambda pair: _natural(pair[0])))


def read_trace_data(data: Mapping[str, Any]) -> TraceData:
    """A trace from JSON that was written in the format `minivess-trace/2`.

    Raises:
        InputError: it has another format, or a field is missing or wrong.
    """
    if data.get("format") != TRACE_FORMAT:
        raise InputError(
            f"{data.get('format')!r} is not a format of traces this version can show",
            hint=f"make it again, so that it says {TRACE_FORMAT}",
        )
    try:
        return TraceData.model_validate(data)
    except ValidationError as error:
        raise InputError(first_error(error)) from None


def place(identifier: str) -> Place:
    """Where the item of this id stands: a matter of the id alone, so that an address stays good when others come and go."""
    regular = _REGULAR.fullmatch(identifier)
    if regular:
        first = int(regular[2]) // ITEMS_A_PAGE * ITEMS_A_PAGE
        return Place(f"{regular[1]}-{first}.html", identifier)
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
    return Place(f"other-{digest[:2]}.html", f"x-{digest[:16]}")


def entry_page(entry: int) -> str:
    """The page on which an entry of the log is, as seen from the top of the site: a matter of its number alone."""
    return f"entries/{entry // ENTRIES_A_PAGE * ENTRIES_A_PAGE}.html"


def entry_address(entry: int) -> str:
    """Where an entry of the log is shown, as seen from the top of the site."""
    return f"{entry_page(entry)}#entry-{entry}"


def status_word(status: str) -> str:
    """The word people read for a status or for the outcome of a scenario or test."""
    return STATUSES.get(status) or _OUTCOMES.get(status, status)


def open_gaps(item: TraceItem) -> list[ItemGap]:
    """The gaps of an item that nobody has justified."""
    return [gap for gap in item.gaps if gap.justified is None]


@implements("REQ-267")
def by_relation(edges: Iterable[Edge]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The ids at the other ends by the words of their relation, each once, in order."""
    groups: dict[str, dict[str, None]] = {}
    for edge in edges:
        groups.setdefault(edge.words, {})[edge.other] = None
    return tuple((words, tuple(found)) for words, found in groups.items())


def relations_in_words(edges: Iterable[Edge]) -> str:
    """Links as text: `derives from UN-03; implements RC-11, RC-12`."""
    return "; ".join(f"{words} {', '.join(found)}" for words, found in by_relation(edges))


def relation_label(words: str) -> str:
    """The words of a relation as the label of a list: `is implemented by` becomes `Implemented by`."""
    text = words.removeprefix("is ")
    return text[:1].upper() + text[1:]


def not_run(item: TraceItem) -> tuple[str, ...]:
    """The scenarios and tests of an item without a result on this tree."""
    scenarios = (row.name for row in item.scenarios if row.outcome == NOT_RUN)
    return (*scenarios, *(row.name for row in item.tests if row.outcome == NOT_RUN))


def others(edges: Iterable[Edge]) -> list[str]:
    """The ids at the other ends, each once, in order."""
    return list(dict.fromkeys(edge.other for edge in edges))


def _kinds(declared: Iterable[TraceKind], items: Iterable[TraceItem]) -> dict[str, tuple[str, str]]:
    """Title and plural of each kind that an item has: as declared and in that order, then by its own name."""
    present = dict.fromkeys(item.kind for item in items)
    known = {row.kind: (row.title, row.plural) for row in declared if row.kind in present}
    return known | {kind: (kind, kind) for kind in present if kind not in known}


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key by which 5.10 comes after 5.9."""
    parts = re.split(r"([0-9]+)", text)
    return [(1, int(part), "") if index % 2 else (0, 0, part) for index, part in enumerate(parts)]
