"""Steps of features/training.feature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.inference.predictor import EnsemblePredictor, PatchPredictor
from minivess.ml.training.case_store import TrainingCase, cases_digest
from minivess.ml.training.patches import Batch, PatchSampler
from minivess.ml.training.runs import RUN, WEIGHTS, completed_run
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.training import TrainingSpec

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
def draw_twice(volumes: list[TrainingCase], count: int, seed: int, again: int) -> list[list[Batch]]:
    samplers = [PatchSampler(volumes, SPEC.patch, seed=number) for number in (seed, again)]
    return [[sampler.batch(2) for _ in range(count)] for sampler in samplers]


def _same(one: list[Batch], two: list[Batch]) -> bool:
    return all(
        np.array_equal(a, b) for first, second in zip(one, two, strict=True) for a, b in zip(first, second, strict=True)
    )


@then("both draws hold the same patches in the same order")
def same_draws(draws: list[list[Batch]]) -> None:
    assert _same(*draws)


@when(parsers.parse("{count:d} batches of patches are drawn with seed {seed:d}"))
def draw_once(volumes: list[TrainingCase], draws: list[list[Batch]], count: int, seed: int) -> None:
    sampler = PatchSampler(volumes, SPEC.patch, seed=seed)
    draws.append([sampler.batch(2) for _ in range(count)])


@then("that draw holds other patches")
def other_draw(draws: list[list[Batch]]) -> None:
    assert not _same(draws[0], draws[2])


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
