"""What differs from the commit, as names and as a diff that restores it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.git.changes import changed_names, uncommitted_diff
from minivess.foundation.git.contents import contents_of
from minivess.foundation.provenance import tree_digest
from tests.support.pump_device import committed_device, device_below_root, device_with_submodule
from tests.support.source_states import git

pytestmark = pytest.mark.verifies("SU-02", "REQ-217")

CORE = "src/pumpseg/core.py"


def apply(folder: Path, diff: bytes) -> None:
    subprocess.run(["git", "apply", "-"], cwd=folder, input=diff, check=True, capture_output=True)


def test_a_clean_tree_has_no_diff(tmp_path: Path) -> None:
    contents = contents_of(committed_device(tmp_path / "device"))
    assert changed_names(contents) == ()
    assert uncommitted_diff(contents) is None


@pytest.mark.parametrize("below", [False, True], ids=["at the root", "below the root"])
def test_the_diff_restores_changed_new_binary_and_removed_files(tmp_path: Path, below: bool) -> None:
    build = device_below_root if below else committed_device
    device = build(tmp_path / "a")
    top = contents_of(device).top
    (device / CORE).write_text("x = 1\n", encoding="utf-8")
    (device / "new file.bin").write_bytes(bytes(range(256)))
    (device / "features/core.feature").unlink()
    (top / "root.py").write_text("", encoding="utf-8")
    git(device, "add", "new file.bin")
    status = git(top, "status", "--porcelain")
    diff = uncommitted_diff(contents_of(device))
    assert diff is not None
    assert git(top, "status", "--porcelain") == status, "the index changed"
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(top), str(clone))
    apply(clone, diff)
    assert tree_digest(clone) == tree_digest(device)


def test_changes_of_a_submodule_are_in_the_diff_of_the_tree(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    (device / CORE).write_text("x = 1\n", encoding="utf-8")
    (device / "src/pumpseg/more.py").write_text("y = 1\n", encoding="utf-8")
    contents = contents_of(device)
    assert changed_names(contents) == ("src/pumpseg", CORE, "src/pumpseg/more.py")
    diff = uncommitted_diff(contents)
    assert diff is not None
    assert b"+++ b/src/pumpseg/core.py\n" in diff
    assert b"+++ b/src/pumpseg/more.py\n" in diff


def test_a_submodule_at_another_commit_is_compared_with_the_recorded_one(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    inner = device / "src/pumpseg"
    (inner / "core.py").write_text("x = 1\n", encoding="utf-8")
    git(inner, "commit", "-qam", "other")
    contents = contents_of(device)
    assert changed_names(contents) == ("src/pumpseg",)
    assert b"+x = 1" in (uncommitted_diff(contents) or b"")


def test_large_changes_are_kept_as_names_and_digests(tmp_path: Path) -> None:
    device = committed_device(tmp_path / "device")
    (device / "large.bin").write_bytes(b"x" * 5000)
    (device / CORE).unlink()
    diff = uncommitted_diff(contents_of(device), limit=4000)
    assert diff is not None
    assert diff.decode("utf-8").splitlines()[1:] == [
        f"{digest_bytes(b'x' * 5000).removeprefix('sha256:')}  large.bin",
        f"removed  {CORE}",
    ]


def test_a_large_diff_of_small_files_is_kept_as_names_and_digests(tmp_path: Path) -> None:
    device = committed_device(tmp_path / "device")
    (device / CORE).unlink()
    diff = uncommitted_diff(contents_of(device), limit=100)
    assert diff is not None
    assert diff.decode("utf-8").splitlines()[1:] == [f"removed  {CORE}"]


def test_a_change_of_the_same_size_within_the_time_of_the_index_is_in_the_diff(tmp_path: Path) -> None:
    """Git compares contents where a file is no older than the index: the copy of the index must keep its time."""
    device = committed_device(tmp_path / "device")
    git(device, "config", "core.trustctime", "false")
    core, index = device / CORE, device / ".git" / "index"
    text = core.read_bytes()
    os.utime(core, (1_700_000_000, 1_700_000_000))
    git(device, "update-index", "--refresh")
    core.write_bytes(text[:-2] + b"#\n")
    for path in (core, index):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    diff = uncommitted_diff(contents_of(device))
    assert diff
    assert f"+++ b/{CORE}\n".encode() in diff
