"""The one opening of the test set, when two processes reach for it at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from minivess.foundation.errors import RefusedError
from minivess.records.evaluation import EvaluationRecord
from minivess.workflows import final_evaluation, test_set
from tests import projects

pytestmark = pytest.mark.verifies("SU-39")


@pytest.mark.verifies("REQ-022", "RC-03")
def test_of_two_that_open_at_once_one_is_refused(sealed_project: projects.ProjectFolder, tmp_path: Path) -> None:
    project = sealed_project.copy_to(tmp_path / "project")
    ada = project.signers["ada"]
    with project.services() as services:
        projects.register(project, services)
        asked = test_set.request(services, ada, purpose="a race")
        test_set.approve(services, project.signers["rosa"], asked.id)
    together = Barrier(2)

    def evaluate(_: int) -> EvaluationRecord | RefusedError:
        with project.services() as services:
            together.wait(timeout=60)
            try:
                return final_evaluation.run(services, ada, asked.id)
            except RefusedError as refusal:
                return refusal

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(evaluate, range(2)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["EvaluationRecord", "RefusedError"]
    (refusal,) = (outcome for outcome in outcomes if isinstance(outcome, RefusedError))
    assert "used" in refusal.message
