"""Steps of evaluation_report.feature: reports of counted cases with pictures of small masks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup, escape
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.evaluation.drawings import Album
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion, EvaluationRecord
from minivess.records.evaluation.parts import EvaluatedPart
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.builders.report_facts import album_of, case_arrays, report_facts
from tests.support.html_pages import Page
from tests.support.lazy_modules import lazily

with lazily("minivess.ml.evaluation.report.page"):
    from minivess.ml.evaluation.report import page

scenarios("evaluation_report.feature")

DIGEST = f"sha256:{'6' * 64}"
HOSTILE = "<script>alert(1)</script><img src=https://example.org/x>"


@dataclass
class Story:
    folder: Path
    plan: AnalysisPlan = field(default_factory=lambda: analysis_plan(statistics="mean of groups"))
    pictures: Album | None = None
    stated: dict[str, Any] = field(default_factory=dict)
    scanners: tuple[str, ...] = ("one",)
    part: EvaluatedPart | None = None
    found: Page | None = None
    further: list[str] = field(default_factory=list)

    @property
    def record(self) -> EvaluationRecord:
        cases = [
            counted_case(f"c{number}", overlap=(90 - 5 * number, 10, 20 + number), group=f"g{number // 2}").model_copy(
                update={"attributes": {"scanner": self.scanners[number % len(self.scanners)]}}
            )
            for number in range(8)
        ]
        made = counted_evaluation(cases, self.plan, model=DIGEST, data=DIGEST, request="r-1", look=1, looks=3)
        return made.model_copy(update={"part": self.part})

    @property
    def page(self) -> Page:
        assert self.found is not None
        return self.found

    def draw(self, order: Sequence[int]) -> None:
        self.pictures = album_of(
            case_arrays(f"c{number}", 1 - number / 8, shape=(3, 9, 8), seed=number) for number in order
        )

    def write(self, **facts: Any) -> None:
        made = report_facts(self.plan, **self.stated, **facts)
        path = self.folder / "report.html"
        self.found = Page(page.write_report(self.record, self.pictures, made, path, self.further))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


@given("an evaluation of 8 cases in 4 groups")
def _(story: Story) -> None:
    assert len(story.record.tested) == 8
    assert len(story.record.groups) == 4


@given("pictures of all cases, drawn in any order")
def _(story: Story) -> None:
    story.draw([3, 1, 7, 5, 0, 2, 6, 4])


@given("an acceptance criterion that it meets")
def _(story: Story) -> None:
    story.plan = analysis_plan(Criterion(measure="dice", at_least=0.1), statistics="mean of groups")


@given("a device, a data set and a subgroup whose names are HTML")
def _(story: Story) -> None:
    story.stated = {"device": HOSTILE, "data": HOSTILE}
    story.scanners = (f"{HOSTILE[:50]}1", f"{HOSTILE[:50]}2")


@when("its report is written")
def _(story: Story) -> None:
    story.write()


@when(parsers.parse("its report on the {part} part is written"))
def _(story: Story, part: EvaluatedPart) -> None:
    story.part = part
    story.write()


@then("each measure of the page has the mean and the interval of the record")
def _(story: Story) -> None:
    stated = re.findall(
        r'data-figure="(\w+)".*?data-value="([^"]*)".*?data-lower="([^"]*)" data-upper="([^"]*)"',
        story.page.source,
        re.DOTALL,
    )
    made = story.record
    named = {**made.aggregates, "baseline": made.baseline}
    assert {name: (float(mean), float(low), float(high)) for name, mean, low, high in stated} == {
        name: (one.mean, one.lower, one.upper) for name, one in named.items()
    }


@then("the table has each case once with its values, the worst first")
def _(story: Story) -> None:
    rows = re.findall(r'<tr><th scope="row">(c\d)</th><td>g\d</td>(.*?)</tr>', story.page.source, re.DOTALL)
    made = story.record
    held = {row.case: row for row in made.cases}
    assert [name for name, _ in rows][:8] == [f"c{number}" for number in range(7, -1, -1)]
    for name, cells in rows[:8]:
        values = [float(value) for value in re.findall(r'data-value="([^"]+)"', cells)]
        assert values == [*(held[name].values[one.name] for one in made.measures), held[name].baseline_dice]


@then("the page says that there are no pictures, no subgroups and no criteria")
def _(story: Story) -> None:
    for sentence in (
        "There are no pictures of cases.",
        "The same in all cases, so without subgroups: scanner one.",
        "No acceptance criteria were registered.",
    ):
        assert sentence in story.page.text, sentence


def shown(found: Page) -> dict[str, str]:
    return {case: why for why, case in re.findall(r"<h3>([\w ]+): (c\d), mean Dice", found.source)}


@then("it shows the worst, the median and the best case and two that the seed draws, in three planes and projections")
def _(story: Story) -> None:
    found = shown(story.page)
    assert {case: why for case, why in found.items() if why != "Random"} == {
        "c7": "Worst",
        "c4": "Median",
        "c0": "Best",
    }
    assert list(found.values()).count("Random") == 2
    for view in ("xy", "xz", "yz"):
        assert len(re.findall(rf">{view} plane \d of \d: outlines", story.page.source)) == 5
        assert len(re.findall(rf">{view} projection: both masks", story.page.source)) == 5


@then("the same cases are shown when they were drawn in another order")
def _(story: Story) -> None:
    before = shown(story.page)
    story.draw(range(8))
    story.write()
    assert shown(story.page) == before


@then("the mark is at its top and in the margin of each printed page")
def _(story: Story) -> None:
    mark = "Not the test set: these figures meet no acceptance criterion and no release gate."
    assert re.search(rf'<div class="notatest" role="note"><p>[^<]*{re.escape(mark)}', story.page.source)
    assert re.search(rf'@page .*@top-center {{ content: "[^"]*{re.escape(mark)}"', story.page.source)


@then("no criterion is judged")
def _(story: Story) -> None:
    assert "Not judged" in story.page.text
    assert "Acceptance criteria met" not in story.page.text


@then("the verdict is that the criterion is met")
def _(story: Story) -> None:
    assert "Acceptance criteria met" in story.page.text
    assert "The model meets the registered acceptance criterion." in story.page.text


@then(
    "the summary has the mean Dice, the worst case, the difference to the threshold, the calibration error and the groups"
)
def _(story: Story) -> None:
    made = story.record
    summary = story.page.text.split("In brackets: intervals of", 1)[1].split("Each dot is a case", 1)[0]
    for sentence in (
        f"The mean Dice is {made.aggregates['dice'].mean:.3f} (",
        f"The worst of 8 cases is c7, with a mean Dice of {made.cases[-1].dice:.3f}.",
        f"{made.aggregates['dice_over_baseline'].mean:+.3f}",
        f"by {made.ece:.3f} on average over all voxels, and by {made.band_ece:.3f} along borders",
        "4 independent groups with 8 cases",
    ):
        assert sentence in summary, sentence


@then("the page has one script, which its policy names by digest")
def _(story: Story) -> None:
    (script,) = re.findall(r"<script[^>]*>(.*?)</script>", story.page.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    assert f"script-src 'sha256-{digest}';" in story.page.policy


@then("each link is to a place in the page or holds its own data")
def _(story: Story) -> None:
    assert any(link.startswith("data:image/webp;base64,") for link in story.page.links)
    for link in story.page.links:
        assert link[1:] in story.page.ids if link.startswith("#") else link.startswith("data:image/"), link


@then("the names are text")
def _(story: Story) -> None:
    assert story.page.text.count(HOSTILE) >= 3
    assert all(name in story.page.text for name in story.scanners)


CLOSING = '"} </style><b>x'


@given("a further section about a case whose name closes a style and a string")
def _(story: Story) -> None:
    story.further = [Markup("<section>\n<h2>About {}</h2></section>").format(CLOSING)]


def headings(found: Page) -> list[str]:
    """Titles of the sections, in the order of the page."""
    body = found.source[found.source.index("</nav>") :]
    return re.findall(r"<section[^>]*>\s*<h2>(.*?)</h2>", body, re.DOTALL)


@then("the contents has the number of each section in the order of the page, the further one among them")
def _(story: Story) -> None:
    contents = story.page.source[story.page.source.index('<nav class="contents"') :].partition("</nav>")[0]
    entries = re.findall(r'<li><span class="soft">(\d+)</span><a href="#([\w-]+)">(.*?)</a></li>', contents)
    titles = headings(story.page)
    assert [(int(number), title) for number, _, title in entries] == list(enumerate(titles, 1))
    assert f"About {escape(CLOSING)}" in titles
    assert {anchor for _, anchor, _ in entries} <= set(story.page.ids)
    assert "counter-increment: section" in story.page.source


@then("each section is printed on pages whose foot has its number, and its title unless it is the further one")
def _(story: Story) -> None:
    style = re.findall(r"<style>(.*?)</style>", story.page.source, re.DOTALL)
    assert len(style) == 1
    feet = dict(re.findall(r'@page ?([\w-]*) { @bottom-left { content: "([^"]*)"', style[0]))
    named = {
        anchor: pages
        for anchors, pages in re.findall(r"@media print { ([^{}]+) { page: ([\w-]+); } }", style[0])
        for anchor in re.findall(r"#([\w-]+)", anchors)
    }
    contents = re.findall(r'<li><span class="soft">(\d+)</span><a href="#([\w-]+)">(.*?)</a></li>', story.page.source)
    for number, anchor, title in contents:
        foot = feet[named.get(anchor, "")].split(", ")
        assert (number if anchor == "further-1" else f"{number} {title}") in foot, anchor
    assert "About" not in style[0]


@then("the foot of every page has its number and the number of all pages")
def _(story: Story) -> None:
    assert '@bottom-right { content: "page " counter(page) " of " counter(pages)' in story.page.source
