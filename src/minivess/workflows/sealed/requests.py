"""The guard of the test set: plan and criteria first, then a request, then another person's approval; each an entry.

The approval is the look. Decision 0012 says why.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from minivess.compliance.identity.approvals import approve as sign_approval
from minivess.compliance.identity.keys import generate, raw_x25519, wrap_for
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.rules.admission import LOOK_POLICIES
from minivess.compliance.rules.look_facts import subject_of
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.people.approval import RunMode, UnsealGrant, UnsealRequest
from minivess.records.people.identity import KeyAlgorithm, Meaning
from minivess.workflows.log.cosigning import cosign
from minivess.workflows.log.time_attestations import attest_time
from minivess.workflows.models.starts import refuse_seen_test_set
from minivess.workflows.sealed.analysis_plan import facts_of
from minivess.workflows.sealed.key_release import (
    EPHEMERAL_CONTEXT,
    custodian_keys,
    hand_out,
    key_file,
    pending_file,
    prepare_key,
)
from minivess.workflows.sealed.look_references import rest_on_look, rest_on_request_facts
from minivess.workflows.sealed.registration import refuse_laxer, registered_policy, registrations_of
from minivess.workflows.session.bound_inputs import BoundInputs, hint_of_first_missing
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import seal_of, version_of

VALID_FOR = timedelta(days=7)


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
        rest_on_request_facts(services, record, made)
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
        hand_out(services, signer, request_id)
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
        refuse_seen_test_set(services, BoundInputs.of(services))
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
            key_digest = prepare_key(services, asked, custodian_keys(signer, manifest), base)
        grant = UnsealGrant(
            request=asked.id, approver=signer.identity.id, key_digest=key_digest, mode=mode, envelope=envelope
        )
        rest_on_look(services, record, asked.id, approved=False)
        record.payload(grant=grant.model_dump(mode="json", exclude_none=True))
    if mode == "released":
        hand_out(services, signer, asked.id)
    else:
        cosign(services, signer)
    return grant


def _unfinished(services: Services, signer: Signer, request_id: str) -> UnsealGrant | None:
    """The signer's own released grant of a request whose file was not handed out."""
    granted = services.log.standing.test_set.grants.get(request_id)
    if granted is None or granted.actor != signer.identity.id or granted.grant.mode != "released":
        return None
    return granted.grant if pending_file(Workspace(services.workspace), request_id).is_file() else None
