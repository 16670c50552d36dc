"""Steps of features/documents.feature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.documents.documents import DOCUMENTS, document_models, html_pages, renderer_of
from minivess.compliance.documents.dossier import Dossier, gather
from minivess.compliance.documents.model.blocks import DocumentModel, Heading, inlines_in, plain
from minivess.compliance.standards.approved_subjects import approvable
from minivess.foundation.errors import MinivessError
from minivess.records.device.project import Project
from tests.support.builders.release_builder import PROJECT, TEMPLATES, Release, make_release

scenarios("documents.feature")

LOGO = b"\x89PNG\r\n\x1a\n and more"


@dataclass
class Story:
    release: Release
    project: dict[str, object] = field(default_factory=dict)
    dossier: Dossier | None = None
    models: dict[str, DocumentModel] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    error: MinivessError | None = None

    @property
    def own(self) -> Path:
        folder = self.release.source / "templates" / "documents"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def make(self) -> None:
        inputs = self.release.inputs()
        self.dossier = gather(replace(inputs, project=Project.model_validate(PROJECT | self.project)))
        renderer = renderer_of(self.dossier.inputs)
        models = document_models(renderer, self.dossier)
        self.models = {one.name: one for one in models}
        self.pages = html_pages(renderer, self.dossier, models)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(make_release(tmp_path / "release"))


def text_of(page: str) -> str:
    """The words of the main part of a page."""
    main = page.partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


@given("a release whose results are all in the log")
def _(story: Story) -> None:
    assert all(gate.passed for gate in story.release.inputs().gates)


@given(parsers.re(r'a template of its own for "(?P<name>[a-z-]+)" with "(?P<text>.*)"'))
def _(story: Story, name: str, text: str) -> None:
    (story.own / f"{name}.html.j2").write_text(text, encoding="utf-8")


@given(parsers.parse('a file of its own named "{name}" with "{text}"'))
def _(story: Story, name: str, text: str) -> None:
    (story.own / name).write_text(text, encoding="utf-8")


@given("a style and a logo of its own")
def _(story: Story) -> None:
    (story.own / "style.css").write_text("body { color: rebeccapurple; }\n", encoding="utf-8")
    (story.own / "logo.png").write_bytes(LOGO)


@given(parsers.parse('the project file states the UDI-DI "{number}"'))
def _(story: Story, number: str) -> None:
    story.project["documents"] = {"udi_di": number}


@given("an independent reviewer approved the requirements")
def _(story: Story) -> None:
    tree = story.release.inputs().tree
    digest = approvable(tree.source, tree.items)["requirements"]
    story.release.log.append(
        story.release.people.reviewer, "trace.approve", {"subject": "requirements", "digest": digest}
    )


@when("its documents are made")
def _(story: Story) -> None:
    try:
        story.make()
    except MinivessError as error:
        story.error = error


@then("the page of each document shows every word of its model, in the same order")
def _(story: Story) -> None:
    assert set(story.pages) == {one.name for one in DOCUMENTS}
    for name, model in story.models.items():
        page, place = text_of(story.pages[f"{name}.html"]), 0
        for content in inlines_in(model.body):
            words = " ".join(plain(content).split())
            shown = re.sub(r"\s", "", words)
            flat = re.sub(r"\s", "", page)
            place = flat.find(shown, place)
            assert place >= 0, (name, words)
            place += len(shown)


@then("making them again gives the same bytes")
def _(story: Story) -> None:
    before = dict(story.pages)
    story.make()
    assert story.pages == before


@then(parsers.re(r'it is refused because "(?P<reason>.*)"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert reason in str(story.error)


@then(
    parsers.parse('the page "{name}" shows the number of passed results, and who sealed the test part at which entry')
)
def _(story: Story, name: str) -> None:
    assert story.error is None
    assert story.dossier is not None
    passed = sum(one.outcome == "passed" for one in story.dossier.report.results)
    seal = story.dossier.inputs.chain.bodies["seal"]
    words = text_of(story.pages[f"{name}.html"])
    assert f"{passed} result{'' if passed == 1 else 's'} passed. Ada Lovelace sealed the test part on" in words
    assert f"(entry {seal.index})" in words
    assert f'<data value="results.passed">{passed} ' in story.pages[f"{name}.html"]


def _blocks(story: Story) -> Iterator[DocumentModel]:
    assert story.error is None, story.error
    assert story.models
    yield from story.models.values()


@then("each document names its id, the version, the UDI-DI and who reviews and approves it")
def _(story: Story) -> None:
    ids = set()
    for one in _blocks(story):
        block = one.title_block
        ids.add(block.value("Document"))
        assert block.value("Document").startswith(str(PROJECT["device"]["name"]))
        assert block.value("Revision") == "1.0.0"
        assert block.value("UDI-DI") == "04012345678901"
        assert "Ben" in block.value("Reviewer")
        assert "Cleo" in block.value("Approver")
        words = unescape(re.sub(r"<[^>]+>", " ", story.pages[f"{one.name}.html"]))
        for label, value in block.rows:
            assert label in words
            assert plain(value) in words
    assert len(ids) == len(story.models)


@then("a Basic UDI-DI, which the project file does not state, is shown as not stated")
def _(story: Story) -> None:
    assert {one.title_block.value("Basic UDI-DI") for one in _blocks(story)} == {"not stated in the project file"}


@then("the history of each document ends with this release")
def _(story: Story) -> None:
    for one in _blocks(story):
        last = one.history.rows[-1]
        assert plain(last[2].content) == "1.0.0"
        assert plain(last[4].content).startswith("This revision")
        assert "This revision" in story.pages[f"{one.name}.html"]


@then(parsers.parse('the document "{name}" names the reviewer with the entry of the approval'))
def _(story: Story, name: str) -> None:
    assert story.error is None, story.error
    entry = story.release.log.facts.size - 1
    assert f"(entry {entry})" in story.models[name].title_block.value("Reviewer")
    assert f"(entry {entry})" not in story.models["soup"].title_block.value("Reviewer")


@then(parsers.parse('the history of the document "{name}" has the approval'))
def _(story: Story, name: str) -> None:
    entry = str(story.release.log.facts.size - 1)
    rows = {plain(row[0].content): plain(row[4].content) for row in story.models[name].history.rows}
    assert rows[entry] == "Approval of requirements"
    assert entry not in {plain(row[0].content) for row in story.models["soup"].history.rows}


@then(parsers.parse('the page "{name}" shows the own template, style and logo'))
def _(story: Story, name: str) -> None:
    assert story.error is None, story.error
    page = story.pages[f"{name}.html"]
    assert "rebeccapurple" in page
    assert 'src="data:image/png;base64,' in page
    headings = [plain(one.content) for one in story.models[name].body if isinstance(one, Heading)]
    assert headings == ["Our own list"]


@then("the other documents are made from the templates of this version")
def _(story: Story) -> None:
    assert any(plain(one.content) == "Matrix" for one in story.models["traceability"].body if isinstance(one, Heading))
    assert story.dossier is not None
    assert set(renderer_of(story.dossier.inputs).used()) == {"soup.html.j2", "style.css", "logo.png"}


@then("no document is made from it")
def _(story: Story) -> None:
    assert story.error is None, story.error
    assert story.dossier is not None
    assert renderer_of(story.dossier.inputs).used() == {}
    base = (TEMPLATES / "documents" / "base.html.j2").read_text(encoding="utf-8").partition("\n")[0]
    assert all(page.startswith(base) for page in story.pages.values())
