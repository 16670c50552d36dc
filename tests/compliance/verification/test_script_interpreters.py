"""verify.py runs on every Python from 3.9 on: it is parsed as 3.9, and run by each interpreter that is on this machine."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.builders.pack_builder import TEMPLATES
from tests.support.earlier import FOLDER

pytestmark = pytest.mark.verifies("REQ-039", "SU-14")

SCRIPT = TEMPLATES / "verify.py"
OLDEST, NEWEST = 9, 14


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable)
    for minor in range(OLDEST, NEWEST + 1):
        yield from (Path(found) for found in [shutil.which(f"python3.{minor}")] if found)
        for folder in (Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"):
            yield from sorted(folder.glob(f"*3.{minor}.*/bin/python3"))


def interpreters() -> dict[str, Path]:
    """One interpreter of each minor version from 3.9 on that starts."""
    found: dict[str, Path] = {}
    for path in _candidates():
        asked = subprocess.run(
            [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            found.setdefault(asked.stdout.strip(), path)
    return found


@cache
def verdict(interpreter: Path) -> tuple[int, str]:
    """What verify.py says of the pack of version 0.1.0, with exit code and without the interpreter's settings."""
    done = subprocess.run(
        [interpreter, "-I", SCRIPT, FOLDER / "evidence.zip"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_written_for_python_3_9() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, OLDEST))
    assert tree.body
    newer = {node for node in ast.walk(tree) if isinstance(node, ast.Match | ast.TryStar)}
    assert newer == set()


@pytest.mark.parametrize("interpreter", [pytest.param(path, id=name) for name, path in interpreters().items()])
def test_each_interpreter_gives_the_same_verdict(interpreter: Path) -> None:
    assert verdict(interpreter) == verdict(Path(sys.executable))
    assert "VERDICT: the pack HOLDS" in verdict(interpreter)[1]
