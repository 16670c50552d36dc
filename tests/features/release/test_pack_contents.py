"""Steps of features/pack_contents.feature."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.compliance.items.items import load_items
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import parse_request
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import MinivessError, RefusedError, VerificationError
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import tree_digest
from minivess.records.artifact import Artifact
from minivess.records.device.workspace_files import PACKED_REPORT, PACKED_VALIDATION, file_of
from minivess.records.items.coverage import CoverageReport, FileCoverage
from minivess.records.items.trace import RecordedResult
from minivess.records.log.entry import EntryBody
from minivess.records.verdict import Check
from minivess.workflows.release.earlier_packs import earlier_checkpoint
from minivess.workflows.trace import verification_runs
from tests.support import projects
from tests.support.builders import pack_builder as logs
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import Release, make_release, write_source
from tests.support.pytest_settings import pytest_settings
from tests.support.source_states import commit_all, git
from tests.support.verify_script import verify as script

scenarios("pack_contents.feature")

APPROVED = {"sdp.md": "# Plan\n\nWe plan.\n", "docs/instructions-for-use.md": "# Use\n\nWith care.\n"}
TREE, LIST = "data/source/tree/", "data/source/files.txt"


@dataclass
class Story:
    folder: Path
    release: Release
    packs: list[Mapping[str, bytes]] = field(default_factory=list)
    bent: Mapping[str, bytes] | None = None
    checks: tuple[Check, ...] = ()
    error: MinivessError | None = None
    earlier: str | None = None

    @property
    def pack(self) -> Mapping[str, bytes]:
        return self.packs[0]

    def build(self) -> None:
        out = self.folder / f"pack-{len(self.packs)}.zip"
        earlier = earlier_checkpoint(Workspace(self.folder / "workspace"), self.release.log.facts)
        self.packs.append(read_archive(self.release.build(out, earlier=earlier).path.read_bytes()))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A release whose log is at the test's disposal; its files are shared and not changed."""
    shared = small_pack().release
    return Story(tmp_path, replace(shared, log=shared.log.copy(), prepared=None))


@given("a log with everything that a release needs")
def _(story: Story) -> None:
    assert story.release.log.reference("evaluation")


def approve(release: Release) -> None:
    for subject in APPROVED:
        said = {"subject": subject, "digest": digest_file(release.source / subject)}
        release.log.append(release.people.manager, "trace.approve", said)


@given("a release whose development plan and instructions for use were approved")
def _(story: Story) -> None:
    story.release = with_texts(story.folder)
    approve(story.release)


def with_texts(folder: Path) -> Release:
    source = write_source(folder / "source")
    for name, text in APPROVED.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    return make_release(folder / "release", source=source)


@given("a release whose source tree is a commit of a repository")
def _(story: Story) -> None:
    source = write_source(story.folder / "source")
    commit_all(source)
    story.release = make_release(story.folder / "release", source=source)


@given("a release with a baseline and an attested time")
def _(story: Story) -> None:
    log, people = story.release.log, story.release.people
    log.append(people.manager, "trace.baseline", {"name": "first", "items": 5, "digest": digest_bytes(b"items")})
    note = log.checkpoint
    size = int(note.splitlines()[1])
    log.append(people.manager, "time.attested", {"kind": "cosignature", "size": size, "note": note})


BENT: dict[str, Callable[[Mapping[str, bytes]], dict[str, bytes | None]]] = {
    "a requirement was changed": lambda pack: {
        f"{TREE}requirements/all.yaml": pack[f"{TREE}requirements/all.yaml"].replace(b"shall", b"should")
    },
    "an approved plan is missing": lambda _: {f"{TREE}sdp.md": None},
    "the lock file is missing": lambda _: {f"{TREE}uv.lock": None},
    "a text was added": lambda _: {f"{TREE}docs/praise.md": b"# Good\n"},
    "the list of files is of another tree": lambda pack: {
        LIST: pack[LIST].replace(b"risk/plan.yaml", b"risk/plan.yml")
    },
    "the key of a signer was exchanged": lambda pack: {key_of(pack, "ben"): pack[key_of(pack, "ada")]},
    "a key was added": lambda pack: {"data/keys/eve-0123456789abcdef.pem": pack[key_of(pack, "ada")]},
    "a role was added to the action table": lambda pack: {
        "data/rules/actions-2.json": pack["data/rules/actions-2.json"].replace(
            b'"by": ["developer"]', b'"by": ["developer", "reviewer"]', 1
        )
    },
    "a baseline was invented": lambda _: {"data/traceability/baselines.json": b'[{"name": "first"}]\n'},
}


def key_of(pack: Mapping[str, bytes], who: str) -> str:
    [name] = [name for name in pack if name.startswith(f"data/keys/{who}-")]
    return name


@given(parsers.parse("a pack in which {what}"))
def _(story: Story, what: str) -> None:
    base = small_pack()
    if "plan" in what:
        release = with_texts(story.folder)
        approve(release)
        built = read_archive(release.build(story.folder / "pack.zip").path.read_bytes())
        assert release.prepared is not None
        base = replace(base, files=built, log=release.prepared, people=release.people, release=release)
    changed = BENT[what](base.files)
    assert all(base.files.get(name) != content for name, content in changed.items())
    story.bent = base.bent(changed).signed()


@when("the pack is built")
def _(story: Story) -> None:
    story.build()


@when("the pack is built twice")
def _(story: Story) -> None:
    story.build()
    story.build()


@when("two people sign it and it is verified")
def _(story: Story) -> None:
    assert story.bent is not None
    story.checks = judge_files(story.bent, subject="pack", container="", trusted=None).checks


@then("it has the approved texts, the items, the scenarios and the lock file, each as in the source tree")
def _(story: Story) -> None:
    names = {name.removeprefix(TREE): content for name, content in story.pack.items() if name.startswith(TREE)}
    assert {*APPROVED, "requirements/all.yaml", "risk/plan.yaml", "features/sum.feature", "uv.lock"} <= set(names)
    assert {name: (story.release.source / name).read_bytes() for name in names} == names
    assert not any(name.startswith("src/") for name in names)


@then("the list of all files has the digest of the source tree that the preparation names")
def _(story: Story) -> None:
    assert story.release.prepared is not None
    tree = story.release.prepared.entries[-1].body.payload["source"]["tree"]
    assert digest_bytes(story.pack[LIST]) == tree == tree_digest(story.release.source)


@then("it names the SHA-256 of the archive that git makes of this commit")
def _(story: Story) -> None:
    commit = git(story.release.source, "rev-parse", "HEAD").strip()
    made = subprocess.run(
        ["git", "-C", str(story.release.source), "archive", "--format=tar", commit], check=True, capture_output=True
    ).stdout
    assert story.pack["data/source/archive.txt"].decode() == f"{hashlib.sha256(made).hexdigest()}  {commit}.tar\n"


@then(parsers.parse('the check "{name}" fails because "{words}"'))
def _(story: Story, name: str, words: str) -> None:
    failed = next((check for check in story.checks if not check.passed), None)
    assert failed is not None
    assert failed.name == name, failed
    assert re.search(words, failed.detail), failed.detail


@then("each public key is a PEM file that openssl reads")
def _(story: Story) -> None:
    known = {one["identity"]["id"] for one in json.loads(story.pack["data/audit/identities.json"])["identities"]}
    keys = {name: content for name, content in story.pack.items() if name.startswith("data/keys/")}
    assert {name.split("/")[-1].rpartition("-")[0] for name in keys} == {*known, "log"}
    for name, content in keys.items():
        der = load_pem_public_key(content).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert name.endswith(f"-{hashlib.sha256(der).hexdigest()[:16]}.pem")


@then("the action table is the one that the log adopted")
def _(story: Story) -> None:
    adopted = json.loads(story.pack["data/audit/entries.jsonl"].splitlines()[0])["body"]["payload"]["rules"]
    table = json.loads(story.pack[f"data/rules/actions-{adopted['number']}.json"])
    plain = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert digest_bytes(plain) == adopted["digest"]


@then("the baseline and the attested checkpoint are those of the log")
def _(story: Story) -> None:
    [baseline] = json.loads(story.pack["data/traceability/baselines.json"])
    log = story.release.log
    taken, attested = (
        next(one.body for one in log.entries if one.body.action == name) for name in ("trace.baseline", "time.attested")
    )
    assert (baseline["name"], baseline["entry"], baseline["digest"]) == ("first", taken.index, digest_bytes(b"items"))
    kept = story.pack[f"data/timestamps/{attested.index}.checkpoint.txt"]
    assert kept.decode() == attested.payload["note"]


@then("the workbook and the ReqIF file are the same both times, and state the time of the release")
def _(story: Story) -> None:
    with zipfile.ZipFile(io.BytesIO(story.pack["data/traceability/items.xlsx"])) as book:
        assert {one.date_time for one in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        stated = re.findall(r"20\d\d-[0-9T:-]+Z", book.read("docProps/core.xml").decode())
    assert set(stated) == {f"{logs.BEGIN:%Y-%m-%dT%H:%M:%SZ}"}
    first, second = (
        {name: pack[f"data/traceability/items.{name}"] for name in ("xlsx", "reqif")} for pack in story.packs
    )
    assert first == second


@then("each is read back as the items of the source tree")
def _(story: Story) -> None:
    known = {item.id: item.title for item in load_items(story.release.source).all()}
    for suffix in ("xlsx", "reqif"):
        path = story.folder / f"items.{suffix}"
        path.write_bytes(story.pack[f"data/traceability/items.{suffix}"])
        assert {one.id: one.title for one in read_foreign(path, ForeignMapping()).items} == known


class _Section(HTMLParser):
    """The rows of the table of what a pack carries: header, links and words of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[tuple[list[str], str]] = []
        part = page[page.index('aria-labelledby="carries"') :]
        self.feed(part[: part.index("</section>")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append(([], ""))
        if tag == "a" and self.rows:
            self.rows[-1][0].append(str(dict(attrs)["href"]))

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1] = (self.rows[-1][0], f"{self.rows[-1][1]} {data.strip()}")


def carried_rows(pack: Mapping[str, bytes]) -> list[tuple[list[str], str]]:
    rows = _Section(pack["data/index.html"].decode()).rows[1:]
    return [(links, " ".join(words.split()).replace(" ;", ";")) for links, words in rows]


@then("the start page lists each kind of file with links to files of the pack")
def _(story: Story) -> None:
    linked = {name for links, _ in carried_rows(story.pack) for name in links}
    assert {f"data/{name}" for name in linked} <= set(story.pack)
    assert {
        "source/files.txt",
        "verification/results.json",
        "traceability/junit.xml",
        "traceability/items.xlsx",
        "traceability/baselines.json",
        "rules/actions-2.json",
        "bom/sbom.cdx.json",
    } <= linked
    assert any(name.startswith("keys/ben-") for name in linked)


@then("it states for each how it is checked")
def _(story: Story) -> None:
    for links, words in carried_rows(story.pack):
        said = [one for one in WORDS_OF_CHECKS.values() if one in words]
        assert bool(said) == bool(links), words
    by_link = {name: words for links, words in carried_rows(story.pack) for name in links}
    assert WORDS_OF_CHECKS["entry"] in by_link["verification/results.json"]
    assert WORDS_OF_CHECKS["minivess"] in by_link["source/files.txt"]
    assert WORDS_OF_CHECKS["deep"] in by_link["traceability/items.xlsx"]


WORDS_OF_CHECKS = {
    "entry": "Output of a log entry",
    "log": "Part of the audit log",
    "both": "Both verifiers derive it again",
    "minivess": "release verify derives or compares it again",
    "deep": "makes it again from the source tree",
    "attested": "taken as the build states it",
}


@then("it states that coverage was not measured, and that there is no earlier release")
def _(story: Story) -> None:
    empty = [words for links, words in carried_rows(story.pack) if not links]
    assert any("Coverage was not measured" in words for words in empty)
    assert any("has no earlier release of this log" in words for words in empty)


def put_earlier(story: Story, content: bytes) -> None:
    path = story.folder / "workspace" / "release" / "0.9.0" / "device-0.9.0-evidence.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def packed(pack: Mapping[str, bytes]) -> bytes:
    return write_archive(dict(pack))


@given("the workspace has the pack of an earlier release of the same log")
def _(story: Story) -> None:
    first = small_pack()
    put_earlier(story, packed(first.files))
    story.release.log = first.log.copy()


@given("the workspace has the pack of a release of another log")
def _(story: Story) -> None:
    other = make_release(story.folder / "other", source=story.release.source)
    other.log.origin = "audit.example/another"
    note = story.release.log.checkpoint.replace(story.release.log.origin, "audit.example/another")
    put_earlier(story, packed({**small_pack().files, "data/audit/checkpoint.txt": note.encode()}))


@given("the workspace has the pack of an earlier release, and the log was rolled back")
def _(story: Story) -> None:
    put_earlier(story, packed(small_pack().files))
    assert len(story.release.log.entries) < len(small_pack().log.entries)


@given("the workspace has the pack of an earlier release, and the log has other entries")
def _(story: Story) -> None:
    put_earlier(story, packed(small_pack().files))
    for name in ("one", "two"):
        said = {"name": name, "items": 1, "digest": digest_bytes(b"items")}
        story.release.log.append(story.release.people.manager, "trace.baseline", said)


@given("the workspace has a damaged pack")
def _(story: Story) -> None:
    put_earlier(story, b"PK and no more")


@when("the earlier release is searched")
def _(story: Story) -> None:
    try:
        story.earlier = earlier_checkpoint(Workspace(story.folder / "workspace"), story.release.log.facts)
    except RefusedError as error:
        story.error = error


@then("there is none")
def _(story: Story) -> None:
    assert (story.error, story.earlier) == (None, None)


@then(parsers.parse('it is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert re.search(words, story.error.message), story.error.message


@then("it has the checkpoint of the earlier pack")
def _(story: Story) -> None:
    assert story.pack["data/audit/previous/checkpoint.txt"] == small_pack().files["data/audit/checkpoint.txt"]


@then("its proof shows that the log of this pack continues that checkpoint")
def _(story: Story) -> None:
    asked = parse_request(story.pack["data/audit/previous/consistency.txt"])
    old, new = (
        parse_note(story.pack[f"data/audit/{name}"]).checkpoint
        for name in ("previous/checkpoint.txt", "checkpoint.txt")
    )
    assert asked.note == story.pack["data/audit/checkpoint.txt"].decode()
    assert (asked.old, new.size) == (old.size, len(story.pack["data/audit/entries.jsonl"].splitlines()))
    verify_consistency(old.size, new.size, asked.proof, old.root, new.root)


@then("the pack is verified")
def _(story: Story) -> None:
    release = story.release
    assert release.prepared is not None
    whole = replace(small_pack(), files=story.pack, log=release.prepared, people=release.people, release=release)
    signed = whole.signed()
    checks = judge_files(signed, subject="pack", container="", trusted=None).checks
    assert [check for check in checks if not check.passed] == []
    assert all(held for _, held, _ in script.Judgement(None).judge(signed).checks)


@given("a pack that continues an earlier release, with another proof")
def _(story: Story) -> None:
    first = small_pack()
    put_earlier(story, packed(first.files))
    story.release.log = first.log.copy()
    story.build()
    release = story.release
    assert release.prepared is not None
    whole = replace(first, files=story.pack, log=release.prepared, people=release.people, release=release)
    proof = story.pack["data/audit/previous/consistency.txt"]
    lines = proof.split(b"\n")
    other = b"\n".join([lines[0], *lines[2:]])
    story.bent = whole.bent({"data/audit/previous/consistency.txt": other}, prepared=False).signed()


@given("a release whose results have one scenario and one other test")
def _(story: Story) -> None:
    report = story.release.facts.report
    assert report is not None
    further = RecordedResult(name="test_sum", node="tests/test_sum.py", ids=(), outcome="passed", seconds=0.5)
    story.release = make_release(story.folder / "release")
    story.release.record(report.model_copy(update={"results": (*report.results, further)}))


@then("its JUnit file has one suite of scenarios and one of other tests")
def _(story: Story) -> None:
    suites = ElementTree.fromstring(story.pack["data/traceability/junit.xml"])  # noqa: S314  our own
    found = {suite.get("name"): [case.get("name") for case in suite.iter("testcase")] for suite in suites}
    assert list(found) == ["scenarios", "tests"]
    assert (len(found["scenarios"]), found["tests"]) == (1, ["test_sum"])
    assert [(suite.get("tests"), suite.get("failures")) for suite in suites] == [("1", "0"), ("1", "0")]


@then(parsers.parse('the start page states "{words}"'))
def _(story: Story, words: str) -> None:
    assert any(words in said for _, said in carried_rows(story.pack))


SUMS = "def add(a, b):\n    return a + b\n\n\ndef take(a, b):\n    return a - b\n"
STEPS = """\
from pytest_bdd import given, scenarios
from thing.sums import add

scenarios("sum.feature")


@given("two numbers")
def _() -> None:
    assert add(1, 2) == 3
"""


@given("a project whose source tree has a scenario that runs one of two functions", target_fixture="project")
def _(tmp_path: Path) -> projects.ProjectFolder:
    tree = projects.write_tiny_tree(tmp_path / "tree")
    (tree / "src/thing/sums.py").write_text(SUMS, encoding="utf-8")
    (tree / "tests/features/test_sum.py").write_text(STEPS, encoding="utf-8")
    settings = pytest_settings(more='pythonpath = ["src"]\n').replace(', "-p", "no:pytest_cov"', "")
    (tree / "pyproject.toml").write_text(settings, encoding="utf-8")
    return projects.start(tmp_path / "project", source=tree)


@when("the scenarios are run with coverage", target_fixture="entry")
def _(project: projects.ProjectFolder) -> EntryBody:
    with project.services() as services:
        verification_runs.run_scenarios(services, project.signers["ada"], coverage=True)
        return list(services.log.entries(actions={"scenarios"}))[-1].body


def coverage_of(project: projects.ProjectFolder) -> tuple[bytes, CoverageReport]:
    content = (project.workspace.root / "evidence/verification/coverage.json").read_bytes()
    return content, CoverageReport.model_validate_json(content)


@then("the entry of the results names the coverage of this source tree")
def _(project: projects.ProjectFolder, entry: EntryBody) -> None:
    content, coverage = coverage_of(project)
    outputs = {one.name: one.digest for one in entry.outputs}
    assert outputs["verification/coverage.json"] == digest_bytes(content)
    with project.services() as services:
        assert coverage.tree == entry.payload["tree"] == tree_digest(services.source)
    assert sorted(path.name for path in project.workspace.results.parent.iterdir()) == ["coverage.json", "results.json"]


@then("the coverage names the line that was not run")
def _(project: projects.ProjectFolder) -> None:
    _, coverage = coverage_of(project)
    [file] = [one for one in coverage.files if one.path == "src/thing/sums.py"]
    assert (file.statements, file.covered, file.missing) == (4, 3, (6,))


@given("a release whose results were recorded with coverage")
def _(story: Story) -> None:
    release = make_release(story.folder / "release")
    report = release.facts.report
    assert report is not None
    file = FileCoverage(path="src/thing/sums.py", statements=2, covered=1, missing=(2,))
    coverage = CoverageReport(tool="coverage 7", commit=None, tree=report.tree, scope="scenarios", files=(file,))
    place = release.workspace.results.with_name("coverage.json")
    place.write_text(coverage.model_dump_json(), encoding="utf-8")
    release.log.append(
        release.people.developer,
        "scenarios",
        {"passed": 1, "failed": 0, "skipped": 0, "tree": report.tree},
        outputs=[
            Artifact(name="verification/results.json", digest=digest_file(release.workspace.results)),
            Artifact(name="verification/coverage.json", digest=digest_file(place)),
        ],
    )
    story.release = release


@when(parsers.parse("the pack is made {change}"))
def _(story: Story, change: str) -> None:
    place = story.release.workspace.results.with_name("coverage.json")
    if change == "without the coverage":
        place.unlink()
    elif change == "with another coverage":
        place.write_text(place.read_text(encoding="utf-8").replace('"covered":1', '"covered":2'), encoding="utf-8")
    try:
        story.build()
    except (RefusedError, VerificationError) as error:
        story.error = error


@then(parsers.parse('it is not built because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert re.search(words, story.error.message), story.error.message


@given("a releasable project", target_fixture="project")
def _(releasable_project: projects.ProjectFolder) -> projects.ProjectFolder:
    return releasable_project


@when("the pages for the pack are read", target_fixture="pages")
def _(project: projects.ProjectFolder) -> dict[str, bytes]:
    return {
        name: (project.workspace.root / file_of(name).place).read_bytes() for name in (PACKED_VALIDATION, PACKED_REPORT)
    }


@then("the entries of validation and evaluation name them")
def _(project: projects.ProjectFolder, pages: dict[str, bytes]) -> None:
    with project.services() as services:
        made = {
            one.name: one.digest
            for entry in services.log.entries(actions={"data.validate", "evaluation"})
            for one in entry.body.outputs
        }
    assert {name: made.get(name) for name in pages} == {name: digest_bytes(page) for name, page in pages.items()}


@then("neither has an image, and each says so")
def _(pages: dict[str, bytes]) -> None:
    for page in pages.values():
        assert b"data:image" not in page
    assert b"this copy is for the evidence pack, which has no images of test cases" in pages[PACKED_REPORT]
