"""Steps of reference.feature: the generated pages, and what they refuse to leave out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli import reference
from minivess.cli.main import app
from minivess.compliance.items.schemas import schemas
from minivess.foundation.errors import UsageError
from minivess.records.evaluation.measures import MEASURES, Measure
from minivess.workflows.project.reference_pages import file_pages, measures_page

scenarios("reference.feature")

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "reference"


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """Of all files of a project; not to be changed."""
    return schemas()


@dataclass
class Made:
    group: click.Group = field(default_factory=lambda: click.Group("minivess"))
    schemas: dict[str, dict[str, Any]] = field(default_factory=lambda: copy.deepcopy(_schemas()))
    measures: dict[str, Measure] = field(default_factory=lambda: dict(MEASURES))
    pages: dict[str, str] = field(default_factory=dict)
    refusal: UsageError | None = None

    def attempt(self, make: Callable[[], object]) -> None:
        try:
            make()
        except UsageError as error:
            self.refusal = error


@pytest.fixture
def made() -> Made:
    """All commands in a group that a scenario can change."""
    context = click.Context(app)
    group = Made()
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        if name == "audit":
            assert isinstance(command, click.Group)
            command = click.Group(name, commands=dict(command.commands))
        group.group.add_command(command, name)
    return group


@given("a command that commands.csv does not list")
def _(made: Made) -> None:
    audit = made.group.commands["audit"]
    assert isinstance(audit, click.Group)
    audit.add_command(click.Command("paint", help="Paint the log."))


@given('an option of "audit log" without a help text')
def _(made: Made) -> None:
    audit = made.group.commands["audit"]
    assert isinstance(audit, click.Group)
    log = audit.commands["log"]
    audit.add_command(click.Command("log", params=[*log.params, click.Option(["--colour"])], help=log.help))


@given(parsers.parse('a field "{name}" of the project file without a description'))
def _(made: Made, name: str) -> None:
    del made.schemas["project.json"]["properties"][name]["description"]


@given(parsers.parse('a measure "{name}" without a title'))
def _(made: Made, name: str) -> None:
    made.measures[name] = replace(made.measures[name], title="")


@when("the page of measures is generated")
def _(made: Made) -> None:
    made.attempt(lambda: measures_page(made.measures))


@when("the reference pages are generated")
def _(made: Made) -> None:
    made.pages = reference.pages()


@when("the page of commands is generated")
def _(made: Made) -> None:
    made.attempt(lambda: reference.commands_page(made.group))


@when("the pages of files are generated")
def _(made: Made) -> None:
    made.attempt(lambda: file_pages(made.schemas))


@then("docs/reference contains the same pages")
def _(made: Made) -> None:
    published = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert published == made.pages, "run `python -m minivess.cli.reference`"


@then(parsers.parse('it is refused and names "{name}"'))
def _(made: Made, name: str) -> None:
    assert made.refusal is not None
    assert name in str(made.refusal)
