"""The sentences of measures about empty masks, tiny masks and the edge of the field are true."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.records.evaluation.evaluation import Conventions
from minivess.records.evaluation.measures import MEASURES, USUAL
from tests.support.measure_relations import values

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-380")]

EMPTY = np.zeros((4, 5, 6), np.bool_)
BODY = EMPTY.copy()
BODY[1:3, 1:4, 1:5] = True

FOUND_NOTHING, FOUND_WRONGLY, NOTHING = "prediction empty", "reference empty", "both empty"
PAIRS = {NOTHING: (EMPTY, EMPTY), FOUND_NOTHING: (EMPTY, BODY), FOUND_WRONGLY: (BODY, EMPTY)}
SAID: dict[str, dict[str, float | None]] = {
    "1 when both masks are empty, 0 when one is": {NOTHING: 1.0, FOUND_NOTHING: 0.0, FOUND_WRONGLY: 0.0},
    "0 when both masks are empty, undefined when one is": {NOTHING: 0.0, FOUND_NOTHING: None, FOUND_WRONGLY: None},
    "undefined where the reference is empty, 1 where only the prediction is": {
        NOTHING: None, FOUND_NOTHING: 1.0, FOUND_WRONGLY: None,
    },
    "undefined where the reference is empty": {NOTHING: None, FOUND_WRONGLY: None},
    "undefined where the skeleton of the reference has no length": {NOTHING: None, FOUND_WRONGLY: None},
    "undefined where the prediction is empty": {NOTHING: None, FOUND_NOTHING: None},
    "undefined where a mask is empty": {NOTHING: None, FOUND_NOTHING: None, FOUND_WRONGLY: None},
    "an empty mask has 0": {NOTHING: 0.0},
    "undefined where the reference fills it": {NOTHING: 1.0, FOUND_NOTHING: 1.0},
}  # fmt: skip
"""What a part of a sentence says of the pairs. The first one in a sentence counts."""


@pytest.mark.parametrize("name", [name for name in MEASURES if name not in USUAL])
def test_the_sentence_of_a_measure_says_what_it_gives_for_empty_masks(name: str) -> None:
    said = next(expected for words, expected in SAID.items() if words in MEASURES[name].convention)
    found = {pair: values(masks, names=[name])[name] for pair, masks in PAIRS.items()}
    assert {pair: found[pair] for pair in said} == said
    unsaid = {pair for pair, value in found.items() if value is None} - set(said)
    assert not unsaid, "it is undefined where the sentence does not say so"


def test_the_sentences_of_all_evaluations_name_their_four_measures() -> None:
    conventions = Conventions(tolerance=1.0, unit="um")
    assert conventions.both_empty == "dice, clDice and NSD are 1; HD95 is 0"
    assert values(EMPTY_PAIR, names=USUAL) == {"dice": 1.0, "cldice": 1.0, "nsd": 1.0, "hd95": 0.0}
    assert conventions.one_empty == "dice, clDice and NSD are 0; HD95 is undefined and listed as such"
    assert values(PAIRS[FOUND_NOTHING], names=USUAL) == {"dice": 0.0, "cldice": 0.0, "nsd": 0.0, "hd95": None}
    assert not any(MEASURES[name].convention for name in USUAL)


def test_specificity_is_undefined_where_the_reference_fills_the_image() -> None:
    assert values((BODY, ~EMPTY), names=["specificity"]) == {"specificity": None}


def test_a_single_voxel_has_no_length_and_is_a_branch_and_an_object() -> None:
    one = EMPTY.copy()
    one[0, 0, 0] = True
    found = values((one, one), names=["length_error", "branch_error", "object_f1", "radius_error", "skeleton_recall"])
    assert found == {
        "object_f1": 1.0, "branch_error": 0.0, "length_error": None, "radius_error": 0.0, "skeleton_recall": 1.0,
    }  # fmt: skip


def test_beyond_the_edge_of_the_field_is_background() -> None:
    """A mask in the corner has the same values as in the middle; only specificity counts the background."""
    corner = EMPTY.copy()
    corner[:2, :3, :4] = True
    part = corner.copy()
    part[1] = False
    names = [name for name in MEASURES if name != "specificity"]
    assert values((part, corner), names=names) == values((np.pad(part, 2), np.pad(corner, 2)), names=names)


EMPTY_PAIR = (EMPTY, EMPTY)
