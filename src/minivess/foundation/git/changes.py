"""What in a work tree differs from its commit: the names, and one diff that holds all of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.commands import command, environment, git
from minivess.foundation.git.contents import Contents
from minivess.foundation.git.repository import Repository
from minivess.foundation.implements import implements

DIFF_LIMIT = 16 << 20
"""Bytes. Larger changes are kept as names and digests."""


@dataclass(frozen=True)
class _Part:
    """One repository of a tree: the tree's own, or a submodule."""

    folder: Path
    at: str
    """Where it is in the tree, with a slash at its end; empty for the tree's own."""
    base: str
    """The commit with which it is compared."""


def changed_names(contents: Contents) -> tuple[str, ...]:
    """Names of files that differ from the commit, new ones too, in submodules too; in order.

    Raises:
        CouldNotCheckError: git cannot compare.
    """
    return tuple(sorted({name for part in _parts(contents) for name in _changed(part)}, key=os.fsencode))


@implements("REQ-217")
def uncommitted_diff(contents: Contents, *, limit: int = DIFF_LIMIT) -> bytes | None:
    """Everything that differs from the commit, as `git apply` takes it; None when nothing differs.

    New files count when they are not ignored. Changes of a submodule stand under its path in the tree, compared with the
    commit that is recorded for it. Changes that are larger than a limit are a list instead: the SHA-256 and the name of each
    changed file, as `sha256sum` writes them, or `removed` and the name.

    Args:
        contents: the tree.
        limit: of the diff, in bytes.

    Raises:
        CouldNotCheckError: git cannot compare.
    """
    names = changed_names(contents)
    if not names:
        return None
    size = sum(_size(contents.top / name) for name in names)
    diffs: list[bytes] = []
    for part in _parts(contents):
        found = _diff(part, limit - sum(map(len, diffs))) if size <= limit else None
        if found is None:
            return _listed(contents.top, names, limit)
        diffs.append(found)
    return b"".join(diffs)


def _parts(contents: Contents) -> Iterator[_Part]:
    repository = contents.repository
    if not isinstance(repository, Repository) or repository.commit is None:
        return
    yield _Part(contents.top, "", repository.commit)
    for link in contents.gitlinks:
        if link.found is not None:
            yield _Part(contents.top / link.path, f"{link.path}/", link.recorded)


def _changed(part: _Part) -> Iterator[str]:
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=none", "--no-renames")
    status = git(part.folder, "status", *options)
    if status.status != 0:
        raise CouldNotCheckError(f"git cannot compare {part.at or 'the source tree'}: {status.words}")
    yield from (f"{part.at}{line[3:].rstrip('/')}" for line in status.names)


def _diff(part: _Part, limit: int) -> bytes | None:
    """The diff of one repository; None when it is larger than a limit.

    New files are entered in a copy of the index, so that git compares them too and the index stays as it is.
    """
    with TemporaryDirectory() as name:
        index = Path(name) / "index"
        own = git(part.folder, "rev-parse", "--path-format=absolute", "--git-path", "index")
        if own.status == 0 and Path(own.lines[0]).is_file():
            shutil.copy2(own.lines[0], index)  # with its time, by which git knows what changed since
        variables = {"GIT_INDEX_FILE": str(index)}
        added = git(part.folder, "add", "--intent-to-add", "--all", "--", ".", variables=variables)
        if added.status != 0:
            raise CouldNotCheckError(f"git cannot compare {part.at or 'the source tree'}: {added.words}")
        options = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        inside = (f"--src-prefix=a/{part.at}", f"--dst-prefix=b/{part.at}", "--submodule=short")
        return _limited(
            part, ("diff", *options, *inside, "--ignore-submodules=dirty", part.base, "--"), variables, limit
        )


def _limited(part: _Part, arguments: tuple[str, ...], variables: dict[str, str], limit: int) -> bytes | None:
    """What git writes, read no further than a limit."""
    with subprocess.Popen(
        command(part.folder, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(variables),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101  for the type checker: it is a pipe
        written = process.stdout.read(limit + 1)
        if len(written) > limit:
            process.kill()
            return None
    if process.returncode != 0:
        raise CouldNotCheckError(f"git cannot compare {part.at or 'the source tree'} with {part.base[:12]}")
    return written


def _listed(top: Path, names: tuple[str, ...], limit: int) -> bytes:
    lines = [
        f"# The uncommitted changes are larger than {limit} bytes. SHA-256 and name of each changed file:\n".encode()
    ]
    for name in names:
        path = top / name
        if path.is_symlink():
            digest = hashlib.sha256(b"link:" + os.fsencode(path.readlink())).hexdigest()
        elif path.is_file():
            digest = digest_file(path).removeprefix("sha256:")
        else:
            digest = "folder" if path.is_dir() else "removed"
        lines.append(digest.encode("ascii") + b"  " + os.fsencode(name) + b"\n")
    return b"".join(lines)


def _size(path: Path) -> int:
    return 0 if path.is_symlink() or not path.is_file() else path.stat().st_size
