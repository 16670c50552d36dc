"""Source state, tree digest and environment digest."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from minivess.foundation.digests import digest_bytes
from minivess.foundation.provenance import environment_digest, source_state, tree_digest

pytestmark = pytest.mark.verifies("SU-02")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src" / "pkg" / "__pycache__").mkdir(parents=True)
    (folder / "src" / "pkg" / "a.py").write_text("a = 1\n", encoding="utf-8")
    (folder / "src" / "pkg" / "__pycache__" / "a.pyc").write_bytes(b"\0")
    (folder / "uv.lock").write_text("version = 1\n", encoding="utf-8")
    (folder / "README.md").write_text("read me\n", encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\nignored.py\n", encoding="utf-8")
    return folder


@pytest.fixture
def repository(tree: Path) -> Path:
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "first")
    return tree


def test_commit_and_dirty_flag(repository: Path) -> None:
    commit, dirty = source_state(repository)
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False
    (repository / "src" / "new.py").write_text("", encoding="utf-8")
    assert source_state(repository) == (commit, True)


def test_no_repository_is_no_commit(tree: Path) -> None:
    assert source_state(tree) == (None, None)
    assert source_state(tree / "missing") == (None, None)


@pytest.mark.verifies("REQ-033")
def test_the_tree_digest_follows_every_file_that_is_not_ignored(repository: Path) -> None:
    first = tree_digest(repository)
    (repository / "src" / "ignored.py").write_text("i = 1\n", encoding="utf-8")
    (repository / "evidence").mkdir()
    (repository / "evidence" / "results.json").write_text("{}", encoding="utf-8")
    assert tree_digest(repository) == first

    digests = {first}
    (repository / "README.md").write_text("changed\n", encoding="utf-8")
    digests.add(tree_digest(repository))
    (repository / "algorithm.py").write_text("", encoding="utf-8")
    digests.add(tree_digest(repository))
    (repository / "src" / "pkg" / "a.py").write_text("a = 2\n", encoding="utf-8")
    digests.add(tree_digest(repository))
    (repository / "src" / "pkg" / "b.py").write_text("", encoding="utf-8")
    digests.add(tree_digest(repository))
    (repository / "src" / "pkg" / "b.py").rename(repository / "src" / "pkg" / "c.py")
    digests.add(tree_digest(repository))
    (repository / "src" / "pkg" / "a.py").unlink()
    digests.add(tree_digest(repository))
    assert len(digests) == 7


@pytest.mark.verifies("REQ-033")
def test_the_same_files_give_the_same_digest_without_git(repository: Path, tmp_path: Path) -> None:
    digest = tree_digest(repository)
    shutil.copytree(repository, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    assert tree_digest(tmp_path / "copy") == digest


def test_the_environment_is_the_lock_file(tree: Path) -> None:
    assert environment_digest(tree) == digest_bytes(b"version = 1\n")
    (tree / "uv.lock").unlink()
    assert environment_digest(tree) is None
