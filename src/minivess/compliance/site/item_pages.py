"""The pages in `items/`: every item with its neighbourhood, its words, what shows that it is met, and who signed for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from minivess.compliance.site.item_picture import Pictures
from minivess.compliance.site.references import Marks, References
from minivess.compliance.site.signatures import baselines_that_hold, recorded
from minivess.compliance.site.templating import common, moment, plural, template
from minivess.compliance.site.view import Edge, TraceView
from minivess.records.items.trace_data import TraceItem

_LONG = 12
"""From so many links on, a list shows ids without titles."""


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a list of links."""

    ref: Markup
    suspect: bool
    reviewed: str


@dataclass(frozen=True, slots=True)
class Story:
    """What the template is told of one item beside the item itself."""

    item: TraceItem
    kind: str
    anchor: str
    before: tuple[str, str] | None
    after: tuple[str, str] | None
    sides: tuple[tuple[str, str, list[tuple[str, bool, list[Link]]]], ...]
    evidence: str
    picture: Markup


def item_pages(view: TraceView) -> Iterator[tuple[str, str]]:
    """Name and text of each page, one by one."""
    writer = _Writer(view)
    page = template("items")
    facts = common(view, "../") | {"marks": Marks(), "severity": [], "probability": []}
    facts |= recorded(view.trace) | {"covering": baselines_that_hold(view.trace)}
    if view.trace.risk:
        facts |= {"severity": view.trace.risk.severity, "probability": view.trace.risk.probability}
    for name, items in view.pages.items():
        plurals = dict.fromkeys(view.kinds[item.kind][1] for item in items)
        ids = sorted((item.id for item in items), key=lambda identifier: (len(identifier), identifier))
        heading = f"{', '.join(plurals)}: {ids[0]}" + (f" to {ids[-1]}" if len(ids) > 1 else "")
        text = page.render(
            facts,
            title=heading,
            heading=heading,
            page=name,
            stories=[writer.story(item) for item in items],
        )
        yield f"items/{name}", text


class _Writer:
    def __init__(self, view: TraceView) -> None:
        self._view = view
        self._references = References(view, "")
        self._pictures = Pictures(view)
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}
        last: dict[str, str] = {}
        for item in view.items:
            previous = last.get(item.kind)
            if previous is not None:
                self._before[item.id] = previous
                self._after[previous] = item.id
            last[item.kind] = item.id

    def story(self, item: TraceItem) -> Story:
        identifier = item.id
        return Story(
            item=item,
            kind=self._view.kinds[item.kind][0],
            anchor=self._view.places[identifier].anchor,
            before=self._neighbour(self._before.get(identifier)),
            after=self._neighbour(self._after.get(identifier)),
            sides=(
                ("up", "Up: why it exists", self._groups(self._view.up[identifier])),
                ("down", "Down: how it is met", self._groups(self._view.down[identifier])),
            ),
            evidence=_evidence(item),
            picture=self._pictures.neighbourhood(item),
        )

    def _neighbour(self, identifier: str | None) -> tuple[str, str] | None:
        return None if identifier is None else (identifier, self._view.places[identifier].address)

    def _groups(self, edges: list[Edge]) -> list[tuple[str, bool, list[Link]]]:
        """Links by the words of their relation; whether there are too many for titles; and the links."""
        groups: dict[str, list[Edge]] = {}
        for edge in edges:
            groups.setdefault(edge.words, []).append(edge)
        found = []
        for words, group in groups.items():
            long = len(group) > _LONG
            refer = self._references.short if long else self._references.full
            links = [Link(refer(edge.other), edge.suspect, "" if long else _reviewed(edge)) for edge in group]
            found.append((words, long, links))
        return found


def _reviewed(edge: Edge) -> str:
    """Who looked at a link last. A link of which nobody has to say anything says nothing."""
    if not edge.reviewed:
        return ""
    if edge.reviewed.entry is None:
        return "in the file of reviews, not signed"
    return f"reviewed by {edge.reviewed.by}, {moment(edge.reviewed.time)}, log entry {edge.reviewed.entry}"


def _evidence(item: TraceItem) -> str:
    counts = (
        (len(item.scenarios), "scenario", ""),
        (len(item.results), "result", ""),
        (len(item.tests), "test", ""),
        (len(item.code), "place in the code", "places in the code"),
    )
    return ", ".join(plural(count, word, several) for count, word, several in counts if count)
