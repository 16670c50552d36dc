"""Training for real, on tiny networks and volumes: the same from any number of parts, and whole or absent.

Slow because Fabric and MONAI take long to import.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import CannotWriteError, RefusedError
from minivess.ml.inference.answers import mask_of
from minivess.ml.inference.predictor import NetworkPredictor
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.ml.training.runs import AUGMENTED, CURVES, LAST, RUN, VALIDATED, WEIGHTS
from minivess.records.data.dataset import LabelClass
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat, TrainingCurves
from tests.support import crashes
from tests.support.lazy_modules import lazily

with lazily(
    "torch",
    "minivess.ml.losses.registry",
    "minivess.ml.models.registry",
    "minivess.ml.models.weights",
    "minivess.ml.training.checkpoints",
    "minivess.ml.training.member",
    "minivess.ml.training.validation",
    "minivess.ml.training.validation_picture",
):
    import torch

    from minivess.ml.losses import registry as losses
    from minivess.ml.models import registry as adapters
    from minivess.ml.models import weights
    from minivess.ml.training import member, validation, validation_picture

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.slow]

SPEC = UNetSpec(filters=2, patch=(8, 16, 16))
STEPS = 12
TRAINING = TrainingSpec.model_validate(
    {"members": (5,), "steps": STEPS, "augmentation": "flips", "average": 0.9, "validation": {"every": 3}}
)


class Cases:
    """Cases to learn from or to validate on."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        label = (rng.random((10, 20, 20)) < 0.2).astype(np.uint8)
        self.case = TrainingCase((label * 5 + rng.random(label.shape)).astype(np.float32), label, name=f"case-{seed}")

    def __call__(self) -> list[TrainingCase]:
        return [self.case]


class Diary:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.beats: list[Beat] = []
        self.phases: list[Phase] = []

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        self.events.append(f"started {name} seed {parameters['seed']}" + (f" again {resumes}" if resumes else ""))
        return "run-1"

    def phase(self, phase: Phase) -> None:
        self.phases.append(phase)

    def beat(self, beat: Beat) -> None:
        self.events.append(f"step {beat.step}")
        self.beats.append(beat)

    def artifact(self, path: Path) -> None:
        self.events.append(f"kept {path.name}")

    def finished(self, metrics: dict[str, float]) -> None:
        self.events.append("finished")

    def failed(self) -> None:
        self.events.append("failed")


def _train(
    folder: Path,
    listener: Diary | None = None,
    *,
    seed: int = 5,
    training: TrainingSpec = TRAINING,
    elsewhere: bool = False,
    spec: NetworkSpec = SPEC,
) -> RunRecord:
    task, preprocessing = ONE_CLASS_OF_VOLUMES, Preprocessing.of(ONE_CLASS_OF_VOLUMES)
    store = store_cases(Cases()(), folder / "cases", patch=spec.patch, task=task, preprocessing=preprocessing)
    judge = validation.Validator(Cases(1), ("case-1",), spec, task, preprocessing)
    return member.train_member(
        store,
        spec,
        training,
        seed=seed,
        out=folder / "member",
        task=task,
        preprocessing=preprocessing,
        validator=judge,
        checkpoint_every=1,
        elsewhere=elsewhere,
        listener=listener,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunRecord, Diary]:
    """A run without a break."""
    torch.set_num_threads(1)  # children are forked: their threads would be missing
    folder, diary = tmp_path_factory.mktemp("whole"), Diary()
    return folder / "member", _train(folder, diary), diary


@pytest.mark.verifies("REQ-048")
def test_the_same_seed_gives_the_same_network_and_another_seed_another(
    whole: tuple[Path, RunRecord, Diary], tmp_path: Path
) -> None:
    _, record, diary = whole
    again, other = _train(tmp_path / "again"), _train(tmp_path / "other", seed=6)
    assert again.weights == record.weights != other.weights
    assert (again.last, again.final_loss, again.validation) == (record.last, record.final_loss, record.validation)
    assert diary.events[0] == "started member-5 seed 5"
    assert diary.events[1:-4] == [f"step {step}" for step in range(1, STEPS + 1)]
    assert diary.events[-4:] == [f"kept {CURVES}", f"kept {AUGMENTED}", f"kept {VALIDATED}", "finished"]


@pytest.mark.verifies("REQ-371")
def test_the_best_weights_of_the_validations_are_kept_beside_the_last(whole: tuple[Path, RunRecord, Diary]) -> None:
    folder, record, diary = whole
    curves = TrainingCurves.model_validate_json((folder / CURVES).read_text(encoding="utf-8"))
    assert [point.step for point in curves.validations] == [3, 6, 9, 12]
    assert curves.validated_on == ("case-1",)
    assert len(curves.losses) == STEPS
    best = max(curves.validations, key=lambda point: (point.mean or 0, -point.step))
    assert (best.step, best.dice) == (curves.best_step, record.validation)
    assert [beat.validation for beat in diary.beats if beat.validation] == list(curves.validations)
    judge = validation.Validator(
        Cases(1), ("case-1",), SPEC, ONE_CLASS_OF_VOLUMES, Preprocessing.of(ONE_CLASS_OF_VOLUMES)
    )
    network = adapters.build_network(SPEC, ONE_CLASS_OF_VOLUMES, seed=0)
    weights.fill(network, weights.load_weights(folder / WEIGHTS))
    (image, truth), (again, answer) = validation_picture.validation_patches(judge, network, device="cpu")
    assert image.shape == (1, *SPEC.patch)
    assert np.array_equal(image, again)
    assert truth.shape == answer.shape == SPEC.patch
    assert image[0][truth == 1].mean() > image[0][truth == 0].mean()
    for name, digest, point in ((WEIGHTS, record.weights, best), (LAST, record.last, curves.validations[-1])):
        weights.fill(network, weights.load_weights(folder / name, expected=digest))
        assert judge.judge(network, point.step, device="cpu") == point


@pytest.mark.verifies("REQ-366")
def test_a_picture_that_cannot_be_written_leaves_no_finished_member(
    whole: tuple[Path, RunRecord, Diary], tmp_path: Path
) -> None:
    diary = Diary()
    (tmp_path / "member" / AUGMENTED / "in the way").mkdir(parents=True)
    with pytest.raises(CannotWriteError, match=AUGMENTED):
        _train(tmp_path, diary)
    assert diary.events[-1] == "failed"
    assert not (tmp_path / "member" / RUN).exists()
    (tmp_path / "member" / AUGMENTED / "in the way").rmdir()
    (tmp_path / "member" / AUGMENTED).rmdir()
    assert _train(tmp_path, diary).weights == whole[1].weights
    assert diary.events[-1] == "finished"


class Killer(Diary):
    """Ends the process as a power cut would: after a step, or while a checkpoint is written after it."""

    def __init__(self, step: int, *, writing: bool) -> None:
        super().__init__()
        self.step, self.writing = step, writing

    def beat(self, beat: Beat) -> None:
        if beat.step != self.step:
            return
        if not self.writing:
            os.kill(os.getpid(), signal.SIGKILL)
        flush = os.fsync

        def cut(descriptor: int) -> None:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            flush(descriptor)
            os.kill(os.getpid(), signal.SIGKILL)

        vars(os)["fsync"] = cut


@pytest.mark.verifies("REQ-370")
def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_weights(
    whole: tuple[Path, RunRecord, Diary], tmp_path: Path
) -> None:
    folder, record, _ = whole
    steps = sorted(random.Random(17).sample(range(1, STEPS, 2), 5))  # noqa: S311  no secret
    for number, step in enumerate(steps):
        killer = Killer(step, writing=number == 2)
        assert crashes.end(crashes.child(lambda killer=killer: _train(tmp_path, killer))) == -signal.SIGKILL
        assert not (tmp_path / "member" / RUN).exists()
    diary = Diary()
    ended = _train(tmp_path, diary)
    assert diary.events[0] == "started member-5 seed 5 again run-1"
    assert diary.events[1] == f"step {steps[-1]}"
    assert (ended.weights, ended.last, ended.final_loss) == (record.weights, record.last, record.final_loss)
    assert (tmp_path / "member" / CURVES).read_bytes() == (folder / CURVES).read_bytes()
    spans = [(part.first_step, part.last_step) for part in ended.parts]
    assert spans[0][0] == 1
    assert spans[-1][1] == STEPS
    assert all(end + 1 == start for (_, end), (start, _) in pairwise(spans))
    assert len(spans) == 6
    assert not list((tmp_path / "member").glob("*checkpoint*"))


@pytest.mark.verifies("REQ-370")
def test_a_wish_to_end_is_fulfilled_after_the_step_and_nothing_is_lost(
    whole: tuple[Path, RunRecord, Diary], tmp_path: Path
) -> None:
    class Ctrl(Diary):
        def beat(self, beat: Beat) -> None:
            super().beat(beat)
            if beat.step == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    stopped, after = Ctrl(), Diary()
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, stopped)
    assert stopped.events[-2:] == ["step 4", "failed"]
    assert _train(tmp_path, after).weights == whole[1].weights
    assert after.events[1] == "step 5"


@pytest.mark.verifies("REQ-373")
def test_a_run_goes_on_with_other_threads_only_when_that_is_allowed(tmp_path: Path) -> None:
    single = TRAINING.model_copy(update={"memory_format": "contiguous"})
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)

        class Stop(Diary):
            def beat(self, beat: Beat) -> None:
                super().beat(beat)
                if beat.step == 6:
                    raise OSError

        with pytest.raises(OSError):  # noqa: PT011  the listener's own
            _train(tmp_path, Stop(), training=single)
        torch.set_num_threads(1)
        with pytest.raises(RefusedError, match="began with threads 2, and would continue with threads 1"):
            _train(tmp_path, training=single)
        record = _train(tmp_path, training=single, elsewhere=True)
    finally:
        torch.set_num_threads(before)
    assert [part.where.threads for part in record.parts] == [2, 1]


def _numbers_in(file: Path) -> int:
    """How many numbers a file of weights has, by the header of safetensors."""
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")


@pytest.mark.verifies("REQ-048")
def test_a_finished_member_is_not_trained_again_and_a_damaged_one_is(tmp_path: Path) -> None:
    record, again, mended = _train(tmp_path), Diary(), Diary()
    folder = tmp_path / "member"
    assert record == RunRecord.model_validate_json((folder / RUN).read_text(encoding="utf-8"))
    assert record.parameters == _numbers_in(folder / WEIGHTS)
    assert _train(tmp_path, again) == record
    assert again.events == []
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100])
    assert _train(tmp_path, mended).weights == record.weights
    assert mended.events[-1] == "finished"


@pytest.mark.verifies("REQ-371")
def test_training_ends_when_validation_gets_no_better(tmp_path: Path) -> None:
    stated = {**TRAINING.model_dump(), "learning_rate": 1e-9, "average": 0, "validation": {"every": 1, "patience": 2}}
    record = _train(tmp_path, training=TrainingSpec.model_validate(stated))
    assert record.steps < STEPS
    curves = TrainingCurves.model_validate_json((tmp_path / "member" / CURVES).read_text(encoding="utf-8"))
    assert curves.stopped_early
    assert record.steps == (curves.best_step or 0) + 2


@pytest.mark.verifies("REQ-350")
def test_the_stated_loss_is_minimised_by_the_stated_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(losses.LOSSES, "tversky", lambda logits, labels, weights: (logits * 0).sum() + weights[0])
    training = TrainingSpec.model_validate({"loss": "tversky", "class_weights": [2.5], "steps": 2})
    assert _train(tmp_path, training=training).final_loss == 2.5


def test_divergence_is_an_error_not_a_network(tmp_path: Path) -> None:
    stated = {**TRAINING.model_dump(), "learning_rate": 1e30, "schedule": "constant", "clip": None}
    with pytest.raises(RefusedError, match=r"diverged: the loss is nan \(seed 5, step .*, patches of case-0\)"):
        _train(tmp_path, training=TrainingSpec.model_validate(stated))
    assert not (tmp_path / "member" / RUN).exists()


@pytest.mark.verifies("REQ-336")
def test_a_network_learns_two_classes_in_colour_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    label = np.zeros((32, 48), np.uint8)
    label[4:14, 4:40], label[18:28, 8:44] = 3, 8
    noise = rng.normal(0, 0.2, (32, 48, 3))
    image = (np.stack([label == 3, label == 8, label == 0], axis=-1) + noise).astype(np.float32)
    task = SegmentationTask(
        channels=3, axes="yx", classes=(LabelClass(value=3, name="cup"), LabelClass(value=8, name="disc"))
    )
    spec = UNetSpec(filters=4, patch=(16, 16))
    training = TrainingSpec.model_validate({"steps": 60, "learning_rate": 0.02, "augmentation": "flips"})
    preprocessing = Preprocessing.of(task)
    case = TrainingCase(image, label, name="eye")
    store = store_cases([case], tmp_path / "cases", patch=spec.patch, task=task, preprocessing=preprocessing)
    record = member.train_member(
        store, spec, training, seed=0, out=tmp_path, task=task, preprocessing=preprocessing, note="one case"
    )
    assert record.task == task
    assert record.validation is None
    network = adapters.build_network(spec, task, seed=0)
    adapters.adapter_of(spec.architecture).load(network, tmp_path / WEIGHTS, expected=record.weights)
    mask = mask_of(NetworkPredictor(network, spec, "cpu", task=task).predict(image), task)
    assert set(np.unique(mask)) == {0, 3, 8}
    assert np.mean(mask == label) > 0.9
