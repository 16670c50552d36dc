"""Steps of status.feature: the command line in this process, on projects at different steps."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.errors import MinivessError
from minivess.foundation.paths import Workspace
from minivess.workflows.data import ingestion
from minivess.workflows.sealed import requests
from tests.support import projects
from tests.support.command_line import run_here

scenarios("status.feature")

HEAVY = ("torch", "monai", "numpy", "mlflow", "dvc", "alembic", "openlineage")
STATUS = f"""
import json, sys
sys.argv = ["minivess", "status", "--json"]
from minivess.cli.main import main
try:
    main()
except SystemExit as done:
    code = done.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print(json.dumps({{"code": code, "loaded": loaded}}), file=sys.stderr)
"""


@dataclass
class Story:
    root: Path
    project: projects.ProjectFolder | None = None
    error: MinivessError | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    code: int = 0
    text: str = ""
    request: str = ""

    @property
    def known(self) -> projects.ProjectFolder:
        assert self.project is not None
        return self.project

    def ask(self) -> None:
        """Ask for the status, with no passphrase at hand."""
        done = run_here("status", "--json", folder=self.root)
        self.code, self.text = done.code, done.err
        self.shown = json.loads(done.out) if done.out else {}

    def ask_process(self) -> None:
        """Ask for it in a fresh process, and for the libraries that it loads."""
        done = subprocess.run(
            [sys.executable, "-c", STATUS],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        *said, last = done.stderr.strip().splitlines()
        facts = json.loads(last)
        assert (facts["code"], json.loads(done.stdout)) == (self.code, self.shown)
        self.loaded, self.text = facts["loaded"], "\n".join(said)

    def step(self, title: str) -> dict[str, Any]:
        [found] = [step for step in self.shown["steps"] if step["title"] == title]
        return dict(found)


@given("an empty folder", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return Story(tmp_path)


@given(parsers.parse("a project with {state}"), target_fixture="story")
def _(state: str, tmp_path: Path, request: pytest.FixtureRequest) -> Story:
    root = tmp_path / "project"
    if state in {"a project file", "people"}:
        root.mkdir()
        (root / "minivess.yaml").write_text(projects.PROJECT.format(source="."), encoding="utf-8")
        if state == "people":
            started: projects.ProjectFolder = request.getfixturevalue("started_project")
            (root / "keystore").mkdir(mode=0o700)
            key = (started.workspace.keystore / "ada.json").read_bytes()
            (root / "keystore" / "ada.json").write_bytes(key)
        return Story(root)
    made: projects.ProjectFolder = request.getfixturevalue(SAMPLES.get(state, "started_project")).copy_to(root)
    return Story(root, made)


SAMPLES = {"ingested cases": "ingested_project", "a split": "split_project", "an exported model": "sealed_project"}


@when("the status is asked for")
def _(story: Story) -> None:
    story.ask()


@when("other cases are ingested")
def _(story: Story) -> None:
    path = Workspace(story.root).project_file
    path.write_text(path.read_text(encoding="utf-8").replace("seed: 3", "seed: 4"), encoding="utf-8")
    with story.known.services() as services:
        ingestion.ingest(services, story.known.signers["ada"])


@when(parsers.parse('"{name}" is removed'))
def _(story: Story, name: str) -> None:
    (story.root / name).unlink()


@when("a look at the test set is requested")
def _(story: Story) -> None:
    with story.known.services() as services:
        projects.register(story.known, services)
        story.request = requests.request(services, story.known.signers["ada"], purpose="a scenario").id


@when("the request is approved")
def _(story: Story) -> None:
    with story.known.services() as services:
        requests.approve(services, story.known.signers["rosa"], story.request)


@when("the model is exported again")
def _(story: Story) -> None:
    projects.export_toy_model(story.known, bias=0.5)


@when(parsers.parse('the developer runs "{command}"'))
def _(story: Story, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("LOG", "ADA"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    result = CliRunner().invoke(app, ["-C", str(story.root), *command.split()])
    assert isinstance(result.exception, MinivessError), result.output
    story.error = result.exception


@then(parsers.parse('it ends with exit code {code:d}, and the hint names "{command}"'))
def _(story: Story, code: int, command: str) -> None:
    assert story.code == code
    error, hint = story.text.splitlines()
    assert error.startswith("error: no minivess.yaml")
    assert command in hint


@then(parsers.parse('the next step is "{command}"'))
def _(story: Story, command: str) -> None:
    assert story.code == 0, story.text
    assert story.shown["next"] == command
    shown = CliRunner().invoke(app, ["-C", str(story.root), "status"])
    assert shown.output.splitlines()[-1] == f"Next: {command}"


@then("no library of machine learning was loaded and no passphrase was asked for")
def _(story: Story) -> None:
    story.ask_process()
    assert (story.loaded, story.text) == ([], "")


@then(parsers.parse('the step "{title}" is done, with its entry, time, person and "{name}"'))
def _(story: Story, title: str, name: str) -> None:
    step = story.step(title)
    with story.known.services() as services:
        body = services.log.entry(step["entry"]).body
    assert (step["state"], step["actor"], body.action, body.outcome.value) == (
        "done",
        "ada",
        "data.ingest",
        "completed",
    )
    assert step["artifacts"] == [one.model_dump(mode="json") for one in body.outputs]
    assert step["artifacts"][0]["name"] == name
    assert step["time"] == body.model_dump(mode="json")["time"]
    table = CliRunner().invoke(app, ["-C", str(story.root), "status"]).output
    [row] = [line for line in table.splitlines() if line.startswith(title)]
    assert row.split()[-2:] == ["ada", name]


@then(parsers.parse('the step "{title}" is {state} because of "{what}"'))
def _(story: Story, title: str, state: str, what: str) -> None:
    step = story.step(title)
    assert step["state"] == state
    assert what in step["reason"]


@then(
    parsers.re(
        r"(?P<taken>\d) looks? (is|are) taken, (?P<waits>\d) requests? waits? and (?P<granted>\d) approvals? (is|are) open"
    )
)
def _(story: Story, taken: str, waits: str, granted: str) -> None:
    looks = story.shown["looks"]
    assert (looks["taken"], len(looks["waiting"]), len(looks["granted"])) == (int(taken), int(waits), int(granted))
    assert story.request in (*looks["waiting"], *looks["granted"])


@then(parsers.parse('the hint names "{command}"'))
def _(story: Story, command: str) -> None:
    assert story.error is not None
    assert story.error.hint.startswith(command)
