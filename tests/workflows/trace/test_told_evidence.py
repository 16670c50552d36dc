"""Evidence that a workspace, its log and its release show, and what takes it away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from minivess.compliance.items.items import load_items
from minivess.compliance.standards.evidence_names import evidence
from minivess.workflows.release import build
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.services import Services
from minivess.workflows.trace.evidence_collectors import told_by_pack, told_by_workspace
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
"""Told by signatures, not by what lies in the workspace."""


@pytest.fixture
def project(releasable_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    return releasable_project.copy_to(tmp_path / "project")


@pytest.fixture
def services(project: projects.ProjectFolder) -> Iterator[Services]:
    with project.services() as opened:
        yield opened


def test_a_finished_project_shows_all_but_witnesses_and_release(services: Services) -> None:
    assert told_by_workspace(ProjectState.of(services)) == WORKSPACE
    assert told_by_pack(ProjectState.of(services), load_items(services.source)) == set()
    assert {name for name, one in evidence().items() if one.told_by == "workspace"} == (
        WORKSPACE | {"log-witnessed"} | APPROVALS
    )


def test_a_project_that_was_only_started_shows_its_log(started_project: projects.ProjectFolder) -> None:
    with started_project.services() as services:
        assert told_by_workspace(ProjectState.of(services)) == {"audit-log", "lineage-delivered"}


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
    assert told_by_workspace(ProjectState.of(services)) == WORKSPACE - gone


def test_another_model_than_the_evaluated_one_shows_nothing(services: Services) -> None:
    projects.write_toy_graph(services.workspace / "models" / "model.onnx", bias=9.0)
    assert told_by_workspace(ProjectState.of(services)) == WORKSPACE - {"model-record", "export-parity", "evaluation"}


def test_a_pack_shows_itself_and_with_its_signatures_that_it_verifies(
    project: projects.ProjectFolder, services: Services
) -> None:
    pack = build.build(services, project.signers["max"]).path
    built = {"release-record", "sbom", "anomalies-listed"}
    assert told_by_pack(ProjectState.of(services), load_items(services.source)) == built
    for who in ("rosa", "max"):
        build.sign(services, project.signers[who], pack)
    assert told_by_pack(ProjectState.of(services), load_items(services.source)) == built | {
        "release-signed",
        "pack-verified",
    }
    anomaly = "anomalies:\n  - id: ANO-09\n    title: New\n    statement: Something.\n    status: open\n"
    file = services.source / "requirements" / "late.yaml"
    try:
        file.write_text(f"{anomaly}    safety_related: false\n    evaluation: Nothing follows.\n", encoding="utf-8")
        assert "anomalies-listed" not in told_by_pack(ProjectState.of(services), load_items(services.source))
    finally:
        file.unlink()
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(bytes(data))
    assert told_by_pack(ProjectState.of(services), load_items(services.source)) == set()
