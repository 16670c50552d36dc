"""Judge the gates, build the evidence pack, and let people sign it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.facts.gates import judge
from minivess.compliance.identity.approvals import approve, open_approval
from minivess.compliance.identity.signer import Signer
from minivess.compliance.identity.witness_keys import WitnessKeys
from minivess.compliance.items.history import history_of
from minivess.compliance.pack.pack import BuiltPack, add_cosignature, add_signature, build_pack
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.envelope import parse_envelope
from minivess.compliance.results.evidence_files import read_results
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.justified_gaps import judged
from minivess.compliance.verification.bag import SIGNATURE, TAG_MANIFEST
from minivess.compliance.verification.holders import holders_of
from minivess.compliance.verification.pack import CHECKPOINT, SIGNATURES_CHECK, verify_pack
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import Reason, RefusedError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.foundation.provenance import source_state
from minivess.ml.evaluation.acceptance_criteria import judge as judge_criteria
from minivess.records.artifact import Artifact
from minivess.records.device.release import GateFacts, GateResult, RiskJudgement
from minivess.records.device.workspace_files import CALIBRATION, EVALUATION, EXPORT
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.log.payloads import CriteriaRegistered
from minivess.records.models.model import CalibrationRecord, ExportRecord
from minivess.records.people.approval import Manifestation, Policy, PolicyRule
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.models.dispositions import unaccounted_runs
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.sealed.registration import check_release_policy, policy_of
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_state import ProjectState, basis_digests
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.trace.clause_coverage import standards_of, story_of
from minivess.workflows.trace.evidence_collectors import told_by_workspace

PACK_LIMIT = 4 << 30


@implements("REQ-021", "REQ-035")
def judge_gates(services: Services) -> tuple[GateResult, ...]:
    """Judge every gate of the policy on the facts as they are now. A fact that is missing fails its gates."""
    services.deliver()  # the pack takes the events of the entries it takes
    held = BoundInputs.of(services)
    evaluation = held.made(EVALUATION, EvaluationRecord)
    risks = RiskFile.load(services.source)
    verdicts = (risks.verdict(risk) for risk in risks.risks)
    graph = _graph(services)
    gaps = judged(graph, graph.gaps(), services.clock().date())
    facts = GateFacts(
        evaluation=evaluation,
        unmet=None if evaluation is None else _unmet(services, evaluation),
        calibration=held.made(CALIBRATION, CalibrationRecord),
        export=held.made(EXPORT, ExportRecord),
        gaps=tuple(one.gap for one in gaps if one.open),
        justified=tuple(f"{one.gap.message} ({one.remark})"[:200] for one in gaps if not one.open),
        risks=tuple(
            RiskJudgement(id=made.risk, level=made.residual_level, acceptable=made.verdict == "acceptable")
            for made in verdicts
        ),
        openings=services.log.standing.test_set.openings,
        undisposed=unaccounted_runs(services.log.entries()),
        undelivered=len(services.log.pending_events()),
        report=graph.report,
    )
    return judge(policy_of(services), facts)


@implements("REQ-035", "REQ-036", "RC-11")
@follows("release")
def build(services: Services, signer: Signer) -> BuiltPack:
    """Write the evidence pack, if every gate holds.

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
        gates = judge_gates(services)
        failing = [gate for gate in gates if not gate.passed]
        if failing:
            first = _first_missing(services)
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
        checkpoint = services.log.checkpoint()
        if project.witnesses is not None:
            checkpoint, _ = cosign_checkpoint(services.log, project.witnesses)
        size = parse_note(checkpoint).checkpoint.size
        pairs = tuple(islice(services.log.pairs(), size))
        entries = tuple(islice(services.log.entries(), size))
        commit, dirty = source_state(services.source)
        inputs = PackInputs(
            project=project,
            workspace=workspace,
            source=services.source,
            lines=tuple(line for line, _ in pairs),
            details=tuple(details for _, details in pairs),
            checkpoint=checkpoint,
            policy=policy_of(services),
            gates=gates,
            time=entries[-1].body.time,
            templates=templates_folder(),
            commit=commit,
            dirty=dirty,
            **_around(services),
        )
        built = build_pack(inputs, out)
        record.output(f"release/{device.version}/{out.name}", built.path)
        record.payload(
            version=device.version, tag_manifest=built.tag_manifest_digest, gates=len(gates), files=built.files
        )
    return built


def _first_missing(services: Services) -> list[str]:
    """The first step before a release that was not done, as the beginning of a hint; empty: all were."""
    step = BoundInputs.of(services).first_missing("release")
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


def _graph(services: Services) -> TraceGraph:
    """The trace of the source tree with the recorded results, if there are some."""
    results = Workspace(services.workspace).results
    report = read_results(results, services.source) if results.is_file() else None
    return TraceGraph.load(services.source, report, things=basis_digests(ProjectState.of(services)))


def _around(services: Services) -> dict[str, Any]:
    """What the trace of a pack shows beside items and results: what they rest on, clauses of standards, commits."""
    source, graph = services.source, _graph(services)
    rows = standards_of(
        source,
        graph,
        safety_class=services.project.device.safety_class,
        today=services.clock().date(),
        more=told_by_workspace(ProjectState.of(services)),
        story=story_of(source, graph, services.log),
    )
    coverage = tuple(row.to_json() for row in rows)
    return {"things": graph.things, "coverage": coverage, "history": history_of(source, graph.items.all())}


def _unmet(services: Services, evaluation: EvaluationRecord) -> tuple[str, ...] | None:
    """The criteria that stood in the log when the test set was opened and that the evaluation does not meet."""
    history = services.log.standing.test_set
    requested = history.requests.get(evaluation.request)
    if requested is None:
        return None
    index = history.criteria[requested.request.criteria]
    # Read to the end: only then are the entries compared with the checkpoint.
    [entry] = [one for one in services.log.entries(actions={"criteria.register"}) if one.body.index == index]
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
