"""Steps of command_line.feature: the command in this process, and in its own where a process has a part in it."""

from __future__ import annotations

import inspect
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.errors import UsageError
from minivess.foundation.paths import Workspace
from minivess.records.log.entry import Outcome
from tests.support import projects
from tests.support.command_line import run_here
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.project.demo"):
    from minivess.workflows.project import demo

scenarios("command_line.feature")

SOURCE = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "monai", "mlflow", "sqlalchemy", "sqlmodel", "alembic", "dynaconf")
PROJECT_RECORDS = "minivess.records.device.project"


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
    helps: dict[tuple[str, ...], str] = field(default_factory=dict)

    def command(self, *arguments: str) -> None:
        self.before = set(self.folder.rglob("*"))
        done = run_here(*arguments, folder=self.folder, environment=self.environment)
        self.code, self.out, self.err = done.code, done.out, done.err

    def process(self, *arguments: str, largest_file: int) -> None:
        """Run a command in a process that cannot write larger files."""
        done = subprocess.run(
            [sys.executable, "-m", "minivess.cli.main", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file,) * 2),
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
        f"print('LOADED', [name for name in {(*HEAVY, PROJECT_RECORDS)!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=run.folder, capture_output=True, text=True, check=True)
    run.loaded = done.stdout.splitlines()[-1]


@then("none of SQLAlchemy, SQLModel, Alembic, Dynaconf and the records of the project file is loaded")
def _(run: Run) -> None:
    assert run.loaded == "LOADED []"


@then("none of torch, monai, mlflow and SQLAlchemy is loaded")
def _(run: Run) -> None:
    assert run.loaded in ("LOADED []", f"LOADED {[PROJECT_RECORDS]}")


@given(parsers.parse("a project folder with {fault}"))
def _(run: Run, fault: str) -> None:
    text = projects.PROJECT.format(source=SOURCE)
    broken = {
        "a project file that is no YAML": "device: [unclosed",
        "an unknown field": text.replace("  safety_class: B", "  safety_class: B\n  colour: red"),
        "two unknown fields": text.replace("  safety_class: B", "  safety_class: B\n  colour: red\n  shape: round"),
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


@given("its project file is no YAML")
def _(run: Run) -> None:
    (run.folder / "minivess.yaml").write_text("device: [unclosed", encoding="utf-8")


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
    run.environment = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA", "EVA", "EVE")}
    run.command(*command.split())


@when(parsers.parse('"{command}" is run on a disk that takes no volume'))
def _(run: Run, command: str) -> None:
    """A limit on the size of files stands in for a full disk: writes beyond it fail in the middle."""
    run.environment = {f"MINIVESS_PASSPHRASE_{who}": projects.PASSPHRASE for who in ("LOG", "ADA")}
    run.process(*command.split(), largest_file=140_000)


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


def walk(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Group]]:
    """Every group of commands with its name."""
    yield above, group
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from walk(found, *above, name)


NO_RESULT = {
    "audit checkpoint": "prints a note in the format of C2SP",
    "audit prove": "prints a proof in the format of C2SP",
    "audit timestamp request": "writes one file",
    "audit trust": "writes one file",
    "completion": "prints a script",
    "dicom listen": "runs until it is ended",
    "demo": "shows how a project goes on, for a person",
    "identity roots propose": "writes one file",
    "serve": "runs until it is ended",
    "witness serve": "runs until it is ended",
}
"""Commands without --json, and why."""


@when("the help of every group of commands is written at 80 columns")
def _(run: Run) -> None:
    run.helps = {}
    for name, group in walk(app):
        context = click.Context(group, info_name=" ".join(("minivess", *name)), terminal_width=78)
        run.helps[name] = group.get_help(context)


@then("each command is in it once, with its whole summary on one line")
def _(run: Run) -> None:
    assert len(run.helps) > 10
    for name, group in walk(app):
        lines = run.helps[name].splitlines()
        context = click.Context(group)
        for command in group.list_commands(context):
            found = [line for line in lines if re.match(rf"  {re.escape(command)}  ", line)]
            assert len(found) == 1, (name, command)
            assert len(found[0]) <= 80
            summary = found[0].split(maxsplit=1)[1]
            assert summary.endswith(".")
            whole = group.get_command(context, command)
            assert whole is not None
            assert summary == inspect.cleandoc(whole.help or "").splitlines()[0], (name, command)


@then("it ends with exit code 2 and its help on stderr")
def _(run: Run) -> None:
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("Usage: ")
    assert "\n  blast-radius  List every entry" in run.err


@then("the commands stand in the order of their headings")
def _(run: Run) -> None:
    text = run.helps[()]
    places = [
        text.index(f"\n  {name} ") for name in ("init", "identity", "data", "train", "evaluate", "trace", "release")
    ]
    assert places == sorted(places)
    for heading in ("Start:", "Data and models:", "Requirements, risks and releases:"):
        assert heading in text


@then(parsers.parse('the hint names "{near}"'))
def _(run: Run, near: str) -> None:
    assert f"did you mean {near}" in run.err


@then(parsers.parse("it prints a script that asks minivess for what can follow in {shell}"))
def _(run: Run, shell: str) -> None:
    assert run.code == 0, run.err
    assert f"_MINIVESS_COMPLETE={shell}_complete" in run.out
    run.environment = {"_MINIVESS_COMPLETE": f"{shell}_complete"}


@then(parsers.parse('what can follow "{beginning}" is "{whole}"'))
def _(run: Run, beginning: str, whole: str) -> None:
    incomplete = beginning if "fish" in run.environment["_MINIVESS_COMPLETE"] else "1"
    run.environment |= {"COMP_WORDS": f"minivess {beginning}", "COMP_CWORD": incomplete}
    environment = {**os.environ, **run.environment}
    script = "import sys; sys.argv = ['minivess']; from minivess.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment, cwd=run.folder
    )
    assert whole in re.split(r"[\s,]", done.stdout), done.stderr
    assert "trace" not in done.stdout


@then("each command takes --json, or is one of those that print no result of their own")
def _() -> None:
    without = set()
    for name, group in walk(app):
        context = click.Context(group)
        for word in group.list_commands(context):
            command = group.get_command(context, word)
            assert command is not None
            if not isinstance(command, click.Group) and not any("--json" in one.opts for one in command.params):
                without.add(" ".join((*name, word)))
    assert without == set(NO_RESULT)


def is_json(text: str) -> bool:
    """Whether all of it, or each of its lines, is JSON."""
    for parts in ([text], text.splitlines()):
        try:
            found = [json.loads(part) for part in parts]
        except ValueError:
            continue
        return bool(found) and all(isinstance(one, dict | list) for one in found)
    return False


@then("its output is not JSON")
def _(run: Run) -> None:
    assert run.code == 0, run.err
    assert run.out.strip()
    assert not is_json(run.out)


@then("its output is JSON")
def _(run: Run) -> None:
    assert run.code == 0, run.err
    assert is_json(run.out), run.out


@then("nothing went to stderr and the result is there")
def _(run: Run) -> None:
    assert run.code == 0
    assert run.err == ""
    assert len(run.out.splitlines()) > 2


@then("more went to stderr than without -v")
def _(run: Run) -> None:
    verbose = run.err
    run.command("audit", "verify")
    assert f"opens {run.folder}" in verbose
    assert len(verbose) > len(run.err)
    assert f"opens {run.folder}" not in run.err


def close_at_once(run: Run, command: str) -> None:
    """Run a command whose stdout nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "minivess.cli.main", *command.split()],
        cwd=run.folder,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    os.close(writer)
    run.code, run.err = done.returncode, done.stderr


@when(parsers.parse('"{command}" is run and its output is closed at once'))
def _(run: Run, command: str) -> None:
    close_at_once(run, command)


@when(parsers.parse('"{command}" is run on a changed log and its output is closed at once'))
def _(run: Run, command: str) -> None:
    change_an_entry(run.folder)
    close_at_once(run, command)


@then(parsers.parse("it ends with exit code {code:d}"))
def _(run: Run, code: int) -> None:
    assert run.code == code, run.err


@then(parsers.parse("it ends with exit code {code:d} and no message"))
def _(run: Run, code: int) -> None:
    assert run.code == code, run.err
    assert [line for line in run.err.splitlines() if not line.startswith("  entries: ")] == []


@then(parsers.parse('it ends with exit code {code:d} and an error line that names "{name}"'))
def _(run: Run, code: int, name: str) -> None:
    assert run.code == code, run.err
    assert run.err.startswith("error: ")
    assert name in run.err.splitlines()[0]
    assert run.out == ""


def change_an_entry(folder: Path) -> None:
    """Change the newest entry of a log past its code."""
    with closing(sqlite3.connect(Workspace(folder).evidence / "audit.db")) as database, database:
        [(place,)] = database.execute('SELECT max("index") FROM entry').fetchall()
        question = 'SELECT content FROM entry WHERE "index" = ?'
        [(content,)] = database.execute(question, (place,)).fetchall()
        changed = content.replace(b'"actor":"max"', b'"actor":"mux"', 1)
        assert changed != content
        database.execute('UPDATE entry SET content = ? WHERE "index" = ?', (changed, place))


@given("an entry of its log is changed")
def _(run: Run) -> None:
    change_an_entry(run.folder)


@then("it ends with exit code 2, an error line for each of the two fields, and a hint for each")
def _(run: Run) -> None:
    begins, *lines = run.err.splitlines()
    assert (run.code, begins) == (2, "data ingest: begins")
    assert [line.partition(":")[0] for line in lines] == ["error", "hint", "error", "hint"]
    assert "colour" in lines[0]
    assert "shape" in lines[2]
    assert re.match(r"error: .*minivess\.yaml:\d+: ", lines[2])


@then("the exit codes 0, 1, 2 and 3 are explained there and in docs/reference/commands.md")
def _(run: Run) -> None:
    page = (SOURCE / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    codes = dict(re.findall(r"^\s+(\d)  (\S.*)$", run.out.partition("Exit codes:")[2], re.MULTILINE))
    assert set(codes) == {"0", "1", "2", "3"}
    for code, meaning in codes.items():
        assert f"| {code} | {meaning} |" in page


@then("the folder is a fresh project")
def _(run: Run) -> None:
    assert (run.folder / "minivess.yaml").is_file()
    assert not (run.folder / "models").exists()


@then("it is refused and the notes are untouched")
def _(run: Run) -> None:
    assert run.refusal is not None
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]
