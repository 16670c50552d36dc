"""What a network is for, from the cases of a data set."""

from __future__ import annotations

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.records.data.dataset import CaseRecord, CodedTerm, DatasetManifest, LabelClass
from minivess.records.models.task import SegmentationTask

pytestmark = pytest.mark.verifies("REQ-306")

ROOT = digest_bytes(b"cases")
ARTERY = CodedTerm(value="51114001", scheme="SCT", meaning="Arterial structure")


def manifest(*classes: LabelClass) -> DatasetManifest:
    cases = tuple(
        CaseRecord(
            id=f"c{number}", subject="s", acquisition="a", shape=(4, 8, 8), spacing=(5.0, 1.0, 1.0), modality="CT",
            image=ROOT, label=ROOT, source_dtype="uint8", label_values=(0, 1), foreground_fraction=0.1, classes=(one,),
        )
        for number, one in enumerate(classes)
    )  # fmt: skip
    return DatasetManifest(name="set", licence="CC0", source="test", cases=cases, root=ROOT)


def test_cases_that_differ_in_the_colour_of_a_class_have_one_task() -> None:
    red, green = (LabelClass(value=1, name="artery", colour=colour, code=ARTERY) for colour in ("#d02020", "#20d020"))
    task = SegmentationTask.of(manifest(red, green))
    assert task == SegmentationTask(classes=(LabelClass(value=1, name="artery", code=ARTERY),))
    with pytest.raises(ValueError, match=r"case c0 has .*, and case c1 has"):
        SegmentationTask.of(manifest(red, LabelClass(value=1, name="vein", colour="#d02020")))
