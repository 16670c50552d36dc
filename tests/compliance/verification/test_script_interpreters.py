"""verify.py runs on every Python from 3.9 on: it is parsed as 3.9, and run by each interpreter that is on this machine."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.builders.pack_builder import TEMPLATES
from tests.support.earlier import FOLDER
from tests.support.interpreters import OLDEST, interpreters

pytestmark = pytest.mark.verifies("REQ-039", "SU-14")

SCRIPT = TEMPLATES / "verify.py"


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
    assert "VERDICT: LIMITED: every check passed" in verdict(interpreter)[1]
