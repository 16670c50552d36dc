"""The table of workspace files and the table of steps: order, first missing step, and what each file holds."""

from __future__ import annotations

import click
import pytest

from minivess.cli.main import app
from minivess.foundation.errors import UsageError
from minivess.records.base import Record
from minivess.records.device.workspace_files import (
    EVALUATION,
    FILES,
    MEMBER_RUN,
    STEPS,
    StepName,
    WorkspaceFile,
    file_of,
    first_missing,
    steps_before,
)
from minivess.records.log.payloads.by_action import PAYLOADS

pytestmark = pytest.mark.verifies("SU-04")

ORDER = (
    "init", "people", "log", "ingest", "validate", "split", "seal", "train", "ensemble", "calibrate", "export", "criteria",
    "policy", "request", "approve", "evaluate", "results", "release", "sign",
)  # fmt: skip
"""The steps a release needs, in the order of the work."""
NEED_A_LOG_ALONE = {"criteria", "policy", "results"}
CASES = [(done, later) for done in range(len(ORDER)) for later in ORDER[done:]]


def test_the_steps_are_those_of_the_work() -> None:
    assert tuple(step.name for step in STEPS if not step.optional) == ORDER


@pytest.mark.verifies("REQ-197")
@pytest.mark.parametrize(("done", "later"), CASES, ids=[f"{done}-{later}" for done, later in CASES])
def test_of_several_missing_steps_the_first_is_named(done: int, later: StepName) -> None:
    known = set(ORDER[:done])
    expected = later if later in NEED_A_LOG_ALONE and done >= 3 else ORDER[done]
    assert first_missing(later, lambda step: step.name in known).name == expected


@pytest.mark.verifies("REQ-197")
def test_a_step_that_is_missing_in_the_middle_is_named_although_later_ones_are_there() -> None:
    assert first_missing("release", lambda step: step.name != "calibrate").name == "calibrate"
    assert first_missing("train", lambda step: True).name == "train"


@pytest.mark.verifies("REQ-197")
@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_a_step_comes_after_all_that_it_needs(name: StepName) -> None:
    order = [step.name for step in STEPS]
    before = [step.name for step in steps_before(name)]
    assert before == sorted(before, key=order.index)
    assert all(order.index(one) < order.index(name) for one in before)


@pytest.mark.parametrize("row", FILES, ids=lambda row: row.name)
def test_each_file_is_made_by_an_earlier_step_than_those_that_read_it(row: WorkspaceFile) -> None:
    order = [step.name for step in STEPS]
    assert all(order.index(row.made_by) < order.index(reader) for reader in row.readers)
    assert row.action in PAYLOADS
    assert (row.record is None) == (not row.record_place)
    assert row.record is None or issubclass(row.record, Record)
    assert row.compared_with in {"", "output", "context"} or file_of(row.compared_with).name == row.compared_with


def test_each_command_exists() -> None:
    for step in STEPS:
        command: click.Command = app
        for word in step.command.split():
            if not isinstance(command, click.Group):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, step.command
            command = found
        assert not isinstance(command, click.Group), step.command


def test_a_file_is_found_by_its_name_and_by_its_place() -> None:
    assert file_of(EVALUATION) is file_of("evidence/evaluation/evaluation.json")
    assert file_of(EVALUATION).place_of(EVALUATION) == "evidence/evaluation/evaluation.json"
    run = "models/members/seed-7/run.json"
    assert file_of(run).name == MEMBER_RUN
    assert file_of(run).place_of(run) == run
    assert file_of(run).tracked_path == "models/members"
    with pytest.raises(UsageError, match="no input in the table"):
        file_of("models/members/seed-7/strange.json")
