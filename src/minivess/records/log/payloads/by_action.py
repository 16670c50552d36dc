"""The record of each action's payload, and the check of a payload against it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Observation, Record
from minivess.records.device.preparation import ReleasePrepared
from minivess.records.device.registration import PolicyRegistered
from minivess.records.log.action_table import RulesAdopted
from minivess.records.log.payloads.data import (
    DataAdded,
    DataCardWritten,
    DataIngested,
    DataProfiled,
    DataSealed,
    DataSplit,
    DataTransferred,
    DataValidated,
    LeakageChecked,
)
from minivess.records.log.payloads.evidence import (
    BaselineTaken,
    ClauseAttested,
    ControlsDrilled,
    LinksReviewed,
    ReleaseBuilt,
    ReleaseSigned,
    ScenariosRun,
    SubjectApproved,
)
from minivess.records.log.payloads.identities import (
    EntryErased,
    IdentityEnrolled,
    IdentityLocked,
    IdentityRefused,
    IdentityReinstated,
    IdentityRevoked,
    IdentityRotated,
    IdentityUnlocked,
    LogCreated,
    RootsChanged,
    UnlockFailed,
)
from minivess.records.log.payloads.looks import CriteriaRegistered, Evaluated, LookApproved, LookOpened, LookRequested
from minivess.records.log.payloads.models import (
    Calibrated,
    Disposition,
    Ensembling,
    Inference,
    ModelExported,
    ModelPromoted,
    Training,
)
from minivess.records.log.serving_log import RefusalsCounted, ServingAnchored, ServingEnrolled
from minivess.records.log.witnessed import LogRestored, TimeAttested, WitnessAnnounced

PAYLOADS: dict[str, type[Record]] = {
    "log.created": LogCreated,
    "identity.enrolled": IdentityEnrolled,
    "identity.revoked": IdentityRevoked,
    "identity.rotated": IdentityRotated,
    "identity.unlock-failed": UnlockFailed,
    "identity.unlocked": IdentityUnlocked,
    "identity.locked": IdentityLocked,
    "identity.reinstated": IdentityReinstated,
    "identity.refused": IdentityRefused,
    "identity.witness": WitnessAnnounced,
    "roots.changed": RootsChanged,
    "rules.adopted": RulesAdopted,
    "log.restored": LogRestored,
    "time.attested": TimeAttested,
    "entry.erased": EntryErased,
    "data.ingest": DataIngested,
    "data.validate": DataValidated,
    "data.profile": DataProfiled,
    "data.split": DataSplit,
    "data.leakage": LeakageChecked,
    "data.card": DataCardWritten,
    "data.add": DataAdded,
    "data.push": DataTransferred,
    "data.pull": DataTransferred,
    "data.seal": DataSealed,
    "training": Training,
    "ensemble": Ensembling,
    "run.disposition": Disposition,
    "calibration": Calibrated,
    "criteria.register": CriteriaRegistered,
    "policy.register": PolicyRegistered,
    "test-set.request": LookRequested,
    "test-set.approve": LookApproved,
    "test-set.open": LookOpened,
    "evaluation": Evaluated,
    "model.export": ModelExported,
    "model.promote": ModelPromoted,
    "inference": Inference,
    "inference.refusals": RefusalsCounted,
    "serving.enrolled": ServingEnrolled,
    "serving.anchored": ServingAnchored,
    "scenarios": ScenariosRun,
    "risk.drill": ControlsDrilled,
    "trace.review": LinksReviewed,
    "trace.baseline": BaselineTaken,
    "trace.attest": ClauseAttested,
    "trace.approve": SubjectApproved,
    "release.prepare": ReleasePrepared,
    "release.build": ReleaseBuilt,
    "release.sign": ReleaseSigned,
}
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
        model.model_validate(payload)
    except ValidationError as error:
        found = first_error(error, whole="payload")
        raise UsageError(f"the payload of {action!r} is refused: {found}") from None
