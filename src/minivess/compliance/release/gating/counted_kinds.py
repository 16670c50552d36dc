"""The kinds of gates whose figure is the number of offenders that a tool found, as a table.

A gate of such a kind needs a row here and in `verify.py`, and somebody who counts (`minivess.compliance.standards.counted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from minivess.foundation.implements import implements
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import APPROVALS, CountGate


@dataclass(frozen=True)
class CountedKind:
    """The words of one kind of gate."""

    title: str
    one: str
    """What is looked at."""
    several: str
    nothing: str
    """What is said of all of them when none offends."""
    unknown: str
    """Why the figure is not known, where nobody counted."""
    mend: str
    before: str = "of"
    may_be_zero: str = ""
    """Why there may be none to look at; empty: then the gate fails."""


_SOURCE_TREE = "the source tree was not looked at"
COUNTED_KINDS: Mapping[str, CountedKind] = MappingProxyType(
    {
        "suspects": CountedKind(
            "Links of which one end changed after the review",
            "reviewed link",
            "reviewed links",
            "name what was reviewed",
            _SOURCE_TREE,
            "read both ends, then `minivess trace review`",
        ),
        "units": CountedKind(
            "Software units without passed tests on this tree",
            "software unit",
            "software units",
            "have tests that name them and passed on this tree",
            "the software units were not looked at",
            "write tests that name each unit, then `minivess trace run --all`",
        ),
        "clauses": CountedKind(
            "Open clauses",
            "clause",
            "clauses",
            "met or justified",
            "no clause of a standard of this name was looked at",
            "`minivess trace standards` says what each open clause needs, and how each standard is called",
        ),
        "vulnerabilities": CountedKind(
            "Known vulnerabilities without a decision",
            "package",
            "packages",
            "without a vulnerability that is open",
            "the packages were not looked up",
            "update the package, or state why it is not affected",
        ),
        "licences": CountedKind(
            "Packages under a licence that is not allowed",
            "package",
            "packages",
            "under a licence that is allowed",
            "the licences of the packages were not looked at",
            "replace the package, or allow its licence",
        ),
        "expiries": CountedKind(
            "Justifications that no longer count",
            "justification",
            "justifications",
            "still count",
            _SOURCE_TREE,
            "close what it was for, or give a new date and reason",
            may_be_zero="nothing was justified",
        ),
        "drafts": CountedKind(
            "Drafts left",
            "text or requirement",
            "texts and requirements",
            "are no drafts",
            _SOURCE_TREE,
            "write what is open, and take the mark of a draft away",
        ),
        APPROVALS: CountedKind(
            "Texts, requirements and risks that are not approved as they are now",
            "subject of an approval",
            "subjects of an approval",
            "are approved as they are now",
            "what has to be approved was not looked at",
            "read it, then `minivess trace approve`",
        ),
    }
)


class Found(NamedTuple):
    """What was counted for a gate."""

    of: int | None
    """How many things were looked at; None: nobody looked."""
    offenders: list[str] | None
    source: str | None = None


@implements("REQ-550")
def found_for(gate: CountGate, facts: GateFacts) -> Found:
    """What was counted for a gate of one of `COUNTED_KINDS`. Of several counts the one with most offenders is judged."""
    if gate.kind == APPROVALS:
        offenders = None if facts.unapproved is None else list(facts.unapproved)
        return Found(facts.approvable, offenders)
    about = gate.standard or ""
    rows = [one for one in facts.counted or () if (one.kind, one.about) == (gate.kind, about)]
    if not rows:
        return Found(None, None)
    worst = max(rows, key=lambda one: len(one.offenders))
    return Found(min(one.of for one in rows), list(worst.offenders), worst.source)
