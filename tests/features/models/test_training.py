"""Steps of features/training.feature."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.ml.inference.predictor import EnsemblePredictor, PatchPredictor
from minivess.ml.sampling.case_store import CaseStore, TrainingCase, cases_digest
from minivess.ml.sampling.feeding import Feed, Request, WorkerError, worker_count
from minivess.ml.sampling.patches import Batch, PatchSource
from minivess.ml.training import schedules
from minivess.ml.training.runs import RUN, WEIGHTS, completed_run
from minivess.ml.training.validation import ValidationCases, Validator, steps_between, validation_cases
from minivess.records.log.entry import Entry
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec, TrainingValidation
from minivess.records.models.training_run import Circumstances, RunPart
from minivess.workflows.session.recording import recorded
from tests.support.builders.training_cases import stored
from tests.support.lazy_modules import lazily
from tests.support.patch_cutters import flipped, killed
from tests.support.patch_sources import source_of
from tests.support.projects import ProjectFolder

with lazily(
    "torch",
    "minivess.ml.training.checkpoints",
    "minivess.ml.training.circumstances.memory_formats",
    "minivess.ml.training.circumstances.repeatability",
    "minivess.ml.training.member",
    "minivess.workflows.models.training",
):
    import torch

    from minivess.ml.training import checkpoints, member
    from minivess.ml.training.circumstances import memory_formats, repeatability
    from minivess.workflows.models import training

scenarios("training.feature")

SPEC = SegResNetSpec(patch=(8, 16, 16))
TRAINING = TrainingSpec(members=(1,), steps=20)


def _volumes(seed: int) -> list[TrainingCase]:
    rng = np.random.default_rng(seed)
    made: list[TrainingCase] = []
    for _ in range(3):
        label = (rng.random((12, 24, 24)) < 0.1).astype(np.uint8)
        made.append(TrainingCase(rng.poisson(1 + 3 * label).astype(np.uint16), label))
    return made


class Constant(PatchPredictor):
    """A member that is equally sure everywhere."""

    def __init__(self, probability: float) -> None:
        super().__init__(SPEC)
        self.probability = probability

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(patches.shape, self.probability, dtype=np.float32)


@given("training volumes with vessels", target_fixture="volumes")
def volumes() -> list[TrainingCase]:
    return _volumes(0)


@when(
    parsers.parse("{count:d} batches of patches are drawn with seed {seed:d}, and again with seed {again:d}"),
    target_fixture="draws",
)
def draw_twice(volumes: list[TrainingCase], tmp_path: Path, count: int, seed: int, again: int) -> list[list[Batch]]:
    return [_draw(volumes, tmp_path, count, number) for number in (seed, again)]


def _draw(volumes: list[TrainingCase], folder: Path, count: int, seed: int) -> list[Batch]:
    source = source_of(volumes, SPEC.patch, folder / "store", seed=seed)
    return [source.batch(step, 0, 2) for step in range(1, count + 1)]


def _same(one: list[Batch], two: list[Batch]) -> bool:
    return all(
        np.array_equal(a, b) for first, second in zip(one, two, strict=True) for a, b in zip(first, second, strict=True)
    )


@then("both draws hold the same patches in the same order")
def same_draws(draws: list[list[Batch]]) -> None:
    assert _same(*draws)


@when(parsers.parse("{count:d} batches of patches are drawn with seed {seed:d}"))
def draw_once(volumes: list[TrainingCase], draws: list[list[Batch]], tmp_path: Path, count: int, seed: int) -> None:
    draws.append(_draw(volumes, tmp_path, count, seed))


@then("that draw holds other patches")
def other_draw(draws: list[list[Batch]]) -> None:
    assert not _same(draws[0], draws[2])


@given("preprocessed copies of three training volumes", target_fixture="store")
def preprocessed_copies(tmp_path: Path) -> CaseStore:
    return replace(stored(_volumes(0), tmp_path / "cases"), hold=None)  # of a run that has ended


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/*/*")}


@when(
    parsers.parse("the {file} of a copy is {harm}, and the next member is prepared"),
    target_fixture="first_and_next",
)
def damaged_copy(store: CaseStore, file: str, harm: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    first = _files(store.folder)
    names = {"image": "image.npy", "mask": "label.npy", "places": "places.npy", "record": "stored.json"}
    path = store.folder / store.cases[1].folder / names[file]
    data = path.read_bytes()
    harmed = {"changed": data[:-1] + bytes([data[-1] ^ 1]), "cut": data[: len(data) // 2]}
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(harmed[harm])
    stored(_volumes(0), store.folder)
    return first, _files(store.folder)


@then("the member learns from the copies as they were first made")
def as_first_made(first_and_next: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    first, found = first_and_next
    assert found == first


@when("a preparation of the same volumes is killed in the third, and started again", target_fixture="again")
def killed_preparation(tmp_path: Path) -> tuple[Path, list[str]]:
    folder, save, left = tmp_path / "killed", np.save, 3 * 2 + 1  # three arrays a volume

    def dying(*arguments: Any, **more: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        save(*arguments, **more)

    child = os.fork()
    if child == 0:
        try:
            np.save = dying
            stored(_volumes(0), folder)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    before = {path: path.stat().st_ino for path in folder.glob("*/*/*") if not path.parent.name.startswith(".")}
    stored(_volumes(0), folder)
    return folder, [path.parent.parent.name for path in folder.glob("*/*/*") if before.get(path) != path.stat().st_ino]


@then("it makes the third copy alone, and all copies are equal to those of an uninterrupted preparation")
def third_alone(store: CaseStore, again: tuple[Path, list[str]]) -> None:
    folder, made = again
    assert set(made) == {store.names[2]}
    assert _files(folder) == _files(store.folder)


@when("a member is prepared from the first two of them", target_fixture="kept")
def prepared_from_two(tmp_path: Path) -> CaseStore:
    return stored(_volumes(0)[:2], tmp_path / "cases")


@then("there is no copy of the third")
def no_copy(kept: CaseStore) -> None:
    assert sorted({name.partition("/")[0] for name in _files(kept.folder)}) == sorted(kept.names)


@when(
    parsers.parse("{count:d} steps are drawn without a worker process, and by {workers:d} of them"),
    target_fixture="draws",
)
def drawn_by_workers(store: CaseStore, count: int, workers: int) -> list[list[Batch]]:
    source = PatchSource(store, seed=3, augmentation=flipped)
    draws = []
    for number in (0, workers):
        with Feed(source, (Request(step, 0, 2) for step in range(1, count + 1)), workers=number) as feed:
            draws.append(list(feed))
    return draws


@given(
    parsers.parse("a machine with {processors:d} processors for {processes:d} training processes"),
    target_fixture="machine",
)
def processors_of(processors: int, processes: int) -> tuple[int, int]:
    return processors, processes


@then(parsers.parse("a training process on {device} gets {workers:d} worker processes"))
def gets_workers(machine: tuple[int, int], device: str, workers: int) -> None:
    assert worker_count(device, processors=machine[0], processes=machine[1]) == workers


@when("the worker process that draws step 4 is killed", target_fixture="error")
def killed_worker(store: CaseStore) -> tuple[WorkerError, tuple[str, ...]]:
    source = PatchSource(store, seed=3, augmentation=killed)
    with Feed(source, [Request(4, 0, 2)], workers=1) as feed, pytest.raises(WorkerError) as caught:
        next(feed)
    return caught.value, source.cases_of(4, 0, 2)


@then("the error names step 4, the cases of the step, and what to do")
def names_cases(error: tuple[WorkerError, tuple[str, ...]]) -> None:
    found, cases = error
    assert "SIGKILL at step 4" in found.message
    assert all(name in found.message for name in cases)
    assert "minivess train" in found.hint


@given(parsers.parse("a member folder with {remains}"), target_fixture="folder")
def member_folder(tmp_path: Path, remains: str) -> Path:
    folder = tmp_path / "seed-1"
    folder.mkdir()
    record = RunRecord(
        seed=1,
        model=SPEC,
        training=TRAINING,
        data=cases_digest(_volumes(0)),
        weights="sha256:" + "0" * 64,
        steps=20,
        final_loss=0.5,
        device="cpu",
        seconds=1.0,
    )
    text = record.model_dump_json()
    written = {
        "nothing": None,
        "weights without a record": None,
        "half of a record": text[: len(text) // 2],
        "a record without weights": text,
        "a record of another seed": record.model_copy(update={"seed": 2}).model_dump_json(),
        "a record of fewer steps": record.model_copy(
            update={"training": TRAINING.model_copy(update={"steps": 10})}
        ).model_dump_json(),
        "a record of other training volumes": record.model_copy(
            update={"data": cases_digest(_volumes(1))}
        ).model_dump_json(),
    }[remains]
    if written is not None:
        (folder / RUN).write_text(written, encoding="utf-8")
    if remains not in ("nothing", "a record without weights"):
        (folder / WEIGHTS).write_bytes(b"weights")
    return folder


@when("the training of seed 1 is about to start", target_fixture="found")
def about_to_start(folder: Path) -> RunRecord | None:
    return completed_run(folder, SPEC, TRAINING, seed=1, data=cases_digest(_volumes(0)))


@then("no finished member is found, so training starts from its first step")
def nothing_found(found: RunRecord | None) -> None:
    assert found is None


@given("three members that answer 0.1, 0.2 and 0.9 for every voxel", target_fixture="members")
def members() -> list[PatchPredictor]:
    return [Constant(probability) for probability in (0.1, 0.2, 0.9)]


@when("the ensemble of them looks at a volume", target_fixture="answer")
def look(members: list[PatchPredictor]) -> NDArray[np.float32]:
    return EnsemblePredictor(members).predict(np.random.default_rng(0).random((9, 20, 16)))[0]


@then(parsers.parse("every voxel has probability {probability:f}"))
def everywhere(answer: NDArray[np.float32], probability: float) -> None:
    assert answer.shape == (9, 20, 16)
    assert answer == pytest.approx(probability, abs=1e-6)


@given(
    parsers.parse("a training of {steps:d} steps with the schedule {schedule} and the highest rate {rate:g}"),
    target_fixture="training",
)
def stated_training(steps: int, schedule: str, rate: float) -> TrainingSpec:
    return TrainingSpec.model_validate({"steps": steps, "schedule": schedule, "learning_rate": rate})


@then(parsers.parse("the rates of the steps 1, 51 and 100 are {rates}"))
def rates_are(training: TrainingSpec, rates: str) -> None:
    expected = [float(rate) for rate in rates.split(",")]
    assert [schedules.learning_rate(training, step) for step in (1, 51, 100)] == pytest.approx(expected, rel=0.01)


@given(
    parsers.parse(
        "a step takes {usual:g} s with channels last, which is usual, and {other:g} s with contiguous channels"
    ),
    target_fixture="seconds",
)
def measured(usual: float, other: float) -> dict[str, float]:
    return {"channels-last": usual, "contiguous": other}


@then(parsers.parse("the layout is {chosen}"))
def layout_is(seconds: dict[str, float], chosen: str) -> None:
    assert memory_formats.clearly_faster(seconds, "channels-last") == chosen


RUNS = {"same": "sha256:" + "1" * 64, "changed": "sha256:" + "2" * 64}
WHERE = Circumstances(device="cpu", threads=2, memory_format="contiguous", torch="2.13.0")


@given(parsers.parse("checkpoints of a run after the steps {first:d} and {second:d}"), target_fixture="run")
def two_checkpoints(tmp_path: Path, first: int, second: int) -> str:
    for step in (first, second):
        part = RunPart(first_step=1, last_step=step, where=WHERE, seconds=1)
        state = checkpoints.CheckpointState(run=RUNS["same"], step=step, parts=(part,))
        made = checkpoints.Checkpoint(state, {"weight": torch.full((9,), step)}, {}, (0.5,) * step)
        checkpoints.save_checkpoint(tmp_path, made)
    return RUNS["same"]


@when("nothing happens to them")
def nothing_happens() -> None:
    pass


@when("the newest is cut short")
def cut_short(tmp_path: Path) -> None:
    newest = tmp_path / checkpoints.CHECKPOINT
    newest.write_bytes(newest.read_bytes()[:-10])


@when("a byte of the newest is changed")
def byte_changed(tmp_path: Path) -> None:
    newest = tmp_path / checkpoints.CHECKPOINT
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)


@when("the settings of the training are changed", target_fixture="run")
def settings_changed() -> str:
    return RUNS["changed"]


@then(parsers.parse("training continues after step {step:d}"))
def goes_on_after(tmp_path: Path, run: str, step: int) -> None:
    found = checkpoints.load_checkpoint(tmp_path, run)
    assert found is not None
    assert found.state.step == step
    assert found.network["weight"].tolist() == [step] * 9


@then("training continues at its first step")
def first_step(tmp_path: Path, run: str) -> None:
    assert checkpoints.load_checkpoint(tmp_path, run) is None


@given(parsers.parse("a training part of {cases:d} cases of {animals:d} animals"), target_fixture="groups")
def training_part(cases: int, animals: int) -> dict[str, str]:
    return {f"case-{number}": f"animal-{number % animals}" for number in range(cases)}


@when(parsers.parse("a share of {share:g} of its groups is set aside"), target_fixture="aside")
def set_aside(groups: dict[str, str], share: float) -> ValidationCases:
    return validation_cases(groups, share, seed=0)


@then(parsers.re(r"(?P<count>\d+) animals? are set aside, and no animal is on both sides"))
def animals_aside(groups: dict[str, str], aside: ValidationCases, count: str) -> None:
    held = {groups[case] for case in aside.cases}
    left = {animal for case, animal in groups.items() if case not in aside.cases}
    assert len(held) == int(count)
    assert not held & left


@then(parsers.parse('it is said that "{why}"'))
def said(aside: ValidationCases, why: str) -> None:
    assert aside.note == why


@given(
    parsers.parse("a training of {steps:d} steps of {batch:d} patches, and validation cases of {patches:d} patches"),
    target_fixture="judged",
)
def judged_training(steps: int, batch: int, patches: int) -> tuple[TrainingSpec, Validator]:
    task = SegmentationTask(axes="yx")
    spec = UNetSpec(patch=(64, 64))
    grids = ((64, 64),) * (patches - 6) + ((112, 160),)  # the last one has two rows of three patches
    validator = Validator(lambda: (), (), spec, task, Preprocessing.of(task), grids)
    return TrainingSpec(steps=steps, batch=batch), validator


@then(parsers.parse("a validation is made every {every:d} steps"))
def made_every(judged: tuple[TrainingSpec, Validator], every: int) -> None:
    training, validator = judged
    assert steps_between(training, validator.patches) == every
    assert (
        steps_between(training.model_copy(update={"validation": TrainingValidation(every=7)}), validator.patches) == 7
    )


@when("training uses an operation without a deterministic kernel", target_fixture="named")
def not_deterministic() -> set[str]:
    named: set[str] = set()
    with repeatability.repeatable(named):
        torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))
    return named


@then("the record names it")
def named_operation(named: set[str]) -> None:
    assert named == {"put_"}


@given("a run that began on a cpu with 2 threads and the layout contiguous", target_fixture="began")
def began() -> Circumstances:
    return WHERE


@when(parsers.parse("it would continue with {what}"), target_fixture="refusal")
def would_go_on(began: Circumstances, what: str) -> RefusedError | None:
    changes: dict[str, dict[str, object]] = {
        "the same": {},
        "1 threads": {"threads": 1},
        "the layout other": {"memory_format": "channels-last"},
        "another PyTorch": {"torch": "2.14.0"},
    }
    try:
        member.refuse_elsewhere(began, began.model_copy(update=changes[what]))
    except RefusedError as error:
        return error
    return None


@then("it continues")
def it_goes_on(refusal: RefusedError | None) -> None:
    assert refusal is None


@then("it is refused, and the reason names both")
def refused(refusal: RefusedError | None) -> None:
    assert refusal is not None
    assert re.search(r"began with (.+) (\S+), and would continue with \1 (?!\2)\S+:", refusal.message)
    assert "--elsewhere" in (refusal.hint or "")


@given("a log that announced a training with seed 0", target_fixture="announced")
def log_with_announcement(started_project: ProjectFolder, tmp_path: Path) -> tuple[list[Entry], int]:
    project = started_project.copy_to(tmp_path / "project")
    with project.services() as services:
        with (
            pytest.raises(RefusedError),
            recorded(services, "training", project.signers["ada"], context=services.context(seed=0)) as record,
        ):
            raise RefusedError("the process ends here")
        assert record.started is not None
        return list(services.log.entries()), record.started


@given(
    parsers.parse("the record of a finished member with seed {seed:d} whose part names {entry}"),
    target_fixture="finished",
)
def finished_member(announced: tuple[list[Entry], int], seed: int, entry: str) -> RunRecord:
    index = {"that entry": announced[1], "an earlier entry": 0, "no entry": None}[entry]
    digest = digest_bytes(b"toy")
    return RunRecord(
        seed=seed,
        model=SPEC,
        training=TRAINING,
        data=digest,
        weights=digest,
        steps=20,
        final_loss=0.5,
        device="cpu",
        seconds=1.0,
        parts=(RunPart(first_step=1, last_step=20, where=WHERE, seconds=1.0, entry=index),),
    )


@when("the member is looked for", target_fixture="refusal")
def look_for_member(announced: tuple[list[Entry], int], finished: RunRecord) -> RefusedError | None:
    try:
        training.refuse_unannounced(finished, announced[0])
    except RefusedError as error:
        return error
    return None


@then("it is taken")
def taken(refusal: RefusedError | None) -> None:
    assert refusal is None


@then("it is refused")
def not_taken(refusal: RefusedError | None) -> None:
    assert refusal is not None
    assert "did not announce" in refusal.message
