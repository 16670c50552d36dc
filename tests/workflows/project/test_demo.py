"""The demo as a stranger runs it: interrupted, started again, and its pack judged and tampered with."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.verification.pack import verify_pack

SOURCE = Path(__file__).resolve().parents[3]
COMMAND = [sys.executable, "-m", "minivess.cli.main", "demo", "--folder"]

pytestmark = [pytest.mark.slow, pytest.mark.verifies("REQ-044")]


def tracked_state() -> str:
    done = subprocess.run(["git", "status", "--porcelain"], cwd=SOURCE, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that was killed in its second step and then told to its end."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    before = tracked_state()
    with subprocess.Popen(
        [*COMMAND, str(folder)], cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        while not (folder / "data").exists() and first.poll() is None:
            time.sleep(0.1)
        first.kill()
    done = subprocess.run([*COMMAND, str(folder)], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "VERIFIED" in done.stdout
    assert tracked_state() == before
    return folder


@pytest.fixture(scope="module")
def pack(demo: Path) -> Path:
    return next((demo / "release" / "0.1.0").glob("*.zip"))


@pytest.mark.verifies("REQ-038", "RC-13")
def test_the_pack_holds_under_keys_from_elsewhere(demo: Path, pack: Path) -> None:
    verdict = verify_pack(pack, trust=demo / "trust.json")
    assert verdict.first_failure is None
    assert verdict.holds
    assert verdict.trusted


@pytest.mark.verifies("REQ-038", "RC-13")
def test_every_file_of_the_pack_is_missed(pack: Path, tmp_path: Path) -> None:
    files = read_archive(pack.read_bytes())
    broken = tmp_path / "broken.zip"
    for name in files:
        broken.write_bytes(write_archive({other: data for other, data in files.items() if other != name}))
        verdict = verify_pack(broken)
        assert not verdict.holds, name
        assert verdict.first_failure is not None
        assert name.startswith("signatures/") or name in verdict.first_failure.detail


@pytest.mark.verifies("REQ-038", "RC-06")
def test_a_removed_entry_is_named_by_the_script_as_well(pack: Path, tmp_path: Path) -> None:
    files = read_archive(pack.read_bytes())
    lines = files["data/audit/entries.jsonl"].splitlines(keepends=True)
    files["data/audit/entries.jsonl"] = b"".join([*lines[:7], *lines[8:]])
    folder = tmp_path / "pack"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    script = shutil.copy(folder / "data" / "verify" / "verify.py", tmp_path / "verify.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "entries.jsonl" in done.stdout


def test_an_ordinary_tool_opens_the_pack(pack: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        assert archive.testzip() is None
        assert "data/index.html" in archive.namelist()
