"""Two evaluations under one approval at the same time: one look, one result."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.workflows.sealed import access_status, requests
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

pytestmark = pytest.mark.verifies("SU-39")


@pytest.mark.verifies("REQ-022", "REQ-023", "RC-03")
def test_two_evaluations_at_once_are_one_look(sealed_project: projects.ProjectFolder, tmp_path: Path) -> None:
    project = sealed_project.copy_to(tmp_path / "project")
    ada = project.signers["ada"]
    with project.services() as services:
        projects.register(project, services)
        asked = requests.request(services, ada, purpose="a race")
        shown = access_status.summary_of(services, asked.id)
        assert {("tolerance", "2 µm"), ("criterion", "dice, mean: at least 0.1")} <= set(shown)
        requests.approve(services, project.signers["rosa"], asked.id)
    together = Barrier(2)

    def evaluate(_: int) -> EvaluationRecord:
        with project.services() as services:
            together.wait(timeout=60)
            return final_evaluation.run(services, ada, asked.id)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(evaluate, range(2))
    assert first == second
    with project.services() as services:
        (look,) = services.log.standing.test_set.looks()
    assert (look.runs, look.discrepancies) == (2, ())
