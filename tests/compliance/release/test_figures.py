"""The figures of a release: each that does not follow from counts, log and data set is named with both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.figures import check_figures, look_numbers
from minivess.foundation.errors import VerificationError
from minivess.records.evaluation.recomputation import recomputed
from tests.support.builders.layout2_pack import small_pack

pytestmark = [pytest.mark.verifies("REQ-231"), pytest.mark.verifies("SU-91")]
EVALUATION, SEALED = "data/evaluation/evaluation.json", "data/datasets/sealed.json"
CALIBRATION = "data/models/calibration.json"
MANIFEST, SPLIT = "data/datasets/manifest.json", "data/datasets/split.json"
Change = Callable[[Any], object]
_NEAR = {"cases": ["case-00", "case-77"], "kind": "identical", "score": 0.99, "detail": "alike"}


@cache
def _chain() -> JudgedChain:
    return judge_chain(small_pack().log.facts.entries)[1]


def _files(name: str, change: Change) -> dict[str, bytes]:
    files = dict(small_pack().files)
    value = json.loads(files[name])
    change(value)
    return {**files, name: canonical(value)}


def test_the_figures_of_a_true_pack_are_those_of_its_counts() -> None:
    found = check_figures(small_pack().files, _chain())
    assert dict(recomputed(found, _chain().plan)) == {
        name: getattr(found, name) for name in type(recomputed(found, _chain().plan)).model_fields
    }


def _set(*path: str | int, to: object) -> Change:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        value[path[-1]] = to

    return change


@pytest.mark.verifies("RC-98")
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (EVALUATION, _set("aggregates", "dice", "mean", to=0.999), "aggregates.dice.mean is 0.999000 in the evaluation"),
        (EVALUATION, _set("aggregates", "nsd", "lower", to=0.89), "aggregates.nsd.lower is 0.890000"),
        (EVALUATION, _set("aggregates", "nsd", "n", to=2), "aggregates.nsd.n is 2 in the evaluation, and 3"),
        (EVALUATION, _set("baseline", "mean", to=0.5), "baseline.mean is 0.500000"),
        (EVALUATION, _set("ece", to=0.001), "ece is 0.001000"),
        (EVALUATION, _set("band_ece", to=0.001), "band_ece is 0.001000"),
        (EVALUATION, _set("best", to="case-01"), "best is case-01"),
        (EVALUATION, _set("conventions", "tolerance", to=3.0), "tolerance is 3.0"),
        (EVALUATION, _set("conventions", "unit", to="mm"), "unit is mm"),
        (EVALUATION, _set("threshold", to=0.4), "threshold is 0.4"),
        (EVALUATION, _set("look", to=2), "look is 2, and 1 by the log"),
        (EVALUATION, _set("looks", to=1), "looks is 1, and 3 by the log"),
        (EVALUATION, _set("request", to="open-2"), "request is open-2, and open-1 by the log"),
        (EVALUATION, _set("model", to=f"sha256:{'0' * 64}"), f"model is sha256:{'0' * 64}, and sha256:2899"),
        (EVALUATION, _set("data", to=f"sha256:{'0' * 64}"), f"data is sha256:{'0' * 64}, and sha256:f0f6"),
        (EVALUATION, lambda value: value["cases"].pop(), f"cases is case-00, case-01, and case-00, case-01, case-02 in {SEALED}"),
        (EVALUATION, _set("cases", 1, "case", to="case-09"), "cases is case-00, case-02, case-09"),
        (EVALUATION, _set("cases", 1, "subject", to="mouse-00"), "case case-01: subject is mouse-00, and mouse-01 by"),
        (EVALUATION, _set("cases", 1, "group", to="case-00"), "case case-01: group is case-00, and case-01 by"),
        (EVALUATION, lambda value: value.pop("format"), "minivess-evaluation/2"),
        (EVALUATION, _set("aggregates", "dice", "method", to="percentile"), "aggregates.dice.method is percentile"),
        (EVALUATION, _set("aggregates", "dice", "groups", to=9), "aggregates.dice.groups is 9"),
        (EVALUATION, _set("aggregates", "dice", "coverage", to=0.99), "aggregates.dice.coverage is 0.990000"),
        (EVALUATION, _set("aggregates", "dice", "beside", "lower", to=0.1), "aggregates.dice.beside.lower is 0.100000"),
        (EVALUATION, lambda value: value["aggregates"]["dice"].pop("beside"), "aggregates.dice.beside.method is"),
        (EVALUATION, _set("aggregates", "failures", "upper", to=0.1), "aggregates.failures.upper is 0.100000"),
        (EVALUATION, lambda value: value["aggregates"].pop("failures"), "aggregates.failures.mean is not there"),
        (EVALUATION, _set("conventions", "failure_dice", to=0.1), "conventions.failure_dice is 0.1"),
        (CALIBRATION, _set("groups", "train-4", to="train-5"), "group of train-4 is train-5, and train-4 by"),
        (CALIBRATION, lambda value: value.pop("groups"), "group of train-4 is not there, and train-4 by"),
        (CALIBRATION, _set("cases", to=["train-4"]), "cases is train-4, and train-4, train-5 by"),
        (CALIBRATION, _set("target_recall", to=0.9), "for recall 0.9 from 2 groups, and that needs 10"),
        (MANIFEST, _set("cases", 1, "subject", to="mouse-00"), "in other groups than the seal of entry"),
        (SPLIT, lambda value: value.update(near=[_NEAR]), f"{SPLIT} names a case 'case-77' that {MANIFEST} has not"),
    ],
)  # fmt: skip
def test_what_does_not_follow_is_named_with_both_sides(name: str, change: Change, words: str) -> None:
    with pytest.raises(VerificationError) as error:
        check_figures(_files(name, change), _chain())
    assert words in error.value.message


def _flipped(value: Any) -> None:
    counts = value["cases"][0]["counts"]["cldice"]
    counts["predicted_inside"] -= 1


@pytest.mark.verifies("RC-98")
def test_a_count_that_is_one_less_changes_a_figure() -> None:
    with pytest.raises(
        VerificationError, match=r"aggregates\.cldice\.mean is .* in the evaluation, and .* by the counts"
    ):
        check_figures(_files(EVALUATION, _flipped), _chain())


@pytest.mark.verifies("RC-98")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cases": 4}, "the evaluation of entry 25: cases is 4, and 3 by the counts of its cases"),
        ({"look": 2}, "look is 2, and 1"),
        ({"baseline_dice": 0.1}, "baseline_dice is 0.100000, and 0.69"),
        ({"aggregates": {}}, "mean is not there, and 0."),
        ({"criteria": ()}, "criterion 1 is not there, and sha256:"),
    ],
)
def test_an_entry_that_states_other_figures_is_named(change: dict[str, object], words: str) -> None:
    chain = _chain()
    other = replace(chain, evaluated=chain.evaluated.model_copy(update=change))
    with pytest.raises(VerificationError) as error:
        check_figures(small_pack().files, other)
    assert words in error.value.message


@pytest.mark.verifies("REQ-247")
def test_a_calibration_without_a_threshold_promises_nothing_and_holds() -> None:
    check_figures(_files(CALIBRATION, lambda value: value.update(target_recall=0.9, threshold=None)), _chain())


@pytest.mark.parametrize("name", [EVALUATION, SEALED, MANIFEST, SPLIT, CALIBRATION])
def test_a_file_that_is_missing_is_named(name: str) -> None:
    files = {one: content for one, content in small_pack().files.items() if one != name}
    with pytest.raises(VerificationError, match=f"{name} is missing"):
        check_figures(files, _chain())


def test_looks_are_counted_by_their_test_data() -> None:
    assert look_numbers(_chain()) == {"open-1": 1}
