"""Waive a gate of one release, on the record: it may fail until a day."""

from __future__ import annotations

import json
from datetime import date

from minivess.compliance.identity.signer import Signer
from minivess.compliance.release.gating.waivers import WAIVED
from minivess.foundation.choices import nearest
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.device.release_policy import NEVER_WAIVED
from minivess.records.log.payloads.evidence import GateWaived
from minivess.records.log.receipt import Receipt
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.release.gates import judge_gates, judgeable_risks
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

_SHORT = 200


@implements("REQ-552", "RC-231")
def waive(services: Services, signer: Signer, gate: str, *, reason: str, owner: str, risk: str, until: date) -> Receipt:
    """Waive a gate that fails, for the release that the project file names.

    Args:
        services: the workspace.
        signer: an independent reviewer or a release manager without a part in a model.
        gate: its name in the release policy.
        reason: why the release may be built all the same.
        owner: the id of the person who answers for closing it.
        risk: the risk that it is linked with, by its id.
        until: the last day on which it counts, in UTC.

    Raises:
        UsageError: there is no such gate, person or risk; the day is past; a text is empty or too long.
        RefusedError: the gate passes, no waiver lets gates of its kind fail, or the signer may not do this.
    """
    known = ReleaseFacts.read(services)
    results = {one.id: one for one in judge_gates(services, known)}
    if gate not in results:
        raise UsageError(f"the release policy has no gate {gate}", hint=nearest(gate, list(results)))
    found = results[gate]
    if found.kind in NEVER_WAIVED:
        raise RefusedError(f"no waiver lets a gate of the kind {found.kind} fail", hint=found.mend)
    if found.passed:
        raise RefusedError(f"the gate {gate} passes, so there is nothing to waive")
    people = {one.id for one in known.log.register.identities}
    if owner not in people:
        raise UsageError(f"{owner} is not enrolled in the log", hint=nearest(owner, sorted(people)))
    risks = judgeable_risks(known.tree)
    if risks is None or risk not in {one.id for one in risks.risks}:
        raise UsageError(f"the risk file has no risk {risk}", hint="`minivess trace matrix` shows the risks")
    if until < services.clock().date():
        raise UsageError(f"{until} is past", hint="name the last day on which the waiver counts")
    said = _said(
        gate=gate,
        version=services.project.device.version,
        found=found.message if len(found.message) <= _SHORT else f"{found.message[: _SHORT - 3]}...",
        reason=reason,
        owner=owner,
        risk=risk,
        until=f"{until.isoformat()}T23:59:59.999999Z",
    )
    with recorded(services, WAIVED, signer, instant=True) as record:
        record.payload(**said.model_dump(mode="json"))
    return record.receipt


def _said(**fields: str) -> GateWaived:
    try:
        return parse_json_record(json.dumps(fields), GateWaived)
    except InputError as error:
        raise UsageError(error.message) from None
