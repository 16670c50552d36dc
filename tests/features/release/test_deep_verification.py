"""Steps of features/deep_verification.feature: a real release of a small project, built from a commit."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.documents.documents import DOCUMENTS, html_pages
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.workflows.release import build
from tests.support.projects import ProjectFolder
from tests.support.source_states import commit_all

scenarios("deep_verification.feature")


@dataclass
class Story:
    folder: Path
    pack: Path
    source: Path
    options: list[str] = field(default_factory=list)
    shown: Result | None = None

    def judge(self, *options: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(self.folder), "release", "verify", str(self.pack), *options])

    @property
    def line(self) -> str:
        assert self.shown is not None
        [line] = [line for line in self.shown.stdout.splitlines() if line.startswith("deep ")]
        return line.removeprefix("deep ")


def built(project: ProjectFolder, folder: Path) -> Story:
    made = project.copy_to(folder)
    with made.services() as services:
        pack = build.build(services, made.signers["max"]).path
        return Story(folder, pack, services.source)


@pytest.fixture(scope="module")
def release(releasable_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A release that was built once; its folder is copied before something is changed."""
    return built(releasable_project, tmp_path_factory.mktemp("deep") / "project")


@given("a release that was built from a commit", target_fixture="story")
def _(release: Story, tmp_path: Path) -> Story:
    folder = tmp_path / "project"
    shutil.copytree(release.folder, folder)
    return Story(folder, folder / release.pack.relative_to(release.folder), release.source)


@given("the release was built by a program that writes another page of third-party software", target_fixture="story")
def _(releasable_project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    def other(*inputs: Any) -> dict[str, str]:
        made = html_pages(*inputs)
        return {**made, "soup.html": made["soup.html"].replace("</body>", "<p>No advisory is open.</p></body>")}

    with monkeypatch.context() as changed:
        changed.setattr("minivess.compliance.pack.pack.html_pages", other)
        return built(releasable_project, tmp_path / "other")


@given("the release was built with documents in PDF", target_fixture="story")
def _(releasable_project: ProjectFolder, tmp_path: Path) -> Story:
    made = releasable_project.copy_to(tmp_path / "printed")
    file = made.workspace.project_file
    text = file.read_text(encoding="utf-8")
    assert "formats: []" in text
    file.write_text(text.replace("formats: []", "formats: [pdf]"), encoding="utf-8")
    with made.services() as services:
        pack = build.build(services, made.signers["max"]).path
        return Story(made.workspace.root, pack, services.source)


@when('the extra "documents" is not installed')
def _(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)


@given("the source folder is another repository")
def _(story: Story, tmp_path: Path) -> None:
    shutil.copytree(story.source, tmp_path / "source", ignore=shutil.ignore_patterns(".git"))
    (tmp_path / "source" / "further.txt").write_text("another history\n", encoding="utf-8")
    commit_all(tmp_path / "source")
    story.options = ["--source", str(tmp_path / "source")]


@given("the source folder is in no repository")
def _(story: Story, tmp_path: Path) -> None:
    shutil.copytree(story.source, tmp_path / "source", ignore=shutil.ignore_patterns(".git"))
    story.options = ["--source", str(tmp_path / "source")]


@given("the project file was changed after the release")
def _(story: Story) -> None:
    file = story.folder / "minivess.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("manufacturer: Nobody", "manufacturer: Somebody"), encoding="utf-8")


@given("a page was changed in the pack")
def _(story: Story) -> None:
    files = dict(read_archive(story.pack.read_bytes()))
    files["data/documents/soup.html"] += b"<!-- -->"
    story.pack.write_bytes(write_archive(files))


@when('the command "release verify --deep" judges its pack')
def _(story: Story) -> None:
    story.shown = story.judge("--deep", *story.options)


@then("the line of the comparison says that all derived files are the same, and that no gap is open")
def _(story: Story) -> None:
    assert re.fullmatch(
        r"[1-9][0-9]+ derived files are the same when made again from commit [0-9a-f]{12}; open gaps: 0", story.line
    )


@then("the line of the comparison says how many documents were not made again")
def _(story: Story) -> None:
    assert f"; {len(DOCUMENTS)} documents not made again, because the extra `documents` is not installed" in story.line
    assert "derived files are the same" in story.line


@then(parsers.parse('the line of the comparison names "{name}"'))
def _(story: Story, name: str) -> None:
    found = re.fullmatch(r"2 of [0-9]+ derived files differ when made again .*; open gaps: 0: (.*)", story.line)
    assert found
    assert found[1] == f"{name}, data/ro-crate-metadata.json"


@then(parsers.parse('the line of the comparison is "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.line.startswith(f"not compared: {words}")


@then("the verdict is the same as without the comparison")
def _(story: Story) -> None:
    assert story.shown is not None
    alone = story.judge()
    assert alone.exit_code == story.shown.exit_code
    assert alone.stdout.splitlines() == [
        line for line in story.shown.stdout.splitlines() if not line.startswith("deep ")
    ]
