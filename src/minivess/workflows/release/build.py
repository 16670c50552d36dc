"""Judge the gates, build the evidence pack, and let people sign it."""

from __future__ import annotations

from dataclasses import replace

from minivess.compliance.documents.dossier import PackInputs
from minivess.compliance.documents.log_story import story_of
from minivess.compliance.identity.signer import Signer
from minivess.compliance.pack.pack import BuiltPack, build_pack
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError, Reason, RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace, templates_folder
from minivess.records.device.release import GateResult
from minivess.workflows.log.witnessing import cosign_checkpoint
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.release.gates import judge_gates
from minivess.workflows.release.signing import unannounced
from minivess.workflows.sealed.registration import check_release_policy, policy_of
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.trace.clause_coverage import standards_of
from minivess.workflows.trace.workspace_evidence import ProjectEvidence


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
                f"the log has no witness key of {', '.join(missing)}, who can open the test set",
                hint="; ".join(f"minivess audit cosign --as {one}" for one in missing),
                reasons=[
                    Reason(
                        f"the log has no witness key of {one}, who can open the test set",
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
