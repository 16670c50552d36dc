"""Small real projects for scenarios and tests: real keys, log, volumes, seal; only the network is a toy graph."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from minivess.compliance.identity.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.foundation.paths import Workspace
from minivess.records.identity import IdentityKind, Role
from minivess.workflows import data, people
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services, open_services

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
  synthetic: {{subjects: 5, seed: 3, shape: [16, 48, 48], photons: 30.0, psf_sigma_z_um: 2.0}}
split: {{seed: 0, calibration: 1, test: 2}}
model: {{architecture: segresnet, filters: 8, patch: [16, 32, 32]}}
training: {{members: [0], steps: 1}}
evaluation:
  bootstrap: 100
  criteria:
    - {{measure: dice, statistic: mean, at_least: 0.1}}
"""


@dataclass
class ProjectFolder:
    """A workspace on disk with its unlocked people. `services()` opens it as a fresh process would."""

    workspace: Workspace
    signers: dict[str, Signer]

    def services(self) -> Services:
        return open_services(self.workspace.root, log_passphrase=PASSPHRASE)

    def copy_to(self, root: Path) -> ProjectFolder:
        shutil.copytree(self.workspace.root, root)
        return ProjectFolder(Workspace(root), self.signers)


def start(root: Path, *, source: Path) -> ProjectFolder:
    """A project with three people and a started log."""
    root.mkdir(parents=True)
    workspace = Workspace(root)
    workspace.project_file.write_text(PROJECT.format(source=source), encoding="utf-8")
    keystore = Keystore(workspace.keystore)
    for who, role in PEOPLE.items():
        keystore.create(who, who.title(), IdentityKind.PERSON, (role,), PASSPHRASE)
    signers = {who: keystore.unlock(who, PASSPHRASE) for who in PEOPLE}
    people.start_log(workspace, signers["max"], log_passphrase=PASSPHRASE)
    return ProjectFolder(workspace, signers)


def seal(project: ProjectFolder) -> None:
    """Ingest, validate, split and seal."""
    with project.services() as services:
        ada = project.signers["ada"]
        data.ingest(services, ada)
        data.validate(services, ada)
        data.split(services, ada)
        data.seal(services, ada)


def write_toy_graph(path: Path, *, bias: float = 0.0) -> None:
    """A graph with the shape of an exported ensemble: probability = sigmoid(2 x + bias) of the normalised patch."""
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


def export_toy_model(project: ProjectFolder, *, bias: float = 0.0) -> None:
    """Put a toy graph where the export would, and record it as exported."""
    write_toy_graph(project.workspace.onnx, bias=bias)
    with (
        project.services() as services,
        recorded(services, "model.export", project.signers["ada"], context=services.context()) as record,
    ):
        record.output("models/model.onnx", project.workspace.onnx)
        record.payload(opset=18, max_abs_difference=0.0, tolerance=1e-4)
