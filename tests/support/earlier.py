"""What version 0.1.0 wrote (tests/fixtures/0.1.0), for tests that read it."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fixtures" / "0.1.0"
PASSPHRASE = "correct horse battery staple"


def unpack(folder: Path) -> Path:
    """A copy of the workspace, in `folder`, which is made."""
    shutil.unpack_archive(FOLDER / "workspace.tar.gz", folder, filter="data")
    return folder


def url_of(workspace: Path) -> str:
    """SQLAlchemy URL of the workspace's log."""
    return f"sqlite:///{workspace / 'evidence' / 'audit.db'}"
