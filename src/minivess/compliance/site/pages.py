"""The pages at the top of the site: matrix, overview, items, risks, standards, open points, results and signatures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from minivess.compliance.site.coverage import coverage_rows
from minivess.compliance.site.references import Marks, References, mark
from minivess.compliance.site.risks import matrices, risk_rows
from minivess.compliance.site.signatures import recorded, signed_items
from minivess.compliance.site.templating import anchor, common, grouped, plural, template
from minivess.compliance.site.view import STATUSES, TraceView, by_relation
from minivess.foundation.implements import implements
from minivess.records.items.trace_data import TraceGap, TraceResult, TraceVerdict

_OUTCOMES = ("failed", "skipped", "passed")
"""Outcomes that the overview counts, in the order in which they are listed; others follow."""
_FIRST_GAPS, _FIRST_JUSTIFIED, _FIRST_SUSPECTS, _LAST_SIGNED = 6, 3, 12, 3
"""How many open points, justified gaps, suspect items and signatures for all items the overview shows."""


@dataclass(frozen=True, slots=True)
class KindRow:
    """One line of the table on the overview."""

    kind: str
    plural: str
    total: int
    by_status: list[tuple[str, int]]
    suspect: int


class Pages:
    """The pages at the top of the site of one trace.

    Args:
        view: the trace.
    """

    def __init__(self, view: TraceView) -> None:
        self._view = view
        self._references = References(view, "items/")
        self._facts = common(view, "") | recorded(view.trace) | {"marks": Marks(), "refs": self._references}

    def all(self) -> Iterator[tuple[str, str]]:
        """Name and text of each page, one by one."""
        yield "index.html", self._matrix()
        yield "overview.html", self._overview()
        yield "items.html", self._items()
        yield "risks.html", self._risks()
        yield "standards.html", self._standards()
        yield "points.html", self._points()
        yield "results.html", self._results()
        yield "signatures.html", self._signatures()
        for kind in self._view.kinds:
            yield list_name(kind), self._list(kind)

    def _render(self, name: str, title: str, here: str = "", **facts: Any) -> str:
        return template(name).render(self._facts, here=here or f"{name}.html", title=title, **facts)

    def _overview(self) -> str:
        trace, items = self._view.trace, self._view.items
        found = Counter(item.status for item in items)
        statuses = [
            *(name for name in STATUSES if found[name]),
            *sorted(name for name in found if name not in STATUSES),
        ]
        cells = Counter((item.kind, item.status) for item in items)
        totals = Counter(item.kind for item in items)
        suspect = Counter(item.kind for item in items if item.suspect)
        table = [
            KindRow(kind, words, totals[kind], [(name, cells[kind, name]) for name in statuses], suspect[kind])
            for kind, (_, words) in self._view.kinds.items()
        ]
        risks = [item for item in items if item.kind == "risk"]
        signed = [*trace.signatures, *(one for item in items for one in item.signatures)]
        return self._render(
            "overview",
            "Overview",
            verdict=trace.verdict,
            sentence=_sentence(trace.verdict, len(items), tested=trace.report is not None),
            total=len(items),
            statuses=statuses,
            table=table,
            totals=[(name, found[name]) for name in statuses],
            suspects=suspect.total(),
            risks=(len(risks), sum(item.status == "unacceptable" for item in risks)) if risks else None,
            first_gaps=[gap for gap in trace.gaps if gap.justified is None][:_FIRST_GAPS],
            first_justified=_soonest(trace.gaps)[:_FIRST_JUSTIFIED],
            first_suspects=[item.id for item in items if item.suspect][:_FIRST_SUSPECTS],
            report=trace.report,
            coverage=coverage_rows(trace.coverage),
            last_signed=trace.signatures[: -_LAST_SIGNED - 1 : -1],
            signed=len(signed),
            signed_out=sum(bool(one.out_of_date) for one in signed),
        )

    @implements("REQ-510")
    def _matrix(self) -> str:
        trace = self._view.trace
        return self._render(
            "matrix",
            "Matrix",
            here="index.html",
            verdict=trace.verdict,
            sentence=_sentence(trace.verdict, len(self._view.items), tested=trace.report is not None),
            lists=self._lists(),
        )

    def _items(self) -> str:
        return self._render("search", "Items", here="items.html", lists=self._lists())

    def _lists(self) -> list[tuple[str, str, int]]:
        """Page, words and number of each kind."""
        totals = Counter(item.kind for item in self._view.items)
        return [(list_name(kind), words, totals[kind]) for kind, (_, words) in self._view.kinds.items()]

    def _list(self, kind: str) -> str:
        refer = self._references
        rows = [
            (
                refer.full(item.id),
                _joined(refer, by_relation(self._view.up[item.id])),
                _joined(refer, by_relation(self._view.down[item.id])),
            )
            for item in self._view.items
            if item.kind == kind
        ]
        words = self._view.kinds[kind][1]
        return self._render("list", words, plural=words, kind=kind, rows=rows)

    def _risks(self) -> str:
        risk = self._view.trace.risk
        return self._render(
            "risks",
            "Risks",
            matrices=matrices(risk, self._references) if risk else [],
            probability=risk.probability if risk else [],
            risks=risk_rows(self._view, self._references),
        )

    def _standards(self) -> str:
        rows = coverage_rows(self._view.trace.coverage, self._references)
        marks = {"met": mark("passed", "met"), "open": mark("untested", "open"), "justified": mark("none", "justified")}
        return self._render("standards", "Standards", coverage=rows, cover_marks=marks)

    def _points(self) -> str:
        gaps = self._view.trace.gaps
        open_points = [gap for gap in gaps if gap.justified is None]
        refer = self._references.full
        suspects = [
            (
                refer(item.id),
                [(edge.words, refer(edge.other)) for edge in self._suspect_edges(item.id)],
            )
            for item in self._view.items
            if item.suspect
        ]
        return self._render(
            "points",
            "Open points",
            open_points=open_points,
            kinds_of_gaps=Counter(gap.kind for gap in open_points).most_common(),
            suspects=suspects,
            justified=[gap for gap in gaps if gap.justified is not None],
        )

    def _suspect_edges(self, identifier: str) -> list[Any]:
        return [edge for edge in (*self._view.up[identifier], *self._view.down[identifier]) if edge.suspect]

    def _signatures(self) -> str:
        view = self._view
        unsigned = sum(
            edge.reviewed is not None and edge.reviewed.entry is None for item in view.items for edge in item.links
        )
        return self._render(
            "signatures",
            "Signatures",
            for_all=view.trace.signatures,
            for_items=signed_items(view, self._references),
            unsigned=unsigned,
        )

    def _results(self) -> str:
        found: dict[str, dict[str, tuple[TraceResult, list[Markup]]]] = {name: {} for name in _OUTCOMES}
        for item in self._view.items:
            for result in item.results:
                rows = found.setdefault(result.outcome, {})
                row = rows.setdefault(result.node, (result, []))
                row[1].append(self._references.short(item.id))
        groups = [
            (outcome if number < len(_OUTCOMES) else f"outcome-{number}", outcome, list(rows.values()))
            for number, (outcome, rows) in enumerate(found.items())
        ]
        return self._render("results", "Results", report=self._view.trace.report, groups=groups)


def list_name(kind: str) -> str:
    """The page with every item of a kind. A kind that is no plain word is told apart by its digest."""
    plain = anchor(kind)
    apart = "" if plain == kind else f"-{hashlib.sha256(kind.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"list-{plain}{apart}.html"


def _soonest(gaps: Iterable[TraceGap]) -> list[TraceGap]:
    """The justified gaps, those that expire first in front."""
    expires = [(gap, gap.justified.expires) for gap in gaps if gap.justified is not None]
    return [gap for gap, _ in sorted(expires, key=lambda pair: (pair[1] is None, pair[1] or ""))]


def _joined(refer: References, groups: Iterable[tuple[str, Iterable[str]]]) -> Markup:
    """Links by relation, each group with the words of its relation before it."""
    line = Markup('<span class="relation small">{}</span> {}')
    return Markup("<br>").join(line.format(words, Markup(" ").join(map(refer.bare, found))) for words, found in groups)


def _sentence(verdict: TraceVerdict, total: int, *, tested: bool) -> tuple[str, str]:
    """The verdict in words, and the counts from which it follows."""
    held = f"{plural(verdict.justified, 'gap')} {'is' if verdict.justified == 1 else 'are'} justified"
    if verdict.holds:
        judged = f"{plural(total, 'item')}, no open point, nothing suspect" if total else "There is no item"
        untested = "" if tested else " No test results are recorded, so nothing is verified yet."
        shown = f"{judged}{f'; {held}' if verdict.justified else ''}.{untested}"
        return ("The trace holds." if tested else "Every link holds."), shown
    counts = [(verdict.gaps, "open point"), (verdict.suspects, "suspect item")]
    against = " and ".join(plural(count, word) for count, word in counts if count) or "Results that do not hold"
    return (
        "The trace does not hold.",
        f"{against} in {grouped(total)} items{f'; {held}' if verdict.justified else ''}.",
    )
