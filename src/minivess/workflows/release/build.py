"""Judge the gates, build the evidence pack, and let people sign it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.facts.gates import judge
from minivess.compliance.identity.approvals import approve, open_approval
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.pack.pack import BuiltPack, add_cosignature, add_signature, build_pack
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.envelope import parse_envelope
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.bag import SIGNATURE, TAG_MANIFEST
from minivess.compliance.verification.holders import holders_of
from minivess.compliance.verification.pack import CHECKPOINT, SIGNATURES_CHECK, verify_pack
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError, Reason, RefusedError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.ml.evaluation.acceptance_criteria import judge as judge_criteria
from minivess.records.artifact import Artifact
from minivess.records.device.release import GateFacts, GateResult, RiskJudgement
from minivess.records.device.workspace_files import CALIBRATION, EVALUATION, EXPORT
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.log.payloads.looks import CriteriaRegistered
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.records.people.approval import Manifestation, Policy, PolicyRule
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.models.dispositions import unaccounted_runs
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.sealed.registration import check_release_policy, policy_of
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.trace.clause_coverage import standards_of
from minivess.workflows.trace.workspace_evidence import ProjectEvidence

PACK_LIMIT = 4 << 30


@implements("REQ-021", "REQ-035")
def judge_gates(services: Services, release: ReleaseFacts | None = None) -> tuple[GateResult, ...]:
    """Judge every gate of the policy. A fact that is missing fails its gates.

    Args:
        services: the workspace.
        release: the source tree and the log; without it they are read as they are now.
    """
    known = ReleaseFacts.read(services) if release is None else release
    services.deliver()  # the pack takes the events of the entries it takes
    held, tree, log = known.inputs(services), known.tree, known.log
    evaluation = held.made(EVALUATION, EvaluationRecord)
    verdicts = (tree.risks.verdict(risk) for risk in tree.risks.risks)
    facts = GateFacts(
        evaluation=evaluation,
        unmet=None if evaluation is None else _unmet(log, evaluation),
        calibration=held.made(CALIBRATION, CalibrationRecord),
        export=held.made(EXPORT, ExportRecord),
        gaps=tuple(one.gap for one in tree.gaps if one.open),
        justified=tuple(f"{one.gap.message} ({one.remark})"[:200] for one in tree.gaps if not one.open),
        risks=tuple(
            RiskJudgement(id=made.risk, level=made.residual_level, acceptable=made.verdict == "acceptable")
            for made in verdicts
        ),
        openings=log.history.openings,
        undisposed=unaccounted_runs(log.entries),
        undelivered=len(services.log.pending_events()),
        report=tree.graph.report,
    )
    return judge(policy_of(services), facts)


@implements("REQ-035", "REQ-036", "RC-11")
@follows("release")
def build(services: Services, signer: Signer, release: ReleaseFacts | None = None) -> BuiltPack:
    """Write the evidence pack, if every gate holds.

    Args:
        services: the workspace.
        signer: a release manager.
        release: the source tree and the log, where the caller has read them; entries appended since are read as well.

    Raises:
        RefusedError: a gate fails (which, by how much, what would mend it), or evidence is missing or not in the log.
            Nothing is written but the refusal in the log.
    """
    workspace, project = Workspace(services.workspace), services.project
    device = project.device
    out = workspace.release(device.version) / f"{device.name}-{device.version}-evidence.zip"
    with recorded(services, "release.build", signer) as record:
        if workspace.onnx.is_file():
            record.context(model=digest_file(workspace.onnx))
        if out.exists():
            raise RefusedError(
                f"release {device.version} was built already",
                hint="give the device a new version, or remove the old pack",
            )
        check_release_policy(services)
        known = ReleaseFacts.read(services) if release is None else release.followed(services)
        gates = judge_gates(services, known)
        failing = [gate for gate in gates if not gate.passed]
        if failing:
            first = _first_missing(known.inputs(services))
            mends = ["; ".join([*first, failing[0].mend]), *(gate.mend for gate in failing[1:])]
            raise RefusedError(
                f"{len(failing)} of {len(gates)} gates fail: {'; '.join(f'{gate.id}: {gate.message}' for gate in failing)}",
                hint="; ".join(dict.fromkeys([*first, *(gate.mend for gate in failing)])),
                reasons=[
                    Reason(f"gate {gate.id} fails: {gate.message}", mend)
                    for gate, mend in zip(failing, mends, strict=True)
                ],
            )
        missing = unannounced(services)
        if missing:
            raise RefusedError(
                f"{', '.join(missing)} holds the key of the test set and the log does not know their witness key",
                hint="; ".join(f"minivess audit cosign --as {one}" for one in missing),
                reasons=[
                    Reason(
                        f"{one} holds the key of the test set and the log does not know their witness key",
                        f"minivess audit cosign --as {one}",
                    )
                    for one in missing
                ],
            )
        built = build_pack(_pack_inputs(services, known, gates), out)
        record.output(f"release/{device.version}/{out.name}", built.path)
        record.payload(
            version=device.version, tag_manifest=built.tag_manifest_digest, gates=len(gates), files=built.files
        )
    return built


def _first_missing(inputs: BoundInputs) -> list[str]:
    """The first step before a release that was not done, as the beginning of a hint; empty: all were."""
    step = inputs.first_missing("release")
    return [] if step.name == "release" else [f"first `{step.line}`"]


@implements("REQ-037", "RC-08")
def sign(services: Services, signer: Signer, pack: Path) -> Manifestation:
    """Add a person's signature to a pack, in the role and meaning the policy asks them for.

    The signature is in the log before it is in the pack, so no pack carries one the log does not know.

    Raises:
        RefusedError: the pack does not hold, the person signed it already, or the policy does not ask for them.
    """
    with recorded(services, "release.sign", signer, instant=True) as record:
        failure = next(
            (check for check in verify_pack(pack).checks if not check.passed and check.name != SIGNATURES_CHECK), None
        )
        if failure is not None:
            raise RefusedError(f"the pack does not hold, so there is nothing to sign: {failure.name}: {failure.detail}")
        files = read_archive(read_limited(pack, limit=PACK_LIMIT))
        signatures = {name: parse_envelope(data) for name, data in files.items() if SIGNATURE.fullmatch(name)}
        if f"signatures/{signer.identity.id}.dsse.json" in signatures:
            raise RefusedError(f"{signer.identity.id} has signed this pack already", hint="another person must sign it")
        policy = policy_of(services).signatures
        register = services.log.standing.register
        rule = _open_rule(policy, [open_approval(envelope, register) for envelope in signatures.values()], signer)
        envelope = approve(
            signer,
            role=rule.role,
            meaning=rule.meaning,
            policy=policy,
            subjects=(Artifact(name=TAG_MANIFEST, digest=digest_bytes(files[TAG_MANIFEST])),),
            shown=digest_bytes(files["data/index.html"]),
            head=services.log.size,
            now=services.clock(),
        )
        record.payload(
            version=services.project.device.version,
            tag_manifest=digest_bytes(files[TAG_MANIFEST]),
            envelope=envelope.model_dump(mode="json"),
        )
    add_signature(pack, signer.identity.id, envelope)
    cosign_pack(services, signer, pack)
    return open_approval(envelope, services.log.standing.register)


@implements("REQ-134", "RC-43")
def cosign_pack(services: Services, signer: Signer, pack: Path) -> bool:
    """Cosign a pack's checkpoint as a holder of the test set's key; returns whether the signer is one.

    Raises:
        VerificationError: the checkpoint is not of the history that the log and the signer know; nothing is signed.
    """
    files = read_archive(read_limited(pack, limit=PACK_LIMIT))
    note = files[CHECKPOINT].decode("utf-8")
    size = parse_note(note).checkpoint.size
    entries = tuple(islice(services.log.entries(), size))
    if signer.identity.id not in holders_of(services.log.standing, LookHistory.fold(entries)):
        return False
    remembered_checkpoints.require(services.log, signer.identity)
    if remembered_checkpoints.contradicting_notes(services.log, {"the checkpoint of the pack": note}):
        raise VerificationError(
            "the pack shows another history than the log that is here", hint="find out which of the two was changed"
        )
    if signer.identity.id not in WitnessKeys.fold(entries).cosigners(note):
        add_cosignature(pack, signer.identity.id, signer.cosign(note, int(services.clock().timestamp())))
    return True


def unannounced(services: Services) -> tuple[str, ...]:
    """Holders of the test set's key whose witness key the log does not know, so that they could not cosign a pack."""
    standing = services.log.standing
    return tuple(one for one in holders_of(standing) if one not in standing.witnesses.keys)


def _pack_inputs(services: Services, release: ReleaseFacts, gates: tuple[GateResult, ...]) -> PackInputs:
    """What the pack is made from; witnesses cosign the checkpoint where the project names some.

    Raises:
        CouldNotCheckError: others appended to the log while its witnesses were asked.
        RefusedError, VerificationError: as `cosign_checkpoint`.
    """
    project, tree, log = services.project, release.tree, release.log
    if project.witnesses is not None:
        note, _ = cosign_checkpoint(services.log, project.witnesses)
        if parse_note(note).checkpoint != log.checkpoint:
            raise CouldNotCheckError("the log grew while its witnesses were asked", hint="build the release again")
        log = replace(log, note=note)
    story = story_of(tree, log)
    rows = standards_of(
        tree,
        safety_class=project.device.safety_class,
        story=story,
        workspace=ProjectEvidence(ProjectState.of(services, log)),
    )
    commit, dirty = tree.version.state
    return PackInputs(
        project=project,
        workspace=Workspace(services.workspace),
        tree=tree,
        log=log,
        story=story,
        policy=policy_of(services),
        gates=gates,
        time=log.entries[-1].body.time,
        templates=templates_folder(),
        commit=commit,
        dirty=dirty,
        coverage=tuple(row.to_data() for row in rows),
    )


def _unmet(log: LogFacts, evaluation: EvaluationRecord) -> tuple[str, ...] | None:
    """The criteria that stood in the log when the test set was opened and that the evaluation does not meet."""
    requested = log.history.requests.get(evaluation.request)
    if requested is None:
        return None
    entry = log.entries[log.history.criteria[requested.request.criteria]]
    registered = CriteriaRegistered.model_validate(entry.body.payload)
    return tuple(
        f"{item.criterion.measure}, {item.criterion.statistic}: "
        + (
            "undefined"
            if item.value is None or item.margin is None
            else f"{item.value:.3f}, missed by {-item.margin:.3f}"
        )
        for item in judge_criteria(evaluation, registered.criteria)
        if not item.met
    )


def _open_rule(policy: Policy, signed: list[Manifestation], signer: Signer) -> PolicyRule:
    """The first rule of the policy that nobody has met yet and that this person may meet."""
    met = [(item.role, item.meaning) for item in signed]
    for rule in policy.rules:
        if (rule.role, rule.meaning) in met:
            met.remove((rule.role, rule.meaning))
        elif rule.role in signer.identity.roles:
            return rule
    raise RefusedError(
        f"the policy {policy.name} asks {signer.identity.id} for no further signature",
        hint="it asks for " + ", ".join(f"{rule.meaning.value} by {rule.role.value}" for rule in policy.rules),
    )
