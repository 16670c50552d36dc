"""Statements about pairs of cases: which are taken, and which are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from minivess.foundation.digests import digest_json
from minivess.foundation.errors import UsageError
from minivess.ml.splits.exceptions import apply
from minivess.ml.splits.splits import assign, plan_digest
from minivess.records.data.likeness import Likeness
from minivess.records.data.split import Split
from tests.ml.splits.test_splits import SIMPLE, remade, twins

pytestmark = [pytest.mark.verifies("REQ-291"), pytest.mark.verifies("SU-26")]


def test_statements_are_applied_in_both_directions() -> None:
    plan = Split(not_copies=[["c02", "c01", "other eye"]], same=[["c00", "c03", "one eye"]])
    judged = apply(SIMPLE, plan, [twins("c01", "c02"), twins("c02", "c03")])
    assert [pair.cases for pair in judged.near] == [("c02", "c03"), ("c00", "c03")]
    assert (judged.near[1].kind, judged.near[1].detail) == (Likeness.STATED, "one eye")
    (overruled,) = judged.not_copies
    assert overruled.found == twins("c01", "c02")


def test_a_statement_about_a_pair_that_was_not_found_is_kept() -> None:
    (overruled,) = apply(SIMPLE, Split(not_copies=[["c00", "c01", "other eye"]]), []).not_copies
    assert overruled.found is None
    assert "no likeness was found" in str(overruled)


@pytest.mark.parametrize("name", ["not_copies", "same"])
def test_an_unknown_case_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"split\.{name} names the case c99"):
        apply(SIMPLE, Split(**{name: [["c00", "c99", "other eye"]]}), [])


def test_identical_images_cannot_be_stated_to_be_no_copies() -> None:
    images = [case.image for case in SIMPLE.cases]
    data = remade(SIMPLE, image=[images[0], images[0], *images[2:]])
    with pytest.raises(UsageError, match="their images are identical"):
        apply(data, Split(not_copies=[["c00", "c01", "other eye"]]), [])


@pytest.mark.parametrize(
    "pairs",
    [
        {"same": [["c00", "c00", "itself"]]},
        {"same": [["c00", "c01", "one eye"]], "not_copies": [["c01", "c00", "other eye"]]},
        {"same": [["c00", "c01", "one eye"], ["c01", "c00", "again"]]},
        {"same": [["c00", "c01", " "]]},
        {"same": [["c00", "c01"]]},
    ],
    ids=["one case", "contradiction", "twice", "no reason", "too short"],
)
def test_statements_without_sense_are_refused(pairs: dict[str, list[list[str]]]) -> None:
    with pytest.raises(ValidationError):
        Split.model_validate(pairs)


def test_a_split_without_statements_has_the_digests_of_earlier_versions() -> None:
    """A split that 0.1.0 locked must stay the locked one."""
    plan = Split(calibration=1, test=1)
    earlier = {
        name: value for name, value in plan.model_dump(mode="json").items() if name not in ("not_copies", "same")
    }
    assert plan_digest(plan) == digest_json([earlier, None])
    assert "not_copies" not in assign(SIMPLE, plan).model_dump(mode="json")
    stated = plan.model_copy(update={"same": Split(same=[["c00", "c01", "one eye"]]).same})
    assert plan_digest(stated) != plan_digest(plan)
