"""A release is built from one commit: the gate `source` in the workflow, with a policy that does not list it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from minivess.foundation.errors import RefusedError
from minivess.workflows.release import build, gates
from tests.support import projects
from tests.support.source_states import commit_all

pytestmark = pytest.mark.verifies("REQ-218", "SU-40")


@pytest.fixture
def project(releasable_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    project = releasable_project.copy_to(tmp_path / "project")
    with project.services() as services:
        shutil.copytree(services.source, tmp_path / "source")
    file = project.workspace.project_file
    file.write_text(file.read_text(encoding="utf-8").replace(str(services.source), str(tmp_path / "source")), "utf-8")
    return project


def test_an_uncommitted_file_stops_the_build_until_it_is_committed(
    project: projects.ProjectFolder, tmp_path: Path
) -> None:
    (tmp_path / "source" / "notes.txt").write_text("not committed", encoding="utf-8")
    with project.services() as services:
        with pytest.raises(RefusedError) as refused:
            build.build(services, project.signers["max"])
        found = [reason for reason in refused.value.reasons if "gate source fails" in reason.message]
        assert [("notes.txt" in one.message, "commit what differs" in one.hint) for one in found] == [(True, True)]
        assert not list(project.workspace.root.rglob("*-evidence.zip"))
        commit_all(tmp_path / "source")
        failing = {one.id for one in gates.judge_gates(services) if not one.passed}
        assert "source" not in failing
        assert "trace" in failing, "results of the tree before that commit count no longer"
        projects.run_toy_scenarios(services, project.signers["ada"])
        assert build.build(services, project.signers["max"]).path.is_file()
