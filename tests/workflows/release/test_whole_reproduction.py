"""A whole small release with a network that was trained, and its model made again from the pack and the project's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.records.changes.reproduction import Reproduction
from minivess.workflows.models import ensembles
from minivess.workflows.release import build
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily(
    "minivess.workflows.models.training",
    "minivess.workflows.models.calibration",
    "minivess.workflows.models.export",
    "minivess.workflows.release.reproduction.reproduce",
):
    from minivess.workflows.models import calibration, export, training
    from minivess.workflows.release.reproduction import reproduce


def released(folder: Path) -> tuple[projects.ProjectFolder, Path]:
    """A project with two trained members, and the pack of its release."""
    source = projects.write_committed_tree(folder / "source")
    project = projects.start(folder / "project", source=source)
    file = project.workspace.project_file
    text = file.read_text(encoding="utf-8").replace(
        "architecture: segresnet, filters: 8", "architecture: unet, filters: 4"
    )
    text = text.replace("{members: [0], steps: 1}", "{members: [0, 1], steps: 60, batch: 2}")
    file.write_text(text, encoding="utf-8")
    policy = project.workspace.root / "release" / "policy.yaml"
    policy.parent.mkdir()
    policy.write_text(projects.POLICY, encoding="utf-8")
    projects.seal(project)
    with project.services() as services:
        ada = project.signers["ada"]
        training.train(services, ada)
        ensembles.combine(services, ada)
        calibration.calibrate(services, ada)
        export.export(services, ada)
    projects.evaluate_and_verify(project)
    with project.services() as services:
        return project, build.build(services, project.signers["max"]).path


@pytest.mark.slow
@pytest.mark.verifies("REQ-577", "REQ-578")
def test_a_release_is_made_again_with_equal_digests_and_with_others(tmp_path: Path) -> None:
    project, pack = released(tmp_path)
    made = reproduce.reproduce(pack, project.workspace.root, tmp_path / "made")
    names = [one.name for one in made.results]
    assert names == [
        "cases",
        *(f"{what} of seed {seed}" for seed in (0, 1) for what in ("training cases", "weights")),
        "calibration",
        "exported graph",
        "evaluation",
    ]
    assert [one.name for one in made.results if not one.equal] == []
    assert (made.verdict, made.not_done) == ("equal", ())
    assert made.figures is not None
    assert made.figures.paired is not None
    assert {one.paired.difference.mean for one in made.figures.paired.measures if one.paired} == {0.0}
    assert Reproduction.model_validate_json(made.model_dump_json()) == made

    file = project.workspace.project_file
    file.write_text(
        file.read_text(encoding="utf-8").replace("subjects: 5, seed: 3", "subjects: 5, seed: 4"), encoding="utf-8"
    )
    other = reproduce.reproduce(pack, project.workspace.root, tmp_path / "other")
    assert other.verdict == "not reproduced"
    assert all(one.name.startswith("case ") for one in other.results)
