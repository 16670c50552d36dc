"""From which source tree and environment something was made: git state, tree digest, lock file digest.

IEC 62304 5.7.3 and 8.1.2: results are valid for an identified software version and environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError

TREE_PARTS = ("src", "features", "tests", "requirements", "risk", "templates", "pyproject.toml", "uv.lock")
"""What a source tree consists of, for `tree_digest`."""

_TIMEOUT_SECONDS = 20.0
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
_SKIPPED_SUFFIXES = frozenset({".pyc", ".pyo"})


@dataclass(frozen=True)
class SourceVersion:
    """Which version of a source folder this is. Each part is found when it is first asked for, and then kept."""

    folder: Path

    @cached_property
    def tree(self) -> str:
        """As `tree_digest`."""
        return tree_digest(self.folder)

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
    """The commit a folder is checked out at, and whether tracked or new files under it differ from that commit.

    Returns:
        (commit, dirty); None where git is missing, the folder is no work tree, or git did not answer in time.
    """
    head = _git(folder, "rev-parse", "--verify", "HEAD")
    commit = head.decode("ascii", "replace").strip() if head else None
    status = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return commit, None if status is None or commit is None else bool(status.strip())


def tree_digest(folder: Path) -> str:
    """The digest of a source tree: of the sorted list of its files' digests and names (as `sha256sum` writes them).

    Files under `TREE_PARTS` count: with git those tracked, and those new and not ignored; without it, those found by
    walking, less hidden and compiled ones. The same files give the same digest either way.

    Raises:
        CouldNotCheckError: a file cannot be read.
    """
    state = hashlib.sha256()
    for name in sorted(_tree_files(folder), key=os.fsencode):
        path = folder / name
        try:
            if path.is_symlink():
                digest = digest_bytes(b"link:" + os.fsencode(path.readlink()))
            elif path.is_file():
                digest = digest_file(path)
            else:
                continue
        except OSError as error:
            raise CouldNotCheckError(f"cannot read {name} of the source tree: {error.strerror or error}") from error
        state.update(f"{digest.removeprefix('sha256:')}  ".encode("ascii") + os.fsencode(name) + b"\n")
    return f"sha256:{state.hexdigest()}"


def environment_digest(folder: Path) -> str | None:
    """The digest of the lock file (`uv.lock`) of a source folder; None where there is none.

    Raises:
        CouldNotCheckError: the lock file exists and cannot be read.
    """
    lock = folder / "uv.lock"
    if not lock.is_file():
        return None
    try:
        return digest_file(lock)
    except OSError as error:
        raise CouldNotCheckError(f"cannot read uv.lock: {error.strerror or error}") from error


def project_name(folder: Path) -> tuple[str, str | None]:
    """Name and version of a source tree, from its `pyproject.toml`; else the name of its folder."""
    try:
        with (folder / "pyproject.toml").open("rb") as stream:
            said = tomllib.load(stream).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        said = {}
    name, version = (said.get(key) if isinstance(said, dict) else None for key in ("name", "version"))
    return str(name or folder.resolve().name), str(version) if version is not None else None


def _tree_files(folder: Path) -> set[str]:
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *TREE_PARTS)
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name} if listed else set()
    return names or set(_walk(folder))


def _walk(folder: Path) -> Iterator[str]:
    for part in TREE_PARTS:
        top = folder / part
        if top.is_file() or top.is_symlink():
            yield part
            continue
        for parent, folders, files in os.walk(top):
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith(".")]
            for file in files:
                if not file.startswith(".") and Path(file).suffix not in _SKIPPED_SUFFIXES:
                    yield (Path(parent) / file).relative_to(folder).as_posix()


def _git(folder: Path, *arguments: str) -> bytes | None:
    program = shutil.which("git")
    if program is None or not folder.is_dir():
        return None
    try:
        done = subprocess.run(
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
