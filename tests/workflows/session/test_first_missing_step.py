"""The hint of every command, after each step of a project: it names the first missing step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import MinivessError, UsageError
from minivess.foundation.paths import Workspace
from minivess.records.device.workspace_files import StepName, first_missing, step_of
from minivess.workflows.data import card, ingestion, sealing, splitting, validation
from minivess.workflows.models import calibration, ensembles, export, training
from minivess.workflows.release import build
from minivess.workflows.sealed import analysis_plan, registration, requests
from minivess.workflows.serving import inference
from minivess.workflows.session import workspace_files
from minivess.workflows.session.services import Services, open_reader, open_services
from tests.support import projects
from tests.support.lazy_modules import lazily
from tests.support.machines import machine

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

pytestmark = pytest.mark.verifies("REQ-197", "SU-37", "SU-95")

Act = Callable[[Services, Signer], object]


def request(services: Services, ada: Signer) -> None:
    requests.request(services, ada, purpose="a test")


STAGES: dict[StepName, Callable[[projects.ProjectFolder], object]] = {
    "log": lambda project: None,
    "ingest": lambda project: run(project, ingestion.ingest),
    "validate": lambda project: run(project, validation.validate),
    "split": lambda project: run(project, splitting.split),
    "seal": lambda project: run(project, sealing.seal),
    "calibrate": projects.add_toy_training,
    "export": projects.export_toy_model,
    "criteria": lambda project: run(project, analysis_plan.register_criteria),
    "policy": lambda project: run(project, registration.register_policy, "max"),
    "request": lambda project: run(project, request),
}
"""The last step of each state that is tested, and what leads to it from the one before."""
COMMANDS: dict[StepName, tuple[str, Act]] = {
    "validate": ("ada", validation.validate),
    "split": ("ada", splitting.split),
    "seal": ("ada", sealing.seal),
    "card": ("ada", card.write_card),
    "train": ("ada", training.train),
    "ensemble": ("ada", ensembles.combine),
    "calibrate": ("ada", calibration.calibrate),
    "export": ("ada", export.export),
    "request": ("ada", request),
    "approve": ("rosa", lambda services, rosa: requests.approve(services, rosa, "open-none")),
    "evaluate": ("ada", lambda services, ada: final_evaluation.run(services, ada, "open-none")),
    "serve": ("ada", lambda services, _: inference.open_model(services)),
    "release": ("max", build.build),
}


def run(project: projects.ProjectFolder, act: Act, who: str = "ada") -> None:
    with project.services() as services:
        act(services, project.signers[who])


def cases() -> Iterator[tuple[StepName, StepName, StepName]]:
    """Last step that was done, a command that comes later, and the step that its hint must name."""
    order: list[StepName] = [
        "log", "ingest", "validate", "split", "seal", "train", "ensemble", "calibrate", "export", "criteria", "policy",
        "request", "approve", "evaluate", "release",
    ]  # fmt: skip
    for last in STAGES:
        missing = order[order.index(last) + 1]
        for command in COMMANDS:
            needed = first_missing(command, lambda step: step.name not in order[order.index(missing) :])  # noqa: B023
            if needed.name != command:
                yield last, command, missing


CASES = list(cases())


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, projects.ProjectFolder]:
    """A copy of one project after each of `STAGES`."""
    folder = tmp_path_factory.mktemp("states")
    made: dict[str, projects.ProjectFolder] = {}
    with machine(tmp_path_factory.mktemp("profile")):
        project = projects.start(folder / "project", source=projects.write_tiny_tree(folder / "source"))
        (project.workspace.root / "release").mkdir()
        policy = project.workspace.root / "release" / "policy.yaml"
        policy.write_text(projects.POLICY, encoding="utf-8")
        for name, step in STAGES.items():
            step(project)
            made[name] = project.copy_to(folder / name)
    return made


@pytest.mark.parametrize(("last", "command", "missing"), CASES, ids=["-".join(case) for case in CASES])
def test_the_hint_of_each_later_command_names_the_first_missing_step(
    states: dict[str, projects.ProjectFolder], last: str, command: StepName, missing: StepName
) -> None:
    project, (who, act) = states[last], COMMANDS[command]
    with project.services() as services, pytest.raises(MinivessError) as caught:
        act(services, project.signers[who])
    _, word, first_command = caught.value.hint.partition("minivess ")
    assert f"{word}{first_command}".startswith(step_of(missing).line)


def test_files_that_are_gone_are_named_by_the_first_that_is(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(UsageError, match=r"data/sealed/manifest\.json is not there yet") as caught:
        workspace_files.seal_of(workspace)
    assert caught.value.hint == "minivess data ingest"
    (tmp_path / "data").mkdir()
    for name in ("manifest.json", "validation.json"):
        (tmp_path / "data" / name).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError) as later:
        workspace_files.version_of(workspace)
    assert later.value.hint == "minivess data split"


@pytest.mark.parametrize("opened", [open_reader, lambda root: open_services(root, log_passphrase="unused")])
def test_a_project_without_a_log_needs_people_first_and_then_the_log(
    tmp_path: Path, opened: Callable[[Path], object], started_project: projects.ProjectFolder
) -> None:
    (tmp_path / "minivess.yaml").write_text(projects.PROJECT.format(source="."), encoding="utf-8")
    with pytest.raises(MinivessError) as caught:
        opened(tmp_path)
    assert caught.value.hint == step_of("people").line
    keystore = tmp_path / "keystore"
    keystore.mkdir(mode=0o700)
    (keystore / "ada.json").write_bytes((started_project.workspace.keystore / "ada.json").read_bytes())
    with pytest.raises(MinivessError) as later:
        opened(tmp_path)
    assert later.value.hint == step_of("log").line
