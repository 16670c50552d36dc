"""Steps of features/filings.feature: a small signed pack, indexed by the command."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import write_archive
from minivess.foundation.digests import digest_bytes
from minivess.records.device.filing_index import FilingIndex
from minivess.workflows.release import filing_export
from tests.support.builders.layout2_pack import TAG, small_pack
from tests.support.command_line import Finished, run_here
from tests.support.html_pages import Page

scenarios("filings.feature")

NAME = "small-evidence"


@dataclass
class Story:
    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    done: list[Finished] = field(default_factory=list)

    @property
    def index(self) -> FilingIndex:
        return FilingIndex.model_validate_json((self.folder / "out" / "index.json").read_text(encoding="utf-8"))

    @property
    def page(self) -> Page:
        return Page(self.folder / "out" / "index.html")

    @property
    def table(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((self.folder / "out" / "index.csv").read_text(encoding="utf-8"))))

    def export(self, filing: str, out: str) -> None:
        (self.folder / f"{NAME}.zip").write_bytes(write_archive(self.files))
        command = ("release", "export", "--for", filing, f"{NAME}.zip", out, "--json")
        self.done.append(run_here(*command, folder=self.folder))


@given("a signed pack", target_fixture="story")
@given("a signed pack whose instructions for use lack a chapter", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return Story(tmp_path, small_pack().signed())


@given("a signed pack with a changed document", target_fixture="story")
def _(tmp_path: Path) -> Story:
    name = "data/documents/requirements.html"
    files = small_pack().signed()
    return Story(tmp_path, {**files, name: files[name] + b"\n"})


@when(parsers.parse('it is indexed for "{filing}"'))
def _(story: Story, filing: str) -> None:
    story.export(filing, "out")


@when(parsers.parse('it is indexed for "{filing}" twice'))
def _(story: Story, filing: str) -> None:
    story.export(filing, "out")
    story.export(filing, "again")


@then("page, JSON and CSV have the same clauses, each with a state")
def _(story: Story) -> None:
    assert story.done[0].code == 0, story.done[0].err
    rows = story.index.rows
    assert [(row["id"], row["state"], row["reason"]) for row in story.table] == [
        (one.id, one.state, one.reason) for one in rows
    ]
    assert json.loads(story.done[0].out) == json.loads(story.index.model_dump_json())
    for one in rows:
        assert f"({one.id})" in story.page.text
        assert bool(one.reason) == (one.state == "not met")
    assert {one.state for one in rows} == {"your own process", "not met"}


@then("each link leads to a file or a section of the pack")
def _(story: Story) -> None:
    answers = [answer for row in story.index.rows for answer in row.answers]
    assert {one.kind for one in answers} >= {"document", "file"}
    for one in answers:
        name, _, anchor = one.place.partition("#")
        assert name in story.files
        assert not anchor or f'id="{anchor}"'.encode() in story.files[name]
        assert f"./{NAME}/{one.place}" in story.page.links


@then("the index states the verdict, the keys and the digest of the pack")
def _(story: Story) -> None:
    index = story.index
    assert (index.verdict, index.keys, index.tag_manifest) == (
        "VERIFIED",
        "the pack's own keys",
        digest_bytes(story.files[TAG]),
    )
    for words in (index.verdict, index.keys, index.tag_manifest, index.device):
        assert words in story.page.text


@then(parsers.parse('"{row}" is not met because of "{words}"'))
def _(story: Story, row: str, words: str) -> None:
    [one] = [one for one in story.index.rows if one.id == row]
    assert one.state == "not met"
    assert words in one.reason


@then(parsers.parse('"{row}" is your own process'))
def _(story: Story, row: str) -> None:
    [one] = [one for one in story.index.rows if one.id == row]
    assert one.state == "your own process"


@then("it is refused and nothing is written")
def _(story: Story) -> None:
    assert story.done[0].code == 1
    assert "requirements.html" in story.done[0].err
    assert not (story.folder / "out").exists()


@given("verify.py accepts no pack")
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing_export, "verdict_alone", lambda *_: "NOT VERIFIED")


@then(parsers.parse('it is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.done[0].code == 1
    assert words in story.done[0].err
    assert not (story.folder / "out").exists()


@then("both indexes have the same bytes")
def _(story: Story) -> None:
    first, second = (
        {path.name: path.read_bytes() for path in (story.folder / name).iterdir()} for name in ("out", "again")
    )
    assert first == second
    assert set(first) == {"index.html", "index.json", "index.csv"}


@then("each row states edition, source and date of review")
def _(story: Story) -> None:
    for row in story.table:
        assert all(row[name] for name in ("framework", "edition", "source", "reviewed"))
    for one in story.index.rows:
        for words in (one.edition.name, one.edition.edition, one.edition.source, one.edition.reviewed.isoformat()):
            assert words in story.page.text


@then("rows that were not compared with the text say so")
def _(story: Story) -> None:
    left = [row for row in story.table if row["compared"] == "not yet compared with the text"]
    assert [row["id"] for row in left] == [one.id for one in story.index.rows if not one.edition.compared]
    assert left
    assert "not yet compared with the text" in story.page.text
