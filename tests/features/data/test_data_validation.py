"""Steps of features/data_validation.feature."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import UsageError
from minivess.ml.cases.prepared import mark_sealed
from minivess.ml.quality import profile, survey, validation
from minivess.ml.quality.duplicates.search_limits import LIMITS
from minivess.ml.quality.pages import leakage_page, validation_page
from minivess.ml.quality.pages.case_pictures import outline_colours
from minivess.ml.quality.rule_catalogue import RULES, TEXTS
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.data.findings import grouped, lines
from minivess.records.data.leakage import Bond, Leak, LeakageReport
from minivess.records.data.split import Part
from minivess.records.data.validation import Finding, RuleChange, Severity, ValidationReport
from tests.support.builders.prepared_sets import manifest, picture, put

scenarios("data_validation.feature")


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {"folder": tmp_path / "prepared", "changes": {}, "records": []}


def three(folder: Path, **last: Any) -> list[CaseRecord]:
    """Three volumes; the facts of the last one are given."""
    made = [put(folder, name, *picture(n, (6, 48, 48))) for n, name in enumerate(("case-a", "case-b"))]
    return [*made, put(folder, last.pop("name", "case-c"), *picture(9, (6, 48, 48)), **last)]


def placed(z: float, axis: str) -> dict[str, Any]:
    """Facts of a case that lies in space with planes of z micrometres, read head first or feet first."""
    sign = 1.0 if axis == "S" else -1.0
    affine = ((0, 0, 1, 0), (0, 1, 0, 0), (sign * z, 0, 0, 0), (0, 0, 0, 1))
    return {"affine": affine, "orientation": f"{axis}AR"}


FLAWS: dict[str, Callable[[Path], list[CaseRecord]]] = {
    "two ids differ only by case": lambda folder: three(folder, name="CASE-B"),
    "two subjects are spelt almost alike": lambda folder: three(folder, subject="Case_A"),
    "every case is its own subject": three,
    "spacings are mixed": lambda folder: three(folder, spacing=(3.0, 1.0, 1.0)),
    "units are mixed": lambda folder: three(folder, unit="px"),
    "axes are mixed": lambda folder: [*three(folder), put(folder, "flat", *picture(5))],
    "scanners are mixed": lambda folder: [
        put(folder, f"case-{n}", *picture(n), scanner=f"scanner {n % 2}") for n in range(3)
    ],
    "a modality is alone": lambda folder: three(folder, modality="computed tomography"),
    "orientations are mixed": lambda folder: [
        put(folder, f"case-{n}", *picture(n, (6, 48, 48)), **placed(2.0, "SI"[n])) for n in range(2)
    ],
    "an affine and its spacing disagree": lambda folder: [
        put(folder, f"case-{n}", *picture(n, (6, 48, 48)), **placed(2.0 + n, "S")) for n in range(2)
    ],
}


@given("a data set with an empty mask, a constant image and one image said to be of two subjects")
def _bad(facts: dict) -> None:
    other, label = picture(3)
    image, mask = picture(1)
    facts["records"] = [
        put(facts["folder"], "empty", image, mask * 0),
        put(facts["folder"], "flat", np.full_like(image, 9), mask),
        put(facts["folder"], "one", other, label),
        put(facts["folder"], "two", other, label),
    ]


@given(parsers.parse("a data set in which {flaw}"))
def _flawed(facts: dict, flaw: str) -> None:
    facts["records"] = FLAWS[flaw](facts["folder"])


@given("a data set with an empty mask")
def _empty(facts: dict) -> None:
    image, label = picture(1)
    facts["records"] = [put(facts["folder"], "a", image, label * 0)]


@given(parsers.parse('a project that lowers the rule {rule} to a note because "{reason}"'))
def _lowered(facts: dict, rule: str, reason: str) -> None:
    facts["changes"] = {rule: RuleChange(severity=Severity.NOTE, reason=reason)}


@given(parsers.parse("a project that lowers the rule {rule} to a note without a reason"))
def _lowered_silently(facts: dict, rule: str) -> None:
    facts["changes"] = {rule: RuleChange(severity=Severity.NOTE)}


@given("a data set with a saturated volume, a picture with specks and a file that was changed")
def _offenders(facts: dict) -> None:
    folder = facts["folder"]
    volume, mask = picture(1, (6, 48, 48))
    volume[4, :5] = 255
    image, label = picture(2)
    label[40, 2:40:6] = 1
    facts["records"] = [
        put(folder, "bright", volume, mask),
        put(folder, "changed", *picture(5)),
        put(folder, "specks", image, label),
    ]
    path = folder / "changed" / "image.npy"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")


@given("pictures of arteries and veins, one of which has specks")
def _two_classes(facts: dict) -> None:
    classes = tuple(LabelClass(value=value, name=name) for value, name in ((1, "artery"), (2, "vein")))
    facts["records"] = []
    for number in range(2):
        image, label = picture(number + 2)
        label[:, 24:] *= 2
        if number:
            label[40, 2:20:6] = 1
        facts["records"].append(put(facts["folder"], f"case-{number}", image, label, classes=classes))


@then("the report counts pixels, has no planes, and names the outlines artery and vein with their colours")
def _counts_pixels(facts: dict) -> None:
    page = facts["page"]
    assert "Size along x (pixels)" in page
    assert re.search(r"4\D?608 pixels", page)
    assert "(voxels)" not in page
    assert "Planes are counted" not in page
    (outlines,) = re.findall(r'<p class="outlines">(.*?)</p>', page)
    (record, _) = facts["records"]
    assert [name for name, _ in outline_colours(record)] == ["artery", "vein"]
    for name, colour in outline_colours(record):
        assert f'background: {colour}" aria-hidden="true"></i>{name}' in outlines


@given("a data set from two scanners")
def _scanners(facts: dict) -> None:
    facts["records"] = [
        put(facts["folder"], f"case-{n}", *picture(n), scanner=f"scanner {n % 2}", subject=f"s{n // 2}")
        for n in range(6)
    ]


@when("it is validated")
def _validate(facts: dict) -> None:
    data = manifest(facts["records"])
    try:
        facts["report"] = validation.validate(data, facts["folder"], changes=facts["changes"])
    except UsageError as error:
        facts["error"] = error


@when("it is validated and the report is made")
def _report(facts: dict) -> None:
    data = manifest(facts["records"])
    surveyed = survey.survey(data, facts["folder"])
    facts["report"] = validation.validate(data, facts["folder"], surveyed=surveyed)
    figures = profile.summarise(surveyed)
    facts["page"] = validation_page.page(facts["report"], figures, surveyed, when=datetime(2026, 1, 2, tzinfo=UTC))


@given("a data set of 40 cases with 5000 findings of four rules")
def _large(facts: dict) -> None:
    folder = facts["folder"]
    facts["records"] = [put(folder, f"case-{n:02d}", *picture(n, (24, 24))) for n in range(40)]
    rules = ("mask-empty", "image-saturated", "contrast-low", "mask-specks")
    facts["findings"] = [
        Finding(rule=rule, severity=RULES[rule].severity, case=f"case-{n % 40:02d}", message=f"fault {n}")
        for rule in rules
        for n in range(1250)
    ]


@when("its report is made")
def _large_report(facts: dict) -> None:
    data = manifest(facts["records"])
    surveyed = survey.survey(data, facts["folder"])
    report = ValidationReport(dataset=data.root, rules=tuple(RULES), findings=tuple(facts["findings"]), cases=40)
    facts["page"] = validation_page.page(
        report, profile.summarise(surveyed), surveyed, when=datetime(2026, 1, 2, tzinfo=UTC)
    )


@then("each rule has pictures of its first 24 findings and lists 300 more in words")
def _bounded(facts: dict) -> None:
    for article in facts["page"].split('<article class="rule"')[1:]:
        assert article.count("<use ") == 24
        assert "fault 23<" in article
        assert article.index("<b>case-24</b>: fault 24<") > article.index("List 300 further findings in words")
        assert "fault 323<" in article
        assert "fault 324<" not in article


@then("the page counts the findings that only validation.json names")
def _counted(facts: dict) -> None:
    assert facts["page"].count("926 further findings: <code>validation.json</code> names all.") == 4


@then("the page is smaller than 1 MB and has each picture once")
def _small(facts: dict) -> None:
    page = facts["page"]
    assert len(page.encode("utf-8")) < 1_000_000
    assert page.count("data:image/png;base64,") == 24
    assert page.count('data-case="case-07"') == 1


@then("the report counts the compared images and names the copies that are not found")
def _limits(facts: dict) -> None:
    section = facts["page"].split('id="copies"')[1].split("</section>")[0]
    assert "2 images of 3 cases were compared with each other; the others could not be read" in section
    assert all(limit.split(":")[0] in section for limit in LIMITS)


@then("the page about leaks names the same and counts the sealed cases")
def _leak_limits(facts: dict) -> None:
    data = manifest(facts["records"])
    mark_sealed(facts["folder"], "bright")
    report = LeakageReport(dataset=data.root, split=data.root, across=(), within=())
    page = leakage_page.page(data, report, facts["folder"])
    assert "1 of 3 cases is sealed" in page
    assert 'class="verdict"' in page
    leak = Leak(
        cases=("bright", "specks"), parts=(Part.TEST, Part.TRAIN), folds=None, bonds=(Bond.NEAR,), detail="are alike"
    )
    blocked = leakage_page.page(data, report.model_copy(update={"across": (leak,)}), facts["folder"])
    assert 'class="verdict no"' in blocked
    assert "1 pair of cases belongs together and is apart." in blocked
    assert "(no picture: sealed or unreadable)" in blocked
    assert all(limit.split(":")[0] in page for limit in LIMITS)


@when("it is profiled twice")
def _profile(facts: dict) -> None:
    data = manifest(facts["records"])
    facts["profiles"] = [profile.profile(data, facts["folder"]) for _ in range(2)]


@then("the pipeline is blocked by the rules mask-empty, image-varies and duplicate-image")
def _blocked(facts: dict) -> None:
    found = {(one.rule, one.case) for one in facts["report"].findings if one.severity is Severity.BLOCK}
    assert found == {("mask-empty", "empty"), ("image-varies", "flat"), ("duplicate-image", "two")}
    assert facts["report"].blocked


@then("every finding that blocks names its case")
def _named(facts: dict) -> None:
    assert all(one.case for one in facts["report"].findings if one.severity is Severity.BLOCK)


@then(parsers.parse("the rule {rule} finds it with the severity {severity}"))
def _found(facts: dict, rule: str, severity: str) -> None:
    assert rule in {one.rule for one in facts["report"].findings}
    assert {one.severity for one in facts["report"].findings if one.rule == rule} == {Severity(severity)}
    assert facts["report"].blocked == (severity == "block")


@then("the pipeline is not blocked")
def _passed(facts: dict) -> None:
    assert not facts["report"].blocked


@then("the finding is still reported, as a note")
def _still(facts: dict) -> None:
    assert [(one.rule, one.severity) for one in facts["report"].findings] == [("mask-empty", Severity.NOTE)]


@then(parsers.parse('the report shows the rule, its usual severity and "{reason}"'))
def _shown(facts: dict, reason: str) -> None:
    data = manifest(facts["records"])
    surveyed = survey.survey(data, facts["folder"])
    page = validation_page.page(facts["report"], None, surveyed, when=datetime(2026, 1, 2, tzinfo=UTC))
    section = page[page.index('id="changed"') : page.index('id="overview"')]
    assert "mask-empty" in section
    assert reason in section
    assert section.index(">blocks<") < section.index(">note<")


@then(parsers.parse('it is refused with "{text}"'))
def _refused(facts: dict, text: str) -> None:
    assert text in facts["error"].message
    assert "report" not in facts


@then("the report has a picture of the volume's plane and projection, and of the picture")
def _pictures(facts: dict) -> None:
    page = facts["page"]
    assert page.count('data-case="bright"') == 1
    assert "Image of bright with the outline of its mask: plane 4, and maximum projection" in page
    assert page.count('data-case="specks"') == 1
    assert "No picture: changed cannot be read." in page


@then("each picture, rule and case is named, and says what it means and what to do")
def _said(facts: dict) -> None:
    for finding in facts["report"].findings:
        assert RULES[finding.rule].title in facts["page"]
        assert RULES[finding.rule].hint.split("`")[0][:40] in facts["page"]
        assert (finding.case or "") in facts["page"]


@then("the page loads nothing and runs nothing")
def _alone(facts: dict) -> None:
    page = facts["page"]
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "http" not in page.replace('<meta http-equiv="Content-Security-Policy"', "")


@then("where a case is sealed its picture can be taken out while its findings stay")
def _withdrawn(facts: dict) -> None:
    before = facts["page"]
    after = validation_page.without_pictures(before, ["bright", "unheard-of"])
    assert after.count("data:image/png;base64,") == before.count("data:image/png;base64,") - 1
    assert "saturated" in after
    assert "The picture of 1 case was taken out" in after
    assert validation_page.without_pictures(before, []) == before


@then("both profiles have the same bytes")
def _same(facts: dict) -> None:
    first, second = (one.model_dump_json() for one in facts["profiles"])
    assert first == second


@then("the set and each scanner have a histogram, noise, signal to noise and sharpness")
def _figures(facts: dict) -> None:
    groups = facts["profiles"][0].groups
    assert [(one.kind, one.name, one.cases, one.subjects) for one in groups] == [
        ("set", "all cases", 6, 3),
        ("scanner", "scanner 0", 3, 3),
        ("scanner", "scanner 1", 3, 3),
    ]
    assert all(one.noise.median > 0 and one.snr.median > one.cnr.median > 0 and one.sharpness for one in groups)


@then("every voxel is in the histogram of the set, and the histograms of the scanners add up to it")
def _adds_up(facts: dict) -> None:
    whole, *parts = (one.histogram for one in facts["profiles"][0].groups)
    assert sum(whole.counts) == 6 * 48 * 48
    total: dict[float, int] = {}
    for part in parts:
        for index, count in enumerate(part.counts):
            start = (part.first + index) * part.width // whole.width
            total[start] = total.get(start, 0) + count
    assert [total.get(whole.first + index, 0) for index in range(len(whole.counts))] == list(whole.counts)


@given("28 pictures with specks in their masks, of which 9 are on another scale of intensities")
def _scales(facts: dict) -> None:
    for number in range(28):
        image, label = picture(number)
        label[2 : 4 + 3 * (number % 4) : 3, 2] = 1
        scale = 300.0 if number < 9 else 1.0
        facts["records"].append(
            put(facts["folder"], f"case-{number:02d}", scale * image, label, source_dtype="float32")
        )


@given("9 further pictures with empty masks")
def _more_empty(facts: dict) -> None:
    for number in range(28, 37):
        image, label = picture(number)
        facts["records"].append(put(facts["folder"], f"case-{number}", image, 0 * label, source_dtype="float32"))


@when("they are validated")
def _without_search(facts: dict) -> None:
    facts["report"] = validation.validate(manifest(facts["records"]), facts["folder"], near=())


@then("intensity-outlier and mask-specks are one finding each, with a histogram and their cases")
def _one_each(facts: dict) -> None:
    found = {one.rule: one for one in facts["report"].findings if one.case is None}
    assert [one.rule for one in facts["report"].findings].count("mask-specks") == 1
    assert [one.rule for one in facts["report"].findings].count("intensity-outlier") == 1
    assert found["intensity-outlier"].cases == tuple(f"case-{number:02d}" for number in range(9))
    assert "medians: 10 to 100: 28, 10,000 to 100,000: 9" in found["intensity-outlier"].message
    assert found["mask-specks"].cases == tuple(f"case-{number:02d}" for number in range(28))
    assert "28 of 37 cases; components of fewer than 8 voxels: 1: 7" in found["mask-specks"].message


@then("mask-empty blocks with a finding for each of 9 cases")
def _each(facts: dict) -> None:
    empty = [one for one in facts["report"].findings if one.rule == "mask-empty"]
    assert [(one.case, one.severity) for one in empty] == [(f"case-{n}", Severity.BLOCK) for n in range(28, 37)]


@then("the terminal shows 5 of these 9 and how many more there are")
def _terminal(facts: dict) -> None:
    shown = "\n".join(lines(grouped(facts["report"].findings, TEXTS)))
    assert "(rule mask-empty, 9 findings)" in shown
    assert shown.count("no voxel is marked") == 5
    assert "and 4 more; --json lists all" in shown
