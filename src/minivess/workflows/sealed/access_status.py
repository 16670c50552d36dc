"""Requests and looks in words and figures, derived from the log alone."""

from __future__ import annotations

from typing import Any

from minivess.compliance.rules.look_facts import Look
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.rules.registrations import Registrations
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.strictness import gates_beyond_criteria
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.evaluation.measures import name_in
from minivess.records.lengths import LengthUnit
from minivess.workflows.session.services import WorkspaceReader
from minivess.workflows.session.workspace_files import seal_of


def summary_of(services: WorkspaceReader, request_id: str) -> list[tuple[str, str]]:
    """A request in words, for whoever is to approve it.

    Raises:
        RefusedError: the log has no such request.
    """
    history = services.log.standing.test_set
    requested = history.requests.get(request_id)
    if requested is None:
        raise RefusedError(f"the log has no request {request_id!r}", hint="`minivess test-set status` names them")
    asked, plan = requested.request, history.plans.get(requested.request.plan)
    before = sum(1 for one in history.looks() if one.requested and one.requested.request.data == asked.data)
    rows = [
        ("purpose", asked.purpose),
        ("asked by", f"{asked.requester}, entry {requested.index}"),
        ("release", asked.release),
        ("model", asked.model),
        ("looks so far", str(before)),
        ("expires", timestamp(asked.expires)),
    ]
    if plan is not None:
        looks = plan.plan.looks
        rows += [
            ("plan", f"{asked.plan}, entry {plan.index}, in evidence/evaluation/plan.json"),
            ("allowed", f"{looks.per_release} a release, {looks.total} in all"),
            ("tolerance", str(plan.plan.conventions.within)),
            *(("criterion", _words(one, plan.plan.conventions.within.unit)) for one in plan.plan.criteria),
            *(("margin", f"{one.measure}: a loss of {one.loss:g}") for one in plan.plan.margins),
            *((("notes", plan.plan.notes),) if plan.plan.notes else ()),
        ]
        policy = services.log.standing.registrations.policies.get(asked.policy or "")
        if policy is not None:
            rows += [("beyond", sentence) for sentence in gates_beyond_criteria(policy, plan.plan.criteria)]
    return rows


@implements("REQ-023", "REQ-094")
def status(services: WorkspaceReader) -> dict[str, Any]:
    """How often the sealed test set was opened, by whom, why and with what result, derived from the log alone."""
    history = services.log.standing.test_set
    policy = services.project.evaluation.looks
    looks = history.looks()
    data = [look.requested.request.data for look in looks if look.requested is not None]
    current = seal_of(Workspace(services.workspace)).root
    registered = services.log.standing.registrations
    return {
        "openings": history.openings,
        "policy": policy.model_dump(),
        "left": max(0, policy.total - data.count(current)),
        "opened": [_row(look, registered) for look in looks],
        "waiting": [
            {
                "request": name,
                "requester": requested.request.requester,
                "purpose": requested.request.purpose,
                "approved_by": None if (granted := history.grants.get(name)) is None else granted.grant.approver,
                "expires": timestamp(requested.request.expires),
            }
            for name, requested in history.requests.items()
            if _waits(history, name) and requested.request.expires > services.clock()
        ],
    }


def _waits(history: LookHistory, request_id: str) -> bool:
    """Whether a request waits: for its approval, or approved for the first evaluation."""
    runs = history.runs.get(request_id, ())
    return request_id not in history.grants or not any(run.result is not None for run in runs)


def _row(look: Look, registered: Registrations) -> dict[str, Any]:
    asked = None if look.requested is None else look.requested.request
    result = look.result
    return {
        "index": look.opening.index,
        "time": timestamp(look.opening.time),
        "look": look.number,
        "level": registered.level("" if asked is None else asked.data, look.number),
        "request": look.opening.request,
        "requester": look.opening.actor if asked is None else asked.requester,
        "approver": None if look.granted is None else look.granted.grant.approver,
        "purpose": None if asked is None else asked.purpose,
        "release": None if asked is None else asked.release,
        "model": None if asked is None else asked.model,
        "mode": look.mode,
        "outcome": look.outcome,
        "evaluations": look.runs,
        "discrepancies": list(look.discrepancies),
        "criteria_met": look.met,
        "criteria": [] if result is None else [one.model_dump(mode="json") for one in result.criteria],
        "aggregates": {}
        if result is None
        else {name: one.model_dump(mode="json") for name, one in result.aggregates.items()},
        "classes": {} if result is None else result.model_dump(mode="json").get("classes", {}),
    }


@implements("REQ-323")
def _words(criterion: Criterion, unit: LengthUnit) -> str:
    limits = (("at least", criterion.at_least), ("at most", criterion.at_most))
    bounds = [f"{word} {limit:g}" for word, limit in limits if limit is not None]
    named = "" if criterion.of_class is None else f" of {criterion.of_class}"
    return f"{name_in(criterion.measure, unit)}{named}, {criterion.statistic}: {' and '.join(bounds)}"
