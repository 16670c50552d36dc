"""The reader of a workspace's project file. It imports no other record: commands that only read the log start faster."""

from __future__ import annotations

import logging
from pathlib import Path

from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.foundation.reading.strict_yaml import load_yaml
from minivess.foundation.reading.yaml_records import validate_node
from minivess.records.device.project import Project
from minivess.records.former_names import Hint, with_present_names

_log = logging.getLogger(__name__)
_said: set[Hint] = set()
"""Hints that this process showed: a command reads the file several times."""


@implements("REQ-325")
def load_project(workspace: Path) -> Project:
    """Read a workspace's `minivess.yaml`. Names of version 0.1.0 are read as the present ones, with a warning for each.

    Raises:
        InputError: it is missing, too large, no YAML, or says something a project file may not say.
    """
    shown = str(workspace / PROJECT_FILE)
    root = load_yaml(workspace / PROJECT_FILE, shown=shown)
    show_hints(with_present_names(root, shown=shown))
    return validate_node(root, Project, shown=shown)


def show_hints(hints: tuple[Hint, ...]) -> None:
    """Show each hint once."""
    for hint in hints:
        if hint not in _said:
            _said.add(hint)
            _log.warning("%s", hint)
