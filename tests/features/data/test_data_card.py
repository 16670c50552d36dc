"""Steps of data_card.feature: a small real project, and the reference reader of Croissant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import read_archive
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError
from minivess.records.data.card import DataCard
from minivess.records.data.split import SplitManifest
from minivess.records.data.validation import Finding, Severity, ValidationReport
from minivess.records.device.workspace_files import CARD_PAGE, CROISSANT
from minivess.records.log.entry import Outcome
from minivess.workflows.data import card as data_card
from minivess.workflows.data import ingestion, sealing, splitting
from minivess.workflows.session import workspace_files
from minivess.workflows.session.recording import recorded
from tests.support import projects
from tests.support.builders.release_builder import make_release

scenarios("data_card.feature")

STATED = {
    "description": "Vessels drawn for the tests of a data card.",
    "version": "1.2.0",
    "creators": ["The drawing office"],
    "published": "2026-02-01",
    "url": "https://example.org/toy",
    "citation": "The drawing office: Toy vessels, 2026.",
    "intended_use": "Trying the software.",
    "out_of_scope": "Anything about animals or people.",
    "collection": "Drawn by a program.",
    "collected_from": "2026-01-01",
    "collected_until": "2026-01-31",
    "ethics": "No approval was needed.",
    "sensitive_information": "There is none.",
    "population": "Made-up mice <b>of no strain</b>.",
    "demographics": "None: nobody was imaged.",
    "annotation_protocol": "The masks are the drawing.",
    "annotators": "Nobody annotated.",
    "annotation_tools": "None.",
    "preprocessing": "None.",
    "biases": "Every vessel is round.",
    "limitations": "There are no arteries.",
    "social_impact": "None is known.",
    "known_traps": ["Loops close across planes."],
    "maintenance": "With the software.",
}


@dataclass
class Story:
    folder: Path
    project: projects.ProjectFolder | None = None
    cards: list[DataCard] = field(default_factory=list)
    written: list[tuple[bytes, bytes]] = field(default_factory=list)
    error: MinivessError | None = None
    pack: dict[str, bytes] = field(default_factory=dict)

    @property
    def ready(self) -> projects.ProjectFolder:
        assert self.project is not None
        return self.project

    @property
    def root(self) -> Path:
        return self.ready.workspace.root

    @property
    def page(self) -> str:
        return (self.root / CARD_PAGE).read_text(encoding="utf-8")

    @property
    def croissant(self) -> dict[str, Any]:
        return dict(json.loads((self.root / CROISSANT).read_text(encoding="utf-8")))

    @property
    def split(self) -> SplitManifest:
        return workspace_files.split_of(self.ready.workspace)


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    folder = tmp_path_factory.mktemp("card")
    project = projects.start(folder / "project", source=folder)
    with project.services() as services:
        manifest = ingestion.ingest(services, project.signers["ada"])
    cases = [case.id for case in manifest.cases]
    findings = [
        *(Finding(rule="mask-gap", severity=Severity.NOTE, case=case, message=f"seen in {case}") for case in cases),
        Finding(rule="class-balance", severity=Severity.WARNING, case=None, message="seen in the set"),
        Finding(
            rule="near-duplicate",
            severity=Severity.WARNING,
            case=cases[0],
            message="seen in all",
            others=tuple(cases[1:]),
        ),
    ]
    rules = tuple(sorted({finding.rule for finding in findings}))
    report = ValidationReport(dataset=manifest.root, rules=rules, findings=tuple(findings))
    with project.services() as services, recorded(services, "data.validate", project.signers["ada"]) as record:
        workspace_files.write_json(project.workspace, "data/validation.json", report)
        record.output("data/validation.json", project.workspace.data / "validation.json")
        record.payload(rules=len(rules), notes=len(cases), warnings=2, blocking=0)
    return project


@pytest.fixture(scope="module")
def divided(validated: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> projects.ProjectFolder:
    project = validated.copy_to(tmp_path_factory.mktemp("card") / "project")
    with project.services() as services:
        splitting.split(services, project.signers["ada"])
    return project


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


@given("a project with validated and split cases without any statements")
def _(story: Story, divided: projects.ProjectFolder) -> None:
    story.project = divided.copy_to(story.folder / "project")


@given("a project with validated and split cases with all statements")
def _(story: Story, divided: projects.ProjectFolder) -> None:
    story.project = divided.copy_to(story.folder / "project")
    file = story.project.workspace.project_file
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    plan["data"]["card"] = STATED
    file.write_text(yaml.safe_dump(plan), encoding="utf-8")


@given("a project whose cases were only ingested and validated")
def _(story: Story, validated: projects.ProjectFolder) -> None:
    story.project = validated.copy_to(story.folder / "project")


@given("a project whose test part is sealed")
def _(story: Story, divided: projects.ProjectFolder) -> None:
    story.project = divided.copy_to(story.folder / "project")
    with story.project.services() as services:
        sealing.seal(services, story.project.signers["ada"])


@given("a release whose results are in the log", target_fixture="release")
def _(story: Story) -> Any:
    return make_release(story.folder / "release")


@when("the data card is written")
@when("the data card is written again")
def _(story: Story) -> None:
    try:
        with story.ready.services() as services:
            story.cards.append(data_card.write_card(services, story.ready.signers["ada"]))
    except MinivessError as error:
        story.error = error
        return
    files = tuple((story.root / name).read_bytes() for name in (CARD_PAGE, CROISSANT))
    story.written.append((files[0], files[1]))


@when("its pack is built")
def _(story: Story, release: Any) -> None:
    built = release.build(story.folder / "pack.zip")
    story.pack = read_archive(built.path.read_bytes())


@then("the page gives the cases, subjects, spacing, parts, classes and findings")
def _(story: Story) -> None:
    card, page = story.cards[0], story.page
    assert "5 cases, 5 subjects" in page
    assert "2 × 1 × 1 µm" in page
    assert "1 foreground; 0 is background" in page
    assert [(one.part.value, one.cases) for one in card.parts] == [("train", 2), ("calibration", 1), ("test", 2)]
    assert f"{len(card.rules)} rules ran" in page
    assert all(f">{case.id}</th>" in page for case in card.cases)
    assert "seed 3, 30 expected photons" in page


@then("the page calls the demographics, the ethics and the annotators not stated")
def _(story: Story) -> None:
    for name in ("Demographics", "Ethics and consent", "Annotators"):
        assert re.search(rf"<dt>{name}</dt><dd><span class=\"soft\">not stated</span></dd>", story.page)
    assert {"demographics", "ethics and consent", "annotators"} <= set(story.cards[0].missing)


@then("an entry names the page and the Croissant file")
def _(story: Story) -> None:
    with story.ready.services() as services:
        last = list(services.log.entries())[-1].body
    assert (last.action, last.outcome) == ("data.card", Outcome.COMPLETED)
    assert {item.name: item.digest for item in last.outputs} == {
        name: digest_file(story.root / name) for name in (CARD_PAGE, CROISSANT)
    }


@then("the page and the Croissant file say what they stated")
def _(story: Story) -> None:
    machines = json.dumps(story.croissant)
    for name, text in STATED.items():
        for one in text if isinstance(text, list) else [text]:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", one):
                assert one in machines
            elif name != "population":
                assert one.rstrip(".") in story.page, name
    assert "Made-up mice &lt;b&gt;of no strain&lt;/b&gt;." in story.page
    assert "Every vessel is round" in machines
    assert "Out of scope: Anything about animals or people." in machines


@then("nothing is called missing")
def _(story: Story) -> None:
    assert story.cards[0].missing == ()
    assert "Nobody stated" not in story.page


@then("both cards are equal, byte for byte")
def _(story: Story) -> None:
    assert story.written[0] == story.written[1]


@then(parsers.parse('it is refused and the hint names "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert words in story.error.hint
    assert not (story.root / CARD_PAGE).exists()


@then("pictures are shown of other cases and of no test case")
def _(story: Story) -> None:
    shown = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="Case (\S+) with', story.page)
    assert sorted(shown) == sorted([*story.split.train, *story.split.calibration])


@then("neither file holds the digests or the foreground of a test case")
def _(story: Story) -> None:
    manifest = workspace_files.manifest_of(story.ready.workspace)
    text = story.page + json.dumps(story.croissant)
    for case in manifest.cases:
        hidden = case.id in story.split.test
        for digest in (case.image, case.label):
            assert (digest.removeprefix("sha256:")[:12] in text) is not hidden
        assert (f"{100 * case.foreground_fraction:.1f} %" in story.page) is not hidden
    for card in story.cards:
        assert all((one.foreground is None) == (one.id in story.split.test) for one in card.cases)
        assert all(figure.cases <= 3 for figure in card.figures)


@then("no finding about a test case or the whole set is shown, only how many there are")
def _(story: Story) -> None:
    assert story.cards[0].withheld == 4
    assert "4 findings about test cases or the set as a whole are withheld" in story.page
    assert sorted(finding.case for finding in story.cards[0].findings) == sorted(
        [*story.split.train, *story.split.calibration]
    )
    assert "seen in the set" not in story.page
    assert "seen in all" not in story.page
    assert "seen in " + story.split.train[0] in story.page


@then("the Croissant file names the encrypted files of the test cases with their digests")
def _(story: Story) -> None:
    files = {item["@id"]: item for item in story.croissant["distribution"]}
    for case in story.split.test:
        for kind in ("image", "label"):
            item = files[f"{case}/{kind}"]
            assert item["contentUrl"] == f"sealed/{case}.{kind}.sealed"
            assert digest_file(story.root / "data" / item["contentUrl"]) == f"sha256:{item['sha256']}"


@then("the page says that the test part is sealed and was never opened")
def _(story: Story) -> None:
    assert "4 sealed files" in story.page
    assert "There was no look at the test part." in story.page


def read(story: Story) -> Any:
    import mlcroissant

    return mlcroissant.Dataset(jsonld=story.root / CROISSANT)


@then("mlcroissant reads it as version 1.1 without errors or warnings")
def _(story: Story) -> None:
    issues = read(story).metadata.ctx.issues
    assert not issues.errors
    assert not issues.warnings


@then("mlcroissant reads it as version 1.1 without errors")
def _(story: Story) -> None:
    metadata = read(story).metadata
    assert not metadata.ctx.issues.errors
    assert metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    assert "http://mlcommons.org/croissant/RAI/1.0" in story.croissant["conformsTo"]


@then("it gives the splits and the cases as records")
def _(story: Story) -> None:
    dataset = read(story)
    assert [row["splits/name"] for row in dataset.records("splits")] == ["train", "calibration", "test"]
    rows = {row["cases/id"]: row for row in dataset.records("cases")}
    for part in ("train", "calibration", "test"):
        assert all(rows[case]["cases/split"] == part for case in getattr(story.split, part))
    assert {row["cases/spacing"] for row in rows.values()} == {"2 1 1"}


@then("the digests it names are those of the files on the disk")
def _(story: Story) -> None:
    files = story.croissant["distribution"]
    assert len(files) == 6
    for item in files:
        assert digest_file(story.root / "data" / item["contentUrl"]) == f"sha256:{item['sha256']}"


@then("its terms of responsible AI say not stated")
def _(story: Story) -> None:
    document = story.croissant
    assert document["rai:dataBiases"] == document["rai:annotatorDemographics"] == "not stated"
    assert document["rai:dataReleaseMaintenancePlan"] == "not stated"
    assert not {"version", "datePublished", "creator", "url", "citeAs"} & set(document)


@then("it holds the data card as a page and as Croissant, without pictures")
def _(story: Story) -> None:
    page = story.pack["data/documents/data-card.html"].decode()
    document = json.loads(story.pack["data/documents/croissant.json"])
    assert "<img" not in page
    assert 'href="croissant.json"' in page
    assert document["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert [row["splits/name"] for row in document["recordSet"][0]["data"]] == ["train", "calibration", "test"]
