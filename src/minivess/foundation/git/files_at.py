"""Files of a folder as they were at a commit: below the root of a repository, in submodules, and from shallow clones."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError, InputError, UsageError
from minivess.foundation.git.commands import Answer, git
from minivess.foundation.git.repository import Repository, repository_of
from minivess.foundation.implements import implements

_GITLINK = "160000"
_LINK = "120000"
_WITHIN_S = 300.0


@dataclass(frozen=True)
class FileAt:
    """One file at a commit."""

    name: str
    """Relative to the folder that was asked for."""
    content: bytes
    """As a checkout would write it; of a symbolic link its target."""
    link: bool
    """Whether it is a symbolic link."""


@implements("REQ-254")
def files_at(folder: Path, revision: str, names: Sequence[str], *, limit: int) -> list[FileAt]:
    """The files below some names, for example folders, as they were at a revision.

    Args:
        folder: in a repository; may be below its root.
        revision: a commit, tag or branch.
        names: relative to `folder`; those that the revision does not have give no file.
        limit: bytes of all files together.

    Raises:
        UsageError: git knows no such revision here.
        InputError: the files are larger than the limit.
        CouldNotCheckError: the folder is in no repository, a submodule is not checked out, or git failed.
    """
    repository = repository_of(folder)
    if not isinstance(repository, Repository):
        raise CouldNotCheckError(f"git cannot be asked for {revision}: {repository}")
    commit = _commit(repository.top, revision)
    found: list[FileAt] = []
    wanted = [f"{repository.prefix}{name}" for name in names]
    for one in _read(repository.top, commit, wanted, limit, ""):
        found.append(FileAt(one.name.removeprefix(repository.prefix), one.content, one.link))
        limit -= len(one.content)
        if limit < 0:
            raise InputError(f"the files at {revision} are larger than allowed")
    return found


def _commit(top: Path, revision: str) -> str:
    answer = git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if revision.startswith("-") or answer.status != 0:
        shallow = git(top, "rev-parse", "--is-shallow-repository").lines == ["true"]
        hint = "this clone is shallow: `git fetch --unshallow` fetches its history" if shallow else ""
        raise UsageError(
            f"git knows no commit {revision!r}", hint=hint or "name a commit, a tag, a branch or a baseline"
        )
    return answer.lines[0]


def _read(top: Path, commit: str, names: Sequence[str], limit: int, at: str) -> Iterator[FileAt]:
    """The files of one repository, then those of its submodules; `at` is where the repository is in the outer one."""
    listed = _asked(top, git(top, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *names))
    rows = [_row(line) for line in listed.names]
    if sum(size for *_, size in rows) > limit:
        raise InputError(f"the files at {commit[:12]} are larger than {limit} bytes")
    blobs = [row for row in rows if row[0] != _GITLINK]
    lines = b"".join(f"{blob} ".encode("ascii") + os.fsencode(name) + b"\n" for _, blob, name, _ in blobs)
    answer = git(top, "cat-file", "--batch", "--filters", given=lines, timeout=_WITHIN_S)
    content = _asked(top, answer).output
    for mode, _, name, _ in blobs:
        header, _, content = content.partition(b"\n")
        parts = header.split()
        if len(parts) != 3 or parts[1] != b"blob" or not parts[2].isdigit():
            raise CouldNotCheckError(f"git cannot read {name} at {commit[:12]}")
        size = int(parts[2])
        yield FileAt(f"{at}{name}", content[:size], mode == _LINK)
        content = content[size + 1 :]
    for _, recorded, name, _ in (row for row in rows if row[0] == _GITLINK):
        if not (top / name / ".git").exists():
            raise CouldNotCheckError(
                f"the submodule {name} is not checked out, so its files at {commit[:12]} cannot be read",
                hint="git submodule update --init",
            )
        yield from _read(top / name, _commit(top / name, recorded), [], limit, f"{at}{name}/")


def _row(line: str) -> tuple[str, str, str, int]:
    """Mode, object, name and size of one line of `git ls-tree -l`."""
    about, _, name = line.partition("\t")
    mode, _, found, size = about.split()
    if "\n" in name:
        raise CouldNotCheckError(f"the name {name!r} has a line break, so git cannot be asked for the file")
    return mode, found, name, int(size) if size.isdigit() else 0


def _asked(top: Path, answer: Answer) -> Answer:
    if answer.status != 0:
        raise CouldNotCheckError(f"git cannot read {top.name}: {answer.words}")
    return answer
