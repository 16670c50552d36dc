"""The README's commands exist, with the options it gives them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from minivess.cli.main import app

pytestmark = pytest.mark.verifies("SU-45")

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(?:^|&& )(?:uv run )?minivess ((?:[^\n#&]|&(?!&))*)", re.MULTILINE)


def calls() -> list[str]:
    text = README.read_text(encoding="utf-8")
    return sorted({call.strip() for block in BLOCK.findall(text) for call in CALL.findall(block)})


def test_the_readme_shows_the_flows() -> None:
    shown = " ".join(calls())
    for command in ("demo", "init", "test-set approve", "release build", "release sign", "release verify", "serve"):
        assert command in shown


@pytest.mark.parametrize("call", calls())
def test_every_command_of_the_readme_exists(call: str) -> None:
    words = shlex.split(call)
    context = click.Context(app, info_name="minivess")
    command: click.Command = app
    while isinstance(command, click.Group):
        if words[0] == "-C":
            words = words[2:]
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{name!r} in {call!r}"
        context, command = click.Context(found, info_name=name, parent=context), found
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
