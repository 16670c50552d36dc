"""The reader of a workspace's project file. It imports no other record: commands that only read the log start faster."""

from __future__ import annotations

from pathlib import Path

from minivess.foundation.paths import PROJECT_FILE
from minivess.foundation.reading.yaml_records import read_record
from minivess.records.device.project import Project


def load_project(workspace: Path) -> Project:
    """Read a workspace's `minivess.yaml`.

    Raises:
        InputError: it is missing, too large, no YAML, or says something a project file may not say.
    """
    return read_record(workspace / PROJECT_FILE, Project)
