"""Steps of features/calibration.feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError, RefusedError
from minivess.ml.calibrators.temperature import fit_temperature, negative_log_likelihood
from minivess.ml.inference.answers import to_probability
from minivess.ml.inference.predictor import PatchPredictor
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.preprocessor import Spacing
from minivess.ml.uncertainty.calibration import CalibrationCase, calibrate
from minivess.ml.uncertainty.conformal import ConformalThreshold, conformal_threshold, threshold_from_scores
from minivess.ml.uncertainty.voxel_samples import VoxelSample, draw_voxels
from minivess.records.data.split import SplitManifest
from minivess.records.models.model import CalibrationRecord
from minivess.records.models.networks.segresnet import SegResNetSpec

scenarios("calibration.feature")

DIGEST = "sha256:" + "0" * 64
SHAPE = (8, 16, 16)
Volumes = list[NDArray[Any]]


class HalfLogits(PatchPredictor):
    """Takes the image for the true logit and reports half of it."""

    def __init__(self) -> None:
        super().__init__(SegResNetSpec(patch=SHAPE))

    def forward(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        return to_probability(patches / 2)

    def logit(
        self, image: NDArray[np.generic], spacing: Spacing = None, watch: Watch | None = None
    ) -> NDArray[np.float32]:
        return np.asarray(np.asarray(image) / 2, dtype=np.float32)[np.newaxis]


def _case(name: str, seed: int) -> CalibrationCase:
    rng = np.random.default_rng(seed)
    logit = rng.normal(-1, 3, SHAPE).astype(np.float32)
    return CalibrationCase(name, logit, (rng.random(SHAPE) < to_probability(logit)).astype(np.uint8))


@given("an ensemble whose logits are half as large as they should be", target_fixture="ensemble")
def ensemble() -> PatchPredictor:
    return HalfLogits()


def _calibrate(ensemble: PatchPredictor, cases: list[CalibrationCase]) -> CalibrationRecord:
    split = SplitManifest(
        dataset=DIGEST, seed=0, train=("t",), calibration=tuple(f"c{i}" for i in range(12)), test=("x0",), root=DIGEST
    )
    groups = {name: name for name in split.calibration}
    return calibrate(ensemble, cases, split=split, groups=groups, target_recall=0.8, confidence=0.9, seed=0)


@when(parsers.parse("it is calibrated on {count:d} calibration cases"), target_fixture="record")
def calibrated(ensemble: PatchPredictor, count: int) -> CalibrationRecord:
    return _calibrate(ensemble, [_case(f"c{i}", i) for i in range(count)])


@then(parsers.parse("the temperature is within {margin:f} of {value:f}"))
def temperature_is(record: CalibrationRecord, margin: float, value: float) -> None:
    assert abs(record.temperature - value) < margin


@then(
    parsers.parse("the negative log-likelihood on {count:d} further cases is lower with that temperature than without")
)
def likelier(ensemble: PatchPredictor, record: CalibrationRecord, count: int) -> None:
    further = [_case(f"f{i}", 100 + i) for i in range(count)]
    logits = np.stack([ensemble.logit(case.image)[0] for case in further])
    labels = np.stack([case.label for case in further])
    assert negative_log_likelihood(logits, labels, record.temperature) < negative_log_likelihood(logits, labels)


@then("the calibration error is lower after than before")
def lower_error(record: CalibrationRecord) -> None:
    assert record.ece_after < record.ece_before
    assert record.band_ece_after < record.band_ece_before


@when("it is calibrated on 12 calibration cases and one test case", target_fixture="refusal")
def calibrated_on_too_much(ensemble: PatchPredictor) -> RefusedError | None:
    try:
        _calibrate(ensemble, [*(_case(f"c{i}", i) for i in range(12)), _case("x0", 50)])
    except RefusedError as error:
        return error
    return None


@then("calibration is refused and the message names the test case")
def refused(refusal: RefusedError | None) -> None:
    assert refusal is not None
    assert "x0" in refusal.message


def _volumes(seed: int, count: int, *, kind: str = "whose vessels are faint by chance") -> tuple[Volumes, Volumes]:
    rng = np.random.default_rng(seed)
    probabilities: Volumes = []
    labels: Volumes = []
    for _ in range(count):
        label = rng.random(SHAPE) < (0.0 if kind == "without foreground" else 0.15)
        brightness = rng.normal(0.8, 0.6)
        logit = rng.normal(np.where(label, brightness, -2.0), 1.0)
        probability = to_probability(logit.astype(np.float32))
        if kind == "whose vessels get probability 0":
            probability = np.where(label, np.float32(0), probability)
        probabilities.append(probability)
        labels.append(label.astype(np.uint8))
    return probabilities, labels


@given("8 draws of 20 calibration cases whose vessels are faint by chance", target_fixture="draws")
def many_draws() -> list[tuple[Volumes, Volumes]]:
    return [_volumes(seed, 20) for seed in range(8)]


def _each(cases: tuple[Volumes, Volumes]) -> list[str]:
    """Each case is a group of its own."""
    return [f"g{number}" for number in range(len(cases[0]))]


@when("a threshold for recall 0.9 is derived from each draw", target_fixture="thresholds")
def derive_each(draws: list[tuple[Volumes, Volumes]]) -> list[ConformalThreshold]:
    return [conformal_threshold(*draw, groups=_each(draw), target_recall=0.9, confidence=0.9) for draw in draws]


def _mean_recall(thresholds: list[float]) -> float:
    probabilities, labels = _volumes(1000, 100)
    return float(
        np.mean(
            [
                np.mean(probability[label > 0] >= threshold)
                for threshold in thresholds
                for probability, label in zip(probabilities, labels, strict=True)
            ]
        )
    )


@then("the mean recall on 100 further cases is at least 0.9 over the draws")
def recall_reached(thresholds: list[ConformalThreshold]) -> None:
    found = [threshold.threshold for threshold in thresholds if threshold.threshold is not None]
    assert len(found) == len(thresholds)
    assert _mean_recall(found) >= 0.9


@then("a threshold of 0.5 would have missed it")
def plain_threshold_misses() -> None:
    assert _mean_recall([0.5]) < 0.9


@given(parsers.re(r"(?P<count>\d+) calibration cases (?P<kind>.+)"), target_fixture="cases")
def some_cases(count: str, kind: str) -> tuple[Volumes, Volumes]:
    return _volumes(0, int(count), kind=kind)


@when("a threshold for recall 0.9 is derived", target_fixture="outcome")
def derive(cases: tuple[Volumes, Volumes]) -> ConformalThreshold:
    return conformal_threshold(*cases, groups=_each(cases), target_recall=0.9, confidence=0.9)


@then("there is no threshold")
def no_threshold(outcome: ConformalThreshold) -> None:
    assert outcome.threshold is None
    assert outcome.achieved is None


@then(parsers.parse('the note says "{reason}"'))
def note_says(outcome: ConformalThreshold, reason: str) -> None:
    assert "no guarantee" in outcome.note
    assert reason in outcome.note


@given(
    parsers.parse("2 calibration cases of 400,000 voxels, each with {count:d} foreground voxels"),
    target_fixture="voxels",
)
def cases_of_few_voxels(count: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    labels = np.arange(400_000) < count
    return [
        ((3.6 * labels - 1.8 + np.random.default_rng(seed).normal(0, 0.9, labels.size)).astype(np.float32), labels)
        for seed in range(2)
    ]


@when("a temperature is fitted on a weighted sample of 4,000 voxels a case", target_fixture="temperature")
def fit_on_samples(voxels: list[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    drawn = [draw_voxels(np.random.default_rng(seed), *case, 4000) for seed, case in enumerate(voxels)]
    sample = VoxelSample.joined(drawn)
    return fit_temperature(sample.logits, sample.labels, sample.weights)


@then("it is within 1 % of the temperature that is fitted on all voxels")
def agrees(voxels: list[tuple[NDArray[Any], NDArray[Any]]], temperature: float) -> None:
    logits, labels = (np.concatenate(parts) for parts in zip(*voxels, strict=True))
    assert temperature == pytest.approx(fit_temperature(logits, labels), rel=0.01)


@given(parsers.parse("calibration logits that {fault}"), target_fixture="faulty")
def faulty_logits(fault: str) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2.5, 1000)
    labels = rng.random(1000) < to_probability(logits.astype(np.float32))
    return {
        "have no foreground": (logits, np.zeros(1000)),
        "separate the classes": (np.where(labels, 3.0, -3.0), labels),
        "fall with the labels": (np.where(labels, -3.0, 3.0), labels),
        "are a thousand times too small": (logits / 1000, labels),
    }[fault]


@when("a temperature is fitted", target_fixture="reason")
def fit_on_faulty(faulty: tuple[NDArray[Any], NDArray[Any]]) -> str:
    with pytest.raises(InputError) as caught:
        fit_temperature(*faulty)
    return caught.value.message


@then(parsers.parse('it is refused and the message says "{expected}"'))
def refused_for(reason: str, expected: str) -> None:
    assert expected in reason


@given(parsers.parse("{cases:d} calibration cases of each of {animals:d} animals"), target_fixture="stacks")
def stacks_of(cases: int, animals: int) -> tuple[list[NDArray[np.float64]], list[str]]:
    generator = np.random.default_rng(1)
    middles = [generator.normal(0.75, 0.05) for _ in range(animals)]
    scores = [np.sort(np.clip(generator.normal(middle, 0.05, 100), 0, 1)) for middle in middles for _ in range(cases)]
    return scores, [f"a{animal}" for animal in range(animals) for _ in range(cases)]


@when("a recall of 0.9 is asked for", target_fixture="outcome")
def asked_for(stacks: tuple[list[NDArray[np.float64]], list[str]]) -> ConformalThreshold:
    return threshold_from_scores(*stacks, target_recall=0.9, confidence=0.9)


@then(parsers.parse('a guarantee is "{given_}"'))
def is_given(outcome: ConformalThreshold, given_: str) -> None:
    assert (outcome.threshold is not None) == (given_ == "yes")
    assert ("no guarantee: n too small" in outcome.note) == (given_ == "no")


@then(parsers.parse("the note names {animals:d} calibration groups"))
def names_groups(
    outcome: ConformalThreshold, animals: int, stacks: tuple[list[NDArray[np.float64]], list[str]]
) -> None:
    assert f"{animals} calibration group{'' if animals == 1 else 's'} ({len(stacks[0])} cases)" in outcome.note
