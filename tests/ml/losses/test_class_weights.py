"""Weights of classes: stated, equal or by how rare a class is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import UsageError
from minivess.ml.losses.class_weights import check_stated, class_weights
from minivess.records.data.dataset import LabelClass
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import TrainingSpec

pytestmark = pytest.mark.verifies("SU-31", "REQ-350")

TASK = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein")))


def test_equal_weights_are_none_and_stated_ones_are_kept() -> None:
    assert class_weights("equal", (90, 5, 5), TASK) is None
    for fits in ("equal", "balanced", (2.0, 3.0)):
        check_stated(fits, 2)
    assert class_weights((2.0, 3.0), (90, 5, 5), TASK) == (2.0, 3.0)


def test_balanced_weights_are_square_roots_from_1_to_100() -> None:
    assert class_weights("balanced", (900, 9, 1600), TASK) == (10.0, 1.0)
    assert class_weights("balanced", (10**8, 1, 25), TASK) == (100.0, 100.0)


@pytest.mark.parametrize("stated", [(2.0,), (1.0, 1.0, 1.0)])
def test_a_weight_for_each_class_is_required(stated: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=r"training\.class_weights has \d numbers? for 2 classes"):
        class_weights(stated, (90, 5, 5), TASK)
    with pytest.raises(UsageError, match=r"training\.class_weights has \d numbers? for 2 classes"):
        check_stated(stated, 2)


def test_a_class_that_no_training_case_has_gets_no_balanced_weight() -> None:
    with pytest.raises(UsageError, match="no training case has the class vein"):
        class_weights("balanced", (90, 5, 0), TASK)


@pytest.mark.parametrize("stated", [0, -1, float("nan"), float("inf"), 1001])
def test_a_weight_that_is_no_positive_number_is_refused_when_the_file_is_read(stated: float) -> None:
    with pytest.raises(ValidationError, match="class_weights"):
        TrainingSpec.model_validate({"class_weights": [1.0, stated]})
