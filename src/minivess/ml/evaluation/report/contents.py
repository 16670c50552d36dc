"""The sections of a report with their numbers, and which of them share printed pages.

No browser knows the page of a heading before it prints (`target-counter` of css-gcpm-3 is in none of them), so the printed
contents has numbers of sections, and each page names its sections at its foot (ADR 65).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from minivess.foundation.implements import implements

_TITLES = {
    "summary": "Summary",
    "measures": "Measures",
    "cases": "Every case",
    "pictures": "Cases in pictures",
    "failures": "Failures",
    "subgroups": "Subgroups",
    "reliability": "Reliability of the probabilities",
    "precision-recall": "Precision and recall",
}
_LAST = {"access": "Access to the test set", "methods": "Methods", "limits": "What is not covered"}
_SHARED = (("failures", "subgroups"), ("reliability", "precision-recall"), tuple(_LAST))
"""Sections that are printed one after the other without a new page."""
_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)


@dataclass(frozen=True)
class ReportSection:
    """A section of the report."""

    number: int
    anchor: str
    title: str


@dataclass(frozen=True)
class PrintedPages:
    """Pages of a name of their own, on which some sections are printed."""

    name: str
    """For CSS: letters, digits and hyphens."""
    anchors: tuple[str, ...]
    foot: str
    """Numbers and titles of the sections. Of a further section the number alone: its title can have the name of a case."""


@implements("REQ-318")
def sections_of_report(further: Sequence[str]) -> tuple[ReportSection, ...]:
    """The sections in their order.

    Args:
        further: sections that were made elsewhere. What is marked as HTML and has a heading has a number.
    """
    titled = [
        (f"further-{place}", Markup(found[1]))  # noqa: S704  it is a part of what is marked as HTML
        for place, one in enumerate(further, 1)
        if isinstance(one, Markup) and (found := _HEADING.search(one)) is not None
    ]
    pairs = [*_TITLES.items(), *titled, *_LAST.items()]
    return tuple(ReportSection(number, anchor, title) for number, (anchor, title) in enumerate(pairs, 1))


@implements("REQ-318")
def printed_pages(sections: Sequence[ReportSection]) -> tuple[PrintedPages, ...]:
    """The sections by the pages on which they are printed, in their order."""
    groups: dict[str, list[ReportSection]] = {}
    for one in sections:
        first = next((shared[0] for shared in _SHARED if one.anchor in shared), one.anchor)
        groups.setdefault(first, []).append(one)
    return tuple(
        PrintedPages(
            name=f"part-{place}",
            anchors=tuple(one.anchor for one in group),
            foot=", ".join(
                f"{one.number}" if one.anchor.startswith("further-") else f"{one.number} {one.title}" for one in group
            ),
        )
        for place, group in enumerate(groups.values(), 1)
    )
