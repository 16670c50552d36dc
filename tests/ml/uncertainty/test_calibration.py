"""Calibration of a predictor: what the record says, what is refused, and that it repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.calibrators.temperature import fit_temperature
from minivess.ml.inference.answers import probabilities_of, to_probability
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.ml.uncertainty import calibration
from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate
from minivess.records.data.dataset import LabelClass
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from tests.support.calibration_error import expected_calibration_error

pytestmark = pytest.mark.verifies("SU-32")

DIGEST = "sha256:" + "0" * 64
SHAPE = (40, 60, 60)
SPLIT = SplitManifest(dataset=DIGEST, seed=0, train=("t",), calibration=("a", "b", "c"), test=("x",), root=DIGEST)


class Identity(PatchPredictor):
    """Takes the image itself for logits."""

    def __init__(self) -> None:
        super().__init__(SegResNetSpec(patch=(8, 16, 16)))

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_probability(patches)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        return np.asarray(image, np.float32)[np.newaxis]


def _case(name: str, seed: int) -> CalibrationCase:
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 3, SHAPE).astype(np.float32)
    return CalibrationCase(name, logit, (rng.random(SHAPE) < to_probability(logit)).astype(np.uint8))


def _calibrate(cases: list[CalibrationCase], **changes: Any) -> CalibrationRecord:
    groups = {name: name for name in SPLIT.calibration}
    arguments = {"split": SPLIT, "groups": groups, "target_recall": 0.6, "confidence": 0.9, "seed": 0, **changes}
    return calibrate(Identity(), cases, **arguments)


def test_the_record_repeats_by_seed_and_names_its_cases() -> None:
    cases = [_case("a", 0), _case("b", 1), _case("c", 2)]
    one, two = _calibrate(cases), _calibrate(cases)
    assert one == two
    assert one.cases == ("a", "b", "c")
    assert one.temperature == pytest.approx(1, abs=0.02)
    assert one.threshold is not None
    assert one.achieved_recall is not None
    assert one.achieved_recall >= 0.6
    assert _calibrate(cases, seed=1).temperature != one.temperature


@pytest.mark.verifies("REQ-019")
@pytest.mark.parametrize("foreign", ["t", "x", "unknown"])
def test_cases_of_other_parts_are_refused(foreign: str) -> None:
    with pytest.raises(RefusedError, match=foreign):
        _calibrate([_case("a", 0), _case(foreign, 1)])


def test_the_same_case_twice_no_case_and_disagreeing_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        _calibrate([_case("a", 0), _case("a", 0)])
    with pytest.raises(UsageError):
        _calibrate([])
    name, image, label, _ = _case("a", 0)
    with pytest.raises(InputError, match="'a'"):
        _calibrate([CalibrationCase(name, image, label[1:])])
    with pytest.raises(InputError, match="both classes, and no voxel is foreground"):
        _calibrate([CalibrationCase(name, image, np.zeros_like(label))])
    image[3, 4, 5] = np.nan  # one of 144,000 voxels, which a sample may leave out
    with pytest.raises(InputError, match="case 'a' has logits that are NaN or infinite"):
        _calibrate([CalibrationCase(name, image, label)])


@pytest.mark.verifies("REQ-239")
@pytest.mark.parametrize("foreground", [2, 20])
def test_a_small_foreground_is_calibrated_as_if_every_voxel_were_used(
    foreground: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One voxel in 100 is drawn. A plain sample has none of the 4 foreground voxels in 96 of 100 draws."""
    cases = []
    for seed, name in enumerate("ab"):
        rng = np.random.default_rng(seed)
        label = np.zeros((10, 200, 200), np.uint8)
        label[5, 100, :foreground] = 1
        image = (3.6 * label - 1.8 + rng.normal(0, 0.9, label.shape)).astype(np.float32)
        cases.append(CalibrationCase(name, image, label))
    monkeypatch.setattr(calibration, "VOXELS", 4_000)
    record = _calibrate(cases, target_recall=0.9)
    whole = [np.stack([case[place] for case in cases]) for place in (1, 2)]
    assert record.temperature == pytest.approx(fit_temperature(*whole), rel=5e-3)
    assert record.ece_before == pytest.approx(expected_calibration_error(to_probability(whole[0]), whole[1]), abs=2e-3)
    assert record.ece_after < record.ece_before
    assert "n too small" in record.note


@pytest.mark.verifies("REQ-242", "REQ-243")
def test_the_cases_of_one_group_weigh_as_much_as_one_case_and_give_no_guarantee() -> None:
    """Two cases of an animal whose logits are doubled, and one of another: both animals have the same say."""
    doubled = [case._replace(image=2 * case.image) for case in (_case("a", 0), _case("b", 1))]
    cases = [*doubled, _case("c", 2)]
    by_group = _calibrate(cases, groups={"a": "one", "b": "one", "c": "two"}, target_recall=0.5)
    by_case = _calibrate(cases, target_recall=0.5)
    alone = _calibrate(cases, groups=dict.fromkeys(("a", "b", "c"), "one"), target_recall=0.5)
    pair = _calibrate([doubled[0], cases[2]], target_recall=0.5)
    assert by_group.temperature == pytest.approx(pair.temperature, abs=0.02)
    assert by_case.temperature > by_group.temperature + 0.05
    assert by_group.groups == {"a": "one", "b": "one", "c": "two"}
    assert by_group.threshold is not None
    assert alone.threshold is None
    assert "1 calibration group (3 cases)" in alone.note
    assert (by_group.unit, alone.unit) == ("2 groups, 3 cases", "1 group, 3 cases")


def test_a_case_without_a_group_is_refused() -> None:
    with pytest.raises(UsageError, match="'c' has no group"):
        _calibrate([_case("a", 0)], groups={"a": "a", "b": "b"})


TWO = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=5, name="vein")))


class IdentityOfTwo(PatchPredictor):
    """Takes the channels of the image for the logits of background, artery and vein, three times too large."""

    def __init__(self) -> None:
        super().__init__(SegResNetSpec(patch=(8, 16, 16)), TWO, Preprocessing(channels=3))

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return probabilities_of(3 * patches, axis=1)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        return np.moveaxis(3 * np.asarray(image, np.float32), -1, 0)


def _case_of_two(name: str, seed: int) -> CalibrationCase:
    rng = np.random.default_rng(seed)
    logits = rng.normal([1, -1, -1.5], 1.5, (12, 40, 40, 3)).astype(np.float32)
    drawn = (rng.random((12, 40, 40, 1)) > np.cumsum(probabilities_of(logits, axis=-1), axis=-1)).sum(axis=-1)
    return CalibrationCase(name, logits, np.array([0, 1, 5], np.uint8)[np.minimum(drawn, 2)])


@pytest.mark.verifies("REQ-019", "REQ-020", "REQ-337")
def test_several_classes_share_a_temperature_and_have_a_threshold_each() -> None:
    cases = [_case_of_two(name, seed) for seed, name in enumerate("abc")]
    groups = {name: name for name in SPLIT.calibration}
    record = calibrate(IdentityOfTwo(), cases, split=SPLIT, groups=groups, target_recall=0.6, confidence=0.9, seed=0)
    assert record.temperature == pytest.approx(3, abs=0.15)
    assert record.ece_after < record.ece_before
    assert (record.threshold, record.achieved_recall) == (None, None)
    assert list(record.classes) == ["artery", "vein"]
    for number, name in enumerate(record.classes, start=1):
        found, value = record.classes[name], (0, 1, 5)[number]
        assert found.threshold is not None
        assert record.threshold_of(name) == found.threshold
        recalls = [
            (probabilities_of(np.moveaxis(case.image, -1, 0))[number][case.label == value] >= found.threshold).mean()
            for case in cases
        ]
        assert np.mean(recalls) >= 0.6
        assert found.achieved_recall == pytest.approx(np.mean(recalls), abs=0.02)
        assert found.ece_after < found.ece_before
        assert found.band_ece_after < found.band_ece_before
    again = type(record).model_validate_json(record.model_dump_json())
    assert again == record


@pytest.mark.verifies("REQ-337")
def test_a_class_that_no_calibration_case_has_is_refused_by_number() -> None:
    case = _case_of_two("a", 0)
    lacking = case._replace(label=np.where(case.label == 5, 0, case.label).astype(np.uint8))
    with pytest.raises(InputError, match="no voxel is of class 2"):
        calibrate(
            IdentityOfTwo(),
            [lacking],
            split=SPLIT,
            groups={name: name for name in SPLIT.calibration},
            target_recall=0.6,
            confidence=0.9,
            seed=0,
        )
