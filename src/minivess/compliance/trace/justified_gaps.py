"""Gaps with what somebody said about them: justified for a while, justified once, or open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from minivess.compliance.trace.links import Links
from minivess.foundation.implements import implements
from minivess.records.items.justification import Justification, applicable, idle, match_gap, subject_of
from minivess.records.items.trace import Gap


class JudgedGap(NamedTuple):
    """A gap, and the justification that was given for it."""

    gap: Gap
    justification: Justification | None
    """The one that counts longest, whether it still counts or not."""
    open: bool
    """Whether it is as if there were no justification."""

    @property
    def remark(self) -> str:
        """What has to be said beside the gap; empty where nobody justified it."""
        one = self.justification
        if one is None:
            return ""
        if self.open:
            return f"its justification by {one.owner} expired on {one.expires}"
        return f"justified by {one.owner} until {one.expires}: {one.reason}"


@implements("REQ-071")
def judged(graph: Links, gaps: Iterable[Gap], today: date) -> tuple[JudgedGap, ...]:
    """Every gap, whether it is open or justified on a day. None is left out."""
    counting, _ = applicable(graph.justifications, today)
    found = []
    for gap in gaps:
        valid = match_gap(counting, gap)
        found.append(JudgedGap(gap, valid or match_gap(graph.justifications, gap), open=valid is None))
    return tuple(found)


def idle_justifications(graph: Links, gaps: Iterable[Gap]) -> tuple[Justification, ...]:
    """Justifications of gaps that are not there: closed meanwhile, or misspelt."""
    return idle([one for one in graph.justifications if one.gap], {subject_of(gap) for gap in gaps})
