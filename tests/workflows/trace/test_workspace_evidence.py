"""Evidence that a workspace, its log and its release show, and what takes it away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minivess.compliance.standards.collectors.inputs import EvidenceSources
from minivess.compliance.standards.collectors.registry import collect
from minivess.compliance.standards.evidence_names import evidence
from minivess.compliance.trace.tree import Tree
from minivess.workflows.release import build, signing
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.services import Services
from minivess.workflows.trace.workspace_evidence import ProjectEvidence, ReleasePack
from tests.support import projects

pytestmark = pytest.mark.verifies("REQ-112", "SU-40")

WORKSPACE = {
    "audit-log",
    "lineage-delivered",
    "data-record",
    "split-disjoint",
    "test-set-sealed",
    "model-record",
    "export-parity",
    "criteria-registered",
    "evaluation",
    "calibration",
}

APPROVALS = {"changes-approved", "plan-approved", "requirements-reviewed", "risk-reviewed", "problem-trends"}
"""Shown by signatures, not by files of the workspace."""


def in_workspace(services: Services) -> frozenset[str]:
    state = ProjectState.of(services)
    tree = Tree.read(services.source, today=services.clock().date())
    sources = EvidenceSources(tree, "B", workspace=ProjectEvidence(state), pack=ReleasePack.of(state))
    return collect(sources, found_in={"workspace"})


def in_pack(services: Services) -> frozenset[str]:
    tree = Tree.read(services.source, today=services.clock().date())
    sources = EvidenceSources(tree, "B", pack=ReleasePack.of(ProjectState.of(services)))
    return collect(sources, found_in={"release"})


@pytest.fixture
def project(releasable_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    return releasable_project.copy_to(tmp_path / "project")


@pytest.fixture
def services(project: projects.ProjectFolder) -> Iterator[Services]:
    with project.services() as opened:
        yield opened


def test_a_finished_project_shows_all_but_witnesses_and_release(services: Services) -> None:
    assert in_workspace(services) == WORKSPACE
    assert in_pack(services) == set()
    assert {name for name, one in evidence().items() if one.found_in == "workspace"} == (
        WORKSPACE | {"log-witnessed", "tool-qualified"} | APPROVALS
    )


def test_a_project_that_was_only_started_shows_its_log(started_project: projects.ProjectFolder) -> None:
    with started_project.services() as services:
        assert in_workspace(services) == {"audit-log", "lineage-delivered"}


@pytest.mark.parametrize(
    ("file", "gone"),
    [
        ("evidence/evaluation/evaluation.json", {"evaluation", "calibration"}),
        ("models/calibration.json", {"model-record", "export-parity", "calibration"}),
        ("data/split.json", {"split-disjoint", "test-set-sealed"}),
        ("data/sealed/manifest.json", {"test-set-sealed"}),
    ],
)
def test_what_is_gone_shows_nothing(services: Services, file: str, gone: set[str]) -> None:
    (services.workspace / file).unlink()
    assert in_workspace(services) == WORKSPACE - gone


def test_another_model_than_the_evaluated_one_shows_nothing(services: Services) -> None:
    projects.write_toy_graph(services.workspace / "models" / "export" / "model.onnx", bias=9.0)
    assert in_workspace(services) == WORKSPACE - {"model-record", "export-parity", "evaluation"}


def test_a_pack_shows_itself_and_with_its_signatures_that_it_verifies(
    project: projects.ProjectFolder, services: Services
) -> None:
    pack = build.build(services, project.signers["max"]).path
    built = {"release-record", "sbom", "anomalies-listed"}
    assert in_pack(services) == built
    for who in ("rosa", "max"):
        signing.sign(services, project.signers[who], signing.examine(services, who, pack))
    assert in_pack(services) == built | {
        "release-signed",
        "pack-verified",
    }
    anomaly = "anomalies:\n  - id: ANO-09\n    title: New\n    statement: Something.\n    status: open\n"
    file = services.source / "requirements" / "late.yaml"
    try:
        file.write_text(f"{anomaly}    safety_related: false\n    evaluation: Nothing follows.\n", encoding="utf-8")
        assert "anomalies-listed" not in in_pack(services)
    finally:
        file.unlink()
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(bytes(data))
    assert in_pack(services) == set()
