"""Tests of rules and records load no library that stores, sends or computes: asked of a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAST = "tests/fast.txt"
HEAVY = ("onnx", "alembic", "openlineage", "torch", "matplotlib", "fastapi", "jsonschema", "mlflow")

RUN = """\
import json, sys
import pytest

code = pytest.main([*sys.argv[1:], "-n", "0", "-q", "-p", "no:cacheprovider"])
print("\\n" + json.dumps([int(code), [name for name in HEAVY if name in sys.modules]]))
"""


def loaded(*arguments: str) -> list[str]:
    """Which heavy libraries a pytest run with these arguments loads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN.replace("HEAVY", repr(HEAVY)), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    code, found = json.loads(done.stdout.splitlines()[-1])
    assert code == pytest.ExitCode.OK, done.stdout[-2000:]
    names: list[str] = found
    return names


@pytest.mark.parametrize("folder", ["tests/records", "tests/compliance/risk"])
def test_a_pure_room_runs_without_heavy_libraries(folder: str) -> None:
    assert loaded(folder) == []


def test_the_fast_tests_are_collected_without_heavy_libraries() -> None:
    assert loaded(f"@{FAST}", "--collect-only") == []


def test_all_tests_are_collected_without_the_heaviest_libraries() -> None:
    assert set(loaded("--collect-only")) <= {"onnx"}
