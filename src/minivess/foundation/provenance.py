"""From which source tree and environment something was made: git state, tree digest, lock file digest.

IEC 62304 5.7.3 and 8.1.2: results are valid for an identified software version and environment.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.commands import git
from minivess.foundation.git.contents import Contents, contents_of
from minivess.foundation.git.repository import Repository, repository_of

UV_LOCK = "uv.lock"
REQUIREMENTS = ("requirements.txt",)
BILLS = ("bom.json", "sbom.cdx.json", "sbom.spdx.json")
LOCK_FILES = (UV_LOCK, *REQUIREMENTS, *BILLS)
"""Names of files that fix the packages of a source tree, in the order in which they are looked for."""


@dataclass(frozen=True)
class SourceVersion:
    """Which version of a source folder this is. Each part is found when it is first asked for, and then kept."""

    folder: Path

    @cached_property
    def contents(self) -> Contents:
        """As `contents_of`: the files of the tree."""
        return contents_of(self.folder)

    @cached_property
    def listing(self) -> bytes:
        """As `tree_listing`."""
        return tree_listing(self.contents)

    @cached_property
    def tree(self) -> str:
        """As `tree_digest`."""
        return digest_bytes(self.listing)

    @cached_property
    def environment(self) -> str | None:
        """As `environment_digest`."""
        return environment_digest(self.folder)

    @cached_property
    def state(self) -> tuple[str | None, bool | None]:
        """As `source_state`: the commit, and whether files differ from it."""
        return source_state(self.folder)

    @cached_property
    def name(self) -> tuple[str, str | None]:
        """As `project_name`: name and version."""
        return project_name(self.folder)


def source_state(folder: Path) -> tuple[str | None, bool | None]:
    """The commit a folder is checked out at, and whether tracked or new files of its repository differ from that commit.

    Returns:
        (commit, dirty); None where git is missing, the folder is in no repository, or git did not answer in time.
    """
    repository = repository_of(folder)
    if not isinstance(repository, Repository) or repository.commit is None:
        return None, None
    status = git(repository.top, "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
    return repository.commit, bool(status.output.strip()) if status.status == 0 else None


def tree_digest(tree: Path | Contents) -> str:
    """The identity of a source tree: the digest of the list of its files (`tree_listing`).

    Args:
        tree: a folder, or its files where they were listed already.

    Raises:
        CouldNotCheckError: a file cannot be read, or git cannot list the files.
    """
    return digest_bytes(tree_listing(tree if isinstance(tree, Contents) else contents_of(tree)))


def tree_listing(contents: Contents) -> bytes:
    """The sorted list of the SHA-256 and the name of each file of a source tree, as `sha256sum` writes it.

    All files of the repository count, wherever the folder is in it, with those of submodules; ignored files do not. The
    same files give the same list without a repository. The digest of a link is that of `link:` and its target.

    Raises:
        CouldNotCheckError: a file cannot be read.
    """
    lines = []
    for name in contents.files:
        path = contents.top / name
        try:
            if path.is_symlink():
                digest = digest_bytes(link_content(path))
            elif path.is_file():
                digest = digest_file(path)
            else:
                continue
        except OSError as error:
            raise CouldNotCheckError(f"cannot read {name} of the source tree: {error.strerror or error}") from error
        lines.append(f"{digest.removeprefix('sha256:')}  ".encode("ascii") + os.fsencode(name) + b"\n")
    for link in contents.gitlinks:
        if link.found is None:
            lines.append(f"not checked out {link.recorded}  ".encode("ascii") + os.fsencode(link.path) + b"\n")
    return b"".join(lines)


def link_content(path: Path) -> bytes:
    """What stands for the content of a symbolic link."""
    return b"link:" + os.fsencode(path.readlink())


def lock_file(folder: Path) -> Path | None:
    """The lock file of a source folder: in it, or in the nearest folder above it in its repository.

    The names of `LOCK_FILES` are looked for one after the other, each in all these folders.
    """
    if (folder / UV_LOCK).is_file():
        return folder / UV_LOCK
    places = [folder]
    repository = repository_of(folder)
    if isinstance(repository, Repository):
        below = [part for part in repository.prefix.split("/") if part]
        places += [repository.top.joinpath(*below[:depth]) for depth in range(len(below) - 1, -1, -1)]
    return next((place / name for name in LOCK_FILES for place in places if (place / name).is_file()), None)


def environment_digest(folder: Path) -> str | None:
    """The digest of the lock file of a source folder (`LOCK_FILES`); None where there is none.

    Raises:
        CouldNotCheckError: the lock file exists and cannot be read.
    """
    lock = lock_file(folder)
    if lock is None:
        return None
    try:
        return digest_file(lock)
    except OSError as error:
        raise CouldNotCheckError(f"cannot read {lock.name}: {error.strerror or error}") from error


def project_name(folder: Path) -> tuple[str, str | None]:
    """Name and version of a source tree, from its `pyproject.toml`; else the name of its folder."""
    try:
        with (folder / "pyproject.toml").open("rb") as stream:
            said = tomllib.load(stream).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        said = {}
    name, version = (said.get(key) if isinstance(said, dict) else None for key in ("name", "version"))
    return str(name or folder.resolve().name), str(version) if version is not None else None
