"""Steps of features/control_drill.feature."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app, main
from minivess.compliance.results.evidence_files import read_results
from minivess.compliance.trace.graph import TraceGraph
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import UsageError
from minivess.records.log.entry import Outcome
from minivess.workflows.risk import control_drill
from minivess.workflows.trace import verification_runs
from tests.support import projects
from tests.support.projects import ProjectFolder
from tests.support.pytest_settings import pytest_settings
from tests.support.tiny_tree import FILES, write_tree

scenarios("control_drill.feature")

SUMS = """\
from minivess.foundation.implements import implements

@implements("REQ-001")
def add(a, b, total):
    check(a, b, total)
    return total

@implements("RC-01")
def check(a, b, total):
    if a + b != total:
        raise ValueError(total)
"""
STEPS = """\
import pytest
from pytest_bdd import given, scenarios
from thing.sums import add

scenarios("sum.feature")

@given("two numbers")
def _():
    {body}
"""
BODIES = {
    "expects a wrong sum to be refused": "pytest.raises(ValueError, add, 2, 2, 5)",
    "looks at nothing": "assert add(2, 2, 4) == 4",
    "fails": "assert False",
}
SOURCE = Path(__file__).resolve().parents[3]
SETTINGS = pytest_settings(more='pythonpath = ["src"]\n')


@dataclass
class Desk:
    """A tree with one control that declares a switch."""

    tree: Path
    done: Result | None = None
    project: ProjectFolder | None = None
    installed: Path | None = None
    """The folder of the programs of a fresh environment."""
    said: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def arguments(self, command: str) -> list[str]:
        """The words of a command on the project; a drill is of the project's tree."""
        assert self.project is not None
        source = ["--source", str(self.tree)] if command.startswith("risk drill") else []
        return ["-C", str(self.project.workspace.root), *command.split(), *source]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    switch = "    switch: {call: thing.sums.check, gives: nothing}\n"
    changes = {
        "src/thing/sums.py": SUMS,
        "pyproject.toml": SETTINGS,
        "risk/controls.yaml": FILES["risk/controls.yaml"] + switch,
        "tests/features/test_sum.py": STEPS.format(body="assert True"),
    }
    return Desk(write_tree(tmp_path / "tree", changes))


@given("a source tree whose control adds sums twice")
def _(desk: Desk) -> None:
    assert "switch" in (desk.tree / "risk/controls.yaml").read_text(encoding="utf-8")


@given(parsers.re("the scenario of the control (?P<what>expects a wrong sum to be refused|looks at nothing|fails)"))
def _(desk: Desk, what: str) -> None:
    (desk.tree / "tests/features/test_sum.py").write_text(STEPS.format(body=BODIES[what]), encoding="utf-8")


@given("a project has recorded the results of that tree")
def _(desk: Desk, tmp_path: Path) -> None:
    desk.project = projects.start(tmp_path / "project", source=desk.tree)
    with desk.project.services() as services:
        verification_runs.run_scenarios(services, desk.project.signers["ada"])


@given("a project has the source tree")
def _(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.project = projects.start(tmp_path / "project", source=desk.tree)
    for who in ("LOG", "ADA"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)


@given("pytest-bdd is not installed")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest_bdd", None)


@given('the package is installed from its wheel, with the extra "pytest" and nothing else')
def _(desk: Desk, tmp_path: Path) -> None:
    uv, environment = shutil.which("uv"), tmp_path / "environment"
    assert uv is not None
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(SOURCE)], check=True)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(environment), f"{wheel}[pytest]"], check=True)
    desk.installed = environment / "bin"


@when(parsers.parse('"{first}" and "{second}" are run with the installed package'))
def _(desk: Desk, first: str, second: str, tmp_path: Path) -> None:
    assert desk.installed is not None
    for command in (first, second):
        done = subprocess.run(
            [
                desk.installed / "minivess",
                *desk.arguments(command),
                *(["--as", "ada"] if command == "trace run" else []),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        desk.codes.append(done.returncode)
        desk.said.append(done.stdout + done.stderr)


@then("the scenario passed, and the absence of the control is noticed")
def _(desk: Desk) -> None:
    assert desk.codes == [0, 0], desk.said
    assert "1 of 1 passed" in desk.said[0]
    assert " noticed " in desk.said[1]


@when(parsers.parse('"{command}" is run'))
def _(desk: Desk, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["minivess", *desk.arguments(command)])
    with pytest.raises(SystemExit) as ended:
        main()
    desk.codes.append(int(ended.value.code or 0))
    desk.said.append(capsys.readouterr().err)


@then(parsers.parse('it answers "{message}" with the hint "{hint}" and exit {code:d}'))
def _(desk: Desk, message: str, hint: str, code: int) -> None:
    assert message in desk.said[0]
    assert hint in desk.said[0]
    assert desk.codes == [code]


@when("the tree changes")
def _(desk: Desk) -> None:
    (desk.tree / "src/thing/sums.py").write_text(SUMS + "\n", encoding="utf-8")


@when(parsers.parse('"{who}" drills the controls of the project'))
def _(desk: Desk, who: str) -> None:
    assert desk.project is not None
    with desk.project.services() as services:
        control_drill.record_drill(services, desk.project.signers[who])


@then(parsers.parse('"{who}" is refused to drill the controls of the project'))
def _(desk: Desk, who: str) -> None:
    assert desk.project is not None
    with desk.project.services() as services, pytest.raises(UsageError, match="no results of this source tree"):
        control_drill.record_drill(services, desk.project.signers[who])


@then(parsers.parse('the control is a gap "{lack}"'))
def _(desk: Desk, lack: str) -> None:
    assert desk.project is not None
    report = read_results(desk.project.workspace.results, desk.tree)
    [gap] = TraceGraph.load(desk.tree, report).gaps()
    assert gap.kind == "unverified-control"
    assert gap.item == "RC-01"
    assert lack in gap.message


@then(parsers.parse('an entry of "{who}" names the results with what the drill found'))
def _(desk: Desk, who: str) -> None:
    assert desk.project is not None
    with desk.project.services() as services:
        [entry] = [one for one in services.log.entries(actions={"risk.drill"}) if one.body.outcome is Outcome.COMPLETED]
    assert entry.body.actor == who
    assert entry.body.payload["unnoticed"] == 1
    assert [one.digest for one in entry.body.outputs] == [digest_file(desk.project.workspace.results)]


@when("the control is taken away")
def _(desk: Desk) -> None:
    desk.done = CliRunner().invoke(app, ["risk", "drill", "--source", str(desk.tree)])


@then("its absence is noticed")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert desk.done.exit_code == 0, desk.done.output
    assert " noticed " in desk.done.output


@then("its absence is reported as unnoticed, with exit 1")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert desk.done.exit_code == 1
    assert "unnoticed" in desk.done.output


@then("the drill says that it could not check")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert "do not pass with the control in place" in str(desk.done.exception)


@then("pytest refuses to record results while a control is away")
def _(desk: Desk) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MINIVESS_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "--without", "thing.sums.check=nothing", "tests"]
    done = subprocess.run(
        [*command, "--evidence-results", "evidence/results.json", "--evidence-tester", "ada"],
        cwd=desk.tree,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 4
    assert not (desk.tree / "evidence/results.json").exists()
