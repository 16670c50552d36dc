"""Which files a source tree consists of, in any layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.contents import contents_of
from minivess.foundation.git.repository import Repository, repository_of
from minivess.foundation.provenance import environment_digest, lock_file, source_state, tree_digest
from tests.support.pump_device import committed_device, copy_device, device_below_root, device_with_submodule
from tests.support.source_states import commit_all, git

pytestmark = pytest.mark.verifies("SU-02", "REQ-217")

CORE = "src/pumpseg/core.py"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_whole_repository_counts_wherever_the_source_folder_is(tmp_path: Path) -> None:
    device = device_below_root(tmp_path / "top")
    digests = {tree_digest(device)}
    assert tree_digest(tmp_path / "top") in digests
    write(tmp_path / "top/conftest.py", "import sys\n")
    digests.add(tree_digest(device))
    write(tmp_path / "top/library/algorithm.py", "x = 1\n")
    digests.add(tree_digest(device))
    write(device / "pyproject.toml", "[project]\n")
    digests.add(tree_digest(device))
    assert len(digests) == 4
    assert source_state(device)[1] is True


def test_the_lock_file_may_be_above_the_source_folder(tmp_path: Path) -> None:
    device = device_below_root(tmp_path / "top")
    assert lock_file(device) == (tmp_path / "top/uv.lock").resolve()
    first = environment_digest(device)
    assert first is not None
    write(device / "uv.lock", "version = 2\n")
    assert lock_file(device) == device / "uv.lock"
    assert environment_digest(device) != first


def test_submodules_are_part_of_the_tree(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    contents = contents_of(device)
    assert CORE in contents.files
    assert [(link.path, link.recorded == link.found) for link in contents.gitlinks] == [("src/pumpseg", True)]
    before = tree_digest(device)
    core = device / CORE
    core.write_text(core.read_text(encoding="utf-8").replace(">", ">="), encoding="utf-8")
    assert tree_digest(device) != before
    assert source_state(device)[1] is True


def test_a_submodule_that_is_not_checked_out_is_named_and_its_commit_counts(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    git(device, "submodule", "--quiet", "deinit", "--force", "src/pumpseg")
    contents = contents_of(device)
    assert [(link.path, link.found) for link in contents.gitlinks] == [("src/pumpseg", None)]
    before = tree_digest(device)
    git(device, "update-index", "--cacheinfo", f"160000,{'1' * 40},src/pumpseg")
    assert tree_digest(device) != before


@pytest.mark.parametrize("tracked", [False, True], ids=["new folder", "folder with tracked files"])
def test_a_nested_repository_is_named_and_its_files_count(tmp_path: Path, tracked: bool) -> None:
    device = committed_device(tmp_path / "device")
    inner = device / "src/inner"
    if tracked:
        write(inner / "known.py")
        commit_all(device)
    write(inner / "algorithm.py", "x = 1\n")
    commit_all(inner)
    contents = contents_of(device)
    assert contents.nested == ("src/inner",)
    assert "src/inner/algorithm.py" in contents.files
    before = tree_digest(device)
    write(inner / "algorithm.py", "x = 2\n")
    assert tree_digest(device) != before


def test_links_that_leave_the_tree_are_named(tmp_path: Path) -> None:
    device = committed_device(tmp_path / "device")
    write(tmp_path / "elsewhere.py")
    write(device / "ignored/hidden.py")
    for name, target in (
        ("out", "../../elsewhere.py"),
        ("absolute", str(device.resolve() / CORE)),
        ("broken", "nothing.py"),
        ("to_ignored", "../ignored/hidden.py"),
        ("inside", "pumpseg/core.py"),
        ("folder", "pumpseg"),
    ):
        (device / "src" / name).symlink_to(target)
    names = {name.removeprefix("src/") for name in contents_of(device).leaving_links()}
    assert names == {"out", "absolute", "broken", "to_ignored"}


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_whose_changes_are_hidden_from_git_are_named(tmp_path: Path, flag: str) -> None:
    device = committed_device(tmp_path / "device")
    before = tree_digest(device)
    git(device, "update-index", flag, CORE)
    write(device / CORE, "broken = True\n")
    assert source_state(device)[1] is False
    assert contents_of(device).hidden == (CORE,)
    assert tree_digest(device) != before


def test_the_same_files_are_the_same_tree_without_a_repository(tmp_path: Path) -> None:
    device = device_with_submodule(tmp_path)
    write(device / "ignored/results.txt")
    shutil.copytree(device, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    contents = contents_of(tmp_path / "copy")
    assert contents.repository is None
    assert contents.lack == "it is in no git repository"
    assert contents.files == contents_of(device).files
    assert tree_digest(tmp_path / "copy") == tree_digest(device)


def test_without_git_simple_lines_of_gitignore_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = copy_device(tmp_path / "device")
    write(device / "ignored/results.txt")
    write(device / "src/__pycache__/x.pyc")
    before = contents_of(device).files
    monkeypatch.setenv("PATH", str(tmp_path))
    contents = contents_of(device)
    assert contents.lack == "git is not installed"
    assert contents.files == before
    assert source_state(device) == (None, None)


def test_a_folder_that_its_repository_ignores_is_in_no_repository(tmp_path: Path) -> None:
    outer = committed_device(tmp_path / "outer")
    inner = copy_device(outer / "ignored" / "device")
    assert repository_of(inner) == "the git repository around it ignores it"
    assert source_state(inner) == (None, None)
    assert CORE in contents_of(inner).files
    git(outer, "add", "--force", "ignored/device/minivess.yaml")
    assert isinstance(repository_of(inner), Repository)


def test_a_repository_before_its_first_commit_has_none(tmp_path: Path) -> None:
    device = copy_device(tmp_path / "device")
    git(device, "init", "-q")
    found = repository_of(device)
    assert isinstance(found, Repository)
    assert found.commit is None
    assert CORE in contents_of(device).files


def test_what_commands_write_beside_the_project_file_does_not_count(tmp_path: Path) -> None:
    device = committed_device(tmp_path / "device")
    before = tree_digest(device)
    for name in (
        "data/manifest.json",
        "models/a.json",
        "people/ada.json",
        "release/0.1.0/x.zip",
        ".hypothesis/a/b",
        "evidence/a.png",
    ):
        write(device / name)
    write(device / "demo/minivess.yaml")
    write(device / "demo/trust.json")
    assert tree_digest(device) == before
    git(device, "add", "--force", "evidence/a.png")
    assert tree_digest(device) == before
    write(device / "evidence/network.py")
    with_code = tree_digest(device)
    git(device, "add", "data/manifest.json")
    assert len({before, with_code, tree_digest(device)}) == 3
    assert source_state(device)[1] is True


def test_a_broken_index_is_no_empty_tree(tmp_path: Path) -> None:
    device = committed_device(tmp_path / "device")
    (device / ".git/index").write_bytes(b"DIRC broken")
    with pytest.raises(CouldNotCheckError, match="cannot list the files of device"):
        contents_of(device)


def test_variables_of_a_git_hook_name_no_other_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device, other = committed_device(tmp_path / "device"), tmp_path / "other"
    write(other / "a.py")
    commit_all(other)
    expected = contents_of(device)
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert contents_of(device) == expected
