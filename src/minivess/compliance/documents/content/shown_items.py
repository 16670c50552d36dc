"""Items of a trace with their links both ways, as documents list them."""

from __future__ import annotations

from dataclasses import dataclass

from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.site.view import by_relation
from minivess.records.items.trace_data import TraceItem


@dataclass(frozen=True)
class Shown:
    """An item of the trace with its links both ways."""

    item: TraceItem
    up: tuple[tuple[str, tuple[str, ...]], ...]
    """The words of each relation with the ids at its other ends."""
    down: tuple[tuple[str, tuple[str, ...]], ...]
    """As `up`, for what shows that it is met."""


def items_of_kind(dossier: Dossier, kind: str) -> list[Shown]:
    """The items of a kind, in the order of the trace."""
    view = dossier.trace
    return [
        Shown(item, by_relation(view.up[item.id]), by_relation(view.down[item.id]))
        for item in view.items
        if item.kind == kind
    ]
