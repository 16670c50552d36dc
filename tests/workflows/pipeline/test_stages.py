"""The pipeline of a project: what DVC runs goes through the log, and what a command takes must not change under it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.versions.dvc_stages import recorded_stages, write_stages
from minivess.records.data.source import Data
from minivess.records.device.project import Project
from minivess.records.log.entry import Outcome
from minivess.workflows.data import ingestion, sealing, splitting, validation
from minivess.workflows.pipeline import stage_states, stages
from minivess.workflows.session.data_citation import data_version_of
from minivess.workflows.session.project_file import load_project
from tests.support import projects

pytestmark = pytest.mark.verifies("SU-38")


@pytest.fixture
def project(started_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    made = started_project.copy_to(tmp_path / "project")
    root = made.workspace.root
    stages.write_pipeline(root, load_project(root))
    return made


@pytest.mark.verifies("REQ-099")
def test_stages_name_what_the_project_states_and_never_the_remote() -> None:
    text = projects.PROJECT.format(source=".").replace("synthetic:", "remote: {url: s3://a/b}\n  synthetic:")
    said = yaml.safe_load(text)
    made = stages.stages_of(load(said), said)
    assert made["ingest"]["params"] == [
        {"minivess.yaml": ["data.licence", "data.name", "data.source", "data.synthetic"]}
    ]
    assert made["train"]["params"] == [{"minivess.yaml": ["model", "training"]}]
    assert made["calibrate"]["params"] == [{"minivess.yaml": ["split.seed"]}]
    outs = [next(iter(out.values())) for stage in made.values() for out in stage.get("outs", [])]
    assert outs
    assert all(out["persist"] for out in outs)
    with_files = {**said, "data": {**said["data"], "root": "raw", "cases": []}}
    with_files["data"].pop("synthetic")
    with_files["data"]["cases"] = [{"id": "a", "subject": "s", "image": "i.tif", "label": "l.tif"}]
    assert stages.stages_of(load(with_files), with_files)["ingest"]["deps"] == ["raw"]


def load(said: dict) -> Project:
    return Project.model_validate(said)


@pytest.mark.verifies("REQ-303")
@pytest.mark.parametrize(
    ("sources", "watched"),
    [
        ({"root": "raw", "table": "cases.csv"}, ["raw", "cases.csv"]),
        ({"table": "cases.csv"}, ["cases.csv"]),
        ({"table": "cases.csv", "attributes": "people.tsv"}, ["cases.csv", "people.tsv"]),
        ({"pairs": {"images": "raw/*/i_*.png", "labels": "drawn/*.png"}}, ["raw", "drawn"]),
        ({"cases": [{"id": "a", "subject": "s", "image": "i.nii", "label": "l.nii"}]}, ["i.nii", "l.nii"]),
    ],
)
def test_without_a_folder_of_the_data_the_named_files_and_folders_are_watched(
    project: projects.ProjectFolder, sources: dict, watched: list[str]
) -> None:
    plan = load_project(project.workspace.root)
    data = Data.model_validate({"name": "d", "licence": "x", "source": "y", **sources})
    changed = plan.model_copy(update={"data": data})
    assert stages.stages_of(changed, {"data": {"name": "d"}})["ingest"]["deps"] == watched


@pytest.mark.verifies("REQ-099")
def test_other_stages_and_comments_of_a_pipeline_stay(project: projects.ProjectFolder) -> None:
    root = project.workspace.root
    own = "stages:\n  # mine\n  figures:\n    cmd: echo figures\n  train:\n    cmd: something old\nmetrics: [score.json]\n"
    (root / "dvc.yaml").write_text(own, encoding="utf-8")
    plan = load_project(root)
    assert stages.write_pipeline(root, plan)
    text = (root / "dvc.yaml").read_text(encoding="utf-8")
    said = yaml.safe_load(text)
    assert "# mine" in text
    assert said["stages"]["figures"] == {"cmd": "echo figures"}
    assert said["stages"]["train"]["cmd"] == "minivess train"
    assert said["metrics"] == ["score.json"]
    assert not stages.write_pipeline(root, plan)
    (root / "dvc.yaml").write_text("stages: [", encoding="utf-8")
    with pytest.raises(InputError, match="no DVC pipeline"):
        write_stages(root, {})


@pytest.mark.verifies("REQ-099")
def test_what_changes_while_a_stage_runs_leaves_it_stale(project: projects.ProjectFolder, caplog) -> None:
    root = project.workspace.root
    ada = project.signers["ada"]
    with project.services() as services:
        path = root / "minivess.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("seed: 3", "seed: 4"), encoding="utf-8")
        ingestion.ingest(services, ada)
    assert "ingest" not in recorded_stages(root)
    assert "changed while it ran" in caplog.text
    with project.services() as services:
        ingestion.ingest(services, ada)
    assert recorded_stages(root) == {"ingest"}


@pytest.mark.slow
@pytest.mark.verifies("REQ-099")
def test_dvc_runs_the_same_commands_and_each_is_in_the_log(project: projects.ProjectFolder) -> None:
    root = project.workspace.root
    done = dvc(root, "repro", "seal")
    assert done.returncode == 0, done.stderr
    with project.services() as services:
        actions = [e.body.action for e in services.log.entries() if e.body.outcome is Outcome.COMPLETED]
        assert actions[-4:] == ["data.ingest", "data.validate", "data.split", "data.seal"]
    plan = load_project(root)
    stale = {row["stage"]: row["stale"] for row in stage_states.stage_states(root, plan)}
    assert [stale[name] for name in ("ingest", "validate", "split", "seal")] == ["", "", "", ""]
    shown = minivess(root, "data", "pipeline", "--json")
    assert {row["stage"]: row["stale"] for row in json.loads(shown.stdout)["stages"]} == stale


@pytest.mark.verifies("REQ-099")
def test_stages_of_people_see_what_the_log_says(releasable_project: projects.ProjectFolder) -> None:
    with releasable_project.services() as services:
        stage_states.check_people(services, "evaluate")
        with pytest.raises(RefusedError, match="not built from this evaluation") as refusal:
            stage_states.check_people(services, "release")
        assert "minivess release sign" in str(refusal.value.hint)
        with pytest.raises(UsageError):
            stage_states.check_people(services, "train")


@pytest.mark.verifies("REQ-099")
def test_another_model_needs_people_again(releasable_project: projects.ProjectFolder, tmp_path: Path) -> None:
    project = releasable_project.copy_to(tmp_path / "project")
    projects.export_toy_model(project, bias=0.5)
    with project.services() as services, pytest.raises(RefusedError, match="not evaluated on the test set") as refusal:
        stage_states.check_people(services, "evaluate")
    assert "test-set approve" in str(refusal.value.hint)


@pytest.mark.verifies("REQ-096")
def test_what_an_entry_cites(tmp_path: Path) -> None:
    assert data_version_of(tmp_path, None) == {}
    assert data_version_of(tmp_path, "raw") == {}
    assert data_version_of(tmp_path, ".") == {}
    (tmp_path / "raw.dvc").write_text(f"outs: [{{md5: {'a' * 32}.dir, path: raw}}]", encoding="utf-8")
    assert data_version_of(tmp_path, "raw") == data_version_of(tmp_path, "raw/") == {"dvc": f"md5:{'a' * 32}.dir"}
    (tmp_path / "data").mkdir()
    version = {"dvc": f"md5:{'b' * 32}.dir", "split": f"sha256:{'c' * 64}"}
    (tmp_path / "data" / "version.json").write_text(json.dumps(version), encoding="utf-8")
    assert data_version_of(tmp_path, "raw") == {"dvc": version["dvc"], "data": version["split"]}
    (tmp_path / "data" / "version.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError):
        data_version_of(tmp_path, "raw")
    (tmp_path / "data" / "version.json").unlink()
    (tmp_path / "raw.dvc").write_text("outs: 1", encoding="utf-8")
    with pytest.raises(InputError):
        data_version_of(tmp_path, "raw")


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        **{f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA")},
    }


def dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(root, "dvc", *arguments)


def minivess(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ran(root, "minivess.cli.main", *arguments)


def ran(root: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run_steps(started: projects.ProjectFolder, root: Path, *steps: Callable) -> Path:
    """A project in which these steps were run, and no pipeline was written."""
    made = started.copy_to(root)
    with made.services() as services:
        for step in steps:
            step(services, made.signers["ada"])
    return made.workspace.root


@pytest.mark.verifies("REQ-099")
def test_stages_that_were_run_before_there_was_a_pipeline_are_taken_over(
    started_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    root = run_steps(
        started_project,
        tmp_path / "project",
        ingestion.ingest,
        validation.validate,
        splitting.split,
        sealing.seal,
    )
    plan = load_project(root)
    assert stages.write_pipeline(root, plan)
    assert stage_states.take_over(root, plan) == ["ingest", "validate", "split", "seal"]
    assert [row["stage"] for row in stage_states.stage_states(root, plan) if not row["stale"]] == [
        "ingest",
        "validate",
        "split",
        "seal",
    ]
    assert stage_states.take_over(root, plan) == []


@pytest.mark.verifies("REQ-099")
def test_nothing_is_taken_over_that_the_log_does_not_vouch_for(
    started_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    root = run_steps(started_project, tmp_path / "project", ingestion.ingest, validation.validate, splitting.split)
    report = root / "data" / "validation.json"
    report.write_text(report.read_text(encoding="utf-8").replace("}", " }", 1), encoding="utf-8")
    plan = load_project(root)
    stages.write_pipeline(root, plan)
    assert stage_states.take_over(root, plan) == ["ingest"]
    other = plan.model_copy(update={"split": plan.split.model_copy(update={"seed": 5})})
    (root / "dvc.lock").unlink()
    assert stage_states.take_over(root, other) == []
