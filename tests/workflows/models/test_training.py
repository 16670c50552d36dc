"""Training again keeps exactly what need not be trained again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import UsageError
from minivess.records.models.start import ForeignWeights, PretrainingData, PretrainingSet
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


@pytest.mark.slow
@pytest.mark.verifies("REQ-329", "REQ-330")
def test_a_member_starts_from_the_weights_of_another_one(
    sealed_project: projects.ProjectFolder, tmp_path: Path
) -> None:
    project = sealed_project.copy_to(tmp_path / "project")
    ada, sets = project.signers["ada"], (PretrainingSet(name="Other vessels"),)
    with project.services() as services:
        [first] = training.train(services, ada)
        assert first.start is None
        made = project.workspace.models / "members" / "seed-0" / "weights.safetensors"
        foreign = project.workspace.root / "foreign.safetensors"
        foreign.write_bytes(made.read_bytes())
        stated = ForeignWeights(
            weights=foreign.name, digest=digest_file(foreign), trained_on=PretrainingData(status="declared", sets=sets)
        )
        for start, names in ((first.weights, ["training cases of the run of entry"]), (stated, ["Other vessels"])):
            plan = services.project.training.model_copy(update={"start": start})
            changed = replace(services, project=services.project.model_copy(update={"training": plan}))
            [second] = training.train(changed, ada)
            assert second.start is not None
            assert second.start.weights == first.weights != second.weights
            assert [
                one.name[: len(name)] for one, name in zip(second.start.trained_on.sets, names, strict=True)
            ] == names
            *_, entry = (one.body for one in services.log.entries(actions={"training"}))
            read = {one.name: one.digest for one in entry.inputs}
            assert read["training/start"] == (digest_file(foreign) if start is stated else first.weights)
            assert training.train(changed, ada) == [second], "nothing is trained twice"
