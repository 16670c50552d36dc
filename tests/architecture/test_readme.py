"""The commands in the README, the tutorial and the guides exist, with the options that the pages give them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from minivess.cli.main import app

pytestmark = pytest.mark.verifies("SU-45")

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs/tutorial").glob("*.md")),
    *sorted((ROOT / "docs/guides").glob("*.md")),
]
LONGEST_README = 60
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"(?:^|&& )(?:uv run )?minivess ((?:[^\n#&]|&(?!&))*)", re.MULTILINE)


def calls() -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    return sorted({call.strip() for text in texts for block in BLOCK.findall(text) for call in CALL.findall(block)})


def test_the_pages_show_the_flows() -> None:
    shown = " ".join(calls())
    for command in ("demo", "init", "test-set approve", "release build", "release sign", "release verify", "serve"):
        assert command in shown


@pytest.mark.parametrize("call", calls())
def test_every_command_of_the_pages_exists(call: str) -> None:
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


def test_the_readme_is_one_screen_with_a_picture_and_links_that_work() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_README
    assert "Not for clinical use" in text
    places = [place for place in re.findall(r"\]\(([^)#]+)", text) if not place.startswith("http")]
    assert "docs/pictures/evidence-pack.png" in places
    assert [place for place in places if not (ROOT / place).exists()] == []
