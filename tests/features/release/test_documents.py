"""Steps of features/documents.feature."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pytest
from pypdf import PdfReader
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.documents.documents import DOCUMENTS, document_models, html_pages, renderer_of
from minivess.compliance.documents.dossier import Dossier, gather
from minivess.compliance.documents.formats.made import available, formats_of, in_formats
from minivess.compliance.documents.formats.pdf import Imprint
from minivess.compliance.documents.model.blocks import DocumentModel, Heading, inlines_in, plain
from minivess.compliance.pack.pack import payload
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
    formats: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)

    def build(self) -> None:
        """Make the documents and every other file of the pack."""
        self.make()
        assert self.dossier is not None
        self.dossier = replace(self.dossier, inputs=replace(self.dossier.inputs, formats=self.formats))
        self.files = payload(self.dossier)

    def words(self, name: str) -> str:
        """What a file in another format says, without its running heads."""
        content = BytesIO(self.files[name])
        if name.endswith(".pdf"):
            return "".join(page.extract_text() for page in PdfReader(content).pages)
        return "".join(docx.Document(content).element.body.itertext())

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


@given(parsers.parse('the manufacturer is called "{name}"'))
def _(story: Story, name: str) -> None:
    story.project["device"] = {**PROJECT["device"], "manufacturer": name}


@given('the extra "documents" is not installed', target_fixture="lacking")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)


@given(parsers.parse('a reference of its own whose head says "{words}"'))
def _(story: Story, words: str) -> None:
    document = docx.Document(str(TEMPLATES / "documents" / "reference.docx"))
    document.sections[0].header.paragraphs[0].runs[0].text = words
    document.save(str(story.own / "reference.docx"))


@when(parsers.parse("the pack is built with documents in {format}"))
def _(story: Story, format: str) -> None:  # noqa: A002
    story.formats = () if format == "no other format" else (format.lower(),)
    story.build()


@when("its documents are made in DOCX")
def _(story: Story) -> None:
    story.make()
    assert story.dossier is not None
    reference = renderer_of(story.dossier.inputs).file("reference.docx")
    imprint = Imprint("device 1", "minivess", story.dossier.inputs.time)
    made = in_formats(("docx",), story.models.values(), imprint, {}, reference)
    story.files = {f"documents/{name}": content for name, content in made.items()}


@then(parsers.parse("each document has a {format} file with every word of its model"))
def _(story: Story, format: str) -> None:  # noqa: A002
    for name, model in story.models.items():
        flat = "".join(story.words(f"documents/{name}.{format.lower()}").split())
        for content in inlines_in((*model.body, model.history)):
            for inline in content:
                words = "".join(plain((inline,)).split())
                assert words in flat, (name, words)


@then("it states its title, and each page its id and its number")
def _(story: Story) -> None:
    for name, model in story.models.items():
        for suffix in story.formats:
            content = story.files[f"documents/{name}.{suffix}"]
            if suffix == "docx":
                document = docx.Document(BytesIO(content))
                assert document.core_properties.title == model.title
                [head] = document.sections[0].header.paragraphs
                assert model.identifier in head.text
                foot = document.sections[0].footer._element.xml
                assert "PAGE</w:instrText>" in foot
                assert "NUMPAGES</w:instrText>" in foot
            else:
                reader = PdfReader(BytesIO(content))
                assert reader.metadata is not None
                assert reader.metadata.title == model.title
                whole = len(reader.pages)
                for number, page in enumerate(reader.pages, start=1):
                    words = page.extract_text()
                    assert model.identifier in words
                    assert f"page {number} of {whole}" in words


@then("building the pack again gives the same bytes")
def _(story: Story) -> None:
    before = story.files
    story.build()
    assert story.files == before


@then("each PDF declares PDF/A-2a and PDF/UA-1, has tags, a language and a title, and is dated like the release")
def _(story: Story) -> None:
    for name in story.models:
        reader = PdfReader(BytesIO(story.files[f"documents/{name}.pdf"]))
        root: Any = reader.root_object
        said = root["/Metadata"].get_object().get_data().decode("utf-8")
        assert "<pdfaid:part>2</pdfaid:part>" in said
        assert "<pdfaid:conformance>A</pdfaid:conformance>" in said
        assert "<pdfuaid:part>1</pdfuaid:part>" in said
        assert root["/Lang"].startswith("en")
        assert root["/MarkInfo"]["/Marked"]
        assert "/StructTreeRoot" in root
        assert root["/ViewerPreferences"]["/DisplayDocTitle"]
        assert reader.metadata is not None
        assert reader.metadata.creation_date == story.release.inputs().time


@then(parsers.parse('the PDF of "{name}" shows "{words}"'))
def _(story: Story, name: str, words: str) -> None:
    assert words in story.words(f"documents/{name}.pdf").replace("\n", "")


@then("the start page says that DOCX and PDF were not made")
def _(story: Story) -> None:
    assert "DOCX and PDF were not made" in text_of(story.files["index.html"].decode("utf-8"))


@then("the pack has no file in them")
def _(story: Story) -> None:
    assert [name for name in story.files if name.endswith((".docx", ".pdf"))] == []
    assert [name for name, page in story.pages.items() if ".pdf" in page] == []


@then("no other format is available")
def _(lacking: None) -> None:
    assert available() == ()
    assert formats_of(Project.model_validate(PROJECT)) == ()
    asked = Project.model_validate(PROJECT | {"documents": {"formats": ["pdf"]}})
    assert formats_of(asked) == ("pdf",)


@then("documents in PDF are refused with the name of the extra")
def _(lacking: None) -> None:
    with pytest.raises(MinivessError) as caught:
        in_formats(("pdf",), (), Imprint("a", "b", datetime.now(UTC)), {}, TEMPLATES / "documents" / "reference.docx")
    assert "minivess[documents]" in str(caught.value.hint)


@then(parsers.parse('the head of each DOCX says "{words}"'))
def _(story: Story, words: str) -> None:
    for name in story.models:
        document = docx.Document(BytesIO(story.files[f"documents/{name}.docx"]))
        assert [one.text for one in document.sections[0].header.paragraphs] == [words]
