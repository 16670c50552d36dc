"""Steps of features/any_case.feature."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.cases.prepared import LoadedCase
from minivess.ml.inference.answers import mask_of, probabilities_of
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.ml.sampling.patches import PatchSource
from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask

scenarios("any_case.feature")

DIGEST = "sha256:" + "0" * 64


class Seeing(PatchPredictor):
    """Answers with zeros and keeps what it was shown."""

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen = patches
        return np.full((len(patches), self.task.outputs, *patches.shape[2:]), 0.5, np.float32)


def _case(
    folder: Path, number: int, axes: str, classes: tuple[LabelClass, ...], spacing: tuple[float, ...]
) -> LoadedCase:
    """A case whose arrays were written to files and read again."""
    rng = np.random.default_rng(number)
    grid = (8, 16, 16) if axes.startswith("z") else (16, 16)
    values = np.array([0, *(one.value for one in classes)], np.uint8)
    label = values[rng.integers(0, len(values), grid)]
    shape = (*grid, 3) if axes.endswith("c") else grid
    image = rng.gamma(2, 10, shape).astype(np.float32)
    np.save(folder / f"{number}-image.npy", image)
    np.save(folder / f"{number}-label.npy", label)
    record = CaseRecord.model_validate(
        {
            "id": f"c{number}",
            "subject": f"s{number}",
            "acquisition": f"c{number}",
            "axes": axes,
            "shape": shape,
            "spacing": spacing,
            "unit": "um" if axes.startswith("z") else "px",
            "modality": "test",
            "image": DIGEST,
            "label": DIGEST,
            "source_dtype": "float32",
            "label_values": tuple(values.tolist()),
            "classes": classes,
            "foreground_fraction": 0.5,
        }
    )
    return LoadedCase(np.load(folder / f"{number}-image.npy"), np.load(folder / f"{number}-label.npy"), record)


@given(parsers.re(r"(?P<count>\d+) cases of (?P<kind>.+) on disk"), target_fixture="cases")
def cases(tmp_path: Path, count: str, kind: str) -> list[LoadedCase]:
    axes = "yxc" if "colour pictures" in kind else "zyx"
    named = re.findall(r"(\d) (\w+)", kind)
    classes = tuple(LabelClass(value=int(value), name=name) for value, name in named)
    spacing = (1.0, 1.0) if axes == "yxc" else (4.0, 0.5, 0.5) if "spacing" in kind else (1.0, 1.0, 1.0)
    classes = classes or (LabelClass(value=1, name="foreground"),)
    return [_case(tmp_path, number, axes, classes, spacing) for number in range(int(count))]


@when("patches are drawn from them, and a predictor is asked about one of them", target_fixture="facts")
def asked(cases: list[LoadedCase], tmp_path: Path) -> dict[str, Any]:
    first = cases[0].record
    channels = first.shape[-1] if first.axes.endswith("c") else 1
    task = SegmentationTask(
        channels=channels, axes="zyx" if first.axes.startswith("z") else "yx", classes=first.classes
    )
    resampled = first.spacing == (4.0, 0.5, 0.5)
    preprocessing = Preprocessing(channels=channels, axes=task.axes, spacing=(2.0, 1.0, 1.0) if resampled else None)
    patch = (16, 8, 8) if resampled else tuple(cases[0].label.shape)
    store = store_cases(
        [TrainingCase(one.image, one.label, one.record.physical_spacing) for one in cases[:1]],
        tmp_path / "store",
        patch=patch,
        task=task,
        preprocessing=preprocessing,
    )
    predictor = Seeing(SegResNetSpec(patch=patch), task, preprocessing)
    answer = predictor.predict(cases[0].image, first.physical_spacing)
    return {"drawn": PatchSource(store, seed=0).batch(1, 0, 1)[0], "seen": predictor.seen, "answer": answer}


@then("the patches and the predictor saw the same numbers")
def same(facts: dict[str, Any]) -> None:
    np.testing.assert_array_equal(facts["drawn"], facts["seen"])
    assert np.unique(facts["seen"]).size > 100


@then(parsers.parse("the answer has {outputs:d} values for each voxel of the image's own grid"))
def own_grid(facts: dict[str, Any], cases: list[LoadedCase], outputs: int) -> None:
    assert facts["answer"].shape == (outputs, *cases[0].label.shape)


@given("probabilities of background, of class 3 and of class 8 in three voxels", target_fixture="probabilities")
def three_voxels(datatable: list[list[str]]) -> NDArray[np.float32]:
    return np.array([[float(cell) for cell in row] for row in datatable[1:]], np.float32).T


@when("the mask is made", target_fixture="mask")
def made(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    classes = (LabelClass(value=3, name="cup"), LabelClass(value=8, name="disc"))
    return mask_of(probabilities, SegmentationTask(axes="yx", classes=classes))


@then("its voxels are 0, 8 and 0")
def voxels(mask: NDArray[np.uint8]) -> None:
    assert mask.tolist() == [0, 8, 0]


class Overconfident(PatchPredictor):
    """Takes the channels of an image for the true logits of background and two classes, and reports three times as much."""

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return probabilities_of(3 * patches, axis=1)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        return np.moveaxis(3 * np.asarray(image, np.float32), -1, 0)


@given("a predictor of two classes whose logits are three times too large", target_fixture="predictor")
def overconfident() -> PatchPredictor:
    task = SegmentationTask(
        channels=3, axes="yx", classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein"))
    )
    return Overconfident(SegResNetSpec(patch=(16, 16)), task)


def _true(seed: int) -> CalibrationCase:
    rng = np.random.default_rng(seed)
    logits = rng.normal([1, -1, -1.5], 1.5, (60, 60, 3)).astype(np.float32)
    below = np.cumsum(probabilities_of(logits, axis=-1), axis=-1)
    label = np.minimum((rng.random((60, 60, 1)) > below).sum(axis=-1), 2).astype(np.uint8)
    return CalibrationCase(f"c{seed}", logits, label)


@when("it is calibrated for a recall of 0.6", target_fixture="record")
def calibrated(predictor: PatchPredictor) -> CalibrationRecord:
    names = tuple(f"c{seed}" for seed in range(4))
    split = SplitManifest(dataset=DIGEST, seed=0, train=("t",), calibration=names, test=("x",), root=DIGEST)
    groups = {name: name for name in names}
    cases = [_true(seed) for seed in range(4)]
    return calibrate(predictor, cases, split=split, groups=groups, target_recall=0.6, confidence=0.9, seed=0)


@then("the temperature is about 3")
def temperature(record: CalibrationRecord) -> None:
    assert record.temperature == pytest.approx(3, abs=0.2)


@then("each class reaches a recall of 0.6 in its own conformal mask")
def recalls(record: CalibrationRecord) -> None:
    assert record.threshold is None
    for number, (name, found) in enumerate(record.classes.items(), start=1):
        cases = [_true(seed) for seed in range(4)]
        threshold = record.threshold_of(name)
        assert threshold is not None
        reached = [
            (probabilities_of(np.moveaxis(case.image, -1, 0))[number][case.label == number] >= threshold).mean()
            for case in cases
        ]
        assert np.mean(reached) >= 0.6
        assert found.achieved_recall is not None


class Brightness(PatchPredictor):
    """Takes the intensity for the logit."""

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return probabilities_of(4 * patches, axis=1)


@given(
    parsers.parse("a volume with a ball, and a model whose spacing is {times:f} times that of the volume"),
    target_fixture="ball",
)
def ball(times: float) -> dict[str, Any]:
    places = np.indices((24, 40, 44)) * np.array([2.0, 1.0, 1.0]).reshape(3, 1, 1, 1)
    centre = np.array([21.0, 17.0, 23.0])
    distance = np.sqrt(((places - centre.reshape(3, 1, 1, 1)) ** 2).sum(axis=0))
    return {"image": np.clip(10 - distance, 0, 4), "centre": centre / [2, 1, 1], "times": times}


@when("a predictor that takes brightness for certainty is asked about it", target_fixture="mask")
def looked_at(ball: dict[str, Any]) -> NDArray[np.uint8]:
    spacing = (2.0, 1.0, 1.0)
    preprocessing = Preprocessing(spacing=tuple(ball["times"] * step for step in spacing))
    predictor = Brightness(SegResNetSpec(patch=(8, 16, 16)), SegmentationTask(), preprocessing)
    return mask_of(predictor.predict(ball["image"], spacing), SegmentationTask())


@then("the centre of the mask is within a fifth of a voxel of the centre of the ball")
def in_place(ball: dict[str, Any], mask: NDArray[np.uint8]) -> None:
    assert mask.shape == ball["image"].shape
    assert mask.any()
    np.testing.assert_allclose(np.argwhere(mask).mean(axis=0), ball["centre"], atol=0.2)
