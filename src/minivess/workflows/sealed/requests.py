"""The guard of the test set: plan and criteria first, then a request, then another person's approval; each an entry.

The approval is the look. Decision 0012 says why.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from minivess.compliance.identity.approvals import approve as sign_approval
from minivess.compliance.identity.keys import PrivateKey, generate, raw_x25519, wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.rules.admission import LOOK_POLICIES
from minivess.compliance.rules.looks import criteria_digest, subject_of
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.base import Record, Slug
from minivess.records.data.seal import SealManifest
from minivess.records.device.project import Project
from minivess.records.device.strictness import gates_beyond_criteria
from minivess.records.device.workspace_files import CALIBRATION, CRITERIA, ONNX, PLAN
from minivess.records.evaluation.evaluation import REUSE, REUSE_0_1_0, AnalysisPlan, Conventions
from minivess.records.log.receipt import Receipt
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.people.approval import Facts, RunMode, UnsealGrant, UnsealRequest
from minivess.records.people.identity import KeyAlgorithm, Meaning
from minivess.workflows.data.seal_terms import check_terms
from minivess.workflows.log.cosigning import cosign
from minivess.workflows.log.time_attestations import attest_time
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.sealed.registration import refuse_laxer, registered_policy, registrations_of
from minivess.workflows.session.bound_inputs import BoundInputs, evaluation_inputs, hint_of_first_missing, inputs_digest
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import SEAL_CONTEXT, seal_of, version_of, write_json

_GRANT_LIMIT = 64 * 1024
VALID_FOR = timedelta(days=7)
EPHEMERAL_CONTEXT = b"minivess/test-set/ephemeral-key/1"


def configuration_digest(project: Project) -> str:
    """The digest of the whole configuration."""
    return digest_of(project.model_dump(mode="json"))


@implements("REQ-092")
def plan_of(project: Project, *, fixed: bool = True) -> AnalysisPlan:
    """The plan of the analysis, as the project file states it.

    Args:
        project: the project.
        fixed: whether the seal fixes the total of looks; False for seals of version 0.1.0.
    """
    wanted = project.evaluation
    return AnalysisPlan(
        mask_threshold=MASK_THRESHOLD,
        conventions=Conventions(tolerance_um=wanted.tolerance_um, bootstrap=wanted.bootstrap),
        seed=project.split.seed,
        looks=wanted.looks,
        reuse=REUSE if fixed else REUSE_0_1_0,
        criteria=wanted.criteria,
        notes=wanted.notes,
    )


@implements("REQ-180")
def facts_of(services: Services, *, inputs: BoundInputs | None = None) -> Facts:
    """What a request names and an opening compares: everything that is there now, each file compared with the log.

    Call it inside `recorded`, so that a refusal is an entry.

    Args:
        services: the workspace.
        inputs: the files, when the log was read already.

    Raises:
        UsageError: the model is not exported, or the test part not sealed.
        VerificationError: a file is not the one the log names; the message names it.
    """
    project = services.project
    held = BoundInputs.of(services) if inputs is None else inputs
    known = {one.name: one.digest for one in evaluation_inputs(services, inputs=held)}
    check_terms(held.terms, project, held.manifest, held.split)
    return Facts(
        model=known[ONNX],
        calibration=known[CALIBRATION],
        configuration=configuration_digest(project),
        plan=digest_of(plan_of(project, fixed=held.terms is not None)),
        criteria=criteria_digest(project.evaluation.criteria),
        data=held.seal.root,
        inputs=inputs_digest(Artifact(name=name, digest=digest) for name, digest in known.items()),
    )


@implements("REQ-021", "REQ-092")
def register_criteria(services: Services, signer: Signer) -> Receipt:
    """Write the acceptance criteria and the analysis plan into the log. Openings under others are refused.

    Raises:
        RefusedError: they are laxer than the seal, or than what a look was judged by.
    """
    workspace = Workspace(services.workspace)
    with recorded(services, "criteria.register", signer, instant=True) as record:
        held, registered = BoundInputs.of(services), registrations_of(services)
        plan = plan_of(services.project, fixed=held.sealing is None or held.terms is not None)
        if held.sealing is not None:
            check_terms(held.terms, services.project, held.manifest, held.split)
        refuse_laxer(registered.laxer_than_looks(plan=plan))
        write_json(workspace, CRITERIA, services.project.evaluation)
        write_json(workspace, PLAN, plan)
        record.output(CRITERIA, workspace.evaluation / "criteria.json")
        record.output(PLAN, workspace.evaluation / "plan.json")
        record.payload(
            criteria=[one.model_dump(mode="json") for one in plan.criteria], plan=plan.model_dump(mode="json")
        )
    return record.receipt


@implements("REQ-022", "REQ-092", "REQ-095")
def request(services: Services, signer: Signer, *, purpose: str) -> UnsealRequest:
    """Ask for a look at the test set, for exactly the model, configuration, plan and data as they are now.

    A data key that is released will be wrapped to a key made for this request, which is kept wrapped to the requester.

    Raises:
        UsageError: the requester has no encryption key, or the model is not exported yet.
        RefusedError: plan or criteria are not registered, or the policy allows no further look.
    """
    workspace, project = Workspace(services.workspace), services.project
    own = signer.identity.encryption_key
    if own is None:
        raise UsageError(f"{signer.identity.id} has no encryption key", hint="people have one; services do not")
    attest_time(services)
    with recorded(
        services, "test-set.request", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        facts = facts_of(services)
        ephemeral = generate(KeyAlgorithm.X25519)
        made = UnsealRequest(
            id=f"open-{secrets.token_hex(4)}",
            requester=signer.identity.id,
            purpose=purpose,
            release=project.device.version,
            **dict(facts),
            expires=services.clock() + VALID_FOR,
            ephemeral_key=raw_x25519(ephemeral.public),
        )
        services.log.standing.test_set.check_request(made, actor=signer.identity.id)
        made = _with_policy(services, made)
        wrapped = wrap_for(own, ephemeral.secret(), context=EPHEMERAL_CONTEXT)
        write_atomic(key_file(workspace, made.id), wrapped.encode("ascii"), mode=0o600)
        record.payload(request=made.model_dump(mode="json"))
    return made


@implements("REQ-184", "REQ-185")
def _with_policy(services: Services, asked: UnsealRequest) -> UnsealRequest:
    """A request that names the registered release policy.

    Raises:
        RefusedError: the policy is not registered, or plan or policy are laxer than what a look was judged by.
    """
    registered = registrations_of(services)
    policy = registered_policy(services, registered)
    laxer = registered.laxer_than_looks(plan=registered.plans.get(asked.plan), policy=registered.policies[policy])
    refuse_laxer(laxer)
    return asked.model_copy(update={"policy": policy})


@implements("REQ-022", "REQ-092", "REQ-133", "RC-03")
def approve(services: Services, signer: Signer, request_id: str, *, mode: RunMode = "released") -> UnsealGrant:
    """Approve a request. This is the look: from the entry on it is counted, whatever becomes of the evaluation.

    `released`: the data keys are wrapped to the key of the request, the entry names the digest of that file, and the file is
    handed out once the approver has cosigned and remembered the checkpoint over the entry. An approval that was interrupted
    after its entry is finished by calling this again. `custodian`: the keys stay with the approver, who runs the evaluation.

    Raises:
        RefusedError: the request is unknown, answered, expired or the signer's own; the signer had a part in the model; the
            policy allows no further look; the sealed files are other files; or the test set was not sealed for the signer.
            Each refusal is an entry.
        VerificationError: the log does not continue what the signer remembers of it; nothing is signed.
    """
    workspace = Workspace(services.workspace)
    unfinished = _unfinished(services, signer, request_id)
    if unfinished is not None:
        _hand_out(services, signer, request_id)
        return unfinished
    with recorded(
        services, "test-set.approve", signer, instant=True, context=services.context(**version_of(workspace))
    ) as record:
        standing, now = services.log.standing, services.clock()
        with hint_of_first_missing(services, "approve"):
            asked = standing.test_set.check_approve(
                request_id, approver=signer.identity.id, register=standing.register, now=now
            )
        manifest = seal_of(workspace)
        if manifest.root != asked.data:
            raise RefusedError("the request is for another sealed test set")
        if signer.identity.id not in manifest.wrapped_keys:
            raise RefusedError(f"the test set was not sealed for {signer.identity.id}")
        policy = next((one for role, one in LOOK_POLICIES.items() if role in signer.identity.roles), None)
        if policy is None:
            raise RefusedError(f"{signer.identity.id} is neither an independent reviewer nor a custodian")
        base = services.log.checkpoint()
        envelope = sign_approval(
            signer,
            role=policy.rules[0].role,
            meaning=Meaning.APPROVAL,
            policy=policy,
            subjects=(subject_of(asked),),
            shown=digest_of(asked),
            head=parse_note(base).checkpoint.size,
            now=now,
        )
        key_digest = None
        if mode == "released":
            key_digest = _prepare_key(services, asked, custodian_keys(signer, manifest), base)
        grant = UnsealGrant(
            request=asked.id, approver=signer.identity.id, key_digest=key_digest, mode=mode, envelope=envelope
        )
        record.payload(grant=grant.model_dump(mode="json", exclude_none=True))
    if mode == "released":
        _hand_out(services, signer, asked.id)
    else:
        cosign(services, signer)
    return grant


def custodian_keys(signer: Signer, manifest: SealManifest) -> bytes:
    """The data keys of a sealed test part, unwrapped by one of their holders: 32 bytes for each session of sealing.

    Raises:
        RefusedError: the test set was not sealed for the signer.
    """
    wrapped = manifest.wrapped_keys.get(signer.identity.id)
    if wrapped is None:
        raise RefusedError(f"the test set was not sealed for {signer.identity.id}")
    return b"".join(signer.unwrap(one, context=SEAL_CONTEXT) for one in wrapped)


def key_file(workspace: Workspace, request_id: str) -> Path:
    """The file of the private key that a request was made with, wrapped to the requester."""
    return workspace.test_set / f"{request_id}.key"


def grant_file(workspace: Workspace, request_id: str) -> Path:
    """The file that an approval hands out: the data keys, wrapped to the key of the request."""
    return workspace.test_set / f"{request_id}.grant"


def _pending_file(workspace: Workspace, request_id: str) -> Path:
    """The file of an approval whose entry is not under a cosigned checkpoint yet."""
    return workspace.test_set / f".{request_id}.pending"


class HandedOut(Record):
    """The content of a grant file."""

    request: Slug
    checkpoint: str
    """Body of the checkpoint that the approval was based on."""
    wrapped_key: str
    """HPKE (RFC 9180), info: request digest and `checkpoint`."""


def _prepare_key(services: Services, asked: UnsealRequest, data_keys: bytes, base: str) -> str:
    """Wrap the data keys for a request and keep them apart; returns the digest that the entry names."""
    workspace, body = Workspace(services.workspace), note_body(base)
    wrapped = wrap_for(asked.ephemeral_key, data_keys, context=_grant_context(asked, body))
    content = canonical(HandedOut(request=asked.id, checkpoint=body, wrapped_key=wrapped))
    # Only who made the request can open this. It is kept so that an interrupted approval can be finished.
    write_atomic(_pending_file(workspace, asked.id), content, mode=0o600)
    return digest_bytes(content)


def _unfinished(services: Services, signer: Signer, request_id: str) -> UnsealGrant | None:
    """The signer's own released grant of a request whose file was not handed out."""
    granted = services.log.standing.test_set.grants.get(request_id)
    if granted is None or granted.actor != signer.identity.id or granted.grant.mode != "released":
        return None
    return granted.grant if _pending_file(Workspace(services.workspace), request_id).is_file() else None


@implements("REQ-133", "RC-03")
def _hand_out(services: Services, signer: Signer, request_id: str) -> None:
    """Give the requester the wrapped key, once the checkpoint over the approval is cosigned and remembered."""
    workspace = Workspace(services.workspace)
    pending = _pending_file(workspace, request_id)
    grant = services.log.standing.test_set.grants[request_id].grant
    if digest_bytes(read_limited(pending, limit=_GRANT_LIMIT)) != grant.key_digest:
        raise VerificationError(f"the key prepared for {request_id} is not the one that its approval names")
    cosign(services, signer)
    if services.project.witnesses is not None:
        cosign_checkpoint(services.log, services.project.witnesses)
    pending.replace(grant_file(workspace, request_id))


def note_body(note: str) -> str:
    """The signed part of a checkpoint: its text up to and with the newline before the blank line."""
    return note.split("\n\n", 1)[0] + "\n"


def _grant_context(asked: UnsealRequest, checkpoint: str) -> bytes:
    return b"minivess/test-set/grant/2/" + digest_of(asked).encode("ascii") + b"\n" + checkpoint.encode("utf-8")


@implements("RC-03")
def released_keys(services: Services, signer: Signer, asked: UnsealRequest, grant: UnsealGrant) -> bytes:
    """The data keys that an approval released to the requester.

    Raises:
        RefusedError: a key file is gone, is another one than the log names, or is not the signer's.
    """
    workspace = Workspace(services.workspace)
    private, handed = key_file(workspace, asked.id), grant_file(workspace, asked.id)
    for path, what in ((private, "the key of the request"), (handed, "the key that the approval released")):
        if not path.is_file():
            raise RefusedError(
                f"{what} {asked.id} is not here",
                hint="run this where the request was made; an approver finishes an interrupted approval by approving again",
            )
    content = read_limited(handed, limit=_GRANT_LIMIT)
    if digest_bytes(content) != grant.key_digest:
        raise RefusedError(f"the released key of {asked.id} is not the one that the log names")
    raw = signer.unwrap(private.read_text(encoding="ascii"), context=EPHEMERAL_CONTEXT)
    ephemeral = PrivateKey.from_secret(KeyAlgorithm.X25519, raw)
    if raw_x25519(ephemeral.public) != asked.ephemeral_key:
        raise RefusedError(f"the key in {private.name} is not the one that request {asked.id} was made with")
    given = HandedOut.model_validate_json(content)
    return ephemeral.unwrap(given.wrapped_key, context=_grant_context(asked, given.checkpoint))


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
            *(("criterion", _words(one.model_dump(exclude_none=True))) for one in plan.plan.criteria),
            *((("notes", plan.plan.notes),) if plan.plan.notes else ()),
        ]
        policy = registrations_of(services).policies.get(asked.policy or "")
        if policy is not None:
            rows += [("beyond", sentence) for sentence in gates_beyond_criteria(policy, plan.plan.criteria)]
    return rows


def _words(criterion: dict[str, Any]) -> str:
    bounds = [f"{word.replace('_', ' ')} {criterion[word]:g}" for word in ("at_least", "at_most") if word in criterion]
    return f"{criterion['measure']}, {criterion['statistic']}: {' and '.join(bounds)}"
