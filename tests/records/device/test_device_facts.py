"""Facts of the device: what its project, data and model can say at all."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.records.data.seal import SealedFile
from minivess.records.data.split import Split
from minivess.records.evaluation.case_results import StratumVerdict

pytestmark = pytest.mark.verifies("SU-04")

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"folds": 1}, "one fold is none"),
        ({"inner_folds": 3}, "inner folds need"),
        ({"folds": 51}, "less than or equal to 50"),
        ({"stratify_by": ["mood"]}, "site"),
        ({"test": ["../else"]}, "pattern"),
        ({"share": 0.2}, "Extra inputs"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused_when_it_is_read(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Split.model_validate(wrong)


def test_subjects_are_named_or_counted() -> None:
    assert Split(test=("a", "b"), calibration=3).test == ("a", "b")


@pytest.mark.parametrize("wrong", [{"size": -1}, {"kind": "secret"}, {"sealed": "0" * 64}, {"case": "a/b"}])
def test_what_the_seal_tells_of_a_file_has_a_form(wrong: dict[str, Any]) -> None:
    right = {"case": "a", "kind": "image", "commitment": DIGEST, "sealed": DIGEST, "size": 5}
    assert SealedFile.model_validate(right).session == 0
    with pytest.raises(ValidationError):
        SealedFile.model_validate({**right, **wrong})


def test_no_verdict_rests_on_what_is_no_number() -> None:
    right = {"stratum": {}, "cases": 5, "groups": 5, "value": 0.9, "met": True, "why": ""}
    assert StratumVerdict.model_validate(right).met
    for value in (math.nan, math.inf):
        with pytest.raises(ValidationError, match="finite"):
            StratumVerdict.model_validate({**right, "value": value})
