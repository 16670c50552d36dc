"""Steps of features/data_versions.feature."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import MinivessError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.versions import data_version, transfer
from minivess.ml.versions.dvc_stages import record_stage, stale_stages
from minivess.records.data.version import DataRemote
from minivess.records.log.entry import EntryBody, Outcome
from minivess.workflows.data import versions
from minivess.workflows.pipeline import stage_states
from minivess.workflows.pipeline.stages import write_pipeline
from minivess.workflows.session import workspace_files
from minivess.workflows.session.project_file import load_project
from tests.support import projects
from tests.support.servers import s3

scenarios("data_versions.feature")

SOURCE = Path(__file__).resolve().parents[3]
KEPT_BY_GIT = (".dvc", ".json")
STAGES = ("ingest", "validate", "split", "seal", "train", "ensemble", "calibrate", "export", "evaluate", "release")


@dataclass
class Scene:
    project: projects.ProjectFolder
    clone: projects.ProjectFolder | None = None
    refusal: MinivessError | None = None
    after: list[str] = field(default_factory=list)
    run: subprocess.CompletedProcess[str] | None = None

    @property
    def root(self) -> Path:
        return self.project.workspace.root

    def entries(self) -> list[EntryBody]:
        project = self.clone or self.project
        with project.services() as services:
            return [entry.body for entry in services.log.entries()]


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Server]:
    with s3.serving() as server:
        yield server


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    """Raw data added, then cases ingested, validated, split and sealed, with a pipeline that follows."""
    project = projects.start(tmp_path_factory.mktemp("versions") / "project", source=SOURCE)
    root = project.workspace.root
    for name in ("one", "two"):
        path = root / "data" / "raw" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    with project.services() as services:
        versions.add(services, project.signers["ada"], Path("data/raw"))
    write_pipeline(root, load_project(root))
    projects.seal(project)
    return project


@pytest.fixture(scope="module")
def staged(sealed: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    """The same with toy models; what no command of ours made here is noted as `dvc commit` notes it."""
    project = sealed.copy_to(tmp_path_factory.mktemp("staged") / "project")
    root = project.workspace.root
    projects.add_toy_training(project)
    projects.export_toy_model(project)
    (root / "evidence" / "evaluation").mkdir(parents=True, exist_ok=True)
    (root / "evidence" / "evaluation" / "evaluation.json").write_text("{}", encoding="utf-8")
    for stage in ("train", "ensemble", "calibrate", "export", "evaluate", "release"):
        record_stage(root, stage)
    return project


def change(root: Path, **sections: dict) -> None:
    path = root / "minivess.yaml"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, values in sections.items():
        said.setdefault(name, {}).update(values)
    path.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")


@given(parsers.parse("a sealed project with raw data under DVC and {remote} as remote"), target_fixture="scene")
def _(sealed: projects.ProjectFolder, tmp_path: Path, request: pytest.FixtureRequest, remote: str) -> Scene:
    project = sealed.copy_to(tmp_path / "project")
    if remote == "a folder":
        (tmp_path / "store").mkdir()
        change(project.workspace.root, data={"remote": {"url": str(tmp_path / "store")}})
    else:
        server: s3.Server = request.getfixturevalue("bucket")
        change(project.workspace.root, data={"remote": {"url": "s3://store/toy", "endpoint": server.endpoint}})
    return Scene(project)


def clone(scene: Scene) -> projects.ProjectFolder:
    made = scene.project.copy_to(scene.root.parent / "clone")
    root = made.workspace.root
    shutil.rmtree(root / ".dvc")
    for path in (root / "data").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix not in KEPT_BY_GIT:
            path.unlink()
    return made


@when("the data are pushed, and pulled into a folder that has only what git and the log keep")
def _(scene: Scene) -> None:
    ada = scene.project.signers["ada"]
    with scene.project.services() as services:
        versions.push(services, ada)
    scene.clone = clone(scene)
    with scene.clone.services() as services:
        versions.pull(services, ada)


@when("a user changes the raw data and versions and pushes them without an entry")
def _(scene: Scene) -> None:
    (scene.root / "data" / "raw" / "one.tif").write_bytes(b"another picture")
    data_version.add(scene.root, Path("data/raw"))
    transfer.push(scene.root, DataRemote(url=str(scene.root.parent / "store")), progress=lambda *_: None)


@when("the data are pulled into a folder that has only what git and the log keep")
def _(scene: Scene) -> None:
    scene.clone = clone(scene)
    with scene.clone.services() as services, pytest.raises(MinivessError) as refusal:
        versions.pull(services, scene.project.signers["ada"])
    scene.refusal = refusal.value


@then("every file is there again, byte for byte")
def _(scene: Scene) -> None:
    assert scene.clone is not None
    folders = [scene.root / "data" / name for name in ("raw", "prepared", "sealed")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        there = scene.clone.workspace.root / path.relative_to(scene.root)
        assert there.read_bytes() == path.read_bytes()


@then("the log shows who added, pushed and pulled which digests")
def _(scene: Scene) -> None:
    done = {body.action: body for body in scene.entries() if body.outcome is Outcome.COMPLETED}
    raw = yaml.safe_load((scene.root / "data" / "raw.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]
    added = done["data.add"]
    assert (added.actor, added.payload["folder"], added.payload["dvc"]) == ("ada", "data/raw", f"md5:{raw}")
    assert added.context.dvc == f"md5:{raw}"
    assert scene.clone is not None
    with scene.clone.services() as services:
        pairs = [(json.loads(line)["body"], held) for line, held in services.log.pairs()]
    said = {
        body["action"]: json.loads(held)["payload"] for body, held in pairs if held and body["outcome"] == "completed"
    }
    for action in ("data.push", "data.pull"):
        assert done[action].actor == "ada"
        assert said[action]["folders"]["data/raw"] == f"md5:{raw}"
        assert said[action]["files"] > 0


@then("every entry after the sealing cites the DVC digest")
def _(scene: Scene) -> None:
    bodies = scene.entries()
    digest = next(b.context.dvc for b in bodies if b.action == "data.seal" and b.outcome is Outcome.COMPLETED)
    index = next(b.index for b in bodies if b.action == "data.seal" and b.outcome is Outcome.COMPLETED)
    assert digest
    assert {body.context.dvc for body in bodies[index:]} == {digest}
    raw = next(b.context.dvc for b in bodies if b.action == "data.add" and b.outcome is Outcome.COMPLETED)
    assert raw


@then("it is refused, the file and both digests are named, and the refusal is in the log")
def _(scene: Scene) -> None:
    assert scene.refusal is not None
    cited = next(b for b in scene.entries() if b.action == "data.add" and b.outcome is Outcome.COMPLETED).payload["dvc"]
    assert "data/raw.dvc" in scene.refusal.message
    assert cited in scene.refusal.message
    assert scene.refusal.message.count("md5:") == 2
    last = scene.entries()[-1]
    assert (last.action, last.outcome) == ("data.pull", Outcome.REFUSED)


@then("no file was fetched")
def _(scene: Scene) -> None:
    assert scene.clone is not None
    root = scene.clone.workspace.root
    assert not [path for path in (root / ".dvc" / "cache").rglob("*") if path.is_file()]
    assert not (root / "data" / "prepared").exists()


@when("a copy of a sealed image is among the raw data under another name")
def _(scene: Scene, tmp_path: Path) -> None:
    case = workspace_files.split_of(scene.project.workspace).test[0]
    ingest(load_project(scene.root).data, tmp_path, tmp_path / "again")  # the generator makes the same bytes again
    shutil.copyfile(tmp_path / "again" / case / "image.npy", scene.root / "data" / "raw" / "three.tif")
    with scene.project.services() as services, pytest.raises(MinivessError) as refusal:
        versions.add(services, scene.project.signers["ada"], Path("data/raw"))
    scene.refusal = refusal.value


@then("adding the raw data is refused, the copy is named, and neither cache nor remote holds it")
def _(scene: Scene) -> None:
    assert scene.refusal is not None
    assert "data/raw/three.tif" in scene.refusal.message
    last = scene.entries()[-1]
    assert (last.action, last.outcome) == ("data.add", Outcome.REFUSED)
    plain = (scene.root / "data" / "raw" / "three.tif").read_bytes()
    (scene.root / "data" / "raw" / "three.tif").unlink()
    with scene.project.services() as services:
        versions.push(services, scene.project.signers["ada"])
    for place in (scene.root / ".dvc" / "cache", scene.root.parent / "store"):
        assert plain not in {path.read_bytes() for path in place.rglob("*") if path.is_file()}


@given("a project whose stages were run by our commands", target_fixture="scene")
def _(staged: projects.ProjectFolder, tmp_path: Path) -> Scene:
    return Scene(staged.copy_to(tmp_path / "project"))


@then("DVC finds none of its stages stale, and would run none")
def _(scene: Scene) -> None:
    assert stale_stages(scene.root) == {}
    done = dvc(scene.root, "repro", "--dry")
    assert (done.returncode, "Running stage" in done.stdout) == (0, False), done.stderr


@when(parsers.parse("{parameter} is changed in the project file"))
def _(scene: Scene, parameter: str) -> None:
    changes: dict[str, dict[str, dict]] = {
        "the seed": {"split": {"seed": 1}},
        "the steps": {"training": {"steps": 2}},
        "the recall": {"calibration": {"target_recall": 0.8}},
        "the tolerance": {"evaluation": {"tolerance": "1 µm"}},
        "the version": {"device": {"version": "0.2.0"}},
        "the remote": {"data": {"remote": {"url": "s3://elsewhere/data"}}},
    }
    change(scene.root, **changes[parameter])
    plan = load_project(scene.root)
    write_pipeline(scene.root, plan)
    scene.after = [row["stage"] for row in stage_states.stage_states(scene.root, plan) if row["stale"]]


@then(parsers.parse("the first stale stage is {first} and all later ones that need it"))
def _(scene: Scene, first: str) -> None:
    assert tuple(scene.after) == (() if first == "none" else STAGES[STAGES.index(first) :])


@when("DVC is asked to bring the release up to date")
def _(scene: Scene) -> None:
    change(scene.root, evaluation={"tolerance": "1 µm"})
    write_pipeline(scene.root, load_project(scene.root))
    scene.run = dvc(scene.root, "repro", "release")


@then("it ends with the stage evaluate, which says who has to do what, and nothing was opened")
def _(scene: Scene) -> None:
    assert scene.run is not None
    assert scene.run.returncode != 0
    assert "two people must do this" in scene.run.stderr
    assert "minivess test-set approve" in scene.run.stderr
    assert "failed to reproduce 'evaluate'" in scene.run.stderr
    assert "test-set.open" not in {body.action for body in scene.entries()}


def dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed `dvc`, as a person would run it, with the passphrases in the environment."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        **{f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA")},
    }
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
