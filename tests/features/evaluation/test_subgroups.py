"""Steps of features/subgroups.feature."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.sealed.measures import emit_subgroups
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.figures import check_figures
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.evaluation.report.page import report_page
from minivess.ml.evaluation.statistical_criteria import judge_criterion
from minivess.ml.measures import distances, hd95, nsd
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.shapes.skeletons import skeleton
from minivess.ml.measures.shapes.surface import border
from minivess.ml.reading.sources import case_sources, read_table
from minivess.records.data.dataset import CaseRecord
from minivess.records.data.source import Data
from minivess.records.evaluation.case_results import CriterionVerdict
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import OverlapCounts
from minivess.records.evaluation.counted.places import MissedPlaces
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.subgroups.figures import Subgroup, SubgroupTable, WorstCase, subgroups, worst_cases
from minivess.records.evaluation.subgroups.readers import reader_figure
from minivess.records.items.items import StatisticalCriterion
from minivess.records.models.task import SegmentationTask
from minivess.workflows.trace.statistical_criteria import read_cases
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import TWO_CLASSES
from tests.support.builders.report_facts import report_facts
from tests.support.verify_script import verify

scenarios("subgroups.feature")

DIGEST = f"sha256:{'8' * 64}"
PLAN = analysis_plan(statistics="mean of groups", bootstrap=200)


@dataclass
class Story:
    rows: list[CaseCounts] = field(default_factory=list)
    table: SubgroupTable | None = None
    worst: tuple[WorstCase, ...] = ()
    record: EvaluationRecord | None = None
    verdict: CriterionVerdict | None = None
    folder: Path = Path()
    data: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    error: Exception | None = None
    shown: str = ""
    images: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    masks: dict[str, NDArray[np.uint8]] = field(default_factory=dict)

    def evaluation(self) -> EvaluationRecord:
        return counted_evaluation(self.rows, PLAN, model=DIGEST, data=DIGEST, request="r", looks=1)

    def row(self, attribute: str, value: str) -> Subgroup:
        assert self.table is not None
        return next(one for one in self.table.rows if (one.attribute, one.value) == (attribute, value))


def _data(story: Story) -> Data:
    stated = story.data or {"table": "cases.csv"}
    return Data.model_validate({"name": "d", "licence": "x", "source": "y", "root": ".", **stated})


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(folder=tmp_path)


def animals(
    site: str | None, count: int, *, wrong: int, scanner: str | None = None, stack: str = ""
) -> list[CaseCounts]:
    """One case each of some animals, all with a reference of 110 voxels; animal k misses `wrong` and k voxels more."""
    attributes = {name: value for name, value in (("site", site), ("scanner", scanner)) if value is not None}
    start = site or "none"
    return [
        counted_case(
            f"{start}{number}{stack}", overlap=(110 - wrong - number, 5, wrong + number), group=f"{start}{number}"
        ).model_copy(update={"attributes": attributes})
        for number in range(count)
    ]


@given("a table of cases with the columns disease, sex, age and attributes")
def _(story: Story) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 1
    for name in ("i", "j"):
        np.save(
            story.folder / f"{name}.npy",
            np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32) + (name == "j"),
        )
    np.save(story.folder / "m.npy", mask)
    (story.folder / "cases.csv").write_text(
        "id,subject,image,label,disease,sex,age,attributes\n"
        "a,s,i.npy,m.npy,stroke,female,67.25,stain=DAPI; strain=C57BL/6\n"
        "b,t,j.npy,m.npy,,,,\n",
        encoding="utf-8",
    )


@given("images that are paired by name, and a participants.tsv of BIDS with age and sex of each subject")
def _(story: Story) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[4:8, 4:8] = 1
    for number, name in enumerate(("s1", "s2")):
        for folder, array in (
            ("i", np.random.default_rng(number).normal(size=(16, 16)).astype(np.float32)),
            ("l", mask),
        ):
            (story.folder / folder).mkdir(exist_ok=True)
            np.save(story.folder / folder / f"{name}.npy", array)
    (story.folder / "participants.tsv").write_text(
        "participant_id\tage\tsex\nsub-s1\t71\tF\nsub-s2\t8\tM\n", encoding="utf-8"
    )
    story.data = {"pairs": {"images": "i/*.npy", "labels": "l/*.npy"}, "attributes": "participants.tsv"}


@then("the record of each case has the sex and the band of the age of its subject")
def _(story: Story) -> None:
    assert {name: case["attributes"] for name, case in _cases(story).items()} == {
        "s1": {"age": "70 to 79 years", "sex": "female"},
        "s2": {"age": "0 to 9 years", "sex": "male"},
    }


@then("a table that names none of the subjects is refused")
def _(story: Story) -> None:
    (story.folder / "participants.tsv").write_text("participant_id\tage\nsub-z\t71\n", encoding="utf-8")
    with pytest.raises(InputError, match="names no participant_id of the project"):
        case_sources(_data(story), story.folder)


@given("a table of 2 cases, one of them with the mask of a second reader who misses the thin vessel")
def _(story: Story) -> None:
    first = np.zeros((24, 40), np.uint8)
    first[4:11] = 1
    first[20] = 1
    second = first.copy()
    second[18:] = 0
    rng = np.random.default_rng(1)
    for name, array in (("i", rng.normal(size=first.shape)), ("j", rng.normal(size=first.shape))):
        np.save(story.folder / f"{name}.npy", array.astype(np.float32))
    for name, mask in (("m", first), ("n", second)):
        np.save(story.folder / f"{name}.npy", mask)
        story.masks[name] = mask
    (story.folder / "cases.csv").write_text(
        "id,subject,image,label,second_label\na,s,i.npy,m.npy,n.npy\nb,t,j.npy,m.npy,\n", encoding="utf-8"
    )


@then("the record of that case has the digest of the second mask and the counts of Dice and clDice of both readers")
def _(story: Story) -> None:
    case = _cases(story)["a"]
    written = io.BytesIO()
    np.lib.format.write_array(written, story.masks["n"], version=(1, 0))
    assert case["second_label"] == digest_bytes(written.getvalue())
    lines = [int(skeleton(story.masks[name] > 0).sum()) for name in "nm"]
    of_class = dict(case["readers"][0])
    assert of_class.pop("surfaces")["borders"] == [int(border(story.masks[name] > 0).sum()) for name in "nm"]
    assert of_class == {
        "value": 1,
        "overlap": [280, 0, 40],
        "skeleton": [lines[0], lines[0], lines[0], lines[1]],
    }
    assert not {"second_label", "readers"} & set(_cases(story)["b"])


@then("no second mask is in the folder of the prepared cases")
def _(story: Story) -> None:
    arrays = [np.load(path) for path in (story.folder / "out").rglob("*.npy")]
    assert len(arrays) == 4
    assert not any(np.array_equal(one, story.masks["n"]) for one in arrays)


@when("a model that answers the first reader's mask is evaluated on the cases")
def _(story: Story) -> None:
    cases = [CaseRecord.model_validate(one) for one in story.plain["cases"]]
    images = {one.id: story.masks["m"].astype(np.float32) for one in cases}
    analysis = analysis_plan()
    unit = analysis.conventions.model_copy(update={"unit": "px"})
    plan = evaluation_plan(
        analysis.model_copy(update={"conventions": unit}),
        digest=DIGEST,
        request="r",
        cases=images,
        task=SegmentationTask(axes="yx"),
    )
    pairs = ((one, images[one.id]) for one in cases)
    story.record = evaluate(pairs, lambda image, _: image[np.newaxis], lambda _: story.masks["m"], plan)[0]


@then("the row of that case has the counts of the readers, and that of the other case has none")
def _(story: Story) -> None:
    assert story.record is not None
    with_two, with_one = json.loads(story.record.model_dump_json())["cases"]
    assert with_two["readers"]["dice"] == {"tp": 280, "fp": 0, "fn": 40}
    assert set(with_two["readers"]) == {"dice", "cldice", "nsd", "hd95", "distances"}
    assert with_two["counts"]["dice"] == {"tp": 320, "fp": 0, "fn": 0}
    assert "readers" not in with_one
    assert verify.fit(with_two, "case", "the case") == with_two
    with_two["readers"]["dice"]["tp"] += 1
    with pytest.raises(ValidationError, match="the first reader's mask has 321 voxels"):
        CaseCounts.model_validate(with_two)


@then("NSD, HD95, HD, ASSD and MASD of the readers are those of both masks, at the tolerance of the plan")
def _(story: Story) -> None:
    assert story.record is not None
    rule, row = story.record.conventions, story.record.cases[0]
    assert isinstance(row, CaseCounts)
    pair = CasePair.of(story.masks["n"] > 0, story.masks["m"] > 0, (1.0, 1.0))
    assert row.readers["nsd"] == nsd.count(pair, rule)
    assert row.readers["hd95"] == hd95.count(pair, rule)
    assert row.readers["distances"] == distances.count(pair, rule)
    assert hd95.count(pair, rule).measure != 0


@then("the report has a table of the readers beside the model, with the unit of the distances")
def _(story: Story) -> None:
    assert story.record is not None
    found = reader_figure(story.record, "hd95", seed=0)
    assert found is not None
    assert found.words.startswith(
        f"hd95 (px): two readers are {found.readers:.2f} apart, the model and the first reader 0.00"
    )
    page = report_page(story.record, None, report_facts(PLAN))
    table = page[page.index("<h3>Two readers</h3>") :]
    table = table[: table.index("</table>")]
    assert re.findall(r'<th scope="row">([^<]+)</th>', table) == [
        "Dice",
        "clDice",
        "Normalised surface distance",
        "95th percentile Hausdorff distance (px)",
    ]
    assert f'data-value="{found.readers}">{found.readers:.2f}<' in table


@given("8 animals whose readers agree better than the model does with the first reader")
def _(story: Story) -> None:
    held = OverlapCounts(tp=105, fp=5, fn=5)
    story.rows = animals("A", 8, wrong=20) + animals("B", 2, wrong=1)
    story.rows[:8] = [row.model_copy(update={"readers": {"dice": held}}) for row in story.rows[:8]]


@when("the readers are compared with the model")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    emit_subgroups(story.evaluation(), PLAN)
    story.shown = capsys.readouterr().out


@then("the gap is below 0 with an interval of paired differences, over the cases of two readers alone")
def _(story: Story) -> None:
    found = reader_figure(story.evaluation(), "dice", seed=0)
    assert found is not None
    values = [row.dice for row in story.rows[:8]]
    assert (found.cases, found.groups, found.gap.shared) == (8, 8, 8)
    assert found.readers == pytest.approx(210 / 220)
    assert found.model == pytest.approx(math.fsum(values) / 8)
    assert found.gap.upper is not None
    assert found.gap.value == pytest.approx(found.model - found.readers)
    assert found.gap.value < found.gap.upper < 0
    assert found.model_interval is not None
    shared = reader_figure(story.evaluation(), "iou", seed=0)
    assert shared is not None
    assert shared.readers == pytest.approx(105 / 115)
    assert reader_figure(story.evaluation(), "cldice", seed=0) is None


@then("it is printed after the subgroups")
def _(story: Story) -> None:
    assert "dice: two readers agree by 0.955, the model and the first reader by 0." in story.shown
    assert "8 cases of 8 groups" in story.shown


@when("the cases are ingested")
def _(story: Story) -> None:
    data = _data(story)
    story.plain = json.loads(ingest(data, story.folder, story.folder / "out").model_dump_json())


def _cases(story: Story) -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in story.plain["cases"]}


@then("the record of a case has its disease, its sex, the band of its age and its other attributes")
def _(story: Story) -> None:
    assert _cases(story)["a"]["attributes"] == {
        "age": "60 to 69 years",
        "disease": "stroke",
        "sex": "female",
        "stain": "DAPI",
        "strain": "C57BL/6",
    }


@then("the age of no case is in the records")
def _(story: Story) -> None:
    written = [path.read_text(encoding="utf-8") for path in (story.folder / "out").rglob("*.json")]
    assert len(written) > 1
    assert not any("67.25" in text for text in (*written, json.dumps(story.plain)))


@then("a case without attributes is written as before")
def _(story: Story) -> None:
    assert "attributes" not in _cases(story)["b"]


@when(parsers.parse('a case states the attributes "{stated}"'))
def _(story: Story, stated: str) -> None:
    table = story.folder / "cases.csv"
    table.write_text(f"id,subject,image,label,attributes\na,s,i.npy,m.npy,{stated}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_table(table, shown="cases.csv")
    story.error = caught.value


@then(parsers.parse('it is refused with "{words}"'))
def _(story: Story, words: str) -> None:
    assert words in str(story.error)


@given("two volumes from the sites A and B")
def _(story: Story) -> None:
    for name in "AB":
        mask = np.zeros((8, 12, 12), np.uint8)
        mask[2:5, 3:6, 2:10] = 1
        story.masks[name], story.images[name] = mask, mask.astype(np.float32)


def _record(name: str, shape: tuple[int, ...], site: str) -> CaseRecord:
    return CaseRecord(
        id=name,
        subject=name,
        acquisition=name,
        axes="zyx" if len(shape) == 3 else "yx",
        shape=shape,
        spacing=(2.0, 1.0, 1.0)[-len(shape) :],
        modality="two-photon microscopy",
        site=site,
        image=DIGEST,
        label=DIGEST,
        source_dtype="float32",
        label_values=(0, 1),
        foreground_fraction=0.1,
    )


def _evaluated(story: Story) -> EvaluationRecord:
    axes = "zyx" if next(iter(story.images.values())).ndim == 3 else "yx"
    plan = evaluation_plan(
        analysis_plan(), digest=DIGEST, request="r", cases=story.images, task=SegmentationTask(axes=axes)
    )
    pairs = ((_record(name, image.shape, name), image) for name, image in story.images.items())
    return evaluate(pairs, lambda image, _: image[np.newaxis], story.masks.__getitem__, plan)[0]


@when("a predictor is evaluated on them")
def _(story: Story) -> None:
    story.record = _evaluated(story)


@then("each row has site, modality and the band of its depth")
def _(story: Story) -> None:
    assert story.record is not None
    for row, site in zip(story.record.cases, "AB", strict=True):
        assert isinstance(row, CaseCounts)
        assert row.attributes == {"depth": "10 to 20 µm", "modality": "two-photon microscopy", "site": site}


@then("both verifiers read the row")
def _(story: Story) -> None:
    assert story.record is not None
    plain = json.loads(story.record.model_dump_json())
    assert EvaluationRecord.model_validate_json(json.dumps(plain)) == story.record
    assert verify.fit(plain["cases"][0], "case", "the case") == plain["cases"][0]
    plain["cases"][0]["errors"]["missed"]["radius"] = [[1, 2]]
    with pytest.raises(verify.WrongError):
        verify.fit(plain["cases"][0], "case", "the case")


@given(parsers.parse("8 animals of site A with good masks and {count:d} animals of site B with bad masks"))
def _(story: Story, count: int) -> None:
    rows = animals("A", 8, wrong=5) + animals("B", count, wrong=50)
    story.rows = [
        row.model_copy(update={"attributes": {**row.attributes, "scanner": "XY"[place % 2]}})
        for place, row in enumerate(rows)
    ]


@given("8 animals of site A and 6 animals of no site")
def _(story: Story) -> None:
    story.rows = animals("A", 8, wrong=5) + animals(None, 6, wrong=5)


@given("8 animals that were each imaged on the scanners X and Y")
def _(story: Story) -> None:
    first = animals("A", 8, wrong=5, scanner="X", stack="x")
    second = animals("A", 8, wrong=9, scanner="Y", stack="y")
    second[0] = counted_case("A0y", overlap=(90, 5, 20), group="A0").model_copy(
        update={"attributes": second[0].attributes}
    )
    story.rows = first + second


@when("the subgroups are computed by Dice")
def _(story: Story) -> None:
    story.table = subgroups(story.evaluation(), "dice", seed=0)


@then("site B is first, with its mean, its interval and its gap to the rest")
def _(story: Story) -> None:
    assert story.table is not None
    first, values = story.table.rows[0], [row.dice for row in story.rows if row.attributes["site"] == "B"]
    others = [row.dice for row in story.rows if row.attributes["site"] == "A"]
    assert (first.attribute, first.value, first.groups, first.cases) == ("site", "B", 8, 8)
    assert first.mean == pytest.approx(math.fsum(values) / 8)
    assert first.interval is not None
    assert first.interval.lower < first.mean < first.interval.upper
    assert first.rest is not None
    assert first.rest.value == pytest.approx((math.fsum(values) - math.fsum(others)) / 8)
    assert first.rest.upper is not None
    assert first.rest.upper < 0
    assert first.best == first.rest.model_copy(update={"adjusted": None})


@then("the gap has a simulated coverage and a P value that is adjusted for all divisions")
def _(story: Story) -> None:
    assert story.table is not None
    gap = story.table.rows[0].rest
    assert gap is not None
    assert gap.coverage is not None
    assert 0.8 < gap.coverage <= 1
    assert gap.p is not None
    assert story.table.comparisons == 2  # by site and by scanner
    assert gap.adjusted == 2 * gap.p
    assert "simulated" in gap.basis


@then("the interval of the gap between the scanners is that of paired differences")
def _(story: Story) -> None:
    held = {row.case: row.dice for row in story.rows}
    differences = [held[f"A{number}y"] - held[f"A{number}x"] for number in range(8)]
    mean = math.fsum(differences) / 8
    error = math.sqrt(math.fsum((one - mean) ** 2 for one in differences) / (8 * 7))
    gap = story.row("scanner", "Y").rest
    assert gap is not None
    assert gap.shared == 8
    assert gap.lower == pytest.approx(
        mean - 2.364624251592784 * error, abs=1e-12
    )  # t of 95 % with 7 degrees of freedom


@then('site B is first, without an interval and with "too few groups"')
def _(story: Story) -> None:
    assert story.table is not None
    first = story.table.rows[0]
    assert (first.attribute, first.value, first.groups, first.interval) == ("site", "B", 4, None)
    assert "too few groups for an interval: 4, and 5 are needed" in first.note


@then("its gap to the rest has no interval")
def _(story: Story) -> None:
    gap = story.row("site", "B").rest
    assert gap is not None
    assert (gap.lower, gap.upper, gap.p, gap.coverage) == (None,) * 4
    assert gap.value < 0


@then('one subgroup of the site is "not stated", with 6 groups')
def _(story: Story) -> None:
    assert story.row("site", "not stated").groups == 6
    assert story.row("site", "A").groups == 8


@when("the 3 worst cases are listed")
def _(story: Story) -> None:
    story.worst = worst_cases(story.evaluation(), "dice", 3)


@then("they are of site B, the worst first")
def _(story: Story) -> None:
    assert [one.case for one in story.worst] == ["B3", "B2", "B1"]
    assert {one.attributes["site"] for one in story.worst} == {"B"}


@given(parsers.re(r"a (?P<image>volume|plane) with a thick vessel and a thin vessel"))
def _(story: Story, image: str) -> None:
    shape = (20, 24, 40) if image == "volume" else (24, 40)
    mask = np.zeros(shape, np.uint8)
    if image == "volume":
        mask[5:12, 4:11, :] = 1
        mask[16, 20, :] = 1
    else:
        mask[4:11, :] = 1
        mask[20, :] = 1
    story.masks["a"] = mask
    seen = mask.copy()
    seen[..., 18:, :] = 0
    story.images["a"] = seen.astype(np.float32)


@when("a predictor that misses the thin vessel is evaluated")
def _(story: Story) -> None:
    story.record = _evaluated(story)


def _missed(story: Story) -> MissedPlaces:
    assert story.record is not None
    row = story.record.cases[0]
    assert isinstance(row, CaseCounts)
    assert row.errors is not None
    return row.errors.missed


@then("the missed voxels are those with the radius of the thin vessel")
def _(story: Story) -> None:
    thin, *thick = _missed(story).radius
    assert (thin.whole, thin.wrong) == (40, 40)
    assert thick
    assert sum(one.wrong for one in thick) == 0


@then("one of two components is missed as a whole")
def _(story: Story) -> None:
    assert sum(one.whole for one in _missed(story).components) == 2
    assert sum(one.wrong for one in _missed(story).components) == 1


@then("the sums of each table are those of Dice")
def _(story: Story) -> None:
    assert story.record is not None
    row = story.record.cases[0]
    assert isinstance(row, CaseCounts)
    flat = story.masks["a"].ndim == 2
    for name, places in _missed(story):
        if name == "components" or (name == "depth" and flat):
            continue
        assert (sum(one.whole for one in places), sum(one.wrong for one in places)) == (row.overlap.reference, 40)
    assert (_missed(story).depth == ()) == flat


@when("a missed voxel is added to a table of places")
def _(story: Story) -> None:
    story.plain = json.loads(_evaluated(story).cases[0].model_dump_json())
    story.plain["errors"]["missed"]["depth"][0][2] += 1


@then("reading the row is refused, and the message names the table")
def _(story: Story) -> None:
    with pytest.raises(ValidationError, match=r"41 of .* voxels missed by depth, and 40 of"):
        CaseCounts.model_validate(story.plain)


@when("a criterion on Dice by site is judged by the file of the evaluation")
def _(story: Story) -> None:
    path = story.folder / "evaluation.json"
    path.write_text(story.evaluation().model_dump_json(), encoding="utf-8")
    criterion = StatisticalCriterion.model_validate(
        {
            "id": "SAC-01",
            "verifies": ["REQ-024"],
            "title": "Dice at each site",
            "statement": "Dice at each site.",
            "source": {"path": "x", "line": 1},
            "measure": "dice",
            "statistic": "mean",
            "bound": "lower",
            "at_least": 0.7,
            "minimum_cases": 3,
            "strata": ["site"],
        }
    )
    story.verdict = judge_criterion(criterion, read_cases(path), seed=0, resamples=200)


@then("it is met at site A and not at site B")
def _(story: Story) -> None:
    assert story.verdict is not None
    assert [(one.stratum, one.met) for one in story.verdict.strata] == [({"site": "A"}, True), ({"site": "B"}, False)]


@when("the evaluation is printed")
def _(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    emit_subgroups(story.evaluation(), PLAN)
    story.shown = capsys.readouterr().out


@then("the table names site B before site A, with groups, intervals and gaps")
def _(story: Story) -> None:
    lines = story.shown.splitlines()
    assert lines[1].split("  ")[0] == "dice by subgroup"
    (bad,), (good,) = ([line for line in lines if line.startswith(f"site: {site} ")] for site in "BA")
    assert lines.index(bad) < lines.index(good)
    assert bad.split()[2] == "8"
    assert " to " in bad
    assert "-0." in bad


@then("it says that intervals are not adjusted")
def _(story: Story) -> None:
    assert "not adjusted for the number of subgroups" in story.shown


RECORD, DATA = "data/evaluation/evaluation.json", "data/datasets/manifest.json"


@given("a pack of a model with the classes 1 artery and 2 vein, with attributes, places of errors and readers")
def _(story: Story) -> None:
    story.files = dict(small_pack(task=TWO_CLASSES).files)
    record, data = (json.loads(story.files[name]) for name in (RECORD, DATA))
    for row in record["cases"]:
        dice, row["attributes"] = row["counts"]["dice"], {"sex": "male", "site": "Graz"}
        missed, false = [2, dice["tp"] + dice["fn"], dice["fn"]], [1, dice["tp"] + dice["fp"], dice["fp"]]
        row["errors"] = {
            "missed": {"radius": [missed], "size": [missed], "components": [[0, 3, 1]], "border": [missed]},
            "false": {"size": [false], "components": [[0, 3, 1]], "border": [false]},
        }
        lines = {"predicted_inside": 1, "predicted": 2, "reference_inside": 1, "reference": 2}
        near = {"predicted_within": 1, "predicted": 2, "reference_within": 1, "reference": 2}
        row["readers"] = {"dice": dice, "cldice": lines, "nsd": near}
    for one in data["cases"]:
        one["attributes"] = {"sex": "male"}
    story.files |= {RECORD: canonical(record), DATA: canonical(data)}
    chain, _ = judged()
    check_figures(story.files, chain)
    assert verified(story.files) is None


def _first(value: Any, *steps: Any) -> Any:
    for step in ("cases", 0, *steps):
        value = value[step]
    return value


PACK_FAULTS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a missed voxel that is counted twice": (
        RECORD,
        lambda value: _first(value, "errors", "missed", "radius", 0).__setitem__(1, 10**6),
    ),
    "false voxels in bins of the wrong order": (
        RECORD,
        lambda value: _first(value, "errors", "false", "components").append([0, 1, 1]),
    ),
    "more missed components than there are": (
        RECORD,
        lambda value: _first(value, "errors", "missed", "components", 0).__setitem__(2, 4),
    ),
    "a larger mask of the first reader": (
        RECORD,
        lambda value: _first(value).update(
            readers={"dice": {**_first(value, "counts", "dice"), "fn": _first(value, "counts", "dice", "fn") + 1}}
        ),
    ),
    "a skeleton of a reader inside nothing": (
        RECORD,
        lambda value: _first(value, "readers", "cldice").update(predicted_inside=3),
    ),
    "a border of a reader that is too near": (
        RECORD,
        lambda value: _first(value, "readers", "nsd").update(reference_within=3),
    ),
    "other attributes of one class": (RECORD, lambda value: _first(value, "attributes").update(site="Wien")),
    "another sex than in the data set": (
        RECORD,
        lambda value: [row["attributes"].update(sex="female") for row in value["cases"][:2]],
    ),
}


@when(parsers.parse("the pack has {fault}"))
def _(story: Story, fault: str) -> None:
    name, change = PACK_FAULTS[fault]
    value = json.loads(story.files[name])
    change(value)
    story.files[name] = canonical(value)


@cache
def judged() -> tuple[JudgedChain, Any]:
    """The chain of the true pack as the product has it, and the pack as the script has it once its log was judged."""
    pack = small_pack(task=TWO_CLASSES)
    read = verify.Pack(dict(pack.files), None)
    read.check_log()
    return judge_chain(pack.log.facts.entries)[1], read


def verified(files: dict[str, bytes]) -> str | None:
    """What the script says of the figures of a pack; None when it accepts them."""
    again = verify.Pack(files, None)
    for name in ("bodies", "leaves", "origin", "people", "standing"):
        setattr(again, name, getattr(judged()[1], name))
    again.check_layout()
    again.release.check_chain()
    try:
        again.release.check_figures()
    except verify.WrongError as error:
        return str(error)
    return None


@then(parsers.parse('both verifiers refuse it and name "{words}"'))
def _(story: Story, words: str) -> None:
    with pytest.raises(MinivessError) as product:
        check_figures(story.files, judged()[0])
    assert words in product.value.message
    assert words in (verified(story.files) or "")
