"""Steps of command_line.feature: the command in processes of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import UsageError
from minivess.foundation.paths import Workspace
from minivess.records.log.entry import Outcome
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.project.demo"):
    from minivess.workflows.project import demo

scenarios("command_line.feature")

SOURCE = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "monai", "mlflow", "sqlalchemy")


@dataclass
class Run:
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: set[Path] = field(default_factory=set)
    code: int = -1
    out: str = ""
    err: str = ""
    loaded: str = ""
    refusal: UsageError | None = None

    def command(self, *arguments: str, largest_file: int | None = None) -> None:
        self.before = set(self.folder.rglob("*"))
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            [sys.executable, "-m", "minivess.cli.main", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            preexec_fn=None
            if largest_file is None
            else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file,) * 2),
        )
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "work"
    folder.mkdir()
    return Run(folder)


@when(parsers.parse('"{command}" is run in a fresh interpreter'))
def _(run: Run, command: str) -> None:
    script = (
        f"import sys; sys.argv = ['minivess', *{command.split()!r}]\n"
        "from minivess.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=run.folder, capture_output=True, text=True, check=True)
    run.loaded = done.stdout.splitlines()[-1]


@then("none of torch, monai, mlflow and SQLAlchemy is loaded")
def _(run: Run) -> None:
    assert run.loaded == "LOADED []"


@given(parsers.parse("a project folder with {fault}"))
def _(run: Run, fault: str) -> None:
    text = projects.PROJECT.format(source=SOURCE)
    broken = {
        "a project file that is no YAML": "device: [unclosed",
        "an unknown field": text.replace("  safety_class: B", "  safety_class: B\n  colour: red"),
        "no project file": None,
    }[fault]
    if broken is not None:
        (run.folder / "minivess.yaml").write_text(broken, encoding="utf-8")


@given('a file "pack.zip" that is no zip')
def _(run: Run) -> None:
    (run.folder / "pack.zip").write_bytes(b"PK no zip at all")


@given("a project with a log")
def _(run: Run, started_project: projects.ProjectFolder) -> None:
    run.folder.rmdir()
    started_project.copy_to(run.folder)


@given("the folder of an interrupted demo")
def _(run: Run) -> None:
    demo.prepare_folder(SOURCE, Workspace(run.folder))
    (run.folder / "models").mkdir()
    (run.folder / "models" / "half-written").write_bytes(b"half")


@given("a folder with other files")
def _(run: Run) -> None:
    (run.folder / "notes.txt").write_text("mine", encoding="utf-8")


@when(parsers.parse('"{command}" is run'))
def _(run: Run, command: str) -> None:
    run.command(*command.split())


@when(parsers.parse('"{command}" is run with a wrong passphrase of the log'))
def _(run: Run, command: str) -> None:
    run.environment = {"MINIVESS_PASSPHRASE_LOG": "not this one", "MINIVESS_PASSPHRASE_ADA": projects.PASSPHRASE}
    run.command(*command.split())


@when(parsers.parse('"{command}" is run with its passphrases'))
def _(run: Run, command: str) -> None:
    run.environment = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA")}
    run.command(*command.split())


@when(parsers.parse('"{command}" is run on a disk that takes no volume'))
def _(run: Run, command: str) -> None:
    """A limit on the size of files stands in for a full disk: writes beyond it fail in the middle."""
    run.environment = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA")}
    run.command(*command.split(), largest_file=140_000)


@when("the demo prepares that folder")
def _(run: Run) -> None:
    try:
        demo.prepare_folder(SOURCE, Workspace(run.folder))
    except UsageError as error:
        run.refusal = error


@then(parsers.parse('it ends with exit code {code:d}, one error line that names "{name}", and a hint'))
def _(run: Run, code: int, name: str) -> None:
    lines = run.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert run.code == code, run.err
    assert len(errors) == 1
    assert name in errors[0]
    assert lines[-1].startswith("hint: ")
    assert "Traceback" not in run.err


@then("nothing was written")
def _(run: Run) -> None:
    assert set(run.folder.rglob("*")) == run.before


@then("no case is half-written, and the log says that the action failed")
def _(run: Run) -> None:
    assert not [path for path in (run.folder / "data").rglob("*") if path.is_file()]
    with projects.reopen(run.folder) as services:
        last = list(services.log.entries())[-1].body
    assert (last.action, last.outcome) == ("data.ingest", Outcome.FAILED)


@then("progress went to stderr and the table alone to stdout")
def _(run: Run) -> None:
    assert run.code == 0, run.err
    assert run.err.strip()
    assert [line.split()[0] for line in run.out.splitlines()[2:]] == sorted(
        folder.name for folder in (run.folder / "data" / "prepared").iterdir()
    )


@then("the folder is a fresh project")
def _(run: Run) -> None:
    assert (run.folder / "minivess.yaml").is_file()
    assert not (run.folder / "models").exists()


@then("it is refused and the notes are untouched")
def _(run: Run) -> None:
    assert run.refusal is not None
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]
