"""Which clauses are met by evidence that is there, which are open, and which somebody gave a reason for.

A tool's verdict never stands in for a person's: a clause of mode `attest` is met only by a signed attestation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from minivess.compliance.standards.catalogue import Catalogue, Clause, SafetyClass
from minivess.foundation.errors import UsageError

EVIDENCE: Mapping[str, str] = {
    "development-plan": "sdp.md",
    "requirements": "requirements/ holds user needs and software requirements that load",
    "trace-complete": "`trace check` with this release's results finds no gap",
    "risk-file": "risk/ loads, every level computed, no reason owed",
    "risks-acceptable": "every residual risk is acceptable under the plan",
    "controls-verified": "every risk control has a passed scenario on this tree",
    "results": "recorded test results of this tree: outcome, version, environment, date, tester",
    "all-passed": "no recorded result failed or was skipped",
    "architecture": "import contracts and the list of rooms",
    "soup-list": "SOUP with title, maker and version from uv.lock",
    "lock-file": "uv.lock: tools and libraries pinned by hash",
    "version-control": "git history of every controlled item",
    "audit-log": "the signed log verifies",
    "release-record": "a pack with version, build recipe and environment digest",
    "release-signed": "two people signed the pack",
    "pack-verified": "the delivered pack verifies byte for byte",
}
"""Names of evidence and what each means. The caller says which are present."""


@dataclass(frozen=True)
class Facts:
    """What is there at the time of asking."""

    present: frozenset[str]
    """Names from `EVIDENCE`, and `attested:<clause>` for each signed attestation."""
    justified: Mapping[str, str] = field(default_factory=dict)
    """Reason by clause number: why a clause does not apply or is met elsewhere."""


@dataclass(frozen=True)
class Coverage:
    """How one clause stands."""

    clause: Clause
    status: Literal["met", "open", "justified"]
    evidence: tuple[str, ...]
    """Evidence that is there."""
    missing: tuple[str, ...]
    """Evidence that is named for the clause and not there."""
    reason: str
    """The justification, or why the clause is open."""


def coverage(catalogue: Catalogue, facts: Facts, *, safety_class: SafetyClass = "B") -> tuple[Coverage, ...]:
    """Judge every clause that binds a class, in the catalogue's order.

    Raises:
        UsageError: a fact or a justified clause is not known.
    """
    numbers = {clause.number for clause in catalogue.clauses}
    strange = [name for name in facts.present if name not in EVIDENCE and not name.startswith("attested:")]
    strange += [name for name in facts.present if name.startswith("attested:") and name[9:] not in numbers]
    strange += [number for number in facts.justified if number not in numbers]
    if strange:
        raise UsageError(f"{catalogue.name} knows nothing of {sorted(strange)[0]!r}")
    return tuple(_judge(clause, facts) for clause in catalogue.binding(safety_class))


def _judge(clause: Clause, facts: Facts) -> Coverage:
    attested = f"attested:{clause.number}"
    named = clause.evidence if clause.automation != "attest" else (attested,)
    if clause.automation != "attest" and attested in facts.present:
        named = (*named, attested)
    there = tuple(name for name in named if name in facts.present)
    missing = tuple(name for name in named if name not in facts.present)
    if named and not missing:
        return Coverage(clause, "met", there, missing, "")
    if reason := facts.justified.get(clause.number, ""):
        return Coverage(clause, "justified", there, missing, reason)
    lack = f"not there: {', '.join(missing)}" if missing else "no evidence of this project is claimed for it yet"
    return Coverage(clause, "open", there, missing, lack)


def summary(covered: tuple[Coverage, ...]) -> dict[str, Any]:
    """Counts by status, and the numbers of the open clauses."""
    counts = Counter(entry.status for entry in covered)
    return {
        "met": counts["met"],
        "justified": counts["justified"],
        "open": counts["open"],
        "open_clauses": [entry.clause.number for entry in covered if entry.status == "open"],
    }
