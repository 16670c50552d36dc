"""Steps of features/vulnerabilities.feature."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.facts.cyclonedx import validate_bom
from minivess.compliance.facts.sbom import BillFacts, sbom
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.standards.counted import counted_in
from minivess.compliance.verification.pack import judge_files
from minivess.compliance.vulnerabilities.licences import allows, checked_licences
from minivess.compliance.vulnerabilities.review import component_review
from minivess.compliance.vulnerabilities.scanning import scan
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import MinivessError
from minivess.records.components.policy import ComponentPolicy, LicenceReading
from minivess.records.components.review import ComponentReview
from minivess.records.components.scan import Scan
from minivess.records.components.vex import VexFile, VexStatement
from minivess.records.device.attested import Counted
from minivess.records.device.preparation import Tool
from minivess.workflows.release import vulnerability_scan
from tests.support.builders.release_builder import LOCK, Release, make_release, write_source
from tests.support.command_line import Finished, run_here
from tests.support.projects import ProjectFolder
from tests.support.verify_script import verify

scenarios("vulnerabilities.feature")

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TOOL = Tool(name="minivess", version="0.2.0")
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
Advisory = dict[str, Any]


def advisory(name: str = "GHSA-a", package: str = "click", **more: Any) -> Advisory:
    """An advisory that affects each version before 8.3.1."""
    events = [{"introduced": "0"}, {"fixed": "8.3.1"}]
    return {
        "id": name,
        "modified": "2026-11-29T00:00:00Z",
        "aliases": [name.replace("GHSA", "CVE")],
        "summary": "A fault.",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": more.pop("events", events)}],
                "versions": more.pop("versions", []),
            }
        ],
        "database_specific": {"severity": "HIGH"},
        **more,
    }


def zipped(files: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


@dataclass
class Story:
    folder: Path
    lock: Path
    data: bytes = b""
    policy: ComponentPolicy = field(default_factory=ComponentPolicy)
    vex: VexFile = field(default_factory=VexFile)
    scanned: Scan | None = None
    wanted: bool = True
    """Whether the review has a scan."""
    review: ComponentReview | None = None
    error: MinivessError | None = None
    project: ProjectFolder | None = None
    told: list[Finished] = field(default_factory=list)
    release: Release | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    counted: dict[str, Counted] = field(default_factory=dict)

    def advise(self, *advisories: Advisory) -> None:
        self.data = json.dumps(advisories).encode("utf-8")

    def scan(self) -> Scan:
        path = self.folder / "osv"
        path.write_bytes(self.data)
        return scan(self.lock, path, tool=TOOL, time=NOW)

    def command(self, *options: str) -> None:
        assert self.project is not None
        root = self.project.workspace.root
        self.told.append(run_here("-C", str(root), "release", "scan", *options, folder=self.folder))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    lock = tmp_path / "uv.lock"
    lock.write_text(LOCK, encoding="utf-8")
    return Story(tmp_path, lock)


@given("click 8.3.0 is locked for the service")
def _(story: Story) -> None:
    assert 'name = "click"\nversion = "8.3.0"' in story.lock.read_text(encoding="utf-8")
    story.advise(advisory(package="another"))


@given("a project", target_fixture="story")
def _(started_project: ProjectFolder, tmp_path: Path) -> Story:
    project = started_project.copy_to(tmp_path / "project")
    return Story(tmp_path, tmp_path / "none", project=project)


@given(parsers.parse("an advisory that affects click from {first} to {last}"))
def _(story: Story, first: str, last: str) -> None:
    story.advise(advisory(events=[{"introduced": first}, {"fixed": last}]))


@given(parsers.parse("an advisory that affects click up to {last}"))
def _(story: Story, last: str) -> None:
    story.advise(advisory(events=[{"introduced": "0"}, {"last_affected": last}]))


@given(parsers.parse("an advisory that affects click in version {version}"))
def _(story: Story, version: str) -> None:
    story.advise(advisory(events=[], versions=[version]))


@given("an advisory that affects click in some commits")
def _(story: Story) -> None:
    made = advisory()
    made["affected"][0]["ranges"] = [{"type": "GIT", "events": [{"introduced": "0" * 40}, {"fixed": "1" * 40}]}]
    story.advise(made)


@given(parsers.parse("the advisories GHSA-a of severity LOW, PYSEC-b with {vector}, and both name CVE-c"))
def _(story: Story, vector: str) -> None:
    low = advisory(aliases=["CVE-c"], database_specific={"severity": "LOW"})
    rated = advisory("PYSEC-b", aliases=["CVE-c"], database_specific=None)
    story.advise(low, {**rated, "severity": [{"type": "CVSS_V3", "score": vector}]})


@given("an advisory of 29 November 2026 with control characters, and one of the year 2099")
def _(story: Story) -> None:
    steering = "\x1b[31m"
    first = advisory(summary=f"A {steering} fault", aliases=[f"CVE-{steering}"])
    first["affected"][0]["ranges"][0]["events"] = [{"introduced": "0"}, {"fixed": f"9{steering}"}]
    story.advise(first, advisory("GHSA-o", package="another", modified="2099-01-01T00:00:00Z"))


@given(parsers.parse("a zip of 3 advisories, the newest {days:d} days old"))
def _(story: Story, days: int) -> None:
    times = [(datetime.now(UTC) - timedelta(days=days + more)).isoformat() for more in (300, 0, 20)]
    named = {"GHSA-a": "click", "GHSA-t": "torch", "GHSA-o": "another"}
    made = [advisory(name, package, events=[{"introduced": "0"}]) for name, package in named.items()]
    files = [
        (f"{one['id']}.json", json.dumps({**one, "modified": time}).encode("utf-8"))
        for one, time in zip(made, times, strict=True)
    ]
    story.data = zipped(files)
    (story.folder / "all.zip").write_bytes(story.data)


@given(parsers.parse("a database that {fault}"))
def _(story: Story, fault: str) -> None:
    one = json.dumps(advisory()).encode("utf-8")
    deep = one[:-1] + b', "database_specific": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001
    databases: dict[str, Callable[[], bytes]] = {
        "holds no advisory": lambda: zipped([("README.md", b"none")]),
        "is packed 10,000 times": lambda: zipped([("a.json", one[:-1] + b" " * (7 << 20) + b"}")]),
        "is nested 10,000 deep": lambda: deep,
        "has an advisory without id": lambda: zipped([("a.json", b'{"modified": "2026-11-29T00:00:00Z"}')]),
        "is from the future": lambda: json.dumps(advisory(modified="2099-01-01T00:00:00Z")).encode("utf-8"),
        "is a cut zip": lambda: zipped([("a.json", one)])[:-30],
    }
    if fault == "names a file twice":
        with pytest.warns(UserWarning, match="Duplicate name"):
            story.data = zipped([("a.json", one), ("a.json", one)])
    else:
        story.data = databases[fault]()


@given(parsers.parse('the statement "{state}" about {name} of click {version}'))
def _(story: Story, state: str, name: str, version: str) -> None:
    if state != "nothing":
        story.vex = VexFile(statements=(statement(state, name, version),))


def statement(state: str, name: str, version: str) -> VexStatement:
    return VexStatement.model_validate(
        {
            "vulnerability": name,
            "component": "click",
            "version": version,
            "state": state,
            "justification": "code_not_reachable" if state == "not_affected" else None,
            "response": ("update",) if state == "exploitable" else (),
            "detail": "The service does not call it.",
            "by": "rosa",
            "day": "2026-11-30",
        }
    )


@given("no scan")
def _(story: Story) -> None:
    story.wanted = False


@given("a scan of another lock file")
def _(story: Story) -> None:
    story.scanned = story.scan().model_copy(update={"environment": digest_bytes(b"other")})


@given("a database of 31 days")
def _(story: Story) -> None:
    story.advise(advisory(package="another", modified="2026-10-30T00:00:00Z"))


@given("an advisory of severity LOW")
def _(story: Story) -> None:
    story.advise(advisory(database_specific={"severity": "LOW"}))


@given("an advisory without severity")
def _(story: Story) -> None:
    story.advise(advisory(database_specific=None))


@given("an advisory about torch")
def _(story: Story) -> None:
    story.advise(advisory(package="torch"))


@given("malware in torch")
def _(story: Story) -> None:
    story.advise(advisory("MAL-a", package="torch", events=[{"introduced": "0"}], database_specific=None))


@given("a statement about what no scan found")
def _(story: Story) -> None:
    story.vex = VexFile(statements=(statement("not_affected", "GHSA-z", "8.3.0"),))


@given("a release with a scan that found a vulnerability of click, and a statement about it")
def _(story: Story) -> None:
    source = write_source(story.folder / "source")
    said = statement("not_affected", "CVE-a", "8.3.0").model_dump(mode="json", exclude_defaults=True)
    (source / "risk" / "vex.yaml").write_text(json.dumps({"statements": [said]}), encoding="utf-8")
    release = make_release(story.folder / "release", source=source)
    story.lock, story.release = source / "uv.lock", release
    story.advise(advisory())
    place = release.inputs().workspace.scan
    place.parent.mkdir(parents=True)
    place.write_bytes(canonical(story.scan()))


@given(parsers.parse('the licences MIT, Apache-2.0 and "GPL-2.0-only WITH Classpath-exception-2.0" are accepted'))
def _() -> None:
    """They are those of the last step."""


@given(parsers.parse('its metadata state "{stated}", which was read as {licence}'))
def _(story: Story, stated: str, licence: str) -> None:
    reading = LicenceReading(package="click", stated=stated, licence=licence, source="LICENSE.txt")
    story.policy = ComponentPolicy(readings=(reading,))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "components": [CLICK | {"licenses": [{"license": {"name": stated}}]}],
    }
    story.lock = story.folder / "bom.json"
    story.lock.write_text(json.dumps(bill), encoding="utf-8")


CLICK = {"type": "library", "name": "click", "version": "8.3.0", "purl": "pkg:pypi/click@8.3.0"}


@when("the locked packages are scanned")
def _(story: Story) -> None:
    try:
        story.scanned = story.scan()
    except MinivessError as error:
        story.error = error


@when("its packages are scanned")
def _(story: Story) -> None:
    story.command("--osv", "all.zip")
    assert story.told[-1].code == 0, story.told[-1].err


@when("they are scanned again without a network and without a file")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: str) -> Any:
        raise URLError("no route to host")

    monkeypatch.setattr(vulnerability_scan, "_open", unreachable)
    story.command()


@when("the release is reviewed")
def _(story: Story) -> None:
    if story.scanned is None and story.wanted:
        story.scanned = story.scan()
    story.review = component_review(
        checked_licences(story.lock, ".", story.policy),
        story.scanned,
        story.vex,
        story.policy,
        tool=TOOL,
        environment=digest_file(story.lock),
        time=NOW,
    )


@when("its pack is built")
def _(story: Story) -> None:
    assert story.release is not None
    story.files = read_archive(story.release.build(story.folder / "pack.zip").path.read_bytes())


@when("the tool counts for the gates")
def _(story: Story) -> None:
    assert story.release is not None
    story.counted = {one.kind: one for one in counted_in(story.release.inputs().counted_from)}


@then("1 of 1 packages has no accepted licence")
def _(story: Story) -> None:
    found = story.counted["licences"]
    assert (found.of, found.offenders) == (1, ("click 8.3.0 states no licence",))


@then("0 of 1 packages have an open vulnerability, by the database of 2026-11-29")
def _(story: Story) -> None:
    found = story.counted["vulnerabilities"]
    assert (found.of, found.offenders, found.source) == (1, (), "osv, as of 2026-11-29")


@then("without a scan of this lock file no package counts as looked up")
def _(story: Story) -> None:
    assert story.release is not None
    with story.lock.open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    assert "vulnerabilities" not in {one.kind for one in counted_in(story.release.inputs().counted_from)}


@then(parsers.parse("the scan finds {count:d} vulnerabilities"))
def _(story: Story, count: int) -> None:
    assert story.error is None
    assert story.scanned is not None
    assert len(story.scanned.findings) == count


@then("the database is of 29 November 2026")
def _(story: Story) -> None:
    assert story.scanned is not None
    assert story.scanned.snapshot.newest == datetime(2026, 11, 29, tzinfo=UTC)


@then("the finding has no control characters")
def _(story: Story) -> None:
    assert story.scanned is not None
    [found] = story.scanned.findings
    assert (found.summary, found.fixed, found.aliases) == ("A ?[31m fault", (), ())


@then("the finding is GHSA-a with the aliases CVE-c and PYSEC-b, critical with 9.8")
def _(story: Story) -> None:
    assert story.scanned is not None
    [found] = story.scanned.findings
    assert (found.id, found.aliases) == ("GHSA-a", ("CVE-c", "PYSEC-b"))
    assert (found.severity, found.score, found.vector) == ("critical", 9.8, VECTOR)
    assert found.fixed == ("8.3.1",)


@then("the output names 3 advisories, 10 days, and the digest of the file")
def _(story: Story) -> None:
    for words in ("all.zip, 3 advisories, 10 days old", digest_bytes(story.data)):
        assert words in story.told[-1].out


@then("it names the package that ships and the one that does not")
def _(story: Story) -> None:
    rows = [line.split() for line in story.told[-1].out.splitlines() if line.startswith("GHSA-")]
    assert [(row[0], row[1], "yes" in row) for row in rows] == [("GHSA-a", "click", True), ("GHSA-t", "torch", False)]
    assert "Against a release: 1" in story.told[-1].out


@then("the command fails with code 3 and states 10 days")
def _(story: Story) -> None:
    assert story.told[-1].code == 3
    assert "rests on a database that is 10 days old" in story.told[-1].err
    assert "--osv FILE" in story.told[-1].err


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert reason in str(story.error)


@then(parsers.parse("{count:d} vulnerabilities are against it"))
def _(story: Story, count: int) -> None:
    assert story.review is not None
    checked = story.review.vulnerabilities
    assert checked is not None
    assert (checked.looked_at, len(checked.offenders)) == (1, count)


@then(parsers.parse('it is said that "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.review is not None
    checked = story.review.vulnerabilities
    if words == "no scan":
        assert checked is None
        return
    assert checked is not None
    kind, _, text = words.partition(": ")
    listed = checked.offenders if kind == "against" else checked.notes
    assert [one for one in listed if one.startswith(text)], listed
    others = checked.notes if kind == "against" else checked.offenders
    assert not [one for one in others if one.startswith(text)]


@then("the VEX of the pack refers to click in the SBOM and has the statement")
def _(story: Story) -> None:
    bill = json.loads(story.files["data/bom/sbom.cdx.json"])
    document = json.loads(story.files["data/bom/vex.cdx.json"])
    validate_bom(document)
    [row] = document["vulnerabilities"]
    assert (row["id"], row["analysis"]["state"], row["ratings"][0]["severity"]) == ("GHSA-a", "not_affected", "high")
    assert "(rosa, 2026-11-30)" in row["analysis"]["detail"]
    serial = bill["serialNumber"].removeprefix("urn:uuid:")
    assert row["affects"][0]["ref"] == f"urn:cdx:{serial}/1#pkg%3Apypi%2Fclick%408.3.0"


@then("the scan and the review are in the pack, and both verifiers accept it")
def _(story: Story) -> None:
    found = Scan.model_validate_json(story.files["data/bom/scan.json"])
    review = ComponentReview.model_validate_json(story.files["data/bom/review.json"])
    assert review.snapshot == found.snapshot
    assert review.vulnerabilities is not None
    assert review.vulnerabilities.offenders == ()
    verdict = judge_files(story.files, subject="pack", container="", trusted=None)
    checks = {check.name: check.passed for check in verdict.checks}
    assert checks["files"]
    assert {name: held for name, held, _ in verify.Judgement(None).judge(story.files).checks}["files"]


@then(parsers.parse('"{licence}" is {verdict}'))
def _(licence: str, verdict: str) -> None:
    accepted = frozenset({"MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"})
    assert allows(licence, accepted) == (verdict == "accepted")


@then("no licence is against it, and the SBOM marks BSD-3-Clause as concluded")
def _(story: Story) -> None:
    assert story.review is not None
    assert story.review.licences.offenders == ()
    made = sbom(BillFacts(story.lock, device="d", version="1", timestamp=NOW, policy=story.policy))
    [click] = [one for one in made["components"] if one["name"] == "click"]
    assert click["licenses"] == [{"license": {"id": "BSD-3-Clause", "acknowledgement": "concluded"}}]


@then("other metadata would be against it")
def _(story: Story) -> None:
    text = story.lock.read_text(encoding="utf-8")
    story.lock.write_text(text.replace("BSD License", "Own License"), encoding="utf-8")
    checked = checked_licences(story.lock, ".", story.policy)
    assert checked.offenders == ("click 8.3.0 has the licence Own License, which is not accepted",)
    assert checked.notes == ("release/components.yaml names click, for which it is not needed",)
