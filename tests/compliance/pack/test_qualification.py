"""The report of a tool qualification in a pack: both verifiers compare it with the entry that made it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.records.artifact import Artifact
from tests.support.builders.guarded_log import VERIFY
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.builders.release_builder import make_release

pytestmark = [pytest.mark.verifies("REQ-591"), pytest.mark.verifies("REQ-228")]

REPORT, PAGE = "data/qualification/report.json", "data/qualification/report.html"
PAYLOAD = {"tool": {"name": "minivess", "version": "1"}, "code": digest_bytes(b"code"), "passed": 14, "failed": 0}
FILES: dict[str, bytes | None] = {REPORT: b'{"passed": true}\n', PAGE: b"<p>all checks passed</p>\n"}


@cache
def qualified() -> SmallPack:
    """A small pack whose log has a qualification, with its report."""
    pack = small_pack()
    log = pack.before().copy()
    outputs = [
        Artifact(name=f"evidence/qualification/{name.rpartition('/')[2]}", digest=digest_bytes(content or b""))
        for name, content in FILES.items()
    ]
    log.append(pack.people.developer, "tool.qualified", PAYLOAD, outputs=outputs)
    reference = log.reference("tool.qualified")

    def say(said: dict[str, Any]) -> dict[str, Any]:
        return {**said, "chain": {**said["chain"], "qualification": reference}}

    return pack.bent(FILES, log=log, say=say)


def first_faults(files: dict[str, bytes]) -> tuple[str, str]:
    """The first check that fails, with its words, of both verifiers; signatures aside."""
    found = []
    judged = judge_files(files, subject="pack", container="", trusted=None).checks
    for checks in ([(one.name, one.passed, one.detail) for one in judged], VERIFY.Judgement(None).judge(files).checks):
        failed = [f"{name}: {words}" for name, passed, words in checks if not passed and name != "release signatures"]
        found.append(failed[0] if failed else "")
    return found[0], found[1]


def test_a_report_that_its_entry_made_is_accepted() -> None:
    assert first_faults(dict(qualified().files)) == ("", "")


@pytest.mark.parametrize("name", [REPORT, PAGE])
def test_another_report_than_the_entry_made_is_refused(name: str) -> None:
    for faults in first_faults(dict(qualified().bent({name: b"all 99 checks passed\n"}).files)):
        assert name in faults


def test_a_build_packs_the_report_that_the_log_names(tmp_path: Path) -> None:
    release = make_release(tmp_path / "release")
    folder = release.workspace.qualification
    folder.mkdir(parents=True)
    outputs = []
    for name, content in FILES.items():
        path = folder / name.rpartition("/")[2]
        path.write_bytes(content or b"")
        outputs.append(Artifact(name=release.workspace.name(path), digest=digest_bytes(content or b"")))
    release.log.append(release.people.developer, "tool.qualified", PAYLOAD, outputs=outputs)
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    assert {name: files[name] for name in FILES} == FILES
    assert b'href="../qualification/report.html"' in files["data/documents/configuration-management.html"]
    assert first_faults(files) == ("", "")
    (folder / "report.json").write_bytes(b"another")
    with pytest.raises(VerificationError, match=r"qualification/report\.json"):
        release.build(tmp_path / "other.zip")


def test_a_report_without_an_entry_is_refused() -> None:
    for faults in first_faults(dict(small_pack().bent(FILES).files)):
        assert "data/qualification/" in faults


def test_a_release_names_the_newest_qualification() -> None:
    pack = qualified()
    log = pack.before().copy()
    log.append(pack.people.developer, "tool.qualified", PAYLOAD | {"passed": 13, "failed": 1})
    for faults in first_faults(dict(pack.bent(log=log).files)):
        assert "qualification" in faults


def test_the_configuration_document_names_the_qualification_or_that_there_is_none(tmp_path: Path) -> None:
    page = "data/documents/configuration-management.html"
    assert b"The log has no qualification" in small_pack().files[page]
    assert b"qualification/report.html" not in small_pack().files[page]
    release = make_release(tmp_path / "release")
    release.log.append(release.people.developer, "tool.qualified", PAYLOAD | {"failed": 1}, outputs=[])
    made = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())[page]
    assert b"qualified minivess 1 on " in made
    assert b"14 checks passed and 1 failed" in made
