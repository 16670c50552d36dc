"""The agreement of two readers is counted for each class, without anything of the second mask being kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.cases.readers import REACH, reader_counts, surfaces_of
from minivess.ml.measures import distances, hd95, nsd
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.reading.case import Case
from minivess.records.data.dataset import CaseRecord, LabelClass, ReaderCounts, Unit
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE, Conventions
from minivess.records.evaluation.measures import measures_of
from minivess.records.evaluation.subgroups.readers import agreed_counts
from minivess.records.lengths import LengthUnit
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-26"), pytest.mark.verifies("REQ-418")]

DIGEST = f"sha256:{'3' * 64}"
CLASSES = (LabelClass(value=3, name="artery"), LabelClass(value=7, name="vein"))


def case(second: np.ndarray | None) -> Case:
    label = np.zeros((8, 12), np.uint8)
    label[1, 1:10], label[4:6, 2:8] = 3, 7
    return Case(
        np.zeros(label.shape, np.float32),
        label,
        "yx",
        (1.0, 1.0),
        "NumPy",
        "float32",
        (0, 3, 7),
        unit="px",
        classes=CLASSES,
        second=second,
    )


def test_each_class_is_counted_against_everything_else() -> None:
    second = case(None).label.copy()
    second[1, 1:4], second[5] = 7, 0
    artery, vein = reader_counts(case(second))
    assert (artery.value, artery.overlap, artery.skeleton[1], artery.skeleton[3]) == (3, (6, 0, 3), 6, 9)
    assert (vein.value, vein.overlap) == (7, (6, 3, 6))
    assert vein.skeleton[0] < vein.skeleton[1]


def test_one_reader_has_no_counts() -> None:
    assert reader_counts(case(None)) == ()


def recorded(readers: tuple[ReaderCounts, ...], unit: Unit = "px") -> CaseRecord:
    return CaseRecord(
        id="a",
        subject="a",
        acquisition="a",
        axes="yx",
        shape=(8, 12),
        spacing=(1.0, 1.0),
        unit=unit,
        modality="photography",
        image=DIGEST,
        label=DIGEST,
        second_label=DIGEST,
        readers=readers,
        source_dtype="float32",
        label_values=(0, 3, 7),
        classes=CLASSES,
        foreground_fraction=0.2,
    )


def test_a_row_has_the_counts_of_its_class_by_the_rule_of_its_plan() -> None:
    record = recorded(reader_counts(case(case(None).label)))
    now, before = (Conventions(tolerance=1.0, unit="px", skeleton=rule) for rule in (SKELETON, SKELETON_BEFORE))
    counts = agreed_counts(record, 7, now)
    assert {row.name: row.value(counts[row.name], 0) for row in measures_of(counts) if row.name != "hd95"} == {
        "dice": 1.0,
        "cldice": 1.0,
        "nsd": 1.0,
    }
    assert set(agreed_counts(record, 7, before)) == {"dice", "nsd", "hd95", "distances"}
    assert agreed_counts(record, 5, now) == {}


MASKS = arrays(np.bool_, (8, 12))
UNITS = st.sampled_from([("px", "px", 1), ("um", "um", 1), ("um", "mm", 1000)])


@pytest.mark.verifies("REQ-314", "REQ-315")
@settings(max_examples=80)
@given(MASKS, MASKS, st.sampled_from([0.1, 0.33203125, 0.994, 1.0]), st.integers(1, 60), UNITS)
def test_distances_and_nsd_at_a_tolerance_of_later_are_those_of_both_masks(
    second: np.ndarray, first: np.ndarray, step: float, tenths: int, units: tuple[Unit, LengthUnit, int]
) -> None:
    unit, wanted, factor = units
    rule = Conventions(tolerance=float(f"{step * tenths / 10 / factor:.6g}"), unit=wanted)
    there = CasePair.of(second, first, (step, 2 * step))
    here = CasePair.of(second, first, (step / factor, 2 * step / factor))
    found = ReaderCounts(value=7, overlap=(0, 0, 0), skeleton=(0, 0, 0, 0), surfaces=surfaces_of(there))
    read = ReaderCounts.model_validate_json(found.model_dump_json())
    counts = agreed_counts(recorded((read,), unit), 7, rule)
    assert counts["nsd"] == nsd.count(here, rule)
    expected = {**hd95.count(here, rule).model_dump(), **distances.count(here, rule).model_dump()}
    answered = {**counts["hd95"].model_dump(), **counts["distances"].model_dump()}
    apart = second.any() == first.any()
    assert answered == (pytest.approx(expected, rel=1e-12) if apart else dict.fromkeys(expected))


@pytest.mark.verifies("REQ-314")
def test_nsd_of_a_tolerance_that_ingest_did_not_count_is_left_out() -> None:
    label = case(None).label
    record = recorded(reader_counts(case(np.roll(label, 1, axis=1))))
    near, far = (Conventions(tolerance=tolerance, unit="px") for tolerance in (REACH, REACH + 0.1))
    assert set(agreed_counts(record, 7, near)) - set(agreed_counts(record, 7, far)) == {"nsd"}
    old = record.readers[1].model_copy(update={"surfaces": None})
    assert set(agreed_counts(recorded((old,)), 7, near)) == {"dice", "cldice"}
    assert "surfaces" not in old.model_dump_json()
    of_before = Conventions(tolerance_um=2.0, skeleton=SKELETON_BEFORE)
    assert set(agreed_counts(record, 7, of_before)) == {"dice"}
