"""The agreement of two readers is counted for each class, without anything of the second mask being kept."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.cases.readers import reader_counts
from minivess.ml.reading.case import Case
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE, Conventions
from minivess.records.evaluation.measures import measures_of
from minivess.records.evaluation.subgroups.readers import agreed_counts

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


def test_a_row_has_the_counts_of_its_class_by_the_rule_of_its_plan() -> None:
    readers = reader_counts(case(case(None).label))
    record = CaseRecord(
        id="a",
        subject="a",
        acquisition="a",
        axes="yx",
        shape=(8, 12),
        spacing=(1.0, 1.0),
        unit="px",
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
    now, before = (Conventions(tolerance=1.0, unit="px", skeleton=rule) for rule in (SKELETON, SKELETON_BEFORE))
    counts = agreed_counts(record, 7, now)
    assert {row.name: row.value(counts[row.name], 0) for row in measures_of(counts)} == {"dice": 1.0, "cldice": 1.0}
    assert set(agreed_counts(record, 7, before)) == {"dice"}
    assert agreed_counts(record, 5, now) == {}
