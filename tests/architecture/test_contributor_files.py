"""Editor settings, hooks and the workflow file name schemas, tools and versions that exist."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.verifies("SI-01")

ROOT = Path(__file__).resolve().parents[2]
NO_ITEMS = {"vex.yaml"}
"""Files of these folders that hold no items, and have no schema of ours."""
EDITED = [
    *sorted((ROOT / "requirements").glob("*.yaml")),
    *(path for path in sorted((ROOT / "risk").glob("*.yaml")) if path.name not in NO_ITEMS),
]


def editor_schemas() -> dict[str, list[str]]:
    settings = json.loads((ROOT / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    schemas: dict[str, list[str]] = settings["yaml.schemas"]
    return schemas


def loaded(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("path", EDITED, ids=lambda path: path.name)
def test_the_editor_gives_each_file_the_schema_of_its_first_line(path: Path) -> None:
    mine = [schema for schema, globs in editor_schemas().items() if any(path in ROOT.glob(glob) for glob in globs)]
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert [f"$schema=../{schema}" for schema in mine] == [first.rpartition(" ")[2]]


def test_each_schema_of_the_editor_exists() -> None:
    schemas = editor_schemas()
    assert [schema for schema in schemas if not (ROOT / schema).is_file()] == []
    assert schemas["docs/schemas/project.json"] == ["minivess.yaml"]


def test_the_hooks_run_what_ci_runs() -> None:
    hooks = [hook for repo in loaded(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {hook["language"] for hook in hooks} == {"system"}
    for hook in hooks:
        command = re.sub(r" --\S+", "", hook["entry"])
        assert command in ci, hook["id"]


def test_the_workflow_runs_on_each_supported_python() -> None:
    jobs = loaded(".github/workflows/ci.yml")["jobs"]
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == ["3.12", "3.13", "3.14"]
    assert lowest == ">=3.12"
    assert {name: job["steps"][-1]["run"] for name, job in jobs.items()} == {
        "lint": "bash .ci/run lint",
        "tests": "bash .ci/run tests",
        "slow": "bash .ci/run slow",
    }
