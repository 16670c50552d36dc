"""Train members, combine them, calibrate the ensemble, and export what will be evaluated, served and released."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np

from minivess.compliance.audit.promotions import PROMOTING, Promotions
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.data.split import Part
from minivess.records.data.version import TrainedOn
from minivess.records.device.workspace_files import CALIBRATION, ENSEMBLE, EXPORT, INTENDED_USE, MANIFEST, ONNX, SPLIT
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.models.ensemble import EnsembleMember, EnsembleRecord
from minivess.records.models.model import CalibrationRecord, ExportRecord, RunRecord
from minivess.records.people.roles import Role
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json

Array = np.ndarray[Any, np.dtype[Any]]
PARITY_PATCHES = 4


@implements("REQ-180")
def cases_of(inputs: BoundInputs, part: Part) -> list[tuple[str, Array, Array]]:
    """Id, image and mask of every case of a part, in order of id. The test part is sealed and never among them.

    Raises:
        UsageError: the test part was asked for, or a case is no grey volume of known size with one class.
        VerificationError: a file is not the one the log names; the message names it.
    """
    if part is Part.TEST:
        raise UsageError("the test part is sealed", hint="minivess test-set request")
    loaded = list(inputs.cases(part))
    for record in (case.record for case in loaded):
        if record.axes != "zyx" or record.unit != "um" or [one.value for one in record.classes] != [1]:
            raise UsageError(
                f"case {record.id} has axes {record.axes}, unit {record.unit} and {len(record.classes)} classes",
                hint="networks learn from grey volumes (zyx, µm) with one class of value 1 so far",
            )
    return [(case.record.id, np.asarray(case.image, np.float32), np.asarray(case.label, np.uint8)) for case in loaded]


@implements("REQ-017")
@follows("train")
def train(services: Services, signer: Signer) -> list[RunRecord]:
    """Train every member; each is one recorded action, one MLflow run and one folder under models/members.

    A member that was trained before in exactly this way, and whose training is in the log, is kept.
    """
    workspace, project = Workspace(services.workspace), services.project
    inputs = BoundInputs.of(services)
    with refused_on_record(services, "training", signer):
        version = inputs.version
        cases = [(image, label) for _, image, label in cases_of(inputs, Part.TRAIN)]
    from minivess.ml.training.loop import train_member
    from minivess.ml.training.patches import cases_digest
    from minivess.ml.training.runs import RUN, completed_run
    from minivess.observability.tracking.mlflow_listener import MlflowListener

    digest = cases_digest(cases)
    recorded_outputs = {
        output.digest
        for entry in services.log.entries()
        if entry.body.action == "training" and entry.body.outcome is Outcome.COMPLETED
        for output in entry.body.outputs
    }
    runs = []
    for seed in project.training.members:
        folder = workspace.models / "members" / f"seed-{seed}"
        kept = completed_run(folder, project.model, project.training, seed=seed, data=digest)
        if kept is not None and digest_file(folder / RUN) in recorded_outputs:
            runs.append(kept)
            continue
        with recorded(
            services,
            "training",
            signer,
            inputs=[inputs.recorded(SPLIT)],
            context=services.context(seed=seed, **version),
        ) as record:
            listener = MlflowListener(
                services.settings.mlflow_uri,
                experiment=project.device.name,
                data=TrainedOn(name=project.data.name, dvc=version["dvc"], split=version["data"]),
            )
            run = train_member(
                cases,
                project.model,
                project.training,
                seed=seed,
                out=folder,
                listener=listener,
                progress=services.progress,
            )
            record.context(model=run.weights, device=run.device, mlflow_run=run.mlflow_run)
            record.output(f"models/members/seed-{seed}/weights.pt", folder / "weights.pt")
            record.output(f"models/members/seed-{seed}/run.json", folder / "run.json")
            record.payload(architecture=project.model.architecture, steps=run.steps, final_loss=run.final_loss)
        runs.append(run)
    return runs


@implements("REQ-018")
@follows("ensemble")
def combine(services: Services, signer: Signer) -> str:
    """Fix which members the ensemble is made of; returns the digest that identifies it.

    Raises:
        UsageError: a member is missing, or was trained under another configuration than the project states now.
    """
    workspace, project = Workspace(services.workspace), services.project
    held = BoundInputs.of(services)
    with refused_on_record(services, "ensemble", signer):
        version = held.version
        runs = [held.record(f"models/members/seed-{seed}/run.json", RunRecord) for seed in project.training.members]
    for run in runs:
        training = run.training.model_copy(update={"members": project.training.members})
        if (run.model, training) != (project.model, project.training):
            raise UsageError(f"member {run.seed} was trained under another configuration", hint="minivess train")
    made = EnsembleRecord(
        model=project.model, members=tuple(EnsembleMember(seed=run.seed, weights=run.weights) for run in runs)
    )
    inputs = [Artifact(name=f"models/members/seed-{run.seed}/weights", digest=run.weights) for run in runs]
    context = services.context(model=digest_of(made), **version)
    with recorded(services, "ensemble", signer, inputs=inputs, context=context) as record:
        write_json(workspace, ENSEMBLE, made)
        record.output(ENSEMBLE, workspace.root / ENSEMBLE)
        record.payload(members=len(runs), rule=made.rule)
    return digest_of(made)


def _ensemble(services: Services, inputs: BoundInputs) -> Any:
    """The PyTorch ensemble, each member's weights compared with the digest that the ensemble's record names."""
    workspace = Workspace(services.workspace)
    fixed = inputs.record(ENSEMBLE, EnsembleRecord)
    from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor
    from minivess.ml.models.networks import build_network, load_weights

    members = []
    for member in fixed.members:
        path = workspace.models / "members" / f"seed-{member.seed}" / "weights.pt"
        network = build_network(fixed.model, seed=member.seed)
        network.load_state_dict(load_weights(path, expected=member.weights))
        members.append(NetworkPredictor(network, fixed.model))
    return EnsemblePredictor(members), digest_of(fixed)


@implements("REQ-019", "REQ-020")
@follows("calibrate")
def calibrate(services: Services, signer: Signer) -> CalibrationRecord:
    """Fit temperature and conformal threshold on the calibration part alone."""
    workspace, wanted = Workspace(services.workspace), services.project.calibration
    held = BoundInputs.of(services)
    with refused_on_record(services, "calibration", signer):
        predictor, digest = _ensemble(services, held)
        context = services.context(model=digest, **held.version)
    from minivess.ml.uncertainty.calibration import calibrate as fit

    inputs = [held.recorded(ENSEMBLE), held.recorded(SPLIT)]
    with recorded(services, "calibration", signer, inputs=inputs, context=context) as record:
        made = fit(
            predictor,
            cases_of(held, Part.CALIBRATION),
            split=held.split,
            target_recall=wanted.target_recall,
            confidence=wanted.confidence,
            seed=services.project.split.seed,
            progress=services.progress,
        )
        write_json(workspace, CALIBRATION, made)
        record.output(CALIBRATION, workspace.root / CALIBRATION)
        record.payload(
            temperature=made.temperature,
            threshold=made.threshold,
            target_recall=made.target_recall,
            cases=len(made.cases),
        )
    return made


@implements("REQ-026", "REQ-181")
@follows("export")
def export(services: Services, signer: Signer) -> ExportRecord:
    """Write the calibrated ensemble as one ONNX graph; refused, and the file removed, when it differs from PyTorch.

    The bounds of the intended use are derived here, once, from the training and calibration cases.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "model.export", signer):
        calibration, version = held.calibration, held.version
        predictor, _ = _ensemble(services, held)
    from minivess.ml.export.onnx import to_onnx
    from minivess.ml.inference.envelope import derive_envelope
    from minivess.ml.inference.normalisation import normalise

    spec = services.project.model
    inputs = [held.recorded(name) for name in (ENSEMBLE, CALIBRATION, MANIFEST, SPLIT)]
    with recorded(services, "model.export", signer, inputs=inputs, context=services.context(**version)) as record:
        known = cases_of(held, Part.CALIBRATION)
        patches = [_centre(normalise(image), spec.patch) for _, image, _ in known[:PARITY_PATCHES]]
        learned_from = ((case.image, case.record.spacing_um) for case in held.cases(Part.TRAIN))
        use = derive_envelope(
            chain(learned_from, ((image, held.case_record(name).spacing_um) for name, image, _ in known))
        )
        made = to_onnx(
            predictor,
            calibration.temperature,
            spec,
            workspace.onnx,
            patches=patches,
        )
        write_json(workspace, EXPORT, made)
        write_json(workspace, INTENDED_USE, use)
        record.context(model=made.onnx)
        record.output(ONNX, workspace.onnx)
        record.output(EXPORT, workspace.root / EXPORT)
        record.output(INTENDED_USE, workspace.root / INTENDED_USE)
        record.payload(opset=made.opset, max_abs_difference=made.max_abs_difference, tolerance=made.tolerance)
    return made


def unaccounted_runs(entries: Iterable[Entry]) -> tuple[int, ...]:
    """Indices of training runs that nobody accounts for: neither in the newest ensemble nor given a disposition.

    Failed and killed runs count as well, by the entry that announced them: leaving one out needs a signed reason. A run
    that was refused before it was announced never began.
    """
    runs: dict[int, set[int]] = {}
    weights: dict[int, str | None] = {}
    used: set[str] = set()
    disposed: set[int] = set()
    for entry in entries:
        body = entry.body
        if body.action == "training":
            if body.outcome is Outcome.REFUSED and body.started is None:
                continue
            run = body.index if body.started is None else body.started
            runs.setdefault(run, {run}).add(body.index)
            if body.outcome is Outcome.COMPLETED:
                weights[run] = body.context.model
        elif body.outcome is Outcome.COMPLETED and body.action == "ensemble":
            used = {artifact.digest for artifact in body.inputs}
        elif body.outcome is Outcome.COMPLETED and body.action == "run.disposition":
            disposed.add(int(body.payload["run"]))
    return tuple(run for run, indices in runs.items() if weights.get(run) not in used and not indices & disposed)


def dispose(services: Services, signer: Signer, index: int, *, verdict: str, reason: str) -> Receipt:
    """Say what became of a training run that no ensemble uses.

    Raises:
        UsageError: there is no such run, or it needs no disposition.
    """
    if index not in unaccounted_runs(services.log.entries()):
        raise UsageError(
            f"entry {index} is no run without a disposition", hint="`minivess audit log --action training`"
        )
    with recorded(services, "run.disposition", signer, instant=True) as record:
        record.payload(run=index, verdict=verdict, reason=reason)
    return record.receipt


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


def _centre(volume: Array, patch: tuple[int, int, int]) -> Array:
    """The middle of a volume, padded with its edge where the volume is smaller than the patch."""
    pads = [(0, max(0, want - have)) for have, want in zip(volume.shape, patch, strict=True)]
    padded = np.pad(volume, pads, mode="edge")
    starts = [(have - want) // 2 for have, want in zip(padded.shape, patch, strict=True)]
    z, y, x = (slice(start, start + want) for start, want in zip(starts, patch, strict=True))
    return np.ascontiguousarray(padded[z, y, x])
