"""The report of an evaluation: its figures are those of the record, and nothing in it comes from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from markupsafe import Markup

from minivess.ml.evaluation.report import counted
from minivess.ml.evaluation.report.charts import SQUARE, forests_of, precision_recall_of, reliability_of, strip_of
from minivess.ml.evaluation.report.facts import Fact, ReportFacts, TestSetAccess
from minivess.ml.evaluation.report.strata import StratumFigure, strata_of_report
from minivess.ml.evaluation.report.summary import summary_of, verdict_of
from minivess.records.data.dataset import LabelClass
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.evaluation import AnalysisPlan, Conventions, Criterion, EvaluationRecord
from minivess.records.evaluation.measures import MEASURES
from minivess.records.evaluation.recomputation import record_of
from minivess.records.evaluation.statistics.summaries import percent
from minivess.records.evaluation.subgroups.sections import sections_of
from minivess.records.models.task import SegmentationTask
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.builders.report_facts import album_of, case_arrays, report_facts
from tests.support.html_pages import Page
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings, strategies

with lazily(
    "minivess.ml.evaluation.report.outlines",
    "minivess.ml.evaluation.report.page",
    "minivess.ml.evaluation.report.tables",
):
    from minivess.ml.evaluation.report import outlines, page, tables

pytestmark = [pytest.mark.verifies("REQ-398"), pytest.mark.verifies("SU-152")]

DIGEST = f"sha256:{'6' * 64}"
HOSTILE = "<script>alert(1)</script>\"'></style><img src=https://example.org/x>{{ 7 * 7 }}"
TWO = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name=HOSTILE[:200])))
BY_GROUP = analysis_plan(statistics="mean of groups")


def record(*cases: CaseCounts, plan: object = BY_GROUP) -> EvaluationRecord:
    return counted_evaluation(cases, plan, model=DIGEST, data=DIGEST, request="r-1", look=1, looks=3)


def eight() -> list[CaseCounts]:
    return [
        counted_case(
            f"c{number}",
            overlap=(90 - 5 * number, 10 + number, 20 + number),
            conformal=(100 - 4 * number, 10),
            group=f"g{number // 2}",
        )
        for number in range(8)
    ]


def written(made: EvaluationRecord, facts: ReportFacts, folder: Path, pictures: object = None) -> Page:
    return Page(page.write_report(made, pictures, facts, folder / "report.html"))


def shown_of(found: Page, name: str, of_class: str = "") -> dict[str, str | None]:
    """The attributes of the figure of a measure, from its place in the page on."""
    places = [
        place
        for place, (tag, attributes) in enumerate(found.elements)
        if attributes.get("data-figure") == name and attributes.get("data-class") == of_class
    ]
    (start,) = places
    held: dict[str, str | None] = {}
    for _, attributes in found.elements[start + 1 :]:
        if "data-figure" in attributes:
            break
        held |= {key: value for key, value in attributes.items() if key.startswith("data-") and key not in held}
    return held


@pytest.mark.verifies("REQ-399")
def test_every_figure_is_that_of_the_record(tmp_path: Path) -> None:
    made = record(*eight())
    found = written(made, report_facts(BY_GROUP), tmp_path)
    named = {**made.aggregates, "baseline": made.baseline, "conformal_recall": made.conformal_recall}
    assert set(named) == {attributes["data-figure"] for _, attributes in found.elements if "data-figure" in attributes}
    for name, interval in named.items():
        assert interval is not None
        held = shown_of(found, name)
        assert float(held["data-value"] or "nan") == interval.mean
        assert (held["data-lower"], held["data-upper"]) == (repr(interval.lower), repr(interval.upper))
        assert f"{interval.mean:.{1 if name == 'hd95' else 3}f}" in found.text
        assert interval.basis in found.text
    cells = re.findall(
        r'<th scope="row">(c\d)</th><td>(g\d)</td>((?:<td class="figure[ a-z]*" data-value="[^"]*">[^<]*</td>)+)',
        found.source,
    )
    assert [name for name, _, _ in cells] == list(counted.mean_dice(made))
    rows = {row.case: row for row in made.cases}
    for name, group, figures in cells:
        values = [float(value) for value in re.findall(r'data-value="([^"]*)"', figures)]
        assert group == rows[name].group
        assert values == [*(rows[name].values[one.name] for one in made.measures), rows[name].baseline_dice]


@pytest.mark.verifies("REQ-399")
def test_the_figures_of_each_class_are_under_its_name(tmp_path: Path) -> None:
    task = SegmentationTask(classes=(LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein")))
    rows = [
        counted_case(f"c{number}", overlap=(90 - 30 * (name == "vein"), 10 + number, 20), of_class=name)
        for number in range(3)
        for name in ("artery", "vein")
    ]
    plan = evaluation_plan(BY_GROUP, digest=DIGEST, request="r", cases=["c0", "c1", "c2"], task=task)
    made = record_of(rows, plan)
    found = written(made, report_facts(BY_GROUP, task=task), tmp_path)
    for name, figures in made.classes.items():
        for measure, interval in figures.aggregates.items():
            assert float(shown_of(found, measure, name)["data-value"] or "nan") == interval.mean
    assert made.classes["artery"].aggregates["dice"].mean > made.classes["vein"].aggregates["dice"].mean
    cells = re.findall(
        r'<th scope="row">(c\d)</th><td>(\w+)</td><td>c\d</td><td class="figure" data-value="([^"]*)"', found.source
    )
    assert {(case, name): float(value) for case, name, value in cells} == {
        (row.case, row.of_class): row.dice for row in rows
    }


@pytest.mark.verifies("REQ-399")
def test_one_group_has_no_interval(tmp_path: Path) -> None:
    found = written(record(counted_case("only")), report_facts(BY_GROUP), tmp_path)
    assert "There is no interval: 1 independent group with 1 case." in found.text
    assert "There is one case, only, with a mean Dice of 0.857." in found.text
    assert shown_of(found, "dice")["data-lower"] == ""


@pytest.mark.verifies("REQ-400")
def test_the_legend_gives_each_colour_its_meaning(tmp_path: Path) -> None:
    pictures = album_of(case_arrays(f"c{number}", number / 8, seed=number) for number in range(8))
    found = written(record(*eight()), report_facts(BY_GROUP), tmp_path, pictures)
    legend = dict(re.findall(r'<li><i style="background: (#\w+)"></i>([^<]+)</li>', found.source))
    assert "missed" in legend[outlines.REFERENCE]
    assert "reference" in legend[outlines.REFERENCE]
    assert "added" in legend[outlines.PREDICTION]
    assert "prediction" in legend[outlines.PREDICTION]
    assert "both" in legend[outlines.BOTH]


@pytest.mark.verifies("REQ-399")
def test_shares_have_the_intervals_that_the_record_would_give_them() -> None:
    for plan in (BY_GROUP, analysis_plan()):
        made = record(*eight(), plan=plan)
        rows = counted.counted_rows(made.cases)
        assert counted.interval_of(made, rows, lambda row: row.dice, plan.seed) == made.aggregates["dice"]
    empty = counted_case("e", overlap=(0, 0, 0))
    assert counted.found_share(empty) is None
    assert counted.right_share(empty) is None
    assert counted.interval_of(record(empty), [empty], counted.found_share, 0) is None


@pytest.mark.verifies("REQ-399")
@pytest.mark.parametrize("plan", [BY_GROUP, analysis_plan()])
def test_the_gaps_of_a_reliability_diagram_add_up_to_the_calibration_error(plan: object) -> None:
    cases = [*eight(), counted_case("large", overlap=(900, 10, 300), voxels=9000, group="g0", conformal=(1200, 0))]
    made = record(*cases, plan=plan)
    for border, error in ((False, made.ece), (True, made.band_ece)):
        points = counted.bin_points(made, cases, border=border)
        assert math.isclose(math.fsum(one.share for one in points), 1)
        assert math.isclose(math.fsum(one.share * abs(one.confidence - one.frequency) for one in points), error)


@pytest.mark.verifies("REQ-399")
def test_precision_and_recall_weigh_each_group_the_same() -> None:
    small = counted_case("a", overlap=(50, 0, 50), voxels=1000)
    large = counted_case("b", overlap=(5000, 5000, 0), voxels=100_000)
    found = counted.precision_recall(record(small, large), [small, large])
    assert found[-1].threshold is None
    # a share of 0.05 and 0.05 right, of 0.05 and 0.10 marked, of 0.10 and 0.05 in the reference
    assert found[-1].precision == pytest.approx(0.1 / 0.15)
    assert found[-1].recall == pytest.approx(0.1 / 0.15)
    pooled = counted.precision_recall(record(small, large, plan=analysis_plan()), [small, large])
    assert pooled[-1].precision == pytest.approx(5050 / 10_050)
    assert pooled[-1].recall == pytest.approx(5050 / 5100)
    # predicted voxels have .9, missed ones .2: above both thresholds everything of the reference is found
    by_threshold = {round(one.threshold * 15): one for one in found if one.threshold is not None}
    assert by_threshold[13].recall == pytest.approx(found[-1].recall)
    assert by_threshold[3].recall == 1
    assert 14 not in by_threshold
    nothing = counted_case("n", overlap=(0, 5, 0))
    assert counted.precision_recall(record(nothing), [nothing]) == []


@pytest.mark.verifies("REQ-399")
def test_charts_are_drawn_where_the_figures_are() -> None:
    made = record(*eight())
    strip = strip_of(made, None, MEASURES["dice"], [Criterion(measure="dice", at_least=0.5)])
    low, high = float(strip.low), float(strip.high)
    assert strip.mean == pytest.approx(600 * (made.aggregates["dice"].mean - low) / (high - low), abs=2)
    assert len(strip.dots) == 8
    assert strip.limits[0].x == pytest.approx(600 * (0.5 - low) / (high - low), abs=2)
    diagram = reliability_of(made, None, border=False)
    assert diagram is not None
    for point, value in zip(diagram.points, counted.bin_points(made, list(made.cases), border=False), strict=True):
        assert point.x == pytest.approx(SQUARE * value.confidence, abs=0.1)
        assert point.y == pytest.approx(SQUARE * (1 - value.frequency), abs=0.1)
    curve = precision_recall_of(made, None)
    assert curve is not None
    assert curve.mark is not None
    figures = [
        StratumFigure("site", name, None, "dice", "Dice", 2, 2, mean, None, None, "")
        for name, mean in (("A", 0.2), ("B", 0.9), ("C", None))
    ]
    (forest,) = forests_of(made, figures)
    assert [row.mean is None for row in forest.rows] == [False, False, True]
    assert forest.rows[0].mean < forest.whole < forest.rows[1].mean
    assert float(forest.high) <= 1


@pytest.mark.verifies("REQ-403")
def test_hostile_words_are_words(tmp_path: Path) -> None:
    rows = [
        counted_case(f"c{number}", overlap=(90, 10, 20), of_class=one.name, group="g", subject="s").model_copy(
            update={"attributes": {"scanner": f"{HOSTILE[:50]}{number}"}}
        )
        for number in range(2)
        for one in TWO.classes
    ]
    plan = analysis_plan(
        Criterion(measure="dice", of_class=TWO.classes[1].name, at_least=0.5), statistics="mean of groups"
    )
    made = record_of(
        rows,
        evaluation_plan(plan, digest=DIGEST, request="r", cases=["c0", "c1"], task=TWO).model_copy(
            update={"groups": {"c0": "g", "c1": "g"}}
        ),
    )
    facts = report_facts(
        plan.model_copy(update={"notes": HOSTILE}),
        device=HOSTILE,
        intended_use=HOSTILE,
        data=HOSTILE,
        task=TWO,
        model=(Fact(term=HOSTILE, value=HOSTILE),),
        software=(Fact(term=HOSTILE, value=HOSTILE),),
        sections=(Fact(term=HOSTILE, value=HOSTILE),),
        not_covered=(HOSTILE,),
        access=TestSetAccess(
            used=1, requester=HOSTILE, approver=HOSTILE, purpose=HOSTILE, mode=HOSTILE, opened=report_facts().time
        ),
    )
    pictures = album_of(case_arrays(f"c{number}", classes=TWO.classes, seed=number) for number in range(2))
    found = written(made, facts, tmp_path, pictures)
    scripts = re.findall(r"<script>(.*?)</script>", found.source, re.DOTALL)
    assert len(scripts) == 1
    assert found.text.count(HOSTILE) >= 12
    assert found.text.count(HOSTILE[:50] + "1") >= 2
    assert "{{ 7 * 7 }}" in found.text
    assert not [link for link in found.links if "example.org" in link]
    assert {tag for tag, _ in found.elements if tag in {"img", "script", "style"}} <= {"img", "script", "style"}
    assert sum(tag == "style" for tag, _ in found.elements) == 1


@pytest.mark.verifies("REQ-403")
def test_a_further_section_is_put_in_only_when_it_is_marked_as_html() -> None:
    made, facts = record(*eight()), report_facts(BY_GROUP)
    html = '<section class="explanation"><h2>Explanation</h2></section>'
    assert html in page.report_page(made, None, facts, [Markup(html)])  # noqa: S704  a constant
    assert html not in page.report_page(made, None, facts, [html])
    assert "&lt;section class=" in page.report_page(made, None, facts, [html])


@pytest.mark.verifies("REQ-403")
def test_the_page_needs_nothing_else_and_runs_no_other_script(tmp_path: Path) -> None:
    pictures = album_of(case_arrays(f"c{number}", number / 8, seed=number) for number in range(8))
    found = written(record(*eight()), report_facts(BY_GROUP), tmp_path, pictures)
    assert found.links
    for link in found.links:
        assert link.startswith(("#", "data:image/png;base64,", "data:image/webp;base64,")), link
    assert {link[1:] for link in found.links if link.startswith("#")} <= found.ids
    assert "http" not in re.sub(r"data:image/[^\"]*", "", found.source).replace("http-equiv", "")
    assert "url(" not in found.source
    assert "@import" not in found.source
    (script,) = re.findall(r"<script>(.*?)</script>", found.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    assert f"script-src 'sha256-{digest}'" in found.policy
    assert "default-src 'none'" in found.policy
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]


@pytest.mark.verifies("REQ-403")
def test_sixty_cases_are_less_than_five_megabytes(tmp_path: Path) -> None:
    cases = [counted_case(f"c{number}", overlap=(90 - number, 10, 20)) for number in range(60)]
    made = record(*cases)
    pictures = album_of(
        case_arrays(row.case, row.dice, shape=(24, 320, 320) if number % 12 == 0 else (4, 64, 64), seed=number)
        for number, row in enumerate(made.cases)
    )
    path = page.write_report(made, pictures, report_facts(BY_GROUP), tmp_path / "report.html")
    assert 100_000 < path.stat().st_size < 5_000_000
    assert path.read_bytes() == page.report_page(made, pictures, report_facts(BY_GROUP)).encode("utf-8")


@pytest.mark.verifies("REQ-399")
def test_what_is_missing_is_named_in_a_sentence(tmp_path: Path) -> None:
    bare = written(
        record(*eight()), report_facts(BY_GROUP, pictures_withheld="the custodian gives out measures alone"), tmp_path
    )
    assert bare.text.count("There are no pictures of cases: the custodian gives out measures alone.") == 2
    for sentence in (
        "No acceptance criteria were registered.",
        "Who requested and approved the look is in the audit log.",
        "The plan does not state from which Dice a case has failed.",
        "Differences between sites, scanners, sexes, ages or diseases were not examined.",
    ):
        assert sentence in bare.text, sentence
    assert not [attributes for tag, attributes in bare.elements if tag == "img"]
    old = EvaluationRecord(
        model=DIGEST,
        data=DIGEST,
        request="r",
        threshold=0.5,
        conventions=Conventions(tolerance_um=2.0),
        cases=(CaseMeasures(case="a", subject="a", values={"dice": 0.5, "hd95_um": None}, baseline_dice=0.25),),
        aggregates={"dice": {"mean": 0.5, "lower": None, "upper": None, "n": 1}},
        baseline={"mean": 0.25, "lower": None, "upper": None, "n": 1},
        ece=0.1,
        band_ece=0.2,
        best="a",
        worst="a",
    )
    found = written(old, report_facts(), tmp_path)
    assert "All voxels: the record has no counts for a diagram. Expected calibration error 0.100." in found.text
    assert "the record has no counts for a curve" in found.text
    assert "The record has no figures of subgroups." in found.text
    assert "95th percentile Hausdorff distance is undefined for every case." in found.text
    sections = re.findall(r"<section id=\"([a-z-]+)\">\s*<h2>[^<]+</h2>(.*?)</section>", found.source, re.DOTALL)
    assert len(sections) == 11
    for name, content in sections:
        assert re.sub(r"<[^>]+>|\s", "", content), name


@given(
    strategies.lists(
        strategies.tuples(*[strategies.sampled_from([0, 0, 1, 7, 200])] * 3, strategies.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    strategies.sampled_from([BY_GROUP, analysis_plan()]),
    strategies.sampled_from(["test", "validation"]),
    strategies.sampled_from(["dice", "hd95", "failures", "dice_over_baseline"]),
)
@settings(max_examples=40)
def test_any_record_has_a_report(counts: list[tuple[int, ...]], plan: AnalysisPlan, part: str, limited: str) -> None:
    """A look is used when it is evaluated, so the page of a record with empty masks must not fail."""
    plan = plan.model_copy(update={"criteria": (Criterion(measure=limited, at_least=0.5, at_most=0.9),)})
    if plan.conventions.statistics == "mean of groups":
        plan = plan.model_copy(update={"conventions": plan.conventions.model_copy(update={"failure_dice": 0.5})})
    cases = [
        counted_case(f"c{place}", overlap=one[:3], group=f"g{one[3]}", subject=f"g{one[3]}")
        for place, one in enumerate(counts)
    ]
    made = record(*cases, plan=plan).model_copy(update={"part": None if part == "test" else part})
    text = page.report_page(made, None, report_facts(plan))
    assert all(f">{row.case}<" in text for row in made.cases)
    assert "nan" not in re.findall(r'data-value="([^"]*)"', text)


@pytest.mark.verifies("REQ-401", "RC-159")
@pytest.mark.parametrize("part", ["validation", "calibration"])
def test_another_part_is_marked_on_each_page_and_not_judged(tmp_path: Path, part: str) -> None:
    plan = analysis_plan(Criterion(measure="dice", at_least=0.01), statistics="mean of groups")
    whole = record(*eight(), plan=plan)
    made = whole.model_copy(update={"part": part})
    found = written(made, report_facts(plan), tmp_path)
    mark = (
        f"{part.capitalize()} part. Not the test set: these figures meet no acceptance criterion and no release gate."
    )
    assert found.source.count(mark) == 2  # on the screen, and in the margin of every printed page
    assert re.search(rf'@page {{[^@]*@bottom-right[^@]*@top-center {{ content: "{re.escape(mark)}"', found.source)
    assert "The sealed test set was not opened for this evaluation." in found.text
    assert "met" not in {text.strip() for text in re.findall(r">([^<]+)<", found.source)}
    assert made.reuse in found.text
    assert verdict_of(made, report_facts(plan)).judged == ()
    test = written(whole, report_facts(plan), tmp_path)
    assert "Not the test set" not in test.source
    assert "Acceptance criteria met" in test.text


@pytest.mark.verifies("REQ-402")
def test_the_verdict_and_the_summary_follow_from_the_record() -> None:
    plan = analysis_plan(
        Criterion(measure="dice", at_least=0.5),
        Criterion(measure="cldice", statistic="lower", at_least=0.999),
        statistics="mean of groups",
    )
    plan = plan.model_copy(update={"conventions": plan.conventions.model_copy(update={"failure_dice": 0.7})})
    made = record(*eight(), plan=plan)
    facts = report_facts(plan, task=SegmentationTask(classes=(LabelClass(value=1, name="vessel"),)))
    verdict = verdict_of(made, facts)
    assert (verdict.state, verdict.text) == ("failed", "The model misses 1 of 2 registered acceptance criteria.")
    answers = {one.question: " ".join(one.sentences) for one in summary_of(made, facts, strata_of_report(made, plan))}
    dice = made.aggregates["dice"]
    assert (
        f"The mean Dice is {dice.mean:.3f} ({dice.lower:.3f} to {dice.upper:.3f})."
        in answers["How good are the masks?"]
    )
    rows = [(90 - 5 * number, 10 + number, 20 + number) for number in range(8)]
    found = math.fsum(tp / (tp + fn) for tp, _, fn in rows) / 8
    right = math.fsum(tp / (tp + fp) for tp, fp, _ in rows) / 8
    assert re.search(rf"the model finds {100 * found:.0f} % \(\d+ % to \d+ %\)", answers["How good are the masks?"])
    assert re.search(rf"marks as vessel, {100 * right:.0f} % \(", answers["How good are the masks?"])
    assert (
        f"The worst of 8 cases is c7, with a mean Dice of {made.cases[-1].dice:.3f}."
        in answers["Where does the model fail?"]
    )
    failed = len({row.group for row in made.cases if row.dice < 0.7})
    assert f"In {failed} of 4 groups a case failed (Dice below 0.7)." in answers["Where does the model fail?"]
    assert f"{made.aggregates['dice_over_baseline'].mean:+.3f}" in answers["Is it better than a simple method?"]
    assert f"by {made.ece:.3f} on average" in answers["Can its probabilities be trusted?"]
    assert "4 independent groups with 8 cases" in answers["How certain are these figures?"]
    assert made.reuse in answers["How certain are these figures?"]


@pytest.mark.verifies("REQ-402")
def test_an_interval_that_covers_too_rarely_says_so() -> None:
    cases = [counted_case(f"c{number}", overlap=(99, 1, 1)) for number in range(5)] + [
        counted_case("bad", overlap=(1, 50, 99))
    ]
    made = record(*cases)
    dice = made.aggregates["dice"]
    assert dice.coverage is not None
    assert dice.coverage < 0.92
    first, found, right = summary_of(made, report_facts(BY_GROUP), strata_of_report(made, BY_GROUP))[0].sentences
    assert (
        f"({dice.lower:.3f} to {dice.upper:.3f}; such intervals contained the mean in {percent(dice.coverage)})"
        in first
    )
    assert re.search(r"finds 83 % \(\d+ % to \d+ %; such intervals contained the mean in \d[\d.]* %\)", found)
    assert "contained the mean in" in right


def scanned(overlap: tuple[int, int, int], number: int, scanner: str, **more: object) -> CaseCounts:
    """A case of a scanner, in a group of its own."""
    made = counted_case(f"{scanner.lower()}{number}", overlap=overlap, **more)
    return CaseCounts.model_validate({**made.model_dump(), "attributes": {"scanner": scanner}})


@pytest.mark.verifies("REQ-399")
def test_subgroups_are_those_of_the_record_worst_first(tmp_path: Path) -> None:
    made = record(
        *(scanned((90 - 20 * (one == "B"), 10 + number, 20), number, one) for one in "AB" for number in range(5))
    )
    (table,) = sections_of(made, BY_GROUP).subgroups
    found = [one for one in strata_of_report(made, BY_GROUP).figures if one.attribute == "scanner"]
    assert [one.stratum for one in found] == ["B", "A"]
    rows = {one.value: one for one in table.rows if one.attribute == "scanner"}
    for one in found:
        row = rows[one.stratum]
        assert (one.mean, one.groups, one.cases) == (row.mean, 5, 5)
        assert (one.lower, one.upper) == (row.interval.lower, row.interval.upper)
        assert row.rest.words() in one.note
    shown = written(made, report_facts(BY_GROUP), tmp_path)
    stated = re.findall(r'<li><b>([AB])</b><span class="number"><span data-value="([^"]*)">', shown.source)
    assert [(name, float(mean)) for name, mean in stated] == [(one.stratum, one.mean) for one in found]
    assert table.basis in shown.text
    assert "Differences between sites" not in shown.text


@pytest.mark.verifies("REQ-402")
def test_the_summary_names_empty_masks_the_weakest_subgroup_and_two_readers() -> None:
    cases = [scanned((70, 10, 40) if one == "B" else (90, 10, 20), number, one) for one in "AB" for number in range(5)]
    read = {"readers": {"dice": {"tp": 100, "fp": 5, "fn": 10}}}
    cases[0] = CaseCounts.model_validate({**cases[0].model_dump(), **read})
    made = record(scanned((0, 0, 20), 0, "missed"), scanned((0, 9, 0), 0, "added"), *cases)
    strata = strata_of_report(made, BY_GROUP)
    answers = {one.question: " ".join(one.sentences) for one in summary_of(made, report_facts(BY_GROUP), strata)}
    fails = answers["Where does the model fail?"]
    assert "The mask is empty although the reference is not: missed0." in fails
    assert "The mask is not empty although the reference is: added0." in fails
    assert f"with at least 5 groups is scanner B, with a mean Dice of {2 * 70 / (140 + 50):.3f}." in fails
    (reader,) = strata.readers
    assert answers["How well do two readers agree?"] == f"{reader.words}."
    assert f"two readers agree by {200 / 215:.3f}" in reader.words


@pytest.mark.verifies("REQ-399")
def test_precision_and_recall_have_the_fine_thresholds_where_the_record_has_scores() -> None:
    cases = [counted_case("a", overlap=(50, 5, 50), scored=True), counted_case("b", overlap=(40, 5, 20), scored=True)]
    found = counted.precision_recall(record(*cases), cases)
    assert {round(one.threshold * 100) for one in found if one.threshold is not None} == set(range(1, 91))
    bare = [row.model_copy(update={"scores": None, "border_scores": None}) for row in cases]
    coarse = counted.precision_recall(record(*bare), bare)
    assert found[-1] == coarse[-1]
    fine = {one.threshold: one for one in found if one.threshold is not None}
    for one in coarse[:-1]:
        if one.threshold in fine:
            assert fine[one.threshold] == one


@pytest.mark.verifies("REQ-400", "RC-160")
def test_the_cases_in_pictures_follow_from_the_record_and_the_seed() -> None:
    made = record(*eight())

    def chosen(order: Sequence[int], seed: int) -> dict[str, str]:
        pictures = album_of((case_arrays(f"c{number}", 1 - number / 8, shape=(2, 6, 6)) for number in order), seed=seed)
        return {one.case: one.why for one in tables.shown_cases(made, pictures, seed)}

    first = chosen(range(8), 0)
    assert {case: why for case, why in first.items() if why != "Random"} == {
        "c7": "Worst",
        "c4": "Median",
        "c0": "Best",
    }
    assert list(first.values()).count("Random") == 2
    assert chosen(range(7, -1, -1), 0) == first
    assert len({tuple(sorted(chosen(range(8), seed))) for seed in range(6)}) > 1
    single = record(counted_case("only"))
    (one,) = tables.shown_cases(single, album_of([case_arrays("only", shape=(2, 6, 6))]), 0)
    assert one.why == "Worst and median and best"
