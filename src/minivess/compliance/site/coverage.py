"""Coverage of the standards: clauses by how they stand, with a bar that shows the shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from minivess.compliance.site.references import References
from minivess.compliance.site.templating import anchor
from minivess.records.items.trace_data import ClauseCoverage

_ORDER = ("met", "justified", "open")
_WIDE, _HIGH = 240, 12


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One standard."""

    standard: str
    anchor: str
    met: int
    justified: int
    open: int
    bar: Markup
    groups: list[tuple[str, list[tuple[ClauseCoverage, list[Markup]]]]]


def coverage_rows(clauses: Iterable[ClauseCoverage], references: References | None = None) -> list[CoverageRow]:
    """The standards in the order in which they first appear.

    Args:
        clauses: the `coverage` of a trace.
        references: what makes links of the evidence; without it the rows carry counts alone.
    """
    by_standard: dict[str, list[ClauseCoverage]] = {}
    for clause in clauses:
        by_standard.setdefault(clause.standard, []).append(clause)
    rows = []
    for number, (standard, found) in enumerate(by_standard.items(), start=1):
        groups: dict[str, list[ClauseCoverage]] = {status: [] for status in _ORDER}
        for clause in found:
            groups.get(clause.status, groups["open"]).append(clause)
        counts = {status: len(group) for status, group in groups.items()}
        rows.append(
            CoverageRow(
                standard=standard,
                anchor=f"standard-{number}-{anchor(standard)}",
                met=counts["met"],
                justified=counts["justified"],
                open=counts["open"],
                bar=_bar(counts),
                groups=[
                    (status, [(clause, _evidence(clause, references)) for clause in groups[status]])
                    for status in ("open", "justified", "met")
                ]
                if references
                else [],
            )
        )
    return rows


def _evidence(clause: ClauseCoverage, references: References | None) -> list[Markup]:
    """References where the evidence is an item of the trace, its own words where it is not."""
    if references is None:
        return []
    return [
        references.short(name) if references.address(name) else Markup('<span dir="auto">{}</span>').format(name)
        for name in clause.evidence
    ]


def _bar(counts: dict[str, int]) -> Markup:
    total = sum(counts.values())
    x, parts = 0, []
    for number, status in enumerate(_ORDER):
        end = round(_WIDE * sum(counts[name] for name in _ORDER[: number + 1]) / total) if total else 0
        if end > x:
            parts.append(f'<rect class="{status}" x="{x}" y="1" width="{end - x}" height="{_HIGH - 2}"/>')
        x = end
    words = ", ".join(f"{counts[status]} {status}" for status in _ORDER)
    return Markup(  # noqa: S704  numbers and our own words
        f'<svg class="bar" viewBox="0 0 {_WIDE} {_HIGH}" width="{_WIDE}" height="{_HIGH}" role="img" '
        f'aria-label="{words}" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )
