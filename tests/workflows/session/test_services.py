"""Opening the services of a workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.workflows.session.services import open_services
from tests.support import projects

pytestmark = pytest.mark.verifies("SU-37")


def test_a_started_project_opens(started_project: projects.ProjectFolder) -> None:
    with started_project.services() as services:
        context = services.context(seed=4)
        assert services.log.size >= 1
        assert services.project.device.name == "toy-device"
        assert context.configuration == digest_of(services.project)
        assert context.environment is not None
        assert context.seed == 4
        with pytest.raises(UsageError, match="context"):
            services.context(patient="Jane")


def test_a_wrong_passphrase_opens_nothing(started_project: projects.ProjectFolder) -> None:
    with pytest.raises(RefusedError, match="passphrase"):
        open_services(started_project.workspace.root, log_passphrase=lambda: "wrong passphrase")


def test_there_must_be_a_project(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_services(tmp_path, log_passphrase="correct horse")
    (tmp_path / "minivess.yaml").write_text("device: [", encoding="utf-8")
    with pytest.raises(InputError):
        open_services(tmp_path, log_passphrase="correct horse")
