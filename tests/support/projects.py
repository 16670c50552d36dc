"""Small real projects for scenarios and tests: real keys, log, volumes, seal; only the network is a toy graph."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np

from minivess.compliance.identity.approvals import approve
from minivess.compliance.identity.keys import generate, raw_x25519
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.admission import LOOK_POLICIES
from minivess.compliance.rules.look_facts import criteria_digest, subject_of
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.paths import Workspace
from minivess.ml.inference.intended_use import derive_envelope
from minivess.records.artifact import Artifact
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import (
    CALIBRATION,
    ENSEMBLE,
    EXPORT,
    EXPORT_FOLDER,
    MANIFEST,
    ONNX,
    SPLIT,
    START,
)
from minivess.records.models.exports.export import ExportRecord
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.start import StartRecord
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.people.approval import UnsealGrant, UnsealRequest
from minivess.records.people.identity import KeyAlgorithm, Meaning
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.data import ingestion, sealing, splitting, validation
from minivess.workflows.models import ensembles, promotion
from minivess.workflows.people import accounts
from minivess.workflows.sealed import analysis_plan, registration, requests
from minivess.workflows.session import workspace_files
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, open_services
from minivess.workflows.trace.pytest_runs import results_of, start_scenarios
from tests.support.builders.exports import export_record
from tests.support.pytest_settings import pytest_settings
from tests.support.source_states import LOADED, commit_all

PASSPHRASE = "correct horse battery staple"
PATCH = (16, 32, 32)
PEOPLE = {"ada": Role.DEVELOPER, "rosa": Role.REVIEWER, "max": Role.RELEASE_MANAGER}

PROJECT = """\
device:
  name: toy-device
  version: 0.1.0
  manufacturer: Nobody
  intended_use: Scenarios of this project's own tests.
  safety_class: B
source: {source}
data:
  name: toy
  licence: Apache-2.0
  source: the generator
  synthetic: {{subjects: 5, seed: 3, shape: [16, 48, 48], photons: 30.0, psf_sigma_z: 2 µm}}
split: {{seed: 0, calibration: 1, test: 2}}
model: {{architecture: segresnet, filters: 8, patch: [16, 32, 32]}}
training: {{members: [0], steps: 1}}
evaluation:
  tolerance: 2 µm
  bootstrap: 100
  looks: {{per_release: 2, total: 3}}
  criteria:
    - {{measure: dice, statistic: mean, at_least: 0.1}}
documents: {{formats: []}}
"""


@dataclass
class ProjectFolder:
    """A workspace on disk with its unlocked people. `services()` opens it as a fresh process would."""

    workspace: Workspace
    signers: dict[str, Signer]

    def services(self) -> Services:
        return reopen(self.workspace.root)

    def copy_to(self, root: Path) -> ProjectFolder:
        shutil.copytree(self.workspace.root, root)
        return ProjectFolder(Workspace(root), dict(self.signers))


def reopen(root: Path) -> Services:
    """Open a project folder as a fresh process would."""
    return open_services(root, log_passphrase=PASSPHRASE)


def start(root: Path, *, source: Path, demo: bool = False) -> ProjectFolder:
    """A project with three people and a started log: a copy of one that is made once a process."""
    workspace, signers = _template(demo=demo)
    shutil.copytree(workspace.root, root)
    Workspace(root).project_file.write_text(PROJECT.format(source=source), encoding="utf-8")
    return ProjectFolder(Workspace(root), dict(signers))


@cache
def _template(*, demo: bool = False) -> tuple[Workspace, dict[str, Signer]]:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    workspace = Workspace(Path(folder))
    workspace.project_file.write_text(PROJECT.format(source="."), encoding="utf-8")
    keystore = Keystore(workspace.keystore)
    for who, role in PEOPLE.items():
        keystore.create(who, who.title(), IdentityKind.PERSON, (role,), PASSPHRASE, demo=demo)
    signers = {who: keystore.unlock(who, PASSPHRASE) for who in PEOPLE}
    accounts.start_log(workspace, signers["max"], log_passphrase=PASSPHRASE)
    return workspace, signers


def seal(project: ProjectFolder) -> None:
    """Ingest, validate, split and seal."""
    with project.services() as services:
        ada = project.signers["ada"]
        ingestion.ingest(services, ada)
        validation.validate(services, ada)
        splitting.split(services, ada)
        sealing.seal(services, ada)


def write_toy_graph(path: Path, *, bias: float = 0.0) -> None:
    """A graph with the shape of an exported ensemble: probability = sigmoid(2 x + bias) of the normalised patch."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape = [1, 1, *PATCH]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["volume", "slope"], ["scaled"]),
            helper.make_node("Add", ["scaled", "bias"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        ],
        "toy",
        [helper.make_tensor_value_info("volume", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(np.array(2.0, np.float32), "slope"),
            numpy_helper.from_array(np.array(bias, np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))


def export_toy_model(
    project: ProjectFolder, *, bias: float = 0.0, bounds: bool = True, task: SegmentationTask = ONE_CLASS_OF_VOLUMES
) -> None:
    """Put a toy graph where the export would, and record it as exported; without `bounds` as version 0.1.0 did."""
    workspace = project.workspace
    folder = workspace.root / EXPORT_FOLDER if bounds else workspace.models
    if not bounds:
        shutil.rmtree(workspace.root / EXPORT_FOLDER, ignore_errors=True)
    write_toy_graph(folder / "model.onnx", bias=bias)
    graph = digest_file(folder / "model.onnx")
    with (
        project.services() as services,
        recorded(
            services,
            "model.export",
            project.signers["ada"],
            inputs=_recorded(services, ENSEMBLE, CALIBRATION, MANIFEST, SPLIT),
            context=services.context(),
        ) as record,
    ):
        made = _toy_record(services, graph, task) if bounds else _toy_record_0_1_0(graph)
        (folder / "export.json").write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for name in ("models/ensemble.json", "models/calibration.json"):
            if (workspace.root / name).is_file():
                record.input(name, workspace.root / name)
        written = record.output(EXPORT, folder / "export.json")
        record.context(model=written.digest if bounds else graph)
        record.output(ONNX, folder / "model.onnx")
        record.payload(opset=made.opset, max_abs_difference=made.max_abs_difference, tolerance=made.tolerance)


def _toy_record(services: Services, graph: str, task: SegmentationTask) -> ExportRecord:
    """With the bounds of the known cases and the conformal threshold of the calibration, where there is one."""
    held = BoundInputs.of(services)
    known = held.cases(Part.TRAIN, Part.CALIBRATION)
    use = derive_envelope((one.image, one.record.spacing) for one in known)
    threshold = held.calibration.threshold if held.knows(CALIBRATION) else None
    return export_record(graph, PATCH, task=task, threshold=threshold, intended_use=use)


def _toy_record_0_1_0(graph: str) -> ExportRecord:
    return ExportRecord(
        onnx=graph,
        opset=18,
        input_shape=(1, 1, *PATCH),
        max_abs_difference=0.0,
        tolerance=1e-4,
        flipped_voxels=0,
        tested_patches=1,
        seconds_torch=0.1,
        seconds_onnx=0.1,
    )


def _recorded(services: Services, *names: str) -> list[Artifact]:
    """The files of these names that the log has."""
    held = BoundInputs.of(services)
    return [held.recorded(name) for name in names if held.knows(name)]


def evaluate_toy_model(project: ProjectFolder) -> str:
    """Record an approved evaluation of the exported model, without a look at any case; returns the model's digest."""
    model = workspace_files.model_of(project.workspace)
    assert model is not None
    with project.services() as services:
        record_look(services, project.signers, model)
    return model


def record_look(services: Services, signers: dict[str, Signer], model: str) -> None:
    """The entries of a custodian run on an exported model, from the criteria on, without a look at any case."""
    from minivess.workflows.sealed.analysis_plan import configuration_digest, plan_of

    developer, reviewer = signers["ada"], signers["rosa"]
    registration.register_policy(services, signers["max"])
    analysis_plan.register_criteria(services, developer)
    plan = plan_of(services.project)
    asked = UnsealRequest(
        id=f"open-toy-{model[-8:]}",
        requester=developer.identity.id,
        purpose="a scenario",
        release=services.project.device.version,
        model=model,
        calibration=digest_bytes(b"toy calibration"),
        configuration=configuration_digest(services.project),
        plan=digest_of(plan),
        criteria=criteria_digest(plan.criteria),
        data=next(iter(services.log.standing.sealed), digest_bytes(b"toy data")),
        inputs=digest_bytes(b"toy inputs"),
        policy=digest_of(registration.policy_of(services)),
        expires=services.clock() + timedelta(days=1),
        ephemeral_key=raw_x25519(generate(KeyAlgorithm.X25519).public),
    )
    with recorded(services, "test-set.request", developer, instant=True) as record:
        record.payload(request=asked.model_dump(mode="json"))
    envelope = approve(
        reviewer,
        role=Role.REVIEWER,
        meaning=Meaning.APPROVAL,
        policy=LOOK_POLICIES[Role.REVIEWER],
        subjects=[subject_of(asked)],
        shown=digest_of(asked),
        head=services.log.size,
        now=services.clock(),
    )
    grant = UnsealGrant(request=asked.id, approver=reviewer.identity.id, mode="custodian", envelope=envelope)
    with recorded(services, "test-set.approve", reviewer, instant=True) as record:
        record.payload(grant=grant.model_dump(mode="json", exclude_none=True))
    with recorded(services, "evaluation", reviewer, context=services.context(model=model)) as record:
        look = services.log.standing.test_set.number_of(asked.id)
        record.payload(request=asked.id, cases=1, aggregates={}, baseline_dice=0.0, look=look)


def put_into_use(project: ProjectFolder) -> None:
    """Evaluate the exported model, for the record, and put it into production."""
    model = evaluate_toy_model(project)
    with project.services() as services:
        promotion.promote(services, project.signers["max"], model, stage="production", reason="for a scenario")


def add_toy_training(project: ProjectFolder, *, start: StartRecord | None = None, procedure: int = 1) -> None:
    """Record one member, its ensemble and a calibration, as the workflows do, without a network."""
    workspace, ada = project.workspace, project.signers["ada"]
    weights = digest_bytes(b"toy weights")
    began = [] if start is None else [Artifact(name=START, digest=start.weights)]
    with project.services() as services:
        plan = services.project
        run = RunRecord(
            seed=0,
            model=plan.model,
            training=plan.training,
            data=digest_bytes(b"toy cases"),
            weights=weights,
            steps=1,
            final_loss=0.5,
            device="cpu",
            seconds=0.1,
            start=start,
            procedure=procedure,
        )
        context = services.context(seed=0, model=weights, **BoundInputs.of(services).version)
        with recorded(services, "training", ada, inputs=began, context=context) as record:
            workspace_files.write_json(workspace, "models/members/seed-0/run.json", run)
            record.output("models/members/seed-0/run.json", workspace.models / "members" / "seed-0" / "run.json")
            record.payload(architecture=plan.model.architecture, steps=1, final_loss=0.5)
        ensembles.combine(services, ada)
        split = workspace_files.split_of(workspace)
        groups = groups_of(workspace_files.manifest_of(workspace), split)
        calibration = CalibrationRecord(
            temperature=1.0,
            ece_before=0.1,
            ece_after=0.1,
            band_ece_before=0.1,
            band_ece_after=0.1,
            threshold=None,
            target_recall=plan.calibration.target_recall,
            achieved_recall=None,
            cases=split.calibration,
            method="toy",
            note="a toy",
            groups={name: groups[name] for name in split.calibration},
        )
        with recorded(services, "calibration", ada, inputs=_recorded(services, ENSEMBLE, SPLIT)) as record:
            workspace_files.write_json(workspace, "models/calibration.json", calibration)
            record.input("models/ensemble.json", workspace.models / "ensemble.json")
            record.output("models/calibration.json", workspace.models / "calibration.json")
            record.payload(temperature=1.0, threshold=None, target_recall=calibration.target_recall, cases=1)


def register(project: ProjectFolder, services: Services) -> None:
    """Fix in the log what must be fixed before the test set is looked at."""
    registration.register_policy(services, project.signers["max"])
    analysis_plan.register_criteria(services, project.signers["ada"])


def evaluate_and_verify(project: ProjectFolder) -> None:
    """Open the test set once, properly, and run the scenarios of the source tree."""
    from minivess.workflows.sealed import final_evaluation

    ada, rosa = project.signers["ada"], project.signers["rosa"]
    with project.services() as services:
        register(project, services)
        asked = requests.request(services, ada, purpose="a scenario")
        requests.approve(services, rosa, asked.id)
        final_evaluation.run(services, ada, asked.id)
        run_toy_scenarios(services, ada)


def run_toy_scenarios(services: Services, signer: Signer) -> None:
    """Run the scenarios of a toy tree and record them, with the packages of this machine as if its lock file named them."""
    workspace = Workspace(services.workspace)
    with recorded(services, "scenarios", signer) as record:
        process = start_scenarios(services.source, workspace.results, tester=signer.identity.id)
        report = results_of(process, workspace.results).model_copy(update={"loaded": LOADED})
        workspace.results.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        outcomes = [result.outcome for result in report.results]
        record.output("verification/results.json", workspace.results)
        record.payload(
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            skipped=outcomes.count("skipped"),
            tree=report.tree,
        )


def evaluate_as_ada(root: str, request: str) -> None:
    """One evaluation by Ada, as a process of its own makes it."""
    from minivess.workflows.sealed import final_evaluation

    with reopen(Path(root)) as services:
        final_evaluation.run(services, Keyring.of(Path(root)).unlock("ada", PASSPHRASE), request)


POLICY = """\
signatures:
  name: release
  rules:
    - {role: independent-reviewer, meaning: review}
    - {role: release-manager, meaning: approval}
gates:
  - {id: criteria, kind: criteria}
  - {id: dice, kind: metric, measure: dice, at_least: 0.01}
  - {id: parity, kind: parity, at_most: 1.0e-4}
  - {id: trace, kind: trace}
  - {id: risks, kind: risk}
  - {id: test-set, kind: test-set, at_most: 2}
  - {id: runs, kind: runs}
  - {id: scenarios, kind: scenarios}
"""

TINY_TREE = {
    "pyproject.toml": pytest_settings(),
    "tests/features/test_sum.py": (
        "from pytest_bdd import given, scenarios\n\n"
        'scenarios("sum.feature")\n\n\n'
        '@given("two numbers")\ndef _() -> None:\n    assert 2 + 2 == 4\n'
    ),
}


def write_committed_tree(folder: Path) -> Path:
    """As `write_tiny_tree`, in a git repository without changes."""
    write_tiny_tree(folder)
    (folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    commit_all(folder)
    return folder


def write_tiny_tree(folder: Path) -> Path:
    """A source tree without a gap whose one scenario can be run."""
    from tests.support.builders.release_builder import write_source  # loads what a release needs

    write_source(folder)
    for name, text in TINY_TREE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
