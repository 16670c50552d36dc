"""Copies of a source folder at a commit: with history and submodules, without a change to the repository they come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.changes import uncommitted_diff
from minivess.foundation.git.checkout import check_out
from minivess.foundation.git.contents import contents_of

pytestmark = pytest.mark.verifies("REQ-224")


def git(folder: Path, *arguments: str) -> str:
    options = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(folder), *options, *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_older_commit_is_copied_with_its_history(tmp_path: Path) -> None:
    source = tmp_path / "source"
    first = commit(source, device__src__a="old")
    second = commit(source, device__src__a="new", device__src__b="more")
    (source / "device" / "src" / "a").write_text("changed and not committed", encoding="utf-8")
    before = state(source)
    for number, (name, text) in enumerate([(first, "old"), (second, "new")]):
        copy = check_out(source / "device", name, tmp_path / f"copy-{number}")
        assert copy == tmp_path / f"copy-{number}" / "device"
        assert (copy / "src" / "a").read_text(encoding="utf-8") == text
        assert git(copy, "rev-parse", "HEAD") == name
        assert git(copy, "status", "--porcelain") == ""
        assert len(git(copy, "log", "--format=%H").splitlines()) == number + 1
    assert state(source) == before


def test_submodules_are_copied_at_their_recorded_commits(tmp_path: Path) -> None:
    inner, middle, outer = (tmp_path / name for name in ("inner", "middle", "outer"))
    commit(inner, algorithm="recorded")
    commit(middle, own="x")
    git(middle, "submodule", "add", "--quiet", str(inner), "inner")
    commit(middle)
    commit(outer, own="y")
    git(outer, "submodule", "add", "--quiet", str(middle), "lib/middle")
    git(outer, "submodule", "update", "--quiet", "--init", "--recursive")
    recorded = commit(outer)
    commit(outer / "lib" / "middle" / "inner", algorithm="changed and committed in the submodule alone")
    copy = check_out(outer, recorded, tmp_path / "copy")
    assert (copy / "lib" / "middle" / "inner" / "algorithm").read_text(encoding="utf-8") == "recorded"
    assert git(copy, "status", "--porcelain") == ""


def test_uncommitted_changes_are_applied(tmp_path: Path) -> None:
    source = tmp_path / "source"
    first = commit(source, a="old\n", gone="x\n", device__b="same\n")
    (source / "a").write_text("new\n", encoding="utf-8")
    (source / "gone").unlink()
    (source / "device" / "further.bin").write_bytes(bytes(range(256)))
    contents = contents_of(source / "device")
    diff = uncommitted_diff(contents)
    copy = check_out(source / "device", first, tmp_path / "copy", diff=diff)
    assert (copy.parent / "a").read_text(encoding="utf-8") == "new\n"
    assert not (copy.parent / "gone").exists()
    assert (copy / "further.bin").read_bytes() == bytes(range(256))
    assert uncommitted_diff(contents_of(copy)) == diff
    assert diff
    for number, wrong in enumerate((b"no diff", diff.replace(b"-old", b"-older"))):
        with pytest.raises(CouldNotCheckError, match="cannot be applied"):
            check_out(source, first, tmp_path / f"wrong-{number}", diff=wrong)


def test_hooks_of_the_user_are_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = commit(tmp_path / "source", a="x")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n", encoding="utf-8")
    (hooks / "post-checkout").chmod(0o755)
    (tmp_path / "config").write_text(f"[core]\n\thooksPath = {hooks}\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    check_out(tmp_path / "source", name, tmp_path / "copy")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("name", ["0" * 40, "HEAD", "--all", "", "main"])
def test_a_commit_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    commit(tmp_path / "source", a="x")
    with pytest.raises(CouldNotCheckError, match=f"does not have commit {name[:12]}"):
        check_out(tmp_path / "source", name, tmp_path / "copy")


def test_a_folder_in_no_repository_or_not_in_the_commit_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(CouldNotCheckError, match="in no git repository"):
        check_out(tmp_path / "plain", "0" * 40, tmp_path / "copy")
    first = commit(tmp_path / "source", a="x")
    commit(tmp_path / "source", later__b="y")
    with pytest.raises(CouldNotCheckError, match=r"does not have the folder later"):
        check_out(tmp_path / "source" / "later", first, tmp_path / "copy")
