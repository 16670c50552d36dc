"""What `minivess doctor` says of healthy and of ailing workspaces."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from minivess.cli.main import app
from minivess.compliance.identity.keystores.key_import import import_keys
from minivess.foundation.user_profile import Profile
from minivess.ml.sealed.sealed_cases import open_image, open_sealed
from minivess.workflows.project.doctor import Finding, examine
from minivess.workflows.sealed import requests
from minivess.workflows.session import workspace_files
from tests.support import projects

pytestmark = pytest.mark.verifies("REQ-091", "SU-39")


def levels(found: tuple[Finding, ...]) -> dict[str, set[str]]:
    """The levels of each check."""
    return {name: {one.level for one in found if one.check == name} for name in {one.check for one in found}}


@pytest.fixture
def project(sealed_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    return sealed_project.copy_to(tmp_path / "project")


def test_a_healthy_workspace_has_no_problem(project: projects.ProjectFolder) -> None:
    import_keys(project.workspace.root, Profile.of_user())
    found = examine(project.workspace)
    assert {one.check for one in found if one.level == "problem"} == set()
    held = levels(found)
    for check in ("versions", "project file", "key files", "log", "outbox", "keys of requests", "sealed files"):
        assert held[check] == {"ok"}, check
    assert held["plain copies"] == {"ok", "warning"}
    assert any("seed" in one.message for one in found)


def test_ailments_are_named(project: projects.ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, ada, rosa = project.workspace, project.signers["ada"], project.signers["rosa"]
    manifest = workspace_files.seal_of(workspace)
    keys = b"".join(rosa.unwrap(one, context=workspace_files.SEAL_CONTEXT) for one in manifest.wrapped_keys["rosa"])
    image = open_image(next(open_sealed(workspace.sealed, manifest, keys)))
    from minivess.ml.cases.prepared import npy_bytes

    copy = workspace.root / "mlruns" / "0" / "artifact.gz"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(gzip.compress(npy_bytes(image)))
    (workspace.keystore / "ada.json").chmod(0o644)
    with project.services() as services:
        projects.register(project, services)
        requests.request(services, ada, purpose="waits")
    (workspace.test_set / "open-deadbeef.key").write_text("left over", encoding="ascii")
    (workspace.test_set / "open-deadbeef.key").chmod(0o600)
    for who in ("ADA", "ROSA"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    first = sorted(workspace.sealed.glob("*.sealed"))[0]
    first.write_bytes(first.read_bytes()[:-1])

    found = examine(workspace)
    held = levels(found)
    assert held["plain copies"] >= {"problem"}
    assert held["key files"] == {"problem", "warning"}
    assert held["keys of requests"] == {"warning"}
    assert held["passphrases"] == {"warning"}
    assert held["sealed files"] == {"problem"}
    messages = " ".join(one.message for one in found)
    assert "mlruns/0/artifact.gz" in messages
    assert "keystore/ada.json" in messages
    assert "open-deadbeef.key" in messages
    assert first.name in messages
    assert str(workspace.root) not in messages


def test_the_command_ends_with_1_on_a_problem(project: projects.ProjectFolder) -> None:
    command = ["-C", str(project.workspace.root), "doctor", "--json"]
    healthy = CliRunner().invoke(app, command)
    assert healthy.exit_code == 0
    assert {one["level"] for one in json.loads(healthy.stdout)} <= {"ok", "warning"}
    project.workspace.keystore.chmod(0o755)
    ailing = CliRunner().invoke(app, command)
    assert ailing.exit_code == 1
    assert "problem" in {one["level"] for one in json.loads(ailing.stdout)}
