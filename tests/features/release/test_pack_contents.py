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
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.compliance.items.items import load_items
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.provenance import tree_digest
from minivess.records.verdict import Check
from tests.support.builders import pack_builder as logs
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import Release, make_release, write_source
from tests.support.source_states import commit_all, git

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

    @property
    def pack(self) -> Mapping[str, bytes]:
        return self.packs[0]

    def build(self) -> None:
        out = self.folder / f"pack-{len(self.packs)}.zip"
        self.packs.append(read_archive(self.release.build(out).path.read_bytes()))


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
