"""Fix which members the ensemble has, and load them."""

from __future__ import annotations

from typing import Any

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.device.workspace_files import ENSEMBLE
from minivess.records.models.ensemble import EnsembleMember, EnsembleRecord
from minivess.records.models.model import RunRecord
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import write_json


@implements("REQ-018", "REQ-361", "RC-149")
@follows("ensemble")
def combine(services: Services, signer: Signer) -> str:
    """Fix which members the ensemble is made of; returns the digest that identifies it.

    Raises:
        UsageError: a member is missing, or was trained under another configuration than the project states now.
        RefusedError: a member is a trial run.
    """
    workspace, project = Workspace(services.workspace), services.project
    held = BoundInputs.of(services)
    with refused_on_record(services, "ensemble", signer):
        version = held.version
        runs = [held.record(f"models/members/seed-{seed}/run.json", RunRecord) for seed in project.training.members]
    for run in runs:
        if run.smoke:
            raise RefusedError(
                f"member {run.seed} is a trial run (minivess train --smoke), which no ensemble takes",
                hint="minivess train",
            )
        training = run.training.model_copy(update={"members": project.training.members})
        if (run.model, training) != (project.model, project.training):
            raise UsageError(f"member {run.seed} was trained under another configuration", hint="minivess train")
        if (run.task, run.preprocessing) != (runs[0].task, runs[0].preprocessing):
            raise UsageError(
                f"member {run.seed} gets other images or classes than member {runs[0].seed}", hint="minivess train"
            )
    made = EnsembleRecord(
        model=project.model,
        members=tuple(EnsembleMember(seed=run.seed, weights=run.weights) for run in runs),
        task=runs[0].task,
        preprocessing=runs[0].preprocessing,
    )
    inputs = [Artifact(name=f"models/members/seed-{run.seed}/weights", digest=run.weights) for run in runs]
    inputs += [held.recorded(f"models/members/seed-{run.seed}/run.json") for run in runs]
    context = services.context(model=digest_of(made), **version)
    with recorded(services, "ensemble", signer, inputs=inputs, context=context) as record:
        write_json(workspace, ENSEMBLE, made)
        record.output(ENSEMBLE, workspace.root / ENSEMBLE)
        record.payload(members=len(runs), rule=made.rule)
    return digest_of(made)


def load_ensemble(services: WorkspaceReader, inputs: BoundInputs) -> Any:
    """The PyTorch ensemble, each member's weights compared with the digest that the ensemble's record names."""
    workspace = Workspace(services.workspace)
    fixed = inputs.record(ENSEMBLE, EnsembleRecord)
    from minivess.ml.inference.predictor import EnsemblePredictor, NetworkPredictor
    from minivess.ml.models.registry import adapter_of, build_network
    from minivess.ml.training.runs import weights_of

    adapter, members = adapter_of(fixed.model.architecture), []
    for member in fixed.members:
        path = weights_of(workspace.models / "members" / f"seed-{member.seed}")
        network = build_network(fixed.model, fixed.task, seed=member.seed)
        adapter.load(network, path, expected=member.weights)
        members.append(NetworkPredictor(network, fixed.model, task=fixed.task, preprocessing=fixed.preprocessing))
    return EnsemblePredictor(members, fixed.rule), digest_of(fixed)
