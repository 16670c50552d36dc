"""What the gates of a release count is what its pack states."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from minivess.compliance.standards.counted import CountSources, approvable_in, counted_in
from minivess.foundation.paths import Workspace
from minivess.records.device.attested import Attested
from minivess.workflows.release import build
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.release.gates import coverage_of
from tests.support import projects

pytestmark = pytest.mark.verifies("REQ-550", "SU-40")


def test_the_pack_states_what_was_counted_before_it_was_built(
    releasable_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    project = releasable_project.copy_to(tmp_path / "project")
    with project.services() as services:
        known = ReleaseFacts.read(services)
        sources = CountSources(known.tree, coverage_of(services, known), Workspace(services.workspace))
        counted, approvable = counted_in(sources), approvable_in(known.tree)
        built = build.build(services, project.signers["max"])
    with zipfile.ZipFile(built.path) as pack:
        stated = Attested.model_validate_json(pack.read("data/release/attested.json"))
    assert any(one.offenders for one in counted)
    assert (stated.counted, stated.approvable) == (counted, approvable)
