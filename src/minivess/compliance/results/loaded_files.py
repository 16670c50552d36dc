"""Where each file that Python loaded belongs: the source tree, the standard library, or a locked distribution."""

from __future__ import annotations

import hashlib
import os
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from minivess.compliance.results.installed import Installed, record_digest
from minivess.foundation.errors import InputError
from minivess.foundation.git.contents import Contents
from minivess.foundation.git.repository import Repository
from minivess.foundation.implements import implements
from minivess.foundation.provenance import SourceVersion, lock_file
from minivess.foundation.reading.lock_file import read_sources
from minivess.records.items.loaded_files import REFUSED, LoadedFiles, PathInstall

_OF_ENVIRONMENTS = frozenset({"_virtualenv.py"})
"""Files that tools write into each environment, and that no RECORD names."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_LENGTH = 200


@dataclass
class _Findings:
    counts: Counter[str] = field(default_factory=Counter)
    installs: dict[str, PathInstall] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """File or distribution -> why it is refused."""


@implements("REQ-219", "RC-93")
def judge_loaded(paths: Iterable[str], root: Path, *, lost: bool = False) -> LoadedFiles:
    """Find out where each loaded file belongs.

    Args:
        paths: absolute paths of the files.
        root: the source folder.
        lost: whether a process ended without naming what it loaded.

    Raises:
        CouldNotCheckError: the files of the tree cannot be listed.
    """
    found = _Findings()
    contents = SourceVersion(root).contents
    rest = _without_library(paths, found)
    rest = _without_tree(rest, contents, found)
    _of_distributions(rest, contents, lock_file(root), found)
    if lost:
        found.refused["a test process"] = "ended without naming the files that it loaded"
    lines = [f"{name}: {why}"[:_LENGTH] for name, why in sorted(found.refused.items())]
    return LoadedFiles(
        runner="pytest",
        tree=found.counts["tree"],
        standard_library=found.counts["library"],
        locked=found.counts["locked"],
        path_installs=tuple(found.installs[name] for name in sorted(found.installs)),
        refused=tuple(lines[:REFUSED]),
        refusals=len(lines),
    )


def _without_library(paths: Iterable[str], found: _Findings) -> set[str]:
    """The real paths of files that are not in the standard library."""
    tops = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    tops |= {os.path.realpath(top) for top in tops}
    rest: set[str] = set()
    for path in paths:
        parts = Path(path).parts
        third_party = not _INSTALLED.isdisjoint(parts)
        inside = any(path.startswith(top + os.sep) for top in tops) and not third_party
        if inside or (third_party and parts[-1] in _OF_ENVIRONMENTS):
            found.counts["library"] += 1
        else:
            rest.add(os.path.realpath(path))
    return rest


def _without_tree(paths: Iterable[str], contents: Contents, found: _Findings) -> set[str]:
    top, files = str(contents.top.resolve()) + os.sep, frozenset(contents.files)
    rest: set[str] = set()
    for path in paths:
        if path.startswith(top) and path[len(top) :] in files:
            found.counts["tree"] += 1
        else:
            rest.add(path)
    return rest


def _of_distributions(paths: set[str], contents: Contents, lock: Path | None, found: _Findings) -> None:
    installed = Installed.all()
    unknown = set(paths)
    loaded: defaultdict[Installed, dict[str, str]] = defaultdict(dict)
    for place in {one.place for one in installed}:
        inside = {path[len(place) + 1 :]: path for path in paths if path.startswith(place + os.sep)}
        for one in installed:
            if inside and one.place == place:
                for name, digest in one.recorded(inside).items():
                    loaded[one][inside[name]] = digest
                    unknown.discard(inside[name])
    editable = [one for one in installed if one.editable]
    for path in sorted(unknown):
        owner = next((one for one in editable if one.folder and Path(path).is_relative_to(one.folder.path)), None)
        if owner is not None and not _same_tree(owner, contents):
            loaded[owner][path] = ""
        else:
            found.refused[_shown(path, contents)] = "is neither in the source tree nor in an installed distribution"
    if lock is None and loaded:
        count = f"{len(loaded)} installed packages" if len(loaded) > 1 else "an installed package"
        found.refused["uv.lock"] = f"there is none, so that {count} cannot be identified"
        return
    try:
        locked = {} if lock is None else read_sources(lock)
    except InputError as error:
        place = str(error.path or lock)
        where = f"{place}:{error.line}: " if error.line else f"{place}: "
        found.refused[_shown(place, contents)] = error.message.removeprefix(where)
        return
    for one, files in loaded.items():
        _judge_distribution(one, files, one.fault(locked, "" if lock is None else lock.name), contents, found)


def _judge_distribution(
    one: Installed, files: Mapping[str, str], fault: str, contents: Contents, found: _Findings
) -> None:
    """Count the files of a distribution, or refuse it."""
    shown = f"{one.name} {one.version}"
    if not fault and one.folder is not None and not _same_tree(one, contents):
        fault = f"is installed from a folder that {one.folder.lack}" if one.folder.lack else ""
        repository = one.folder.repository
        if not fault and isinstance(repository, Repository) and repository.commit and repository.tree:
            install = PathInstall(name=one.name, commit=repository.commit, git_tree=repository.tree)
            found.installs[one.name] = install
    if fault:
        found.refused[shown] = fault
        return
    for path, recorded in files.items():
        why = _changed(one, path, recorded)
        if why:
            found.refused[f"{shown}: {Path(path).name}"] = why
        else:
            found.counts["locked"] += 1


def _changed(one: Installed, path: str, recorded: str) -> str:
    """Whether a file is not the one that was installed."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return "cannot be read any more"
    if one.folder is None:
        same = recorded == record_digest(hashlib.sha256(content).digest())
        return "" if same else "has changed since it was installed"
    if one.editable:
        top = one.folder.contents.top.resolve()
        inside = Path(path).is_relative_to(top) and Path(path).relative_to(top).as_posix() in one.folder.contents.files
        return "" if inside else "is not in the tree of the folder it is installed from"
    name = os.path.relpath(path, one.place)
    copies = (one.folder.path / name, one.folder.path / "src" / name)
    same = any(copy.is_file() and copy.read_bytes() == content for copy in copies)
    return "" if same else "differs from the folder it is installed from"


def _same_tree(one: Installed, contents: Contents) -> bool:
    """Whether a distribution was installed from a folder of the source tree itself."""
    return one.folder is not None and one.folder.path.is_relative_to(contents.top.resolve())


def _shown(path: str, contents: Contents) -> str:
    """A path without the folders of this machine."""
    top = contents.top.resolve()
    if Path(path).is_relative_to(top):
        return Path(path).relative_to(top).as_posix()
    return "/".join(Path(path).parts[-2:])
