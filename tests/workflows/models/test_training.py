"""Training again keeps exactly what need not be trained again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from minivess.foundation.errors import UsageError
from minivess.workflows.models import ensembles, training
from tests.support import projects

pytestmark = pytest.mark.verifies("SU-38")


@pytest.mark.slow
@pytest.mark.verifies("REQ-017", "REQ-048")
def test_a_member_is_kept_only_while_its_configuration_stands(
    sealed_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    project = sealed_project.copy_to(tmp_path / "project")
    ada = project.signers["ada"]
    with project.services() as services:
        [first] = training.train(services, ada)
        size = services.log.size
        assert training.train(services, ada) == [first]
        assert services.log.size == size
        two_steps = services.project.training.model_copy(update={"steps": 2})
        changed = replace(services, project=services.project.model_copy(update={"training": two_steps}))
        with pytest.raises(UsageError, match="another configuration"):
            ensembles.combine(changed, ada)
        [second] = training.train(changed, ada)
        assert (first.steps, second.steps) == (1, 2)
        assert services.log.size == size + 2
        assert ensembles.combine(changed, ada).startswith("sha256:")
