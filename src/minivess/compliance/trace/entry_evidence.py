"""What each entry of a log is evidence for: the items whose results, signatures or files it recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceData, TraceItem, TraceSignature

FILES_BEHIND: Mapping[str, str] = {
    "data-set": "data.split",
    "weights": "model.export",
    "threshold": "calibration",
    "policy": "policy.register",
}
"""The action whose last entry made what an item rests on beside text."""
SUBJECTS: Mapping[str, frozenset[str]] = {
    "requirements": frozenset({"software-requirement"}),
    "risk": frozenset({"risk", "risk-control"}),
}
"""The kinds of items that an approval of all of them is about."""


RECORDING = frozenset(
    {
        "scenarios",
        "risk.drill",
        "trace.review",
        "trace.attest",
        "trace.approve",
        "trace.baseline",
        *FILES_BEHIND.values(),
    }
)
"""Actions whose completed entries can be evidence for items."""


class Evidence(NamedTuple):
    """One item for which an entry is evidence."""

    item: str
    why: str
    """What of the item the entry recorded."""


@implements("REQ-511", "RC-211")
def entry_evidence(trace: TraceData) -> tuple[tuple[int, tuple[Evidence, ...]], ...]:
    """The entries that are evidence for items, in order, each with those items in the order of the trace.

    Results count for the item that they verify, and for the risk of a control that they verify. A signature counts for the
    item that it is about, an approval of requirements or of the risk file for each of them, a baseline for every item. A file
    counts for the items that rest on it.
    """
    found: dict[int, dict[str, list[str]]] = {}
    for entry, item, why in _all(trace):
        reasons = found.setdefault(entry, {}).setdefault(item, [])
        if why not in reasons:
            reasons.append(why)
    order = {item.id: place for place, item in enumerate(trace.items)}
    return tuple(
        (
            entry,
            tuple(
                Evidence(item, "; ".join(found[entry][item])) for item in sorted(found[entry], key=order.__getitem__)
            ),
        )
        for entry in sorted(found)
    )


def _all(trace: TraceData) -> Iterator[tuple[int, str, str]]:
    yield from _results(trace)
    for item in trace.items:
        for one in item.signatures:
            yield one.entry, item.id, _signed(one)
    for one in trace.signatures:
        for item in filter(_subject(one), trace.items):
            yield one.entry, item.id, _signed(one)
    made = {one.action: one.entry for one in trace.made}
    made |= {one.action: one.entry for one in trace.entries if one.outcome == "completed"}
    for item in trace.items:
        for name in _targets(item, "rests-on"):
            action = FILES_BEHIND.get(name)
            if action in made:
                yield made[action], item.id, f"rests on {name}"


def _results(trace: TraceData) -> Iterator[tuple[int, str, str]]:
    report = trace.report
    if report is None or report.entry is None or report.stale:
        return
    verified = {item.id for item in trace.items if item.results}
    for item in trace.items:
        if item.id in verified:
            passed = sum(one.outcome == "passed" for one in item.results)
            yield report.entry, item.id, f"{passed} of {len(item.results)} results passed"
        for control in _targets(item, "controls"):
            if control in verified:
                yield report.entry, item.id, f"results of the control {control}"


def _subject(signature: TraceSignature) -> Callable[[TraceItem], bool]:
    """Which items a signature for all of them is about."""
    kinds = SUBJECTS.get(signature.about, frozenset())
    return lambda item: signature.meaning == "baseline" or item.kind in kinds


def _signed(signature: TraceSignature) -> str:
    state = f", out of date: {signature.out_of_date}" if signature.out_of_date else ""
    return f"{signature.meaning} by {signature.actor} ({signature.about}){state}"


def _targets(item: TraceItem, relation: str) -> list[str]:
    return [edge.target for edge in item.links if edge.relation == relation]
