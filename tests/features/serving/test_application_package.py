"""Steps of application_package.feature: the real layout, and its application as a process; a toy graph."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.ml.inference.exported_model import ExportedModel
from minivess.records.dicom_report import DicomReport
from minivess.workflows.bento.content import digest_of_folder
from tests.features.serving.conftest import Story
from tests.features.serving.test_dicom import FIRST, SECOND, lay, series
from tests.support import projects
from tests.support.servers import served

scenarios("application_package.feature")

SEMANTIC = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+")
APPLICATION = {
    "apiVersion": str,
    "type": str,
    "command": str,
    "environment": dict,
    "input": dict,
    "output": dict,
    "sdk": str,
    "sdkVersion": str,
    "timeout": int,
    "version": str,
    "workingDirectory": str,
}
PACKAGE = {
    "apiVersion": str,
    "applicationRoot": str,
    "modelRoot": str,
    "models": list,
    "resources": dict,
    "version": str,
}
"""The fields of the two manifests and their types, as the tables of the specification have them."""


PROGRAM = """
import atexit, runpy, sys
atexit.register(lambda: print(sys.modules["minivess.workflows.dicom.folder"].__file__))
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
"""Runs an application as Python does, and prints which code ran."""


@dataclass
class Found:
    """What the steps of one scenario share."""

    out: Path
    folder: Path
    error: MinivessError | None = None
    done: subprocess.CompletedProcess[str] | None = None


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    for who in ("LOG", "ADA", "INFERENCE"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    return Found(tmp_path / "package", tmp_path / "run")


@pytest.fixture
def project(story: Story) -> projects.ProjectFolder:
    assert story.project is not None
    return story.project


@given("a project whose model was exported and recorded")
def _project(story: Story) -> None:
    story.project = story.copy()


@given("a folder of that name")
def _folder(found: Found) -> None:
    found.out.mkdir()


def run(project: projects.ProjectFolder, found: Found, *command: str) -> None:
    """Run a command, and keep its error."""
    try:
        app(["-C", str(project.workspace.root), *command], standalone_mode=False)
    except MinivessError as error:
        found.error = error


@when("`minivess model map` is run")
def _lay_out(project: projects.ProjectFolder, found: Found) -> None:
    run(project, found, "model", "map", str(found.out), "--as", "ada")


def manifest(found: Found, name: str) -> dict[str, Any]:
    """A manifest of the package."""
    told: dict[str, Any] = json.loads((found.out / "etc" / "holoscan" / name).read_text(encoding="utf-8"))
    return told


@then("the manifests have the fields of specification 1.0.0 and name what is there")
def _manifests(found: Found) -> None:
    assert found.error is None
    for name, fields in (("app.json", APPLICATION), ("pkg.json", PACKAGE)):
        told = manifest(found, name)
        assert {key: type(value) for key, value in told.items()} == fields
        assert SEMANTIC.fullmatch(told["version"])
        assert told["apiVersion"] == "1.0.0"
    application, package = manifest(found, "app.json"), manifest(found, "pkg.json")
    assert application["type"] == "application"
    assert SEMANTIC.fullmatch(application["sdkVersion"])
    assert all(isinstance(value, str) for value in application["environment"].values())
    assert isinstance(application["input"]["formats"], list)
    assert isinstance(application["output"]["format"], dict)
    assert (application["input"]["path"], application["output"]["path"]) == ("input/", "output/")
    assert application["command"] == f"python {package['applicationRoot'].rstrip('/')}"
    assert (found.out / package["applicationRoot"].lstrip("/") / "__main__.py").is_file()
    (model,) = package["models"]
    assert not re.search(r"\s", model["name"])
    there = found.out / package["modelRoot"].lstrip("/") / model["path"]
    assert ExportedModel.open(there).task.axes == "zyx"
    resources = package["resources"]
    assert (resources["gpu"], resources["cpu"] > 0) == (0, True)
    assert all(re.fullmatch(r"[0-9.]+(Mi|Gi)", resources[name]) for name in ("memory", "sharedMemory"))
    for folder in ("etc/holoscan", "opt/holoscan/docs", "var/holoscan/input"):
        assert list((found.out / folder).iterdir())


@then("its packages are pinned, and its Dockerfile installs them with their digests")
def _pinned(found: Found) -> None:
    text = (found.out / "opt/holoscan/app/requirements.txt").read_text(encoding="utf-8")
    names = {line.partition("==")[0] for line in text.splitlines() if not line.startswith(" ")}
    assert {"pydicom", "highdicom", "onnxruntime", "pynetdicom"} <= names
    assert not {"torch", "monai", "bentoml", "minivess"} & names
    assert text.count("--hash=sha256:") >= len(names)
    lines = (found.out / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "FROM python:3.12-slim"
    assert any("--require-hashes -r /opt/holoscan/app/requirements.txt" in line for line in lines)
    assert "USER 1000" in lines
    assert lines[-1] == 'ENTRYPOINT ["python", "/opt/holoscan/app"]'
    (environment,) = [line.removeprefix("ENV ").split() for line in lines if line.startswith("ENV ")]
    assert dict(one.split("=") for one in environment) == manifest(found, "app.json")["environment"]


@then("no file of it has a secret")
def _no_secret(found: Found) -> None:
    every = b"".join(path.read_bytes() for path in found.out.rglob("*") if path.is_file())
    assert projects.PASSPHRASE.encode("utf-8") not in every


@then("the log names the package, its model, code and packages by their digests")
def _entry(project: projects.ProjectFolder, found: Found) -> None:
    digest, files = digest_of_folder(found.out)
    app_folder = found.out / "opt/holoscan/app"
    requirements = digest_bytes((app_folder / "requirements.txt").read_bytes())
    model = ExportedModel.open(found.out / "opt/holoscan/models/minivess").digest
    with project.services() as services:
        _, done = services.log.entries(actions={"model.map"})
    assert done.body.payload == {
        "tag": f"minivess-map:{model[7:19]}",
        "model": model,
        "code": digest_of_folder(app_folder / "minivess")[0],
        "requirements": requirements,
        "files": files,
    }
    assert [one.digest for one in done.body.outputs] == [digest]


@when("its application is run on a folder with two series")
def _run(project: projects.ProjectFolder, found: Found) -> None:
    assert found.error is None
    source = found.folder / "in"
    source.mkdir(parents=True)
    image = np.rint(served.known_volume(project)[0]).astype(np.uint16)
    lay(source, series(image, FIRST, "Doe^One"), "a")
    lay(source, series(image[:, ::-1], SECOND, "Roe^Two"), "b")
    package = found.out / "opt" / "holoscan"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
        "HOLOSCAN_INPUT_PATH": str(source),
        "HOLOSCAN_OUTPUT_PATH": str(found.folder / "out"),
        "HOLOSCAN_MODEL_PATH": str(package / "models"),
        "MINIVESS_PROJECT": str(project.workspace.root),
    }
    found.done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(package / "app")],
        cwd=found.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@then("it has written both segmentations with receipts, and a report")
def _written(found: Found) -> None:
    assert found.done is not None
    assert found.done.returncode == 0, found.done.stderr[-2000:]
    out = found.folder / "out"
    report = DicomReport.model_validate_json((out / "report.json").read_text(encoding="utf-8"))
    assert report.all_answered
    assert {one.series_instance_uid for one in report.series} == {FIRST, SECOND}
    for one in report.series:
        assert digest_bytes((out / str(one.folder) / "segmentation.dcm").read_bytes()) == one.segmentation
        assert (out / str(one.folder) / "receipt.json").is_file()


@then("the code that ran is that of the package")
def _own_code(found: Found) -> None:
    assert found.done is not None
    loaded = found.done.stdout.splitlines()[-1]
    assert loaded == str(found.out / "opt/holoscan/app/minivess/workflows/dicom/folder.py")


@when("a series is segmented with a copy of another model")
def _exchanged(project: projects.ProjectFolder, found: Found) -> None:
    copy = found.folder / "model"
    shutil.copytree(project.workspace.models / "export", copy)
    record = copy / "export.json"
    record.write_text(record.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    source = found.folder / "in"
    source.mkdir()
    image = np.rint(served.known_volume(project)[0]).astype(np.uint16)
    lay(source, series(image, FIRST, "Doe^One"), "a")
    run(project, found, "dicom", "segment", str(source), str(found.folder / "out"), "--model", str(copy))


@then("it is refused, because the model is another one")
def _other(found: Found) -> None:
    assert found.error is not None
    assert "the exported model" in found.error.message
    assert not (found.folder / "out").exists()


@then(parsers.parse("it is refused because {why}"))
def _refused(found: Found, why: str) -> None:
    assert found.error is not None
    assert why in found.error.message
