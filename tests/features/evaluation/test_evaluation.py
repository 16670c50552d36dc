"""Steps of evaluation.feature: real measures on small synthetic vessels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from pytest_bdd import given, scenarios, then, when

from minivess.compliance.documents.result_tables import cases_csv
from minivess.ml.evaluation.baseline import tune_thresholds
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.measures.cldice import cldice
from minivess.ml.measures.dice import dice
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.acceptance_criteria import Judgement, judge
from minivess.records.evaluation.evaluation import ClassThresholds, Criterion, EvaluationRecord
from minivess.records.evaluation.measures import USUAL
from minivess.records.evaluation.statistics.intervals import mean_interval
from minivess.records.evaluation.statistics.summaries import Interval
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.builders.new_measure import NAME, add_measure
from tests.support.lazy_modules import lazily

with lazily("scipy"):
    from scipy import ndimage

scenarios("evaluation.feature")

DIGEST = f"sha256:{'4' * 64}"
SHAPE = (10, 32, 32)


def vessel(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask of one straight vessel."""
    rng = np.random.default_rng(seed)
    line = np.zeros(SHAPE, np.bool_)
    line[5, 8 + seed, 3:29] = True
    mask = ndimage.binary_dilation(line, iterations=2)
    return (mask * 6.0 + rng.normal(0, 3.0, SHAPE)).astype(np.float32), mask


@dataclass
class Story:
    cases: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    blind_to: str = ""
    events: list[str] = field(default_factory=list)
    record: EvaluationRecord | None = None
    judgements: list[Judgement] = field(default_factory=list)
    pair: tuple[np.ndarray, np.ndarray] | None = None
    scores: tuple[float, float] | None = None
    intervals: list[Interval] = field(default_factory=list)
    measures: tuple[str, ...] = USUAL

    def predict(self, image: np.ndarray, spacing: object) -> np.ndarray:
        case = next(name for name, (known, _) in self.cases.items() if known is image)
        self.events.append(f"predict {case}")
        if case == self.blind_to:
            return np.zeros((1, *SHAPE), np.float32)
        smooth = ndimage.gaussian_filter(image, 0.8)
        return (1 / (1 + np.exp(-2 * (smooth[np.newaxis] - 3)))).astype(np.float32)

    def label(self, case: str) -> np.ndarray:
        self.events.append(f"label {case}")
        return self.cases[case][1]


@pytest.fixture
def story() -> Story:
    return Story()


@given("a predictor and four labelled cases of two animals")
def _(story: Story) -> None:
    story.cases = {f"case-{seed}": vessel(seed) for seed in range(4)}


@given("a predictor that finds nothing in one of four labelled cases")
def _(story: Story) -> None:
    story.cases = {f"case-{seed}": vessel(seed) for seed in range(4)}
    story.blind_to = "case-2"


@when("the predictor is evaluated")
def _(story: Story) -> None:
    records = [
        CaseRecord(
            id=name,
            subject=f"mouse-{place // 2}",
            acquisition=name,
            shape=SHAPE,
            spacing=(2.0, 1.0, 1.0),
            modality="two-photon microscopy",
            image=DIGEST,
            label=DIGEST,
            source_dtype="float32",
            label_values=(0, 1),
            foreground_fraction=0.1,
        )
        for place, name in enumerate(story.cases)
    ]
    story.record, _ = evaluate(
        ((record, story.cases[record.id][0]) for record in records),
        story.predict,
        story.label,
        evaluation_plan(
            analysis_plan().model_copy(update={"measures": story.measures}),
            digest=DIGEST,
            request="scenario",
            cases=story.cases,
            thresholds=[ClassThresholds(baseline=one) for one in tune_thresholds([vessel(9)])],
        ),
    )


@then("every case has Dice, clDice, NSD and HD95")
def _(story: Story) -> None:
    assert story.record is not None
    assert len(story.record.cases) == 4
    for case in story.record.cases:
        assert 0.5 < case.values["dice"] <= 1
        assert 0.5 < case.values["cldice"] <= 1
        assert 0.5 < case.values["nsd"] <= 1
        assert case.values["hd95"] is not None
    assert set(USUAL) <= set(story.record.aggregates)


@then("the record states tolerance, connectivity, skeleton and the rules for empty masks")
def _(story: Story) -> None:
    assert story.record is not None
    stated = story.record.conventions
    assert str(stated.within) == "2 µm"
    assert stated.bootstrap_unit == "subject"
    assert all((stated.foreground_connectivity, stated.border, stated.skeleton, stated.both_empty, stated.one_empty))


@then("that case scores 0 in Dice, clDice and NSD, and its HD95 is listed as undefined")
def _(story: Story) -> None:
    assert story.record is not None
    row = next(case for case in story.record.cases if case.case == story.blind_to)
    assert {name: row.values[name] for name in USUAL} == {"dice": 0, "cldice": 0, "nsd": 0, "hd95": None}
    assert story.record.worst == story.blind_to


@then("a criterion on HD95 is not met, however loose")
def _(story: Story) -> None:
    assert story.record is not None
    assert not judge(story.record, [Criterion(measure="hd95", at_most=1e9)])[0].met


@given("a new measure with a row in the table and a function")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    add_measure(monkeypatch)
    story.measures = (*USUAL, NAME)


@then("every case and the aggregates have the new measure")
def _(story: Story) -> None:
    assert story.record is not None
    assert all(0 < case.values[NAME] <= 1 for case in story.record.cases)
    mean = np.mean([case.values[NAME] for case in story.record.cases])
    assert story.record.aggregates[NAME].mean == pytest.approx(mean)


@then("a criterion on the new measure is judged")
def _(story: Story) -> None:
    assert story.record is not None
    loose, strict = judge(story.record, [Criterion(measure=NAME, at_least=bound) for bound in (0.0, 1.1)])
    assert loose.met
    assert not strict.met


@then("the table of cases has a column for the new measure")
def _(story: Story) -> None:
    assert story.record is not None
    header, first, *_ = cases_csv(story.record).splitlines()
    column = header.split(",").index(NAME)
    assert float(first.split(",")[column]) == story.record.cases[0].values[NAME]


@given("a prediction that is entirely beside the vessel")
def _(story: Story) -> None:
    _, mask = vessel(0)
    story.pair = (np.roll(mask, 12, axis=1), mask)


@when("both are compared")
def _(story: Story) -> None:
    assert story.pair is not None
    story.scores = (dice(*story.pair), cldice(*story.pair))


@then("Dice and clDice are 0")
def _(story: Story) -> None:
    assert story.scores == (0.0, 0.0)


@given("the scores of three animals")
def _(story: Story) -> None:
    story.intervals = [mean_interval([0.6, 0.8, 0.9], ["a", "b", "c"], resamples=3000, seed=1)]


@when("each score is repeated ten times for the same animal")
def _(story: Story) -> None:
    story.intervals.append(mean_interval([0.6, 0.8, 0.9] * 10, ["a", "b", "c"] * 10, resamples=3000, seed=1))


@then("the interval is as wide as before")
def _(story: Story) -> None:
    once, repeated = (interval.upper - interval.lower for interval in story.intervals)
    assert repeated == pytest.approx(once, rel=0.02)


@then("each label was fetched only after the prediction of its case")
def _(story: Story) -> None:
    assert len(story.events) == 8
    for name in story.cases:
        assert story.events.index(f"label {name}") > story.events.index(f"predict {name}")


@then("every case also has the Dice of the tuned threshold")
def _(story: Story) -> None:
    assert story.record is not None
    assert all(0 < case.baseline_dice < case.dice for case in story.record.cases)


@then("the gain over the threshold is reported with an interval")
def _(story: Story) -> None:
    assert story.record is not None
    gain = story.record.aggregates["dice_over_baseline"]
    assert 0 < gain.lower <= gain.mean <= gain.upper


@when("it is judged by a mean Dice of at least 0.5 and of at least 0.999")
def _(story: Story) -> None:
    assert story.record is not None
    criteria = [Criterion(measure="dice", at_least=bound) for bound in (0.5, 0.999)]
    story.judgements = judge(story.record, criteria)


@then("the first criterion is met and the second is missed by what the margin says")
def _(story: Story) -> None:
    first, second = story.judgements
    assert first.met
    assert not second.met
    assert second.value is not None
    assert second.margin == pytest.approx(second.value - 0.999)
