"""Train every member of the ensemble, each as one recorded action."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.preprocessing.preprocessor import fit_preprocessing
from minivess.records.data.split import Part
from minivess.records.data.version import TrainedOn
from minivess.records.device.workspace_files import SPLIT
from minivess.records.log.entry import Outcome
from minivess.records.models.model import RunRecord
from minivess.workflows.models.cases import cases_of
from minivess.workflows.models.starts import images_of, load_start, start_input
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services


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
        loaded, task = cases_of(inputs, Part.TRAIN), inputs.task
        start = load_start(services, inputs)
    from minivess.ml.training.case_store import TrainingCase, cases_digest
    from minivess.ml.training.loop import train_member
    from minivess.ml.training.runs import RUN, WEIGHTS, completed_run
    from minivess.observability.tracking.mlflow_listener import MlflowListener

    cases = [TrainingCase(case.image, case.label, case.record.physical_spacing) for case in loaded]
    digest = cases_digest(cases)
    preprocessing = fit_preprocessing(
        project.preprocessing,
        task,
        ((case.image, case.label) for case in cases),
        modality=loaded[0].record.modality if loaded else "",
    )
    recorded_outputs = {
        output.digest
        for entry in services.log.entries()
        if entry.body.action == "training" and entry.body.outcome is Outcome.COMPLETED
        for output in entry.body.outputs
    }
    runs = []
    for seed in project.training.members:
        folder = workspace.models / "members" / f"seed-{seed}"
        kept = completed_run(
            folder,
            project.model,
            project.training,
            seed=seed,
            data=digest,
            task=task,
            preprocessing=preprocessing,
        )
        if kept is not None and digest_file(folder / RUN) in recorded_outputs:
            runs.append(kept)
            continue
        with recorded(
            services,
            "training",
            signer,
            inputs=[inputs.recorded(SPLIT), *start_input(services)],
            context=services.context(seed=seed, **version),
        ) as record:
            listener = MlflowListener(
                services.settings.mlflow_uri,
                experiment=project.device.name,
                artifacts=workspace.evidence / "mlflow",
                data=TrainedOn(name=project.data.name, dvc=version["dvc"], split=version["data"]),
            )
            run = train_member(
                cases,
                project.model,
                project.training,
                seed=seed,
                out=folder,
                task=task,
                preprocessing=preprocessing,
                start=start,
                images=images_of(inputs, Part.TRAIN),
                listener=listener,
                progress=services.progress,
            )
            record.context(model=run.weights, device=run.device, mlflow_run=run.mlflow_run)
            record.output(f"models/members/seed-{seed}/{WEIGHTS}", folder / WEIGHTS)
            record.output(f"models/members/seed-{seed}/run.json", folder / "run.json")
            record.payload(architecture=project.model.architecture, steps=run.steps, final_loss=run.final_loss)
        runs.append(run)
    return runs
