"""The guard of the test set: criteria first, then a request, then somebody else's signature; every step an entry."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from minivess.compliance.audit.test_set import TestSetHistory, criteria_digest
from minivess.compliance.identity.approvals import approve as sign_approval
from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.approval import Policy, PolicyRule, UnsealGrant, UnsealRequest
from minivess.records.artifact import Artifact
from minivess.records.identity import KeyAlgorithm, Meaning, Role
from minivess.records.project import Project
from minivess.records.receipt import Receipt
from minivess.workflows.data import SEAL_CONTEXT, seal_of, version_of, write_json
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services

OPENING_POLICY = Policy(name="test-set-opening", rules=(PolicyRule(role=Role.REVIEWER, meaning=Meaning.APPROVAL),))
VALID_FOR = timedelta(days=7)
EPHEMERAL_CONTEXT = b"minivess/test-set/ephemeral-key/1"


def configuration_digest(project: Project) -> str:
    """The digest of the whole configuration."""
    return digest_of(project.model_dump(mode="json"))


@implements("REQ-021")
def register_criteria(services: Services, signer: Signer) -> Receipt:
    """Write the acceptance criteria into the log. Openings under criteria that are not there are refused."""
    workspace = Workspace(services.workspace)
    with recorded(services, "criteria.register", signer, instant=True) as record:
        write_json(workspace, "evidence/evaluation/criteria.json", services.project.evaluation)
        record.output("evaluation/criteria.json", workspace.evaluation / "criteria.json")
        record.payload(criteria=[one.model_dump(mode="json") for one in services.project.evaluation.criteria])
    return record.receipt


@implements("REQ-022")
def request(services: Services, signer: Signer, *, purpose: str) -> UnsealRequest:
    """Ask to open the test set once, for exactly the model, configuration, criteria and data as they are now.

    The data key will be released to a key made for this one run, which rests wrapped to the requester.

    Raises:
        UsageError: the requester has no encryption key, or the model is not exported yet.
        RefusedError: the criteria are not registered.
    """
    workspace, project = Workspace(services.workspace), services.project
    own = signer.identity.encryption_key
    if own is None:
        raise UsageError(f"{signer.identity.id} has no encryption key", hint="people have one; services do not")
    if not workspace.onnx.is_file():
        raise UsageError("there is no exported model to evaluate", hint="minivess model export")
    with recorded(
        services, "test-set.request", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        history = TestSetHistory.fold(services.log.entries())
        criteria = criteria_digest(project.evaluation.criteria)
        if criteria not in history.criteria:
            raise RefusedError(
                "these acceptance criteria are not in the log", hint="`minivess test-set criteria` registers them first"
            )
        ephemeral = generate(KeyAlgorithm.X25519)
        made = UnsealRequest(
            id=f"open-{secrets.token_hex(4)}",
            requester=signer.identity.id,
            purpose=purpose,
            model=digest_file(workspace.onnx),
            configuration=configuration_digest(project),
            criteria=criteria,
            data=seal_of(workspace).root,
            expires=utc_now() + VALID_FOR,
            ephemeral_key=raw_x25519(ephemeral.public),
        )
        wrapped = wrap_for(own, ephemeral.secret(), context=EPHEMERAL_CONTEXT)
        write_atomic(workspace.test_set / f"{made.id}.key", wrapped.encode("ascii"), mode=0o600)
        record.payload(request=made.model_dump(mode="json"))
    return made


@implements("REQ-022", "RC-03")
def approve(services: Services, signer: Signer, request_id: str) -> UnsealGrant:
    """Let a request open the test set once: the reviewer's key unwraps the data key and wraps it to that run alone.

    Raises:
        RefusedError: the request is unknown, answered, expired or the signer's own; the sealed files are other files;
            or the test set was not sealed for this reviewer. Each refusal is an entry.
    """
    workspace = Workspace(services.workspace)
    with recorded(
        services, "test-set.approve", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        history = TestSetHistory.fold(services.log.entries())
        asked = history.check_approve(request_id, approver=signer.identity.id, now=utc_now())
        manifest = seal_of(workspace)
        if manifest.root != asked.data:
            raise RefusedError("the request is for another sealed test set")
        wrapped = manifest.wrapped_keys.get(signer.identity.id)
        if wrapped is None:
            raise RefusedError(f"the test set was not sealed for {signer.identity.id}")
        shown = digest_of(asked)
        envelope = sign_approval(
            signer,
            role=Role.REVIEWER,
            meaning=Meaning.APPROVAL,
            policy=OPENING_POLICY,
            subjects=(Artifact(name=f"test-set/{asked.id}", digest=shown),),
            shown=shown,
            head=services.log.size,
            now=utc_now(),
        )
        data_key = signer.unwrap(wrapped, context=SEAL_CONTEXT)
        grant = UnsealGrant(
            request=asked.id,
            approver=signer.identity.id,
            wrapped_key=wrap_for(asked.ephemeral_key, data_key, context=_grant_context(asked.id)),
            envelope=envelope,
        )
        record.payload(grant=grant.model_dump(mode="json"))
    return grant


def _grant_context(request_id: str) -> bytes:
    return b"minivess/test-set/grant/1/" + request_id.encode("ascii")


@implements("RC-03")
def release_data_key(services: Services, signer: Signer, asked: UnsealRequest, grant: UnsealGrant) -> bytes:
    """The data key of one granted opening; the run's own key is destroyed by this.

    Raises:
        RefusedError: the run's key is gone or not the signer's.
    """
    path = Workspace(services.workspace).test_set / f"{asked.id}.key"
    if not path.is_file():
        raise RefusedError(f"the key of {asked.id} is gone: it opened once or was made elsewhere", hint="request again")
    raw = signer.unwrap(path.read_text(encoding="ascii"), context=EPHEMERAL_CONTEXT)
    path.unlink()
    ephemeral = PrivateKey.from_secret(KeyAlgorithm.X25519, raw)
    return ephemeral.unwrap(grant.wrapped_key, context=_grant_context(asked.id))


@implements("REQ-023")
def status(services: Services) -> dict[str, Any]:
    """How often the sealed test set was opened, derived from the log: `openings` and one row an opening."""
    history = TestSetHistory.fold(services.log.entries())
    opened = []
    for opening in history.opened:
        asked = history.requests[opening.request].request
        opened.append(
            {
                "index": opening.index,
                "request": asked.id,
                "requester": asked.requester,
                "approver": history.grants[asked.id].grant.approver,
                "purpose": asked.purpose,
                "model": asked.model,
            }
        )
    return {"openings": history.openings, "opened": opened}
