"""Who signed for items and for all of them, and which entries recorded the results and the model behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from minivess.compliance.site.references import References
from minivess.compliance.site.view import TraceView
from minivess.records.items.trace_data import MadeFile, TraceData, TraceSignature


@dataclass(slots=True)
class SignedItems:
    """What one entry signed for: how much of it holds, and where it no longer does."""

    signature: TraceSignature
    """Its first one: who, when, and with which meaning."""
    first: Markup
    """The item of that one."""
    holding: int = 0
    items: dict[str, None] = field(default_factory=dict)
    out_of_date: list[tuple[Markup, str, str]] = field(default_factory=list)
    """Item, what was shown, and why it no longer holds."""

    @property
    def total(self) -> int:
        """Signatures of this entry."""
        return self.holding + len(self.out_of_date)


def signed_items(view: TraceView, references: References) -> list[SignedItems]:
    """The signatures of single items by entry, the latest first."""
    found: dict[int, SignedItems] = {}
    for item in view.items:
        for one in item.signatures:
            row = found.setdefault(one.entry, SignedItems(one, references.short(item.id)))
            row.items[item.id] = None
            if one.out_of_date:
                row.out_of_date.append((references.short(item.id), one.about, one.out_of_date))
            else:
                row.holding += 1
    return [found[entry] for entry in sorted(found, reverse=True)]


def baselines_that_hold(trace: TraceData) -> list[TraceSignature]:
    """Baselines of all items that are as they were then; the others may or may not have held this item so."""
    return [one for one in trace.signatures if one.meaning == "baseline" and not one.out_of_date]


def model_of(trace: TraceData) -> MadeFile | None:
    """The model that the log says was exported last."""
    return next((one for one in trace.made if one.name.endswith(".onnx")), None)


def recorded(trace: TraceData) -> dict[str, Any]:
    """What pages about results may name: the entry that recorded them, the model, and everything that was made."""
    report = trace.report
    return {
        "results_entry": report.entry if report else None,
        "model": model_of(trace),
        "made": trace.made,
    }
