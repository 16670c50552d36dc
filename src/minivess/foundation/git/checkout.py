"""A copy of a source folder as it is in a commit. The repository that it comes from is read and not changed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.commands import git
from minivess.foundation.implements import implements

_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)
_GITLINK = b"160000"
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
_WITHIN_S = 300.0
"""Seconds for one copy."""


@implements("REQ-224")
def check_out(source: Path, commit: str, folder: Path, *, diff: bytes | None = None) -> Path:
    """Copy a source folder at a commit, with its history and its submodules.

    Objects are shared with the repository of `source`, which has to stay as long as the copy is used.

    Args:
        source: a folder in a git repository.
        commit: hexadecimal id of the commit.
        folder: where the copy of the whole repository is made; does not exist yet.
        diff: changes that were not committed, as `git apply` takes them, for the whole repository.

    Returns:
        The source folder in the copy.

    Raises:
        CouldNotCheckError: there is no repository, it does not have the commit, the diff does not fit, or git failed.
    """
    top, prefix = _repository(source)
    _copy(top, commit, folder)
    if diff is not None:
        _apply(diff, commit, folder)
    found = folder / prefix
    if not found.is_dir():
        raise CouldNotCheckError(f"commit {commit[:12]} does not have the folder {prefix}")
    return found


def _repository(source: Path) -> tuple[Path, str]:
    """The top folder of the repository around a folder, and the folder relative to it."""
    answer = git(source, "rev-parse", "--show-toplevel", "--show-prefix")
    if answer.status != 0 or len(answer.lines) < 2:
        raise CouldNotCheckError(f"the source folder is in no git repository: {answer.words}")
    return Path(answer.lines[0]), answer.lines[1]


def _copy(repository: Path, commit: str, folder: Path) -> None:
    where = f"commit {commit[:12]}"
    known = _COMMIT.fullmatch(commit) and git(repository, "cat-file", "-e", f"{commit}^{{commit}}").status == 0
    if not known:
        raise CouldNotCheckError(f"the repository of the source folder does not have {where}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    steps = (
        (folder.parent, "clone", "--quiet", "--shared", "--no-checkout", "--", str(repository), str(folder)),
        (folder, "checkout", "--quiet", "--detach", "--force", commit),
    )
    for place, *arguments in steps:
        answer = git(place, *_NO_HOOKS, *arguments, timeout=_WITHIN_S)
        if answer.status != 0:
            raise CouldNotCheckError(f"{where} cannot be copied: {answer.words}")
    for path, recorded in _submodules(folder, commit):
        (folder / path).rmdir()  # git leaves an empty folder in its place
        _copy(repository / path, recorded, folder / path)


def _apply(diff: bytes, commit: str, folder: Path) -> None:
    patch = folder.parent / f"{folder.name}.diff"
    patch.write_bytes(diff)
    answer = git(folder, "apply", "--whitespace=nowarn", "--", str(patch.absolute()), timeout=_WITHIN_S)
    if answer.status != 0:
        raise CouldNotCheckError(f"the changes to commit {commit[:12]} cannot be applied: {answer.words}")


def _submodules(folder: Path, commit: str) -> list[tuple[str, str]]:
    """Path and recorded commit of each submodule."""
    rows = [name for name in git(folder, "ls-tree", "-r", "-z", commit).output.split(b"\0") if name]
    links = [row.partition(b"\t") for row in rows if row.startswith(_GITLINK)]
    return [(os.fsdecode(path), row.split()[2].decode("ascii")) for row, _, path in links]
