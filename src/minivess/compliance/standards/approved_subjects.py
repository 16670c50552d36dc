"""What people approve of a source tree, as it stands: its plans, changes that were asked for, requirements and risk file.

An approval is of a digest. It holds until what was read has changed, and what rests on it is open again from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from minivess.compliance.items.items import Items
from minivess.compliance.standards.filing import filing
from minivess.compliance.standards.required_documents import documents
from minivess.compliance.trace.link_reviews import item_digest
from minivess.foundation.digests import digest_file, digest_json
from minivess.foundation.implements import implements
from minivess.records.items.items import (
    Anomaly,
    ChangeRequest,
    Item,
    Requirement,
    StatisticalCriterion,
    SystemRequirement,
    UserNeed,
)
from minivess.records.items.kinds import KINDS
from minivess.records.items.trace import Signature

APPROVED = "approved"
"""The meaning of an approval among the signatures of a trace."""
PLAN = "sdp.md"
REQUIREMENTS, RISK_FILE, PROBLEMS, TEMPLATES = "requirements", "risk", "problems", "templates"
OWN_TEMPLATES = "templates/documents"
"""The folder of a source tree with files that replace templates of documents."""
BY_REVIEWER = frozenset({REQUIREMENTS, RISK_FILE, PROBLEMS})
"""Subjects of somebody who reviews independently of those who wrote them (IEC 62304 5.2.6, 9.6; ISO 14971 9)."""

_REQUIRED = (UserNeed, SystemRequirement, Requirement, StatisticalCriterion)
_RISK_KINDS = tuple(kind.record for kind in KINDS if kind.folder == "risk")


@implements("REQ-117")
def approvable(source: Path, items: Items) -> dict[str, str]:
    """What can be approved, with the digest of what it says now.

    Plans and instructions by their path, change requests that were not rejected by their id (their status may go on),
    `requirements` (needs, requirements and criteria), `risk` (the plan and everything in the risk file), `problems` (all
    problem reports, read together for what they have in common), and `templates` (the files that replace templates of documents).
    """
    paths = dict.fromkeys((PLAN, *(one.path for one in documents()), *(one.path for one in filing() if one.path)))
    found = {path: digest_file(source / path) for path in paths if (source / path).is_file()}
    for change in items.of(ChangeRequest).values():
        if change.status != "rejected":
            found[change.id] = digest_json(change.model_dump(mode="json", exclude={"source", "status"}))
    if items.of(Anomaly):
        found[PROBLEMS] = digest_json(_digests(items, (Anomaly,)))
    own = source / OWN_TEMPLATES
    if own.is_dir():
        found[TEMPLATES] = digest_json({one.name: digest_file(one) for one in sorted(own.iterdir()) if one.is_file()})
    found[REQUIREMENTS] = digest_json(_digests(items, _REQUIRED))
    if items.plan is not None:
        found[RISK_FILE] = digest_json({"plan": items.plan.model_dump(mode="json"), **_digests(items, _RISK_KINDS)})
    return found


def required_approvals(items: Items) -> dict[str, frozenset[str]]:
    """By evidence: what has to be approved for it."""
    carried_out = (one.id for one in items.of(ChangeRequest).values() if one.status in ("implemented", "verified"))
    return {
        "plan-approved": frozenset({PLAN, *(one.path for one in documents())}),
        "changes-approved": frozenset(carried_out),
        "requirements-reviewed": frozenset({REQUIREMENTS}),
        "risk-reviewed": frozenset({RISK_FILE}),
        "problem-trends": frozenset({PROBLEMS}) if items.of(Anomaly) else frozenset(),
    }


def approved(signatures: Iterable[Signature]) -> dict[str, Signature]:
    """The latest approval of each subject, whether it still holds or not."""
    return {one.item or one.about: one for one in signatures if one.meaning == APPROVED}


def _digests(items: Items, kinds: tuple[type[Item], ...]) -> dict[str, str]:
    return {one.id: item_digest(one) for one in items.all() if isinstance(one, kinds)}
