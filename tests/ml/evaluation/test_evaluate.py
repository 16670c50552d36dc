"""Evaluation: order of events, numbers per case, aggregates, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.evaluation.baseline import threshold_masks
from minivess.ml.evaluation.evaluate import Pictures, evaluate
from minivess.ml.measures.dice import dice
from minivess.ml.measures.hd95 import hd95
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.evaluation import EvaluationRecord, IntensityThreshold
from minivess.records.evaluation.measures import USUAL
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan

pytestmark = pytest.mark.verifies("SU-33")

DIGEST = f"sha256:{'2' * 64}"
PLAN = evaluation_plan(analysis_plan(), digest=DIGEST, request="r-1", cases=[f"case-{seed}" for seed in range(4)])
Vessels = Callable[[int], tuple[np.ndarray, np.ndarray]]
MakeRecord = Callable[[str, str], CaseRecord]


def predict(image: np.ndarray, spacing: object = None) -> np.ndarray:
    return (1 / (1 + np.exp(-(image[np.newaxis] - 4.0)))).astype(np.float32)


class Bench:
    """Four cases of two subjects, and a note of what was asked when."""

    def __init__(self, vessels: Vessels, case_record: MakeRecord) -> None:
        self.volumes = {f"case-{seed}": vessels(seed) for seed in range(4)}
        self.records = [case_record(name, f"mouse-{i // 2}") for i, name in enumerate(self.volumes)]
        self.events: list[str] = []

    def cases(self) -> Iterator[tuple[CaseRecord, np.ndarray]]:
        for record in self.records:
            self.events.append(f"image {record.id}")
            yield record, self.volumes[record.id][0]

    def predict(self, image: np.ndarray, spacing: object) -> np.ndarray:
        self.events.append("predict")
        return predict(image)

    def label(self, case: str) -> np.ndarray:
        self.events.append(f"label {case}")
        return self.volumes[case][1]

    def run(self, **changes: Any) -> tuple[EvaluationRecord, Pictures]:
        cases = changes.pop("cases", None) or self.cases()
        answer = changes.pop("predict", self.predict)
        return evaluate(cases, answer, changes.pop("labels", self.label), PLAN, **changes)


@pytest.fixture
def bench(vessels: Vessels, case_record: MakeRecord) -> Bench:
    return Bench(vessels, case_record)


@pytest.mark.verifies("REQ-024")
def test_every_prediction_is_made_before_the_label_of_its_case_is_fetched(bench: Bench) -> None:
    bench.run()
    expected = [step for i in range(4) for step in (f"image case-{i}", "predict", f"label case-{i}")]
    assert bench.events == expected


@pytest.mark.verifies("REQ-024", "REQ-025")
def test_the_record_holds_each_case_and_the_aggregates(bench: Bench) -> None:
    record, pictures = bench.run()
    image, mask = bench.volumes["case-2"]
    row = record.cases[2]
    assert (row.case, row.subject) == ("case-2", "mouse-1")
    assert row.dice == dice(predict(image)[0] >= 0.5, mask)
    assert row.values["hd95"] == hd95(predict(image)[0] >= 0.5, mask, (5.0, 1.0, 1.0))
    assert row.baseline_dice == dice(threshold_masks(image, [IntensityThreshold(threshold=1.0)])[0], mask)
    assert record.aggregates["dice"].mean == pytest.approx(np.mean([one.dice for one in record.cases]))
    gain = np.mean([one.dice - one.baseline_dice for one in record.cases])
    assert record.aggregates["dice_over_baseline"].mean == pytest.approx(gain)
    by_dice = sorted(record.cases, key=lambda one: one.dice)
    assert (record.worst, record.best) == (by_dice[0].case, by_dice[-1].case)
    assert (pictures.worst.case, pictures.best.case) == (record.worst, record.best)
    assert 0 < record.ece < record.band_ece < 1


@pytest.mark.verifies("REQ-024")
def test_an_undefined_distance_is_listed_and_left_out_of_the_mean(bench: Bench) -> None:
    def blind_once(image: np.ndarray, spacing: object) -> np.ndarray:
        return np.zeros_like(image)[np.newaxis] if image is bench.volumes["case-1"][0] else predict(image)

    record, _ = bench.run(predict=blind_once)
    row = record.cases[1]
    assert {name: row.values[name] for name in USUAL} == {"dice": 0.0, "cldice": 0.0, "nsd": 0.0, "hd95": None}
    assert record.aggregates["hd95"].n == 3
    assert record.aggregates["dice"].n == 4


def test_the_same_seed_gives_the_same_record(bench: Bench) -> None:
    assert bench.run()[0] == bench.run()[0]


@pytest.mark.parametrize(
    "broken",
    [
        lambda image, _: predict(image)[:, 1:],
        lambda image, _: predict(image)[0],
        lambda image, _: predict(image) * np.float32("nan"),
        lambda image, _: predict(image) * 3,
        lambda image, _: predict(image) - 1,
    ],
)
def test_answers_that_are_no_probabilities_are_refused(
    bench: Bench, broken: Callable[[np.ndarray, object], np.ndarray]
) -> None:
    with pytest.raises(RefusedError):
        bench.run(predict=broken)
    assert not [event for event in bench.events if event.startswith("label")]


def test_labels_that_do_not_fit_are_refused(bench: Bench) -> None:
    with pytest.raises(InputError):
        bench.run(labels=lambda _: np.zeros((1, 2, 3)))
    with pytest.raises(InputError, match=r"case-0.*value 7, which is none of 0, 1 \(foreground\)"):
        bench.run(labels=lambda _: np.full((12, 40, 40), 7))


def test_no_case_or_the_same_case_twice_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError):
        bench.run(cases=iter(()))
    twice = [(bench.records[0], bench.volumes["case-0"][0])] * 2
    with pytest.raises(UsageError, match="twice"):
        bench.run(cases=twice)
