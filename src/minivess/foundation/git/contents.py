"""Which files a source tree consists of: those of its whole repository, with submodules; ignored files do not count.

A tree is listed in the same way with and without a repository, so that a copy without `.git` consists of the same files.
New files that tools and the commands of a project write into the tree are left out (`generated.py`).
Nested repositories that git does not track are listed too, and named: their files can change what the software does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.git.commands import Answer, git
from minivess.foundation.git.generated import Generated, walk
from minivess.foundation.git.repository import Repository, repository_of
from minivess.foundation.implements import implements

_GITLINK = "160000"


@dataclass(frozen=True)
class Gitlink:
    """A submodule: the commit that its repository records for it, and the one that is checked out."""

    path: str
    recorded: str
    found: str | None
    """None when the submodule is not checked out."""


@dataclass(frozen=True)
class Contents:
    """The files of a source tree, by path relative to `top`, in order of their bytes."""

    top: Path
    repository: Repository | None
    lack: str
    """Why there is no repository; empty when there is one."""
    files: tuple[str, ...]
    gitlinks: tuple[Gitlink, ...] = ()
    """Submodules, those of submodules too."""
    nested: tuple[str, ...] = ()
    """Repositories inside the tree that are no submodules."""
    hidden: tuple[str, ...] = ()
    """Files whose changes git was told not to see (`assume-unchanged`, `skip-worktree`)."""

    def leaving_links(self) -> tuple[str, ...]:
        """Symbolic links to something that is not in the tree: outside it, ignored, or absolute."""
        known = set(self.files)
        known.update(parent for name in self.files for parent in _parents(name))
        top = self.top.resolve()
        return tuple(name for name in self.files if _leaves(self.top / name, top, known))


@dataclass
class _Found:
    tracked: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    gitlinks: list[Gitlink] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)


@implements("REQ-217")
def contents_of(folder: Path) -> Contents:
    """List the files of the source tree that a folder belongs to.

    Without git, hidden and compiled files and folders that a simple line of `.gitignore` names are left out.

    Raises:
        CouldNotCheckError: git has a repository here and cannot list its files.
    """
    repository = repository_of(folder)
    found = _Found()
    if isinstance(repository, Repository):
        _list(repository.top, "", found)
        return _contents(repository.top, repository, "", found)
    top = folder.resolve()
    with TemporaryDirectory() as name:
        empty = Path(name)
        made = git(empty, "init", "-q", "--bare", "--template=", ".")
        if made.status == 0 and folder.is_dir():
            options = ("--git-dir", str(empty.resolve()), "--work-tree", str(top))
            _take_others(top, "", found, options)
            _take_nested(top, "", found, set())
        else:
            found.others.update(walk(top))
    return _contents(top, None, repository, found)


def _contents(top: Path, repository: Repository | None, lack: str, found: _Found) -> Contents:
    generated = Generated.of(found.tracked, found.others)
    files = {name for name in found.tracked if not generated.is_evidence(name)}
    files |= {name for name in found.others if not generated.has(name)}
    return Contents(
        top,
        repository,
        lack,
        tuple(sorted(files, key=os.fsencode)),
        tuple(sorted(found.gitlinks, key=lambda one: one.path)),
        tuple(sorted(found.nested)),
        tuple(sorted(found.hidden)),
    )


def _list(top: Path, at: str, found: _Found) -> None:
    """The files of one repository, then those of the repositories inside it."""
    links: dict[str, str] = {}
    for line in _asked(top, "ls-files", "-z", "-s", "-v", "--cached").names:
        about, _, name = line.partition("\t")
        tag, mode, recorded, _ = about.split(" ")
        if mode == _GITLINK:
            links[name] = recorded
        else:
            found.tracked.add(at + name)
        if tag.islower() or tag == "S":
            found.hidden.append(at + name)
    _take_others(top, at, found)
    for name, recorded in links.items():
        inner = top / name
        if not (inner / ".git").exists():
            found.gitlinks.append(Gitlink(at + name, recorded, None))
            continue
        head = git(inner, "rev-parse", "--verify", "HEAD^{commit}")
        found.gitlinks.append(Gitlink(at + name, recorded, head.lines[0] if head.status == 0 else None))
        _list(inner, f"{at}{name}/", found)
    _take_nested(top, at, found, set(links))


def _take_others(top: Path, at: str, found: _Found, options: tuple[str, ...] = ()) -> None:
    """New files that are not ignored; git names a repository inside by its folder, with a slash."""
    for name in _asked(top, *options, "ls-files", "-z", "--others", "--exclude-standard").names:
        if name.endswith("/"):
            _take_repository(top, at, name.rstrip("/"), found)
        else:
            found.others.add(at + name)


def _take_nested(top: Path, at: str, found: _Found, submodules: set[str]) -> None:
    """Repositories in folders whose files belong to the one around them."""
    below = {name[len(at) :] for name in found.tracked | found.others if name.startswith(at)}
    for folder in sorted({parent for name in below for parent in _parents(name)}):
        inside = any(folder == one or folder.startswith(f"{one}/") for one in submodules)
        if not inside and at + folder not in found.nested and (top / folder / ".git").exists():
            _take_repository(top, at, folder, found)


def _take_repository(top: Path, at: str, folder: str, found: _Found) -> None:
    found.nested.append(at + folder)
    if git(top / folder, "rev-parse", "--git-dir").status == 0:
        _list(top / folder, f"{at}{folder}/", found)
    else:  # what is left of a repository, for example of a submodule that was copied
        found.others.update(f"{at}{folder}/{name}" for name in walk(top / folder) if name != ".git")


def _asked(folder: Path, *arguments: str) -> Answer:
    answer = git(folder, *arguments)
    if answer.status != 0:
        raise CouldNotCheckError(
            f"git cannot list the files of {folder.name}: {answer.words}",
            hint="`git status` in that folder shows the same error",
        )
    return answer


def _parents(name: str) -> Iterator[str]:
    """The folders of a path, without the top one."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _leaves(path: Path, top: Path, known: set[str]) -> bool:
    if not path.is_symlink():
        return False
    try:
        target = path.readlink()
        resolved = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a broken link, or a circle of links
        return True
    if target.is_absolute() or not resolved.is_relative_to(top):
        return True
    name = resolved.relative_to(top).as_posix()
    return name not in known and name != "."
