"""The guard of the test set: plan and criteria first, then a request, then somebody else's signature; each an entry."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from minivess.compliance.audit.test_set import Look, TestSetHistory, criteria_digest
from minivess.compliance.identity.approvals import approve as sign_approval
from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, wrap_for
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.approval import Facts, Policy, PolicyRule, UnsealGrant, UnsealRequest
from minivess.records.artifact import Artifact
from minivess.records.evaluation import AnalysisPlan, Conventions
from minivess.records.identity import KeyAlgorithm, Meaning
from minivess.records.model import MASK_THRESHOLD
from minivess.records.project import Project
from minivess.records.receipt import Receipt
from minivess.records.roles import Role
from minivess.workflows.data import SEAL_CONTEXT, seal_of, version_of, write_json
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services, WorkspaceReader

OPENING_POLICY = Policy(name="test-set-opening", rules=(PolicyRule(role=Role.REVIEWER, meaning=Meaning.APPROVAL),))
VALID_FOR = timedelta(days=7)
EPHEMERAL_CONTEXT = b"minivess/test-set/ephemeral-key/1"


def configuration_digest(project: Project) -> str:
    """The digest of the whole configuration."""
    return digest_of(project.model_dump(mode="json"))


@implements("REQ-092")
def plan_of(project: Project) -> AnalysisPlan:
    """The plan of the analysis, as the project file states it."""
    wanted = project.evaluation
    return AnalysisPlan(
        mask_threshold=MASK_THRESHOLD,
        conventions=Conventions(tolerance_um=wanted.tolerance_um, bootstrap=wanted.bootstrap),
        seed=project.split.seed,
        looks=wanted.looks,
        criteria=wanted.criteria,
        notes=wanted.notes,
    )


def facts_of(services: Services) -> Facts:
    """What a request names and an opening compares: everything that is there now.

    Raises:
        UsageError: the model is not exported, or the test part not sealed.
    """
    workspace, project = Workspace(services.workspace), services.project
    if not workspace.onnx.is_file() or not (workspace.models / "calibration.json").is_file():
        raise UsageError("there is no exported model to evaluate", hint="minivess model export")
    return Facts(
        model=digest_file(workspace.onnx),
        calibration=digest_file(workspace.models / "calibration.json"),
        configuration=configuration_digest(project),
        plan=digest_of(plan_of(project)),
        criteria=criteria_digest(project.evaluation.criteria),
        data=seal_of(workspace).root,
    )


@implements("REQ-021", "REQ-092")
def register_criteria(services: Services, signer: Signer) -> Receipt:
    """Write the acceptance criteria and the analysis plan into the log. Openings under others are refused."""
    workspace = Workspace(services.workspace)
    plan = plan_of(services.project)
    with recorded(services, "criteria.register", signer, instant=True) as record:
        write_json(workspace, "evidence/evaluation/criteria.json", services.project.evaluation)
        write_json(workspace, "evidence/evaluation/plan.json", plan)
        record.output("evaluation/criteria.json", workspace.evaluation / "criteria.json")
        record.output("evaluation/plan.json", workspace.evaluation / "plan.json")
        record.payload(
            criteria=[one.model_dump(mode="json") for one in plan.criteria], plan=plan.model_dump(mode="json")
        )
    return record.receipt


@implements("REQ-022", "REQ-092", "REQ-095")
def request(services: Services, signer: Signer, *, purpose: str) -> UnsealRequest:
    """Ask to open the test set once, for exactly the model, configuration, plan and data as they are now.

    The data key will be released to a key made for this one run, which rests wrapped to the requester.

    Raises:
        UsageError: the requester has no encryption key, or the model is not exported yet.
        RefusedError: plan or criteria are not registered, or the policy allows no further look.
    """
    workspace, project = Workspace(services.workspace), services.project
    own = signer.identity.encryption_key
    if own is None:
        raise UsageError(f"{signer.identity.id} has no encryption key", hint="people have one; services do not")
    facts = facts_of(services)
    with recorded(
        services, "test-set.request", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        history = TestSetHistory.fold(services.log.entries())
        for what, digest, known in (
            ("acceptance criteria are", facts.criteria, history.criteria),
            ("analysis plan is", facts.plan, history.plans),
        ):
            if digest not in known:
                raise RefusedError(
                    f"{'these' if what.endswith('are') else 'this'} {what} not in the log",
                    hint="`minivess test-set criteria` registers both first",
                )
        release = project.device.version
        history.check_looks(project.evaluation.looks, release=release, data=facts.data)
        ephemeral = generate(KeyAlgorithm.X25519)
        made = UnsealRequest(
            id=f"open-{secrets.token_hex(4)}",
            requester=signer.identity.id,
            purpose=purpose,
            release=release,
            **facts.model_dump(),
            expires=services.clock() + VALID_FOR,
            ephemeral_key=raw_x25519(ephemeral.public),
        )
        wrapped = wrap_for(own, ephemeral.secret(), context=EPHEMERAL_CONTEXT)
        write_atomic(key_file(workspace, made.id), wrapped.encode("ascii"), mode=0o600)
        record.payload(request=made.model_dump(mode="json"))
    return made


@implements("REQ-022", "REQ-092", "RC-03")
def approve(services: Services, signer: Signer, request_id: str) -> UnsealGrant:
    """Let a request open the test set once: the reviewer's key unwraps the data keys and wraps them to that run alone.

    Raises:
        RefusedError: the request is unknown, answered, expired or the signer's own; the policy allows no further look; the
            sealed files are other files; or the test set was not sealed for this reviewer. Each refusal is an entry.
    """
    workspace = Workspace(services.workspace)
    with recorded(
        services, "test-set.approve", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        history = TestSetHistory.fold(services.log.entries())
        register = Register.fold(services.log.entries())
        now = services.clock()
        asked = history.check_approve(request_id, approver=signer.identity.id, register=register, now=now)
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
            subjects=(subject_of(asked),),
            shown=shown,
            head=services.log.size,
            now=now,
        )
        data_keys = b"".join(signer.unwrap(one, context=SEAL_CONTEXT) for one in wrapped)
        grant = UnsealGrant(
            request=asked.id,
            approver=signer.identity.id,
            wrapped_key=wrap_for(asked.ephemeral_key, data_keys, context=_grant_context(asked.id)),
            envelope=envelope,
        )
        record.payload(grant=grant.model_dump(mode="json"))
    return grant


def subject_of(asked: UnsealRequest) -> Artifact:
    """What an approver signs: the request, by its digest."""
    return Artifact(name=f"test-set/{asked.id}", digest=digest_of(asked))


def key_file(workspace: Workspace, request_id: str) -> Path:
    """Where the key of one single opening lies, wrapped to who asked."""
    return workspace.test_set / f"{request_id}.key"


def _grant_context(request_id: str) -> bytes:
    return b"minivess/test-set/grant/1/" + request_id.encode("ascii")


@implements("RC-03")
def release_data_key(services: Services, signer: Signer, asked: UnsealRequest, grant: UnsealGrant) -> bytes:
    """The data keys of one granted opening; the run's own key is destroyed by this.

    Raises:
        RefusedError: the run's key is gone or not the signer's.
    """
    path = key_file(Workspace(services.workspace), asked.id)
    if not path.is_file():
        raise RefusedError(f"the key of {asked.id} is gone: it opened once or was made elsewhere", hint="request again")
    raw = signer.unwrap(path.read_text(encoding="ascii"), context=EPHEMERAL_CONTEXT)
    path.unlink()
    ephemeral = PrivateKey.from_secret(KeyAlgorithm.X25519, raw)
    if raw_x25519(ephemeral.public) != asked.ephemeral_key:
        raise RefusedError(f"the key that lies here is not the one request {asked.id} was made with")
    return ephemeral.unwrap(grant.wrapped_key, context=_grant_context(asked.id))


def summary_of(services: WorkspaceReader, request_id: str) -> list[tuple[str, str]]:
    """A request in words, for whoever is to approve it.

    Raises:
        RefusedError: the log has no such request.
    """
    history = TestSetHistory.fold(services.log.entries())
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
            *(("criterion", _words(one.model_dump(exclude_none=True))) for one in plan.plan.criteria),
            *((("notes", plan.plan.notes),) if plan.plan.notes else ()),
        ]
    return rows


@implements("REQ-023", "REQ-094")
def status(services: WorkspaceReader) -> dict[str, Any]:
    """How often the sealed test set was opened, by whom, why and with what result, derived from the log alone."""
    history = TestSetHistory.fold(services.log.entries())
    policy = services.project.evaluation.looks
    looks = history.looks()
    data = [look.requested.request.data for look in looks if look.requested is not None]
    current = seal_of(Workspace(services.workspace)).root
    return {
        "openings": history.openings,
        "policy": policy.model_dump(),
        "left": max(0, policy.total - data.count(current)),
        "opened": [_row(look) for look in looks],
        "waiting": [
            {
                "request": name,
                "requester": requested.request.requester,
                "purpose": requested.request.purpose,
                "approved_by": None if (granted := history.grants.get(name)) is None else granted.grant.approver,
                "expires": timestamp(requested.request.expires),
            }
            for name, requested in history.requests.items()
            if name not in {look.opening.request for look in looks} and requested.request.expires > services.clock()
        ],
    }


def _row(look: Look) -> dict[str, Any]:
    asked = None if look.requested is None else look.requested.request
    result = look.result
    return {
        "index": look.opening.index,
        "time": timestamp(look.opening.time),
        "look": look.number,
        "level": look.level,
        "request": look.opening.request,
        "requester": look.opening.actor if asked is None else asked.requester,
        "approver": None if look.granted is None else look.granted.grant.approver,
        "purpose": None if asked is None else asked.purpose,
        "release": None if asked is None else asked.release,
        "model": None if asked is None else asked.model,
        "outcome": look.outcome,
        "criteria_met": look.met,
        "criteria": [] if result is None else [one.model_dump(mode="json") for one in result.criteria],
        "aggregates": {}
        if result is None
        else {name: one.model_dump(mode="json") for name, one in result.aggregates.items()},
    }


def _words(criterion: dict[str, Any]) -> str:
    bounds = [f"{word.replace('_', ' ')} {criterion[word]:g}" for word in ("at_least", "at_most") if word in criterion]
    return f"{criterion['measure']}, {criterion['statistic']}: {' and '.join(bounds)}"
