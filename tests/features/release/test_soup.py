"""Steps of features/soup.feature."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.facts.sbom import BillFacts, sbom
from minivess.compliance.facts.soup import SoupItem, soup
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import MinivessError
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import SHA, Release, make_release, write_source
from tests.support.verify_script import verify

scenarios("soup.feature")

COMMIT = "0123456789" * 4
SOURCES = {
    "git": ('version = "1.0"', f'git = "https://user:secret@git.example/algo#{COMMIT}"'),
    "an address": ('version = "1.0"', 'url = "https://user:secret@files.example/algo-1.0-py3-none-any.whl"'),
    "an archive": ('version = "1.0"', 'path = "vendor/algo-1.0.tar.gz"'),
    "a folder": ("", 'directory = "libs/algo"'),
    "a workspace": ("", 'editable = "packages/algo"'),
}
LOCKS = {
    "requirements.txt": f"click==8.3.0 --hash=sha256:{SHA}\n",
    "bom.json": json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "components": [
                {"type": "library", "name": "click", "version": "8.3.0", "purl": "pkg:pypi/click@8.3.0"},
            ],
        }
    ),
    "sbom.spdx.json": json.dumps(
        {
            "spdxVersion": "SPDX-2.3",
            "packages": [{"SPDXID": "SPDXRef-click", "name": "click", "versionInfo": "8.3.0"}],
        }
    ),
}


@dataclass
class Story:
    lock: Path = Path()
    items: tuple[SoupItem, ...] = ()
    error: MinivessError | None = None
    release: Release | None = None
    files: dict[str, bytes] = field(default_factory=dict)


@given(parsers.parse("a uv lock file with a package from {source}"), target_fixture="story")
def _(tmp_path: Path, source: str) -> Story:
    version, place = SOURCES[source]
    lock = tmp_path / "uv.lock"
    lock.write_text(
        '[[package]]\nname = "device"\nversion = "1"\nsource = { editable = "." }\ndependencies = [{ name = "algo" }]\n'
        f'[[package]]\nname = "algo"\n{version}\nsource = {{ {place} }}\nsdist = {{ hash = "sha256:{SHA}" }}\n'
        if version
        else '[[package]]\nname = "device"\nversion = "1"\nsource = { editable = "." }\ndependencies = [{ name = "algo" }]\n'
        f'[[package]]\nname = "algo"\nsource = {{ {place} }}\n',
        encoding="utf-8",
    )
    return Story(lock)


@given(parsers.parse('a lock file {name} with "{line}"'), target_fixture="story")
def _(tmp_path: Path, name: str, line: str) -> Story:
    (tmp_path / name).write_text(line, encoding="utf-8")
    return Story(tmp_path / name)


@given(parsers.parse("a release of a source tree with {name} in place of uv.lock"), target_fixture="story")
def _(tmp_path: Path, name: str) -> Story:
    tree = write_source(tmp_path / "source")
    (tree / "uv.lock").unlink()
    (tree / name).write_text(LOCKS[name], encoding="utf-8")
    return Story(release=make_release(tmp_path, source=tree))


@given("results that do not state the operating system", target_fixture="story")
def _(tmp_path: Path) -> Story:
    release = make_release(tmp_path)
    report = release.facts.report
    assert report is not None
    parts = tuple(part for part in report.parts if part.kind != "operating-system")
    release.record(report.model_copy(update={"parts": parts}))
    return Story(release=release)


@given(parsers.parse('a pack whose SOUP list leaves out "{part}"'), target_fixture="story")
def _(part: str) -> Story:
    place, pack = "data/bom/soup.csv", small_pack()
    rows = pack.files[place].splitlines(keepends=True)
    left = [row for row in rows if not row.startswith(part.encode("utf-8"))]
    assert len(left) == len(rows) - 1
    return Story(files=dict(pack.bent({place: b"".join(left)}).files))


@when("the SOUP list is made")
def _(story: Story) -> None:
    try:
        story.items = soup(story.lock)
    except MinivessError as error:
        story.error = error


@when("its pack is built")
def _(story: Story, tmp_path: Path) -> None:
    assert story.release is not None
    try:
        story.files = read_archive(story.release.build(tmp_path / "pack.zip").path.read_bytes())
    except MinivessError as error:
        story.error = error


@then(parsers.parse('it names "{name}" in version "{version}", fixed by "{fixed}"'))
def _(story: Story, name: str, version: str, fixed: str) -> None:
    assert [(one.name, one.version, one.fixed_by) for one in story.items] == [(name, version, fixed)]


@then("the bill of materials names the same and has no credentials")
def _(story: Story) -> None:
    made = sbom(BillFacts(story.lock, device="d", version="1", timestamp=datetime(2026, 11, 29, tzinfo=UTC)))
    found = [(one["name"], one["version"], one["purl"]) for one in made["components"] if one["type"] == "library"]
    assert found == [(one.name, one.version, one.purl) for one in story.items]
    assert "secret" not in json.dumps(made)


@then("both verifiers find click 8.3.0 in its SOUP list")
def _(story: Story) -> None:
    assert story.error is None
    product, script = _soup_checks(story.files)
    assert product == script
    assert product[0]
    assert b"\nclick,8.3.0," in story.files["data/bom/soup.csv"]


@then(parsers.parse('both verifiers refuse it and name "{part}"'))
def _(story: Story, part: str) -> None:
    for held, words in _soup_checks(story.files):
        assert not held
        assert part in words


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert reason in str(story.error)


def _soup_checks(files: dict[str, bytes]) -> list[tuple[bool, str]]:
    """Whether the check of the SOUP list holds, and its words, in each verifier."""
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    script = verify.Judgement(None).judge(files).checks
    found = [(check.passed, check.detail) for check in verdict.checks if check.name == "soup"]
    return [*found, *((held, words) for name, held, words in script if name == "soup")]
