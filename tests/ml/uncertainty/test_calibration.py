"""Calibration of a predictor: what the record says, what is refused, and that it repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.calibrators.temperature import fit_temperature
from minivess.ml.inference.predictor import PatchPredictor, to_probability
from minivess.ml.uncertainty import calibration
from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate
from minivess.ml.uncertainty.reliability import expected_calibration_error
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord
from minivess.records.models.segresnet import SegResNetSpec

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

    def logit(self, volume: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.asarray(volume, np.float32)


def _case(name: str, seed: int) -> CalibrationCase:
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 3, SHAPE).astype(np.float32)
    return name, logit, (rng.random(SHAPE) < to_probability(logit)).astype(np.uint8)


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
    name, image, label = _case("a", 0)
    with pytest.raises(InputError, match="'a'"):
        _calibrate([(name, image, label[1:])])
    with pytest.raises(InputError, match="both classes, and no voxel is foreground"):
        _calibrate([(name, image, np.zeros_like(label))])
    image[3, 4, 5] = np.nan  # one of 144,000 voxels, which a sample may leave out
    with pytest.raises(InputError, match="case 'a' has logits that are NaN or infinite"):
        _calibrate([(name, image, label)])


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
        cases.append((name, (3.6 * label - 1.8 + rng.normal(0, 0.9, label.shape)).astype(np.float32), label))
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
    doubled = [(name, 2 * image, label) for name, image, label in (_case("a", 0), _case("b", 1))]
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
