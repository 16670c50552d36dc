"""Move a model from one stage to another."""

from __future__ import annotations

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import Role
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


@implements("REQ-060")
def promote(services: Services, signer: Signer, model: str, *, stage: str, reason: str) -> Receipt:
    """Move a model to another stage, on the record; a model in production makes way for the next.

    Args:
        services: the workspace.
        signer: a release manager.
        model: digest of the model.
        stage: `candidate`, `production` or `retired`.
        reason: why.

    Raises:
        RefusedError: the signer is no release manager.
        UsageError: no completed entry made such a model, or it is in that stage already.
    """
    if Role.RELEASE_MANAGER not in signer.identity.roles:
        raise RefusedError(
            f"{signer.identity.id} is no release manager", hint="models are promoted by a release manager"
        )
    standing = Promotions.fold(services.log.entries(actions=PROMOTING))
    if model not in standing.known:
        raise UsageError(
            "no completed export made a model of that digest", hint="`minivess audit log --action model.export`"
        )
    if standing.stages.get(model) == stage:
        raise UsageError(f"this model is {stage} already")
    with recorded(services, "model.promote", signer, instant=True) as record:
        record.payload(model=model, stage=stage, reason=reason)
    return record.receipt
