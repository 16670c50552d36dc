"""Start a project folder, and read the project file of one."""

from __future__ import annotations

from pathlib import Path

from minivess.foundation.errors import UsageError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE, check_project_path, release_policy, templates_folder


@implements("REQ-361")
def start_project(folder: Path) -> list[Path]:
    """Write a project file to fill in, the release gates, a `.gitignore` and a workflow of continuous integration.

    Returns:
        The files that were written.

    Raises:
        UsageError: a project file is there already, or the path cannot be that of a project; nothing is changed.
    """
    check_project_path(folder.resolve())
    if (folder / PROJECT_FILE).exists():
        raise UsageError(f"{folder / PROJECT_FILE} is there already", hint="choose another folder")
    templates = templates_folder() / "project"
    made = {
        folder / PROJECT_FILE: templates / PROJECT_FILE,
        folder / ".gitignore": templates / "gitignore",
        folder / ".github" / "workflows" / "training.yml": templates / "training.yml",
        folder / "release" / "policy.yaml": release_policy(),
    }
    for target, source in made.items():
        write_atomic(target, read_limited(source, limit=1 << 20))
    return list(made)
