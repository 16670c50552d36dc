"""Serving answers without the training stack: checked in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.projects import ProjectFolder

pytestmark = pytest.mark.verifies("SU-43")

PROGRAM = """
import sys
from tests.support.servers import served
from tests.support.projects import ProjectFolder
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.foundation.paths import Workspace
from pathlib import Path
import minivess.cli.serving.site
import minivess.serving.inference.server
import minivess.workflows.serving.distant
workspace = Workspace(Path(sys.argv[1]))
signer = Keystore(workspace.keystore).unlock("inference", sys.argv[2])
with served.running(ProjectFolder(workspace, {"inference": signer})) as service:
    image, spacing = service.volume()
    assert service.send(image, spacing).json()["decision"] == "answered"
print(",".join(name for name in ("torch", "monai", "mlflow", "lightning", "matplotlib") if name in sys.modules))
"""


@pytest.mark.verifies("REQ-042")
def test_an_answer_loads_no_training_library(prepared_project: ProjectFolder) -> None:
    root = prepared_project.workspace.root
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(root), "correct horse battery staple"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
