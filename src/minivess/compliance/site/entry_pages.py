"""The pages of the log: each entry with who did what, its files, its proof, and the items that it is evidence for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import Markup

from minivess.compliance.site.references import References
from minivess.compliance.site.signatures import model_of
from minivess.compliance.site.templating import common, template
from minivess.compliance.site.view import TraceView, entry_page
from minivess.compliance.trace.entry_evidence import Evidence, entry_evidence
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceEntry

_GROUPS = {"risk": "Risks", "risk-control": "Risk controls", "software-requirement": "Requirements"}
"""The kinds that are named first, and how."""
_MANY = 12
"""From so many items of a kind on, ids are shown without titles."""


class Group(NamedTuple):
    """Items of one kind."""

    words: str
    short: bool
    """Whether there are too many for titles."""
    reason: str
    """The reason that they share; empty where they do not."""
    rows: list[tuple[Markup, str]]
    """Each with its reason."""


@dataclass(slots=True)
class EntryStory:
    """One entry as its page shows it."""

    entry: TraceEntry
    groups: list[Group] = field(default_factory=list)
    """The items that it is evidence for, by kind."""


@implements("REQ-511")
def entry_pages(view: TraceView) -> Iterator[tuple[str, str]]:
    """Name and text of each page, one by one: the list of all entries, then the entries by number."""
    evidence = dict(entry_evidence(view.trace))
    facts = common(view, "") | {"here": "entries.html"}
    rows = [(entry, _counted(view, evidence.get(entry.entry, ()))) for entry in view.trace.entries]
    yield "entries.html", template("entries").render(facts, title="Log", rows=rows)
    references = References(view, "../items/")
    pages: dict[str, list[TraceEntry]] = {}
    for entry in view.trace.entries:
        pages.setdefault(entry_page(entry.entry), []).append(entry)
    facts = common(view, "../") | {"here": "entries.html", "model": model_of(view.trace)}
    for name, entries in pages.items():
        stories = [EntryStory(one, _groups(view, references, evidence.get(one.entry, ()))) for one in entries]
        title = f"Entries {entries[0].entry} to {entries[-1].entry} of the log"
        yield name, template("entry").render(facts, title=title, stories=stories, page=name.rpartition("/")[2])


def _counted(view: TraceView, evidence: tuple[Evidence, ...]) -> list[tuple[int, str]]:
    """How many items of each kind an entry is evidence for."""
    kinds = [view.by_id[one.item].kind for one in evidence]
    return [(kinds.count(kind), view.kinds[kind][1].lower()) for kind in _order(kinds)]


def _order(kinds: list[str]) -> list[str]:
    return sorted(set(kinds), key=lambda kind: (list(_GROUPS).index(kind) if kind in _GROUPS else len(_GROUPS), kind))


def _groups(view: TraceView, references: References, evidence: tuple[Evidence, ...]) -> list[Group]:
    by_kind: dict[str, list[Evidence]] = {}
    for one in evidence:
        by_kind.setdefault(view.by_id[one.item].kind, []).append(one)
    found = []
    for kind in _order(list(by_kind)):
        rows = by_kind[kind]
        short = len(rows) > _MANY
        refer = references.short if short else references.full
        reasons = {one.why for one in rows}
        words = _GROUPS.get(kind) or view.kinds[kind][1]
        shared = reasons.pop() if len(reasons) == 1 and len(rows) > 1 else ""
        found.append(Group(words, short, shared, [(refer(one.item), one.why) for one in rows]))
    return found
