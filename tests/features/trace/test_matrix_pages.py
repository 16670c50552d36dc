"""Steps of features/matrix_pages.feature."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema_rs import Draft202012Validator
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.items.items import load_items
from minivess.compliance.trace.link_reviews import LinkKey, link_digests, read_reviews, write_reviews
from minivess.workflows.trace import link_reviews
from tests.support import projects
from tests.support.html_pages import matrix_of, table_of
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder
from tests.support.tiny_tree import write_tree

with lazily("openpyxl"):
    import openpyxl  # type: ignore[import-untyped]

scenarios("matrix_pages.feature")


@dataclass
class Desk:
    """A tree, and where things are written."""

    tree: Path
    out: Path
    done: Result | None = None
    project: ProjectFolder | None = None

    def words(self, name: str) -> str:
        """The text of a page that was written."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.page(name)).split())

    def page_of(self, item: str) -> str:
        """The page on which an item stands."""
        [page] = [path for path in self.out.glob("items/*.html") if f'id="{item}"' in path.read_text(encoding="utf-8")]
        return self.words(f"items/{page.name}")

    def run(self, *words: str) -> None:
        """Run `minivess trace` on the tree."""
        self.done = CliRunner().invoke(app, ["trace", *words, "--source", str(self.tree)])

    def page(self, name: str) -> str:
        """A page that was written."""
        return (self.out / name).read_text(encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(write_tree(tmp_path / "tree"), tmp_path / "out")


@given("a source tree whose chain from risk to result is whole")
def _(desk: Desk) -> None:
    assert (desk.tree / "requirements").is_dir()


@given(parsers.parse('in "{name}" the text "{old}" becomes "{new}"'))
def _(desk: Desk, name: str, old: str, new: str) -> None:
    path = desk.tree / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@given("a risk without a control, and a control without a scenario")
def _(desk: Desk) -> None:
    for name, old in (("risk/risks.yaml", "RC-01"), ("features/sum.feature", " @RC-01")):
        path = desk.tree / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, ""), encoding="utf-8")


@given("a folder with another file")
def _(desk: Desk) -> None:
    desk.out.mkdir()
    (desk.out / "thesis.txt").write_text("mine", encoding="utf-8")


@given("a risk control that brings a new risk")
def _(desk: Desk) -> None:
    controls, risks = desk.tree / "risk/controls.yaml", desk.tree / "risk/risks.yaml"
    text = controls.read_text(encoding="utf-8")
    controls.write_text(re.sub("no_new_risks: .*", "new_risks: [RISK-02]", text), encoding="utf-8")
    text = risks.read_text(encoding="utf-8")
    risks.write_text(text + text.partition("risks:\n")[2].replace("RISK-01", "RISK-02"), encoding="utf-8")


@given(parsers.parse('a test of "{item}" without a result'))
def _(desk: Desk, item: str) -> None:
    (desk.tree / "tests").mkdir(exist_ok=True)
    (desk.tree / "tests/test_sums.py").write_text(
        f'import pytest\n\n@pytest.mark.verifies("{item}")\ndef test_three(): ...\n', encoding="utf-8"
    )


@when("the pages are written")
@when("the pages are written into it")
def _(desk: Desk) -> None:
    desk.run("site", str(desk.out))


@then("the start page shows the verdict and links to every kind of item")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert desk.done.exit_code == 0, desk.done.output
    assert "Every link holds." in desk.page("index.html")
    start = desk.page("overview.html")
    assert "Every link holds." in start
    for kind in ("software-requirement", "user-need", "risk", "risk-control", "hazard"):
        assert f'items.html#kind={kind}"' in start


@then(parsers.parse('the page of "{item}" names its need, its code and its scenario'))
def _(desk: Desk, item: str) -> None:
    [page] = [path for path in desk.out.glob("items/*.html") if f'id="{item}"' in path.read_text(encoding="utf-8")]
    text = page.read_text(encoding="utf-8")
    for wanted in ("UN-01", "thing.sums.add", "Two and two"):
        assert wanted in text


@then(parsers.parse('the page of "{item}" lists {listed}'))
def _(desk: Desk, item: str, listed: str) -> None:
    [page] = [path for path in desk.out.glob("items/*.html") if f'id="{item}"' in path.read_text(encoding="utf-8")]
    down = page.read_text(encoding="utf-8").partition(f'id="{item}-down"')[2].partition("</section>")[0]
    groups = re.findall(r'<p class="relation">(.*?)</p>(.*?)</ul>', down, re.DOTALL)
    found = [f'"{one}" as "{words}"' for words, links in groups for one in re.findall(r"#([A-Z]+-[0-9]+)", links)]
    assert " and ".join(found) == listed


@then(parsers.parse("the matrix has the row {row}"))
def _(desk: Desk, row: str) -> None:
    assert row in _matrix_rows(desk)


def _matrix_rows(desk: Desk) -> list[str]:
    items, matrix = table_of(desk.out)["items"], matrix_of(desk.out)
    rows = []
    for way in matrix["ways"]:
        cells = [items[number][0] if number >= 0 else "nothing" for number in way]
        units, tests, code = matrix["details"].get(str(way[3]), ([], [], []))
        cells += [
            " and ".join(names) or "nothing" for names in ([items[one][0] for one in units], [one[0] for one in tests])
        ]
        rows.append(", ".join([*cells, " and ".join(one[0] for one in code) or "nothing"]))
    return rows


@then(parsers.parse('the matrix shows at "{item}" that it has {fault}'))
def _(desk: Desk, item: str, fault: str) -> None:
    items = [row[0] for row in table_of(desk.out)["items"]]
    messages = matrix_of(desk.out)["open"][str(items.index(item))]
    assert any(fault in message for message in messages), messages


@then("the list of risk controls and the matrix name both relations")
def _(desk: Desk) -> None:
    listed = desk.words("list-risk-control.html")
    assert "is implemented by REQ-001" in listed
    assert "brings RISK-02" in listed
    table = table_of(desk.out)
    [row] = [row for row in table["items"] if row[0] == "RC-01"]
    named = [
        (table["relations"][relation], table["items"][item][0]) for item, relation in zip(row[8], row[18], strict=True)
    ]
    assert named == [("is implemented by", "REQ-001"), ("brings", "RISK-02")]


@then("the table of items names both relations")
def _(desk: Desk) -> None:
    with (desk.out / "data/items.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = {row["id"]: row["relations"] for row in csv.DictReader(stream)}
    assert rows["RC-01"] == "controls RISK-01, RISK-02; is implemented by REQ-001; brings RISK-02"


@then(parsers.parse('the page of "{item}" states that its test and its scenario were not run for this release'))
def _(desk: Desk, item: str) -> None:
    evidence = desk.page_of(item)
    assert evidence.count("not run for this release") == 2
    assert "not run for this release test_sums.test_three" in evidence


@then("no page refers to anything outside the folder")
def _(desk: Desk) -> None:
    for path in desk.out.rglob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"]*)"', path.read_text(encoding="utf-8")):
            file = target.partition("#")[0]
            assert "://" not in target
            assert not file or (path.parent / file).resolve().is_relative_to(desk.out.resolve())
            assert not file or (path.parent / file).is_file(), target


@then(parsers.parse('the start page says that "{item}" is not verified'))
def _(desk: Desk, item: str) -> None:
    assert f"{item} (Second sum) has no scenario that shows its effect" in desk.page("overview.html")


@then("they are refused and the file is still there")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert desk.done.exception is not None
    assert [path.name for path in desk.out.iterdir()] == ["thesis.txt"]


@when(parsers.parse("the matrix is written as {form}"))
def _(desk: Desk, form: str) -> None:
    desk.out = desk.out.with_suffix(f".{form}")
    desk.run("matrix", "--out", str(desk.out))


@then("the table holds every item once")
def _(desk: Desk) -> None:
    assert desk.done is not None
    assert desk.done.exit_code == 0, desk.done.output
    if desk.out.suffix == ".csv":
        with desk.out.open(encoding="utf-8-sig", newline="") as stream:
            found = [row[0] for row in csv.reader(stream)][1:]
    elif desk.out.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(desk.out, read_only=True).worksheets[0]
        found = [str(row[0]) for row in sheet.iter_rows(values_only=True)][1:]
    else:
        found = [item["id"] for item in json.loads(desk.out.read_text(encoding="utf-8"))["items"]]
    assert sorted(found) == sorted(load_items(desk.tree).by_id)


@when(parsers.parse('the matrix is shown for the kind "{kind}"'))
def _(desk: Desk, kind: str) -> None:
    desk.run("matrix", "--kind", kind)


@then(parsers.parse('only "{item}" is shown'))
def _(desk: Desk, item: str) -> None:
    assert desk.done is not None
    assert re.findall(r"^[A-Z]+-\d+", desk.done.output, re.MULTILINE) == [item]


@given(parsers.parse('a project of that tree whose links were all reviewed by "{who}"'))
def _(desk: Desk, who: str, tmp_path: Path) -> None:
    desk.project = projects.start(tmp_path / "project", source=desk.tree)
    with desk.project.services() as services:
        link_reviews.review(services, desk.project.signers[who])


@when(parsers.parse('in "{name}" the text "{old}" becomes "{new}"'))
def _(desk: Desk, name: str, old: str, new: str) -> None:
    path = desk.tree / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@given(parsers.parse('a user writes a review of the present text of "{item}" into the file of reviews'))
def _(desk: Desk, item: str) -> None:
    path = desk.tree / "requirements/all.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("The software shall add.", "The software shall subtract."), encoding="utf-8")
    items = load_items(desk.tree)
    known = read_reviews(desk.tree)
    changed = {key: digest for key, digest in link_digests(items, {}).items() if key.target == item}
    assert len(changed) == 1
    write_reviews(desk.tree, known | changed)


@when("the pages of the project are written")
def _(desk: Desk) -> None:
    assert desk.project is not None
    done = CliRunner().invoke(app, ["--project", str(desk.project.workspace.root), "trace", "site", str(desk.out)])
    assert done.exit_code == 0, done.output


@then(parsers.parse('the page of "{item}" says that the review "{link}" by "{who}" holds, and at which entry'))
def _(desk: Desk, item: str, link: str, who: str) -> None:
    assert desk.project is not None
    with desk.project.services() as services:
        [entry] = [one.body.index for one in services.log.entries(actions={"trace.review"})]
    digest = link_digests(load_items(desk.tree), {})[LinkKey(item, *link.replace("-", "_", 1).split(" "))]
    text = desk.page_of(item)
    assert f"holds Reviewed by {who} : {link}" in text
    assert f"log entry {entry} , shown as {digest}" in text.replace(f"log entry {entry},", f"log entry {entry} ,")


def _review(desk: Desk) -> int:
    """The entry of the review."""
    assert desk.project is not None
    with desk.project.services() as services:
        [entry] = [one.body.index for one in services.log.entries(actions={"trace.review"})]
    return entry


def _entry(desk: Desk, entry: int) -> str:
    """What the page of an entry states."""
    page = desk.page("entries/0.html").partition(f'id="entry-{entry}"')[2].partition("</article>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@then(parsers.parse('the page of the entry of the review names "{item}" with "{why}"'))
def _(desk: Desk, item: str, why: str) -> None:
    words = _entry(desk, _review(desk))
    assert item in words
    assert why in words
    assert "Who rosa" in words


@then("the page of the entry that created the log names no item")
def _(desk: Desk) -> None:
    words = _entry(desk, 0)
    assert "log.created" in words
    assert not re.search(r"(REQ|RISK|RC)-[0-9]", words)


@then(parsers.parse('the page of "{item}" links to the page of the entry of the review'))
def _(desk: Desk, item: str) -> None:
    [page] = [path for path in desk.out.glob("items/*.html") if f'id="{item}"' in path.read_text(encoding="utf-8")]
    assert f'href="../entries/0.html#entry-{_review(desk)}"' in page.read_text(encoding="utf-8")


def _show(desk: Desk, *words: str) -> str:
    assert desk.project is not None
    root = str(desk.project.workspace.root)
    done = CliRunner().invoke(app, ["--project", root, "audit", "show", str(_review(desk)), *words])
    assert done.exit_code == 0, done.output
    return done.output


@when("the entry of the review is explained")
def _(desk: Desk) -> None:
    evidence = json.loads(_show(desk, "--json"))["evidence"]
    assert {one["item"] for one in evidence} == {"REQ-001", "RISK-01", "SEQ-01", "HS-01", "RC-01"}


@then(parsers.parse('"{words}" is among its evidence'))
def _(desk: Desk, words: str) -> None:
    assert words in _show(desk)


@then("an entry whose source tree cannot be read states that this is not known")
def _(desk: Desk) -> None:
    (desk.tree / "requirements/all.yaml").write_text("nonsense: [", encoding="utf-8")
    assert "evidence for      not known: " in _show(desk)
    assert json.loads(_show(desk, "--json"))["evidence"] is None


@then(parsers.parse('the page of "{item}" says that the review "{link}" by "{who}" is out of date because "{why}"'))
def _(desk: Desk, item: str, link: str, who: str, why: str) -> None:
    text = desk.page_of(item)
    assert f"out of date Reviewed by {who} : {link} ; {why}" in text.replace(f"{link};", f"{link} ;")
    assert "of which 1 is out of date" in desk.words("overview.html")


@then("the page of signatures says that 1 link has no signature")
def _(desk: Desk) -> None:
    assert "1 link is marked as reviewed in requirements/reviews.txt without a signed entry in the log." in desk.words(
        "signatures.html"
    )


@then("the page of signatures says that no log was read")
def _(desk: Desk) -> None:
    assert "without the log of a project" in desk.words("signatures.html")


def _schema() -> Draft202012Validator:
    path = Path(__file__).parents[3] / "docs" / "schemas" / "trace.json"
    return Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


@then("the data fit docs/schemas/trace.json")
def _(desk: Desk) -> None:
    data = json.loads(desk.out.read_text(encoding="utf-8"))
    assert len(data["items"]) > 5
    _schema().validate(data)


@then("the data of another format do not fit it")
def _(desk: Desk) -> None:
    data = json.loads(desk.out.read_text(encoding="utf-8"))
    assert not _schema().is_valid(data | {"format": "minivess-trace/1"})
    assert not _schema().is_valid({name: value for name, value in data.items() if name != "items"})
