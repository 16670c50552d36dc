"""Training for real, on tiny networks and volumes; slow because Fabric and MONAI take long to import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import RefusedError, UsageError
from minivess.ml.inference.answers import mask_of
from minivess.ml.inference.predictor import NetworkPredictor
from minivess.ml.training.case_store import TrainingCase
from minivess.ml.training.patches import PatchSampler
from minivess.ml.training.runs import RUN, WEIGHTS
from minivess.records.data.dataset import LabelClass
from minivess.records.models.model import RunRecord
from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import Beat
from tests.support.lazy_modules import lazily

with lazily(
    "torch",
    "minivess.ml.losses.registry",
    "minivess.ml.models.registry",
    "minivess.ml.models.weights",
    "minivess.ml.training.loop",
):
    import torch

    from minivess.ml.losses import registry
    from minivess.ml.models import registry as adapters
    from minivess.ml.models import weights
    from minivess.ml.training import loop

pytestmark = pytest.mark.verifies("SU-31")

SPEC = UNetSpec(filters=2, patch=(8, 16, 16))
TRAINING = TrainingSpec(members=(5,), steps=4)


def _cases() -> list[TrainingCase]:
    rng = np.random.default_rng(0)
    label = (rng.random((10, 20, 20)) < 0.2).astype(np.uint8)
    return [TrainingCase((label * 5 + rng.random(label.shape)).astype(np.float32), label)]


class Diary:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        self.events.append(f"started {name} seed {parameters['seed']}")
        return "run-1"

    def beat(self, beat: Beat) -> None:
        self.events.append(f"step {beat.step}")

    def artifact(self, path: Path) -> None:
        self.events.append(f"kept {path.name}")

    def finished(self, metrics: dict[str, float]) -> None:
        self.events.append("finished")

    def failed(self) -> None:
        self.events.append("failed")


def _train(out: Path, listener: Diary | None = None, *, seed: int = 5) -> RunRecord:
    return loop.train_member(_cases(), SPEC, TRAINING, seed=seed, out=out, listener=listener)


@pytest.mark.slow
@pytest.mark.verifies("REQ-048")
def test_the_same_seed_gives_the_same_network(tmp_path: Path) -> None:
    one, two, other = _train(tmp_path / "a"), _train(tmp_path / "b"), _train(tmp_path / "c", seed=6)
    assert one.weights == two.weights != other.weights
    assert one.final_loss == two.final_loss
    assert one.steps == 4


@pytest.mark.slow
@pytest.mark.verifies("REQ-048")
def test_a_finished_member_is_not_trained_again_and_a_damaged_one_is(tmp_path: Path) -> None:
    first = Diary()
    record = _train(tmp_path, first)
    assert first.events == ["started member-5 seed 5", "step 1", "step 2", "step 3", "step 4", "finished"]
    assert record.mlflow_run == "run-1"
    assert record == RunRecord.model_validate_json((tmp_path / RUN).read_text(encoding="utf-8"))

    again = Diary()
    assert _train(tmp_path, again) == record
    assert again.events == []

    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:100])
    mended = Diary()
    assert _train(tmp_path, mended).weights == record.weights
    assert mended.events[-1] == "finished"
    weights.load_weights(tmp_path / WEIGHTS, expected=record.weights)


@pytest.mark.slow
@pytest.mark.verifies("REQ-048")
def test_an_interrupted_training_leaves_no_finished_member(tmp_path: Path) -> None:
    class Interrupting(Diary):
        def beat(self, beat: Beat) -> None:
            super().beat(beat)
            if beat.step == 2:
                raise KeyboardInterrupt

    diary = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, diary)
    assert diary.events[-1] == "failed"
    assert not (tmp_path / RUN).exists()
    assert _train(tmp_path).weights == _train(tmp_path / "whole").weights


@pytest.mark.slow
def test_the_named_loss_is_minimised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LOSSES, "constant", lambda logits, labels: (logits * 0).sum() + 2.5)
    sampler = PatchSampler(_cases(), SPEC.patch, seed=0)
    fitted = loop.fit(torch.nn.Conv3d(1, 1, 1), sampler, TrainingSpec(steps=2), seed=0, loss="constant")
    assert fitted.final_loss == 2.5


def test_an_unknown_loss_is_refused() -> None:
    sampler = PatchSampler(_cases(), SPEC.patch, seed=0)
    with pytest.raises(UsageError, match="no loss 'dice'"):
        loop.fit(torch.nn.Conv3d(1, 1, 1), sampler, TrainingSpec(steps=1), seed=0, loss="dice")


@pytest.mark.slow
def test_divergence_is_an_error_not_a_network() -> None:
    network = torch.nn.Conv3d(1, 1, 1)
    torch.nn.init.constant_(network.weight, float("nan"))
    sampler = PatchSampler(_cases(), SPEC.patch, seed=0)
    with pytest.raises(RefusedError, match="diverged"):
        loop.fit(network, sampler, TrainingSpec(steps=1), seed=0)


@pytest.mark.slow
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
    spec, training = UNetSpec(filters=4, patch=(16, 16)), TrainingSpec(steps=60, learning_rate=0.02)
    record = loop.train_member([TrainingCase(image, label)], spec, training, seed=0, out=tmp_path, task=task)
    assert record.task == task
    assert RunRecord.model_validate_json((tmp_path / RUN).read_text(encoding="utf-8")) == record
    network = adapters.build_network(spec, task, seed=0)
    adapters.adapter_of(spec.architecture).load(network, tmp_path / WEIGHTS, expected=record.weights)
    mask = mask_of(NetworkPredictor(network, spec, "cpu", task=task).predict(image), task)
    assert set(np.unique(mask)) == {0, 3, 8}
    assert np.mean(mask == label) > 0.9
