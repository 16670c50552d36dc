"""Measuring robustness: what the model is given, what is counted, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.ml.robustness.measuring import RobustnessCase, RobustnessPlan, robustness
from minivess.ml.robustness.registry import perturbations_of
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.evaluation.robustness import RobustnessRecord, recomputed
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from tests.support.builders.robustness_rows import along, facts
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings, strategies

with lazily("minivess.ml.robustness.figures", "minivess.ml.robustness.page"):
    from minivess.ml.robustness import figures, page

pytestmark = pytest.mark.verifies("REQ-405")

Vessels = Callable[[int], tuple[NDArray[np.float32], NDArray[np.bool_]]]
MakeRecord = Callable[[str, str], CaseRecord]
TWO = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=3, name="vein")))


def predict(image: NDArray[np.float32], spacing: object = None) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-(image[np.newaxis] - 4.0)))).astype(np.float32)


class Bench:
    """Three cases, of which two are of one group."""

    def __init__(self, vessels: Vessels, case_record: MakeRecord) -> None:
        self.cases = [
            RobustnessCase(case_record(f"case-{seed}", f"mouse-{seed}"), *_pair(vessels(seed))) for seed in range(3)
        ]
        self.groups = {"case-0": "a", "case-1": "b", "case-2": "b"}
        self.given: list[tuple[tuple[int, ...], object]] = []

    def predict(self, image: NDArray[np.float32], spacing: object) -> NDArray[np.float32]:
        self.given.append((image.shape, spacing))
        return predict(image)

    def plan(self, *names: str, task: SegmentationTask = ONE_CLASS_OF_VOLUMES, **changes: Any) -> RobustnessPlan:
        made = facts(Criterion(measure="dice", at_least=0.8), classes=[one.name for one in task.classes])
        return RobustnessPlan(made, task, self.groups, perturbations_of(names), **changes)

    def run(self, *names: str, **changes: Any) -> RobustnessRecord:
        cases: Sequence[RobustnessCase] = changes.pop("cases", self.cases)
        answer = changes.pop("predict", self.predict)
        return robustness(iter(cases), answer, self.plan(*names, **changes))


def _pair(volume: tuple[NDArray[np.float32], NDArray[np.bool_]]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return volume[0], volume[1].astype(np.uint8)


@pytest.fixture
def bench(vessels: Vessels, case_record: MakeRecord) -> Bench:
    return Bench(vessels, case_record)


def dice_at(record: RobustnessRecord, name: str) -> list[float]:
    curve = next(one for one in record.curves if one.perturbation.name == name)
    return [level.classes["foreground"].aggregates["dice"].mean for level in (record.unchanged, *curve.levels)]


def test_a_stronger_noise_is_worse_and_the_change_is_paired(bench: Bench) -> None:
    record = bench.run("noise")
    found = dice_at(record, "noise")
    assert found == sorted(found, reverse=True)
    last = record.curves[0].levels[-1]
    assert last.classes["foreground"].changes["dice"].mean == pytest.approx(found[-1] - found[0])
    assert record.unchanged.classes["foreground"].changes == {}
    assert last.classes["foreground"].aggregates["dice"].groups == 2


def test_each_group_weighs_the_same(bench: Bench) -> None:
    record = bench.run("noise")
    dice = {row.case: row.dice for row in record.unchanged.rows}
    mean = (dice["case-0"] + (dice["case-1"] + dice["case-2"]) / 2) / 2
    assert dice_at(record, "noise")[0] == pytest.approx(mean)


def test_the_model_gets_the_spacing_of_the_changed_image(bench: Bench) -> None:
    bench.run("coarser", cases=bench.cases[:1])
    (_, first), *_, (shape, spacing) = bench.given
    assert first == (5.0, 1.0, 1.0)
    assert shape == (9, 31, 31)
    assert spacing == pytest.approx((5 * 12 / 9, 40 / 31, 40 / 31))


def test_a_model_that_sees_all_loses_little_by_other_voxels(bench: Bench) -> None:
    for name in ("coarser", "finer"):
        before, *after = dice_at(bench.run(name), name)
        assert before - min(after) < 0.08


def test_cases_that_the_intended_use_refuses_are_listed_and_counted(bench: Bench) -> None:
    record = bench.run("coarser", outside=lambda image, spacing: bool(spacing[1] > 1.15))
    assert record.unchanged.refused == ()
    assert [one.refused for one in record.curves[0].levels] == [(), *[("case-0", "case-1", "case-2")] * 2]
    assert all(len(one.rows) == 3 for one in record.curves[0].levels)


def test_where_no_bounds_are_known_nothing_is_said_of_refusals(bench: Bench) -> None:
    assert "refused" not in bench.run("noise").model_dump_json()


def test_several_classes_are_counted_each_against_everything_else(bench: Bench) -> None:
    cases = [
        RobustnessCase(one.record, one.image, np.where(np.arange(40) < 20, one.label, 3 * one.label))
        for one in bench.cases
    ]

    def ask(image: NDArray[np.float32], spacing: object) -> NDArray[np.float32]:
        artery = predict(image)[0]
        return np.stack([1 - artery, artery, np.zeros_like(artery)])

    record = robustness(iter(cases), ask, bench.plan("noise", task=TWO))
    figures_of = record.unchanged.classes
    assert figures_of["vein"].aggregates["dice"].mean == 0
    assert figures_of["artery"].aggregates["dice"].mean > 0.3
    assert figures_of["vein"].aggregates["failures"].mean == 1
    assert record.breakpoints[0].of_class in {"artery", "vein"}
    assert record.breakpoints[0].outcome == "unchanged"


def test_the_record_survives_json_and_follows_from_its_counts(bench: Bench) -> None:
    record = bench.run("motion", "missing-slices")
    again = RobustnessRecord.model_validate_json(record.model_dump_json())
    assert again == record == recomputed(again)
    assert bench.run("motion", "missing-slices") == record


def test_a_record_that_lacks_a_case_at_a_level_is_refused(bench: Bench) -> None:
    plain = bench.run("noise").model_dump(mode="json")
    plain["curves"][0]["levels"][1]["rows"].pop()
    with pytest.raises(ValueError, match="other cases or classes"):
        RobustnessRecord.model_validate(plain)


def test_what_cannot_be_measured_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no cases"):
        bench.run("noise", cases=[])
    with pytest.raises(UsageError, match="twice"):
        bench.run("noise", cases=[bench.cases[0]] * 2)
    bench.groups.pop("case-1")
    with pytest.raises(UsageError, match="'case-1' has no group"):
        bench.run("noise")
    short = RobustnessCase(bench.cases[0].record, bench.cases[0].image, bench.cases[0].label[1:])
    with pytest.raises(InputError, match="case-0"):
        bench.run("noise", cases=[short])
    with pytest.raises(RefusedError):
        bench.run("noise", cases=bench.cases[:1], predict=lambda image, _: predict(image)[0])


@given(values=strategies.lists(strategies.integers(0, 100), min_size=2, max_size=6), limit=strategies.integers(1, 99))
@settings(max_examples=60)
def test_a_criterion_holds_below_its_level_and_fails_at_it(values: list[int], limit: int) -> None:
    record = along(
        {"vessel": [value / 100 for value in values]}, Criterion(measure="dice", at_least=limit / 100), cases=2
    )
    (found,) = record.breakpoints
    failing = [level for level, value in enumerate(values) if value < limit]
    if not failing:
        assert found.at is None
    elif failing[0] == 0:
        assert found.outcome == "unchanged"
        assert found.at == 0
    else:
        assert list(found.between or ()) == [failing[0] - 1, failing[0]]
        assert found.at is not None
        low = failing[0] - 1
        at_break = values[low] + (found.at - low) * (values[low + 1] - values[low])
        assert at_break == pytest.approx(limit)


@pytest.mark.verifies("REQ-406")
def test_the_figure_is_the_same_bytes_twice_and_the_page_is_whole(bench: Bench) -> None:
    record = bench.run("noise", "coarser", outside=lambda image, spacing: bool(spacing[1] > 1.15))
    svg = figures.curves(record, "dice")
    assert svg == figures.curves(record, "dice")
    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314  our own bytes
    text = page.robustness_page(record, device="<toy> 1.0")
    assert "&lt;toy&gt; 1.0" in text
    assert "http" not in text.replace("http-equiv", "")
    for curve in record.curves:
        for level in curve.levels:
            assert f"{level.classes['foreground'].aggregates['dice'].mean:.3f}" in text
    assert "3 of 3" in text
    section = page.robustness_section(record)
    assert section.lstrip().startswith("<section")
    assert section in text


def test_progress_names_the_case(bench: Bench) -> None:
    heard: list[tuple[str, int, int]] = []
    robustness(_one(bench), predict, bench.plan("noise"), progress=lambda *told: heard.append(told))
    assert heard == [("perturbing case-0", number, 3) for number in (1, 2, 3)]


def _one(bench: Bench) -> Iterator[RobustnessCase]:
    yield bench.cases[0]


@pytest.mark.verifies("REQ-406")
@pytest.mark.parametrize(
    ("dice", "limits", "sentence"),
    [
        ((0.9, 0.9), (0.8,), "Every criterion holds at all levels of all perturbations."),
        ((0.9, 0.7), (0.8,), "A criterion fails within the levels of: Noise."),
        (
            (0.9, 0.7),
            (0.95, 0.8),
            "already: Dice, mean at least 0.95. Another criterion fails within the levels of: Noise.",
        ),
        ((0.9, 0.9), (0.95, 0.8), "already: Dice, mean at least 0.95. Every other criterion holds at all levels."),
        ((0.9, 0.9), (0.95,), "already: Dice, mean at least 0.95.</p>"),
    ],
)
def test_the_first_sentence_says_what_fails(dice: tuple[float, ...], limits: tuple[float, ...], sentence: str) -> None:
    criteria = [Criterion(measure="dice", at_least=limit) for limit in limits]
    assert sentence in page.robustness_section(along({"vessel": dice}, *criteria))


@pytest.mark.verifies("REQ-406")
def test_a_class_is_named_where_the_criterion_does_not_name_it() -> None:
    criteria = [Criterion(measure="dice", at_least=0.8), Criterion(measure="dice", of_class="vein", at_least=0.8)]
    text = page.robustness_section(along({"artery": (0.9, 0.9), "vein": (0.9, 0.7)}, *criteria))
    assert text.count("(between 0 and 1), vein") == 1
    assert "Dice of vein, mean at least 0.8" in text


@pytest.mark.verifies("REQ-405")
def test_a_measure_that_was_not_counted_is_unknown_and_an_undefined_one_fails() -> None:
    record = along({"vessel": (0.9, 0.7)}, Criterion(measure="cldice", at_least=0.8), cases=1)
    assert record.breakpoints[0].outcome == "unknown"
    one = along({"vessel": (0.9, 0.9)}, Criterion(measure="dice", statistic="lower", at_least=0.1), cases=1)
    assert one.breakpoints[0].outcome == "unchanged"


@pytest.mark.verifies("REQ-406")
@pytest.mark.parametrize(
    ("cases", "words"),
    [(3, "With 3 groups their coverage cannot be simulated."), (5, "they contained the mean in")],
)
def test_the_page_states_how_often_its_intervals_cover(cases: int, words: str) -> None:
    assert words in page.robustness_section(along({"vessel": (0.9, 0.8)}, cases=cases))
