"""Counts of two masks give the measures that were computed from the masks directly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures, measure_values
from minivess.ml.measures.shapes.skeletons import skeleton
from minivess.ml.measures.shapes.surface import surface_distances
from minivess.ml.uncertainty.reliability import Reliability
from minivess.records.evaluation.counted.counts import MILLION
from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES, USUAL
from minivess.records.evaluation.recomputation import calibration_error
from tests.support.properties import given, settings

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-214")]

SPACING, TOLERANCE = (2.0, 1.0, 0.5), 1.5


def before(predicted: np.ndarray, true: np.ndarray) -> dict[str, float | None]:
    """The measures as version 0.1.0 computed them, with the skeleton of today."""
    total = np.count_nonzero(predicted) + np.count_nonzero(true)
    if not predicted.any() or not true.any():
        same = 1.0 if total == 0 else 0.0
        return {"dice": same, "cldice": same, "nsd": same, "hd95": 0.0 if total == 0 else None}
    lines = skeleton(predicted), skeleton(true)
    precision = np.count_nonzero(lines[0] & true) / np.count_nonzero(lines[0])
    sensitivity = np.count_nonzero(lines[1] & predicted) / np.count_nonzero(lines[1])
    disjoint = precision + sensitivity == 0
    there, back = surface_distances(predicted, true, SPACING)
    within = np.count_nonzero(there <= TOLERANCE) + np.count_nonzero(back <= TOLERANCE)
    return {
        "dice": 2.0 * np.count_nonzero(predicted & true) / total,
        "cldice": 0.0 if disjoint else 2.0 * precision * sensitivity / (precision + sensitivity),
        "nsd": within / (there.size + back.size),
        "hd95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
    }


@settings(max_examples=60)
@given(arrays(np.bool_, (4, 6, 6)), arrays(np.bool_, (4, 6, 6)))
def test_counts_of_random_masks_give_the_measures_bit_for_bit(predicted: np.ndarray, true: np.ndarray) -> None:
    pair, conventions = CasePair.of(predicted, true, SPACING), Conventions(tolerance=TOLERANCE, unit="um")
    assert measure_values(pair, conventions, USUAL) == before(predicted, true)
    counted = count_measures(pair, conventions, MEASURES)
    assert {name: type(held) for name, held in counted.items()} == {
        row.counted_as: row.counts for row in MEASURES.values()
    }


@pytest.mark.parametrize("filled", ["prediction", "reference", "neither"])
def test_empty_masks_are_counted(filled: str) -> None:
    empty, line = np.zeros((5, 9, 9), np.bool_), np.zeros((5, 9, 9), np.bool_)
    line[1:4, 3:6, 1:8] = True
    pair = {"prediction": (line, empty), "reference": (empty, line), "neither": (empty, empty)}[filled]
    counted = count_measures(CasePair.of(*pair, SPACING), Conventions(tolerance=TOLERANCE, unit="um"), MEASURES)
    voxels, border, centre = (63, 58, int(np.count_nonzero(skeleton(line))))
    some = {"prediction": (1, 0), "reference": (0, 1), "neither": (0, 0)}[filled]
    assert counted["dice"].model_dump() == {"tp": 0, "fp": voxels * some[0], "fn": voxels * some[1]}
    assert counted["cldice"].model_dump() == {
        "predicted_inside": 0, "predicted": centre * some[0], "reference_inside": 0, "reference": centre * some[1],
    }  # fmt: skip
    assert counted["nsd"].model_dump() == {
        "predicted_within": 0, "predicted": border * some[0], "reference_within": 0, "reference": border * some[1],
    }  # fmt: skip


def test_a_mask_that_thinning_removes_is_counted_by_a_line_of_its_length() -> None:
    """Lee's method leaves nothing of a bar of 2 by 2 voxels."""
    bar, apart = np.zeros((4, 4, 8), np.bool_), np.zeros((4, 4, 8), np.bool_)
    bar[1:3, 1:3, 1:7] = True
    apart[0, 0, 0] = True
    assert skeleton(bar)[1:3, 1:3].sum(axis=(0, 1)).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    conventions = Conventions(tolerance=TOLERANCE, unit="um")
    itself = count_measures(CasePair.of(bar, bar, SPACING), conventions, ["cldice"])["cldice"]
    assert itself.model_dump() == {"predicted_inside": 6, "predicted": 6, "reference_inside": 6, "reference": 6}
    assert measure_values(CasePair.of(bar, bar, SPACING), conventions, ["cldice"]) == {"cldice": 1.0}
    assert measure_values(CasePair.of(bar, apart, SPACING), conventions, ["cldice"]) == {"cldice": 0.0}


def test_bins_in_whole_numbers_give_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    parts, whole = [], Reliability()
    for _ in range(3):
        probabilities, truth = rng.random((5, 9, 9)).astype(np.float32), rng.random((5, 9, 9)) < 0.3
        one = Reliability()
        one.add(probabilities, truth)
        whole.include(one)
        parts.append(one)
        assert sum(row.positives for row in one.rows) == np.count_nonzero(truth)
        assert sum(row.voxels for row in one.rows) == truth.size
        total = sum(row.probability for row in one.rows) / MILLION
        assert total == pytest.approx(probabilities.sum(dtype=np.float64), abs=1e-5)
    assert calibration_error([one.rows for one in parts]) == pytest.approx(whole.ece, abs=1e-7)
    assert calibration_error([Reliability().rows]) == 0.0
