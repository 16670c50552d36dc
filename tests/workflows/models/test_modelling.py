"""Training again keeps exactly what need not be trained again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from minivess.foundation.errors import UsageError
from minivess.workflows.models import modelling
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
        [first] = modelling.train(services, ada)
        size = services.log.size
        assert modelling.train(services, ada) == [first]
        assert services.log.size == size
        training = services.project.training.model_copy(update={"steps": 2})
        changed = replace(services, project=services.project.model_copy(update={"training": training}))
        with pytest.raises(UsageError, match="another configuration"):
            modelling.combine(changed, ada)
        [second] = modelling.train(changed, ada)
        assert (first.steps, second.steps) == (1, 2)
        assert services.log.size == size + 2
        assert modelling.combine(changed, ada).startswith("sha256:")
