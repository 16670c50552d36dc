"""What the tool attests of a source tree: gaps, open clauses and known anomalies, as a pack holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from minivess.compliance.trace.tree import Tree
from minivess.foundation.implements import implements
from minivess.records.device.attested import (
    ATTESTED_FORMAT,
    AnomalyCondition,
    Approvable,
    Attested,
    AttestedGap,
    Counted,
    JustifiedGap,
    KnownAnomaly,
    ReviewCount,
    gap_key,
)
from minivess.records.device.preparation import Tool
from minivess.records.items.items import Anomaly
from minivess.records.items.trace_data import ClauseCoverage

_LONGEST = 10_000
_LINE = 150
"""Characters of a line of a condition."""


@implements("REQ-232")
def attested_of(
    tree: Tree,
    coverage: Iterable[ClauseCoverage],
    tool: Tool,
    missing: Iterable[str] | None = None,
    *,
    reviews: ReviewCount | None = None,
    counted: tuple[Counted, ...] | None = None,
    approvable: tuple[Approvable, ...] | None = None,
) -> Attested:
    """What is attested of a source tree.

    Args:
        tree: the tree, with recorded results.
        coverage: how the clauses of standards stand for it.
        tool: what found it.
        missing: chapters of documents that are owed and not written, each in a sentence; None: not looked at.
        counted: what the gates count in it; None: not counted.
        approvable: what has to be approved; None: not looked at.
        reviews: how many links have a signed review; None: not counted.
    """
    still_open = [
        AttestedGap(kind=one.gap.kind, item=_text(one.gap.item), message=_text(one.gap.message))
        for one in tree.gaps
        if one.open
    ]
    justified = [
        JustifiedGap(
            kind=one.gap.kind, item=_text(one.gap.item), message=_text(one.gap.message), remark=_text(one.remark)
        )
        for one in tree.gaps
        if not one.open
    ]
    anomalies = [one for one in tree.items.of(Anomaly).values() if one.id in open_anomalies(tree)]
    return Attested(
        format=ATTESTED_FORMAT,
        tool=tool,
        tree=tree.version.tree,
        gaps=tuple(sorted(still_open, key=gap_key)),
        justified=tuple(sorted(justified, key=lambda one: (*gap_key(one), one.remark))),
        open_clauses=tuple(sorted({_text(f"{one.standard} {one.clause}") for one in coverage if one.status == "open"})),
        anomalies=tuple(
            KnownAnomaly(id=one.id, title=one.title) for one in sorted(anomalies, key=lambda one: (one.id, one.title))
        ),
        conditions=tuple(_conditions(anomalies)),
        reviews=() if reviews is None else (reviews,),
        missing_chapters=None if missing is None else tuple(sorted(_text(one) for one in missing)),
        counted=counted,
        approvable=approvable,
    )


def open_anomalies(tree: Tree) -> tuple[str, ...]:
    """The ids of the problems that are open, in order."""
    return tuple(sorted(one.id for one in tree.items.of(Anomaly).values() if one.status == "open"))


@implements("REQ-513")
def _conditions(anomalies: Iterable[Anomaly]) -> Iterator[AnomalyCondition]:
    """What each open problem means for safety, in lines that the signing text shows whole."""
    for one in sorted(anomalies, key=lambda one: one.id):
        said = f"{'safety related' if one.safety_related else 'not safety related'}; {_text(one.evaluation)}"
        for line in wrap(said, _LINE):
            yield AnomalyCondition(id=one.id, text=line)


def _text(text: str) -> str:
    """Text that JSON can hold: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")[:_LONGEST]
