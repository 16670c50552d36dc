"""Steps of features/documents.feature."""

from __future__ import annotations

import re
import shutil
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
from minivess.compliance.documents.model.blocks import DocumentModel, Drawing, Heading, Table, inlines_in, plain
from minivess.compliance.facts.attested import attested_of
from minivess.compliance.pack.pack import payload
from minivess.compliance.release.gates import judge
from minivess.compliance.standards.approved_subjects import approvable
from minivess.compliance.standards.filing import FilingDocument, filing, missing_chapters
from minivess.foundation.errors import MinivessError
from minivess.records.device.project import Project
from minivess.records.device.release import GateResult
from minivess.records.device.release_policy import CountGate
from tests.support.builders.release_builder import PROJECT, TEMPLATES, Release, make_release, policy_of_release

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
    figures = (story.release.workspace.evaluation / "figures").iterdir()
    files = {f"evaluation/figures/{one.name}": one.read_bytes() for one in figures}
    made = in_formats(("docx",), story.models.values(), imprint, files, reference)
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


TEXT = """# Usability summary

Words before.

## Use specification

A list of users with {words} in it:

- a *surgeon*
- an operator with **years** of practice

| user | place |
|---|---|
| nurse | ward `3` |

```
code stays
```

See [the standard](https://example.org/x) and [a script](javascript:alert).

"""
FILLER = "These are more than eight words of the manufacturer below the heading of this chapter.\n"


def write(story: Story, path: str, text: str) -> None:
    file = story.release.source / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def chapters(document: FilingDocument, without: str = "") -> str:
    return "\n".join(f"## {one}\n\n{FILLER}" for one in document.chapters if one != without) or FILLER


def of_path(path: str) -> FilingDocument:
    return next(one for one in filing() if one.path == path)


@given(parsers.parse('the manufacturer wrote "{path}" with a table, a list, code and "{words}" in its words'))
def _(story: Story, path: str, words: str) -> None:
    write(story, path, TEXT.replace("{words}", words))


@given("a developer approved that text")
def _(story: Story) -> None:
    tree, path = story.release.inputs().tree, "docs/plans/usability.md"
    digest = approvable(tree.source, tree.items)[path]
    story.release.log.append(story.release.people.developer, "trace.approve", {"subject": path, "digest": digest})


@given(parsers.parse('the manufacturer wrote "{path}" without the chapter "{chapter}"'))
def _(story: Story, path: str, chapter: str) -> None:
    write(story, path, chapters(of_path(path), chapter))


@given("the manufacturer wrote every chapter of every document")
def _(story: Story) -> None:
    for one in filing():
        if one.path:
            write(story, one.path, chapters(one))


@given("two software items, and code of one that imports the other")
def _(story: Story) -> None:
    write(story, "requirements/parts.yaml", PARTS_OF_SOFTWARE)
    write(
        story,
        "src/toy/alpha.py",
        "from __future__ import annotations\n\nfrom toy import beta\nfrom toy.beta import sums\n",
    )
    write(story, "src/toy/beta.py", "def sums() -> int:\n    return 4\n")


PARTS_OF_SOFTWARE = """\
software_items:
  - {id: SI-01, title: Toy, statement: The whole., safety_class: B}
  - {id: SI-02, title: Alpha <a>, statement: The first., safety_class: B, part_of: SI-01}
  - {id: SI-03, title: Beta, statement: The second., safety_class: B, part_of: SI-01}
software_units:
  - {id: SU-01, title: One, statement: Does one., part_of: SI-02, modules: [toy.alpha]}
  - {id: SU-02, title: Two, statement: Does two., part_of: SI-03, modules: [toy.beta]}
"""


@then(parsers.parse('there is a document for each of "{names}"'))
def _(story: Story, names: str) -> None:
    assert story.error is None, story.error
    assert set(names.split(", ")) <= set(story.models)
    assert {f"{name}.html" for name in story.models} == {one.name for one in DOCUMENTS} == set(story.pages)


@then("the table of documents names who owes each, where its text stands, and its approval")
def _(story: Story) -> None:
    tables = [one for one in story.models["configuration-management"].body if isinstance(one, Table)]
    rows = {plain(row[0].content): [plain(cell.content) for cell in row] for row in tables[0].rows}
    assert len(rows) == len(DOCUMENTS)
    for one in DOCUMENTS:
        row = rows[story.models[one.stem].identifier]
        assert row[1:3] == [one.title, one.owed_by]
        assert one.path in row[3]
        assert ("missing" in row[3]) == bool(one.path)
        assert row[4]


@then('the document "usability" shows the words of the text and nothing of it as HTML')
def _(story: Story) -> None:
    assert story.error is None, story.error
    page, model = story.pages["usability.html"], story.models["usability"]
    words = text_of(page)
    for word in (
        "Words before.",
        "with <script> in it",
        "a surgeon",
        "years of practice",
        "nurse",
        "ward 3",
        "code stays",
        "a script",
    ):
        assert word in words, word
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert any(isinstance(one, Table) and len(one.rows) == 1 for one in model.body)
    assert [plain(one.content) for one in model.body if isinstance(one, Heading)][:2] == [
        "This document",
        "Use specification",
    ]


@then('the document "usability" names who approved the text, and is effective from that day')
def _(story: Story) -> None:
    facts = story.release.log.facts
    entry = facts.entries[-1].body
    said = f"approved docs/plans/usability.md on {entry.time.day} {entry.time:%B %Y} (entry {entry.index})"
    assert said in text_of(story.pages["usability.html"])
    assert story.models["usability"].title_block.value("Effective date") == f"{entry.time.day} {entry.time:%B %Y}"


@then(parsers.parse('the document "{name}" says that there is no text'))
def _(story: Story, name: str) -> None:
    assert "There is no text." in text_of(story.pages[f"{name}.html"])


def judged(story: Story) -> GateResult:
    """The gate `documents`, on the facts of the files of the pack."""
    assert story.error is None, story.error
    assert story.dossier is not None
    inputs = story.dossier.inputs
    attested = attested_of(inputs.tree, inputs.coverage, inputs.tool, story.dossier.missing)
    known = policy_of_release()
    gate = CountGate(kind="documents", id="documents")
    policy = known.model_copy(update={"gates": (*known.gates, gate)})
    facts = story.release.facts.model_copy(update={"chapters": attested.missing_chapters})
    return next(one for one in judge(policy, facts) if one.id == "documents")


@then(parsers.parse('the document "{name}" says that the chapter "{chapter}" is missing, who owes it and where'))
def _(story: Story, name: str, chapter: str) -> None:
    words = text_of(story.pages[f"{name}.html"])
    assert f"the chapter “{chapter}” is missing; the manufacturer owes it in docs/plans/{name}.md" in words
    assert words.count("missing; the manufacturer") == 1


@then('the gate "documents" of a policy with it fails, and names the chapter')
def _(story: Story) -> None:
    result = judged(story)
    assert not result.passed
    assert result.value == len(missing_chapters(story.release.source)) > 1
    assert result.basis == "attested"
    assert "missing; the manufacturer owes it in" in result.message


@then("no document has a missing chapter")
def _(story: Story) -> None:
    assert story.error is None, story.error
    assert [name for name, page in story.pages.items() if "the manufacturer owes it" in page] == []


@then('the gate "documents" of a policy with it passes')
def _(story: Story) -> None:
    result = judged(story)
    assert result.passed
    assert "No chapter is missing" in result.message


@then('the document "architecture" draws both items, and counts the imports')
def _(story: Story) -> None:
    assert story.error is None, story.error
    page, model = story.pages["architecture.html"], story.models["architecture"]
    [drawing] = [one for one in model.body if isinstance(one, Drawing)]
    assert "SI-02 Alpha &lt;a&gt;" in drawing.svg
    assert "SI-03 Beta" in drawing.svg
    assert drawing.svg in page
    assert "SI-02 Alpha <a> SI-03 (2 imports)" in text_of(page)
    assert "SI-03 Beta none of the others" in text_of(page)


@when("the source tree has the templates of this version")
def _(story: Story) -> None:
    shutil.copytree(TEMPLATES / "documents", story.own, dirs_exist_ok=True)


@when("its documents are made again from that tree", target_fixture="before")
def _(story: Story) -> dict[str, str]:
    before, models = dict(story.pages), story.models
    assert story.dossier is not None
    renderer = renderer_of(story.dossier.inputs)
    assert renderer.own is not None
    story.models = {one.name: one for one in document_models(renderer, story.dossier)}
    story.pages = html_pages(renderer, story.dossier, story.models.values())
    assert models.keys() == story.models.keys()
    return before


@then("the pages are the same, and no template is replaced")
def _(story: Story, before: dict[str, str]) -> None:
    assert story.pages == before
    assert "the source tree replaces none" in text_of(story.pages["configuration-management.html"])
