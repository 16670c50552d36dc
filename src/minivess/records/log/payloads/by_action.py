"""The record of each action's payload, and the check of a payload against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Observation, Record, record_at


class _Payloads(Mapping[str, type[Record]]):
    """The records by action. A record is imported when it is asked for: a command meets the payloads of few actions."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """Take the place of each action's record, as `record_at` does."""
        self._places = places

    def __getitem__(self, action: str) -> type[Record]:
        return record_at(self._places[action])

    def __contains__(self, action: object) -> bool:
        return action in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


PAYLOADS: Mapping[str, type[Record]] = _Payloads(
    {
        "log.created": "log.payloads.identities:LogCreated",
        "identity.enrolled": "log.payloads.identities:IdentityEnrolled",
        "identity.revoked": "log.payloads.identities:IdentityRevoked",
        "identity.rotated": "log.payloads.identities:IdentityRotated",
        "identity.unlock-failed": "log.payloads.identities:UnlockFailed",
        "identity.unlocked": "log.payloads.identities:IdentityUnlocked",
        "identity.locked": "log.payloads.identities:IdentityLocked",
        "identity.reinstated": "log.payloads.identities:IdentityReinstated",
        "identity.refused": "log.payloads.identities:IdentityRefused",
        "identity.witness": "log.witnessed:WitnessAnnounced",
        "roots.changed": "log.payloads.identities:RootsChanged",
        "rules.adopted": "log.action_table:RulesAdopted",
        "log.restored": "log.witnessed:LogRestored",
        "time.attested": "log.witnessed:TimeAttested",
        "entry.erased": "log.payloads.identities:EntryErased",
        "data.ingest": "log.payloads.data:DataIngested",
        "data.validate": "log.payloads.data:DataValidated",
        "data.profile": "log.payloads.data:DataProfiled",
        "data.split": "log.payloads.data:DataSplit",
        "data.leakage": "log.payloads.data:LeakageChecked",
        "data.card": "log.payloads.data:DataCardWritten",
        "data.add": "log.payloads.data:DataAdded",
        "data.push": "log.payloads.data:DataTransferred",
        "data.pull": "log.payloads.data:DataTransferred",
        "data.seal": "log.payloads.data:DataSealed",
        "training": "log.payloads.models:Training",
        "ensemble": "log.payloads.models:Ensembling",
        "run.disposition": "log.payloads.models:Disposition",
        "calibration": "log.payloads.models:Calibrated",
        "criteria.register": "log.payloads.looks:CriteriaRegistered",
        "policy.register": "device.registration:PolicyRegistered",
        "test-set.request": "log.payloads.looks:LookRequested",
        "test-set.approve": "log.payloads.looks:LookApproved",
        "test-set.open": "log.payloads.looks:LookOpened",
        "evaluation": "log.payloads.looks:Evaluated",
        "model.export": "log.payloads.models:ModelExported",
        "model.promote": "log.payloads.models:ModelPromoted",
        "model.bento": "log.payloads.models:PackageBuilt",
        "model.map": "log.payloads.models:PackageBuilt",
        "inference": "log.payloads.models:Inference",
        "inference.refusals": "log.serving_log:RefusalsCounted",
        "inference.shadow": "log.shadow:ShadowCompared",
        "serving.enrolled": "log.serving_log:ServingEnrolled",
        "serving.anchored": "log.serving_log:ServingAnchored",
        "caller.created": "log.callers:CallerCreated",
        "caller.rotated": "log.callers:CallerRotated",
        "caller.revoked": "log.callers:CallerRevoked",
        "scenarios": "log.payloads.evidence:ScenariosRun",
        "risk.drill": "log.payloads.evidence:ControlsDrilled",
        "tool.qualified": "log.payloads.qualification:ToolQualified",
        "trace.review": "log.payloads.evidence:LinksReviewed",
        "trace.baseline": "log.payloads.evidence:BaselineTaken",
        "trace.attest": "log.payloads.evidence:ClauseAttested",
        "trace.approve": "log.payloads.evidence:SubjectApproved",
        "release.prepare": "device.preparation:ReleasePrepared",
        "release.build": "log.payloads.evidence:ReleaseBuilt",
        "release.gate-waived": "log.payloads.evidence:GateWaived",
        "release.revoked": "log.payloads.evidence:ReleaseRevoked",
        "release.sign": "log.payloads.evidence:ReleaseSigned",
    }
)
"""The payload model of every action that can be recorded."""


def observed(action: str) -> bool:
    """Whether the payload of an action stands in the erasable details of its entry."""
    model = PAYLOADS.get(action)
    return model is not None and issubclass(model, Observation)


@implements("REQ-140")
def check_payload(action: str, payload: dict[str, Any], *, complete: bool) -> None:
    """Check a payload against its action's model.

    Args:
        action: a key of `PAYLOADS`.
        payload: JSON-ready fields.
        complete: False for started, failed and refused actions, whose payload may be empty.

    Raises:
        UsageError: the action is unknown, or the payload has missing, wrong or undeclared fields.
    """
    model = PAYLOADS.get(action)
    if model is None:
        raise UsageError(f"unknown action {action!r}", hint=f"known actions: {', '.join(sorted(PAYLOADS))}")
    if not payload and not complete:
        return
    try:
        model.model_validate_json(json.dumps(payload), strict=True)  # a number is no text, and a text no number
    except ValidationError as error:
        found = first_error(error, whole="payload")
        raise UsageError(f"the payload of {action!r} is refused: {found}") from None
