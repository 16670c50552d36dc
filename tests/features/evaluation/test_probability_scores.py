"""Steps of probability_scores.feature: scores in the record of an evaluation, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.figures import check_figures
from minivess.foundation.errors import VerificationError
from minivess.ml.evaluation.evaluate import evaluate
from minivess.records.device.strictness import laxer_plan
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.scores import SCORES, PrecisionRecall, average_precision, precision_recall
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluated_sets import EvaluatedSet
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.builders.layout2_pack import small_pack
from tests.support.lazy_modules import lazily
from tests.support.verify_script import verify

with lazily("sklearn.metrics"):
    from sklearn import metrics

scenarios("probability_scores.feature")

DIGEST = f"sha256:{'4' * 64}"
PLAN = analysis_plan(bootstrap=100, statistics="mean of groups", scored=True)


@dataclass
class Story:
    cases: list[CaseCounts] = field(default_factory=list)
    record: EvaluationRecord | None = None
    curve: tuple[PrecisionRecall, ...] = ()
    plain: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def evaluate(self) -> EvaluationRecord:
        return counted_evaluation(self.cases, PLAN, model=DIGEST, data=DIGEST, request="r", looks=3)


@pytest.fixture
def story() -> Story:
    return Story()


@given("a small case with bad probabilities and a large case with good ones")
def _(story: Story) -> None:
    story.cases = [
        counted_case("small", overlap=(5, 60, 40), voxels=200, scored=True),
        counted_case("large", overlap=(900, 10, 10), voxels=20_000, scored=True),
    ]


@when("their evaluation is recorded")
def _(story: Story) -> None:
    story.record = story.evaluate()


@then("the Brier score of the record is the mean of both cases with an interval")
def _(story: Story) -> None:
    assert story.record is not None
    small = (5 * 0.01 + 60 * 0.81 + 40 * 0.64 + 95 * 0.0001) / 200
    large = (900 * 0.01 + 10 * 0.81 + 10 * 0.64 + 19_080 * 0.0001) / 20_000
    found = story.record.aggregates["brier"]
    assert found.mean == pytest.approx((small + large) / 2)
    assert (found.groups, found.method, found.lower) == (2, "student-t", 0.0)


@then("it is twice as far from zero as the mean over all voxels")
def _(story: Story) -> None:
    assert story.record is not None
    over_voxels = math.fsum((one.score_values["brier"] or 0) * one.voxels for one in story.cases) / 20_200
    assert story.record.aggregates["brier"].mean > 2 * over_voxels


@given("a case of 100 vessel voxels, of which 80 have a probability of 0.9")
def _(story: Story) -> None:
    story.cases = [counted_case("a", overlap=(80, 20, 20), scored=True)]


@when("its precision and recall are read at the threshold 0.5")
def _(story: Story) -> None:
    (case,) = story.cases
    assert case.scores is not None
    story.curve = precision_recall(case.scores)


@then("the recall is 0.8, and its average precision is that of the curve")
def _(story: Story) -> None:
    (case,) = story.cases
    assert case.scores is not None
    assert story.curve[50] == (0.5, 80 / 100, 80 / 100)
    area = 0.0
    for point, after in zip(story.curve, [*story.curve[1:], PrecisionRecall(1.0, None, 0.0)], strict=True):
        area += ((point.recall or 0.0) - (after.recall or 0.0)) * (point.precision or 0.0)
    assert average_precision(case.scores) == pytest.approx(area)


@given("an evaluation whose cases have scores")
def _(story: Story) -> None:
    story.cases = [counted_case(name, scored=True, shape=(10, 10, 10)) for name in ("a", "b")]
    story.plain = json.loads(story.evaluate().model_dump_json())


def _other_reference(case: dict[str, Any]) -> None:
    case["scores"] = json.loads(counted_case("a", overlap=(90, 10, 19), scored=True).model_dump_json())["scores"]


def _probability(case: dict[str, Any]) -> None:
    case["scores"]["bins"][20][1] += 100


def _border(case: dict[str, Any]) -> None:
    """The volume has its best possible Brier score, and the border its worst."""
    bins = case["bins"] = case["border_bins"]
    case["scores"] = {**case["border_scores"]}
    del case["shape"], case["spacing"]
    tp, fn = bins[13][2], bins[3][2]
    small = json.loads(counted_case("b", overlap=(tp, bins[13][0] - tp, fn)).model_dump_json())
    case |= {name: small[name] for name in ("counts", "baseline")}
    case["border_scores"] = {**case["scores"], "brier": case["scores"]["brier"] + 2}


def _shape(case: dict[str, Any]) -> None:
    case["shape"][2] += 1


FAULTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "fine bins of another reference": _other_reference,
    "a sum of probabilities that its bins do not have": _probability,
    "a larger Brier score along the border": _border,
    "a shape of another size": _shape,
}


@when(parsers.parse("the file has {fault}"))
def _(story: Story, fault: str) -> None:
    FAULTS[fault](story.plain["cases"][1])
    if fault == "a larger Brier score along the border":
        story.plain["cases"] = [story.plain["cases"][1]]


@then(parsers.parse('reading it is refused with "{words}"'))
def _(story: Story, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EvaluationRecord.model_validate_json(json.dumps(story.plain))
    assert words in str(refused.value)


VOLUMES = EvaluatedSet(("a", "b", "empty"))
VOLUMES.masks["empty"][:] = 0
RECORD = "data/evaluation/evaluation.json"


@given("a predictor and three volumes, one of them without a vessel")
def _(story: Story) -> None:
    assert [int(mask.any()) for mask in VOLUMES.masks.values()] == [1, 1, 0]


@when("they are evaluated")
def _(story: Story) -> None:
    held = VOLUMES
    story.record = evaluate(held.cases(), held.predict, held.masks.__getitem__, held.plan)[0]


def _rows(story: Story) -> dict[str, CaseCounts]:
    assert story.record is not None
    return {row.case: row for row in story.record.cases if isinstance(row, CaseCounts)}


@then("each case has the Brier score, log likelihood and average precision of its voxels")
def _(story: Story) -> None:
    for name, row in _rows(story).items():
        found, true = row.score_values, VOLUMES.masks[name].ravel() > 0
        probabilities = VOLUMES.predict(VOLUMES.images[name]).ravel().astype(np.float64)
        assert found["brier"] == pytest.approx(np.square(probabilities - true).mean(), abs=1e-9)
        assert found["nll"] == pytest.approx(metrics.log_loss(true, probabilities, labels=[False, True]), abs=1e-9)
        if true.any():
            fine = np.floor(probabilities * 100)
            assert found["average_precision"] == pytest.approx(metrics.average_precision_score(true, fine), abs=1e-12)


@then("the case without a vessel has no average precision and no score along the border")
def _(story: Story) -> None:
    row = _rows(story)["empty"].score_values
    undefined = {name for name, value in row.items() if value is None}
    assert undefined == {name for name in row if name.startswith("border_")} | {"average_precision"}
    assert story.record is not None
    assert story.record.aggregates["average_precision"].n == 2
    assert story.record.aggregates["ace"].n == 3


@then("each case has its shape and its spacing in the unit of the tolerance")
def _(story: Story) -> None:
    for row in _rows(story).values():
        assert (row.shape, row.spacing) == ((6, 20, 24), (5.0, 1.0, 1.5))


@cache
def _judged() -> tuple[JudgedChain, Any]:
    """The chain of the true pack as the product has it, and the pack as the script has it once its log was judged."""
    pack = small_pack(scored=True)
    read = verify.Pack(dict(pack.files), None)
    read.check_log()
    return judge_chain(pack.log.facts.entries)[1], read


@given("a pack whose cases have scores")
def _(story: Story) -> None:
    story.files = dict(small_pack(scored=True).files)


PACK_FAULTS: dict[str, Callable[[Any], object]] = {
    "a better Brier score": lambda value: value["aggregates"]["brier"].update(mean=0.0001),
    "a lower limit of the border's log likelihood": lambda value: value["aggregates"]["border_nll"].update(lower=9.0),
    "no figure of the calibration error": lambda value: value["aggregates"].pop("ace"),
    "no scores in any case": lambda value: [(case.pop("scores"), case.pop("border_scores")) for case in value["cases"]],
    "a case without scores": lambda value: [value["cases"][0].pop(name) for name in ("scores", "border_scores")],
}


@when(parsers.parse("its evaluation has {fault}"))
def _(story: Story, fault: str) -> None:
    value = json.loads(story.files[RECORD])
    PACK_FAULTS[fault](value)
    story.files[RECORD] = canonical(value)


def _script(files: dict[str, bytes]) -> Any:
    again = verify.Pack(files, None)
    for name in ("bodies", "leaves", "origin", "people", "standing"):
        setattr(again, name, getattr(_judged()[1], name))
    again.check_layout()
    again.release.check_chain()
    return again


@then(parsers.parse('both verifiers refuse the pack and name "{words}"'))
def _(story: Story, words: str) -> None:
    with pytest.raises(VerificationError) as product:
        check_figures(story.files, _judged()[0])
    with pytest.raises(verify.WrongError) as script:
        _script(story.files).release.check_figures()
    assert words in product.value.message
    assert words in str(script.value)


@when("both verifiers compute its figures")
def _(story: Story) -> None:
    story.record = check_figures(story.files, _judged()[0])


@then("they find the same, and the same signing text")
def _(story: Story) -> None:
    assert story.record is not None
    script = _script(story.files)
    script.release.check_figures()
    found = {name: one["mean"] for name, one in script.release.figures["aggregates"].items()}
    assert found == {name: one.mean for name, one in story.record.aggregates.items()}
    assert {"brier", "border_ace", "average_precision"} <= set(found)
    script.release.check_gates()
    script.release.check_text()


@when("they are evaluated under a plan that names no scores")
def _(story: Story) -> None:
    held = VOLUMES
    plan = held.plan.model_copy(update={"analysis": held.plan.analysis.model_copy(update={"scores": None})})
    story.record = evaluate(held.cases(), held.predict, held.masks.__getitem__, plan)[0]


@then("no case has scores, and no figure is of a score")
def _(story: Story) -> None:
    assert story.record is not None
    assert not set(SCORES) & set(story.record.aggregates)
    assert all(row.scores is None and row.border_scores is None for row in _rows(story).values())


@given("a plan with scores and the same plan without them", target_fixture="plans")
def _() -> tuple[AnalysisPlan, AnalysisPlan]:
    return PLAN, PLAN.model_copy(update={"scores": None})


@then("both writings of the rules call the loss laxer, and the gain not")
def _(plans: tuple[AnalysisPlan, AnalysisPlan]) -> None:
    for old, new, verdict in ((*plans, True), (*plans[::-1], False), (plans[0], plans[0], False)):
        assert bool(laxer_plan(old, new)) == verdict
        plain = (json.loads(canonical(plan)) for plan in (old, new))
        assert (verify.laxer(*map(verify.limits_of_plan, plain)) == "scores") == verdict
