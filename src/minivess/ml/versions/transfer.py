"""Sending what is under DVC to a remote and bringing it back, each byte checked against the digest it is kept under.

DVC keeps files under their MD5. What a remote holds already is not sent again, and what the cache holds is not fetched
again, so an interrupted transfer goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.sealed.sealed_files import MANIFEST
from minivess.ml.sealed.sealed_guard import refuse_sealed
from minivess.ml.versions.data_version import TrackedFolder, check_sealed, folder_of, kept_listing
from minivess.ml.versions.dvc_folder import muted, opened
from minivess.ml.versions.remotes import connected, reached, trouble
from minivess.records.data.version import DataRemote
from minivess.records.sinks import Progress

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Transferred:
    """What went over the line.

    Attributes:
        folders: everything under DVC, in order of name.
        files: files that were sent or fetched; the others were there already.
        size: their bytes.
    """

    folders: tuple[TrackedFolder, ...]
    files: int
    size: int


@implements("REQ-096", "REQ-097", "RC-03")
def push(workspace: Path, remote: DataRemote, *, progress: Progress) -> Transferred:
    """Send everything under DVC to the remote; what it holds already stays as it is.

    Raises:
        UsageError: nothing is under DVC.
        RefusedError: plain files of the sealed test part would be sent.
        VerificationError: a file of the cache was changed; it is named and not sent.
        CouldNotCheckError: the remote is out of reach, or the cache lacks files; what was sent stays there.
    """
    root = workspace.resolve()
    check_sealed(workspace)
    with opened(root) as repo:
        cache = repo.cache.local
        outs = _outs(repo)
        try:
            folders = [folder_of(root, out, kept_listing(cache, out)) for out in outs]
        except OSError:
            raise CouldNotCheckError(
                "the cache lacks a listing", hint="run minivess data pull, or data add again"
            ) from None
        names = _names(folders)
        refuse_sealed(root, {Path(cache.oid_to_path(oid)): name for oid, name in names.items()})
        there = connected(repo, remote, writing=True)

        def fit_to_send(new: set[str]) -> None:
            changed = _changed(cache, new, names, progress)
            if changed:
                raise VerificationError(
                    f"{changed[0]} was changed in DVC's cache", hint="run minivess data add on its folder again"
                )

        sent = _transfer(repo, remote, names, progress, source=cache, target=there.odb, before=fit_to_send)
        return Transferred(tuple(folders), len(sent), _size(cache, sent))


@implements("REQ-096", "REQ-097", "REQ-098")
def pull(
    workspace: Path, remote: DataRemote, *, accept: Callable[[Sequence[TrackedFolder]], None], progress: Progress
) -> Transferred:
    """Bring back everything under DVC, and put it into the workspace when every byte is as it was.

    Args:
        workspace: the project folder.
        remote: where it is kept.
        accept: sees the folders, with their listings, before any file is fetched; may refuse them.
        progress: hears about each file.

    Raises:
        UsageError: nothing is under DVC.
        VerificationError: a listing or a file of the remote was changed; it is named, and the workspace is as it was.
        RefusedError: plain files of the sealed test part came along, or files in the workspace are in no version.
        CouldNotCheckError: the remote is out of reach, or lacks files; what was fetched is kept.
    """
    root = workspace.resolve()
    with opened(root) as repo:
        cache = repo.cache.local
        outs = _outs(repo)
        there = connected(repo, remote, writing=False)
        with reached(repo, remote):
            folders = [folder_of(root, out, _listing(cache, there.odb, out)) for out in outs]
        accept(folders)
        names = _names(folders)
        fetched = _transfer(repo, remote, names, progress, source=_as_it_is(there.odb), target=cache)
        size = _size(cache, fetched)
        changed = _changed(cache, set(names), names, progress, remove=True)
        if changed:
            raise VerificationError(
                f"{changed[0]} is not what it was when it was sent"
                + (f", and {len(changed) - 1} more files" if len(changed) > 1 else ""),
                hint="remove the object in the remote and push it again from a whole copy; the workspace was not touched",
            )
        paths = {Path(cache.oid_to_path(oid)): name for oid, name in names.items()}
        seal = next((path for path, name in paths.items() if name == f"data/sealed/{MANIFEST}"), None)
        refuse_sealed(root, paths, seal=seal)
        _checkout(repo, outs)
        return Transferred(tuple(folders), len(fetched), size)


def _outs(repo: Any) -> list[Any]:
    try:
        known = list(repo.index.outs)
    except Exception as error:
        # DVC's errors about its files have no common base worth naming
        raise InputError(
            f"a .dvc file, dvc.yaml or dvc.lock is malformed: {type(error).__name__}", hint="put it back as git has it"
        ) from None
    outs = sorted((out for out in known if out.use_cache and out.hash_info), key=lambda out: str(out.fs_path))
    if not outs:
        raise UsageError("nothing is under DVC", hint="`minivess data add` and `minivess data seal` put data there")
    return outs


def _names(folders: Iterable[TrackedFolder]) -> dict[str, str]:
    """What a person calls each object, by its digest; listings among them."""
    names: dict[str, str] = {}
    for folder in folders:
        for file, digest in folder.files.items():
            names.setdefault(digest, f"{folder.name}/{file}" if file else folder.name)
        names.setdefault(folder.digest.removeprefix("md5:"), folder.name)
    return names


def _listing(cache: Any, there: Any, out: Any) -> bytes | None:
    """The listing of a folder, from the cache where it is whole, else from the remote."""
    if not out.hash_info.isdir:
        return None
    oid = str(out.hash_info.value)
    local = Path(cache.oid_to_path(oid))
    if local.is_file():
        if _md5(local) == oid.removesuffix(".dir"):
            return local.read_bytes()
        local.unlink()
    try:
        data: bytes = there.fs.cat_file(there.oid_to_path(oid))
    except FileNotFoundError:
        name = Path(out.fs_path).resolve().relative_to(Path(out.repo.root_dir).resolve()).as_posix()
        raise CouldNotCheckError(
            f"the remote does not hold this version of {name}", hint="push it from where it was made"
        ) from None
    return data


def _as_it_is(there: Any) -> Any:
    """A remote that answers what it holds; DVC's own class for folders removes a changed file while it looks."""
    from dvc_data.hashfile.db import HashFileDB

    return HashFileDB(there.fs, there.path, read_only=True, hash_name="md5")


def _transfer(
    repo: Any,
    remote: DataRemote,
    names: dict[str, str],
    progress: Progress,
    *,
    source: Any,
    target: Any,
    before: Callable[[set[str]], None] | None = None,
) -> set[str]:
    """Transfer what the target lacks; returns the digests of what went over. `before` sees them and may refuse."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.transfer import transfer

    counter = _counter("fetching" if before is None else "sending", progress)

    def look(status: Any) -> None:
        missing = sorted(names[info.value] for info in status.missing)
        if missing:
            raise CouldNotCheckError(
                f"{len(missing)} files are neither here nor in the remote, the first {missing[0]}",
                hint="push them from where they were made",
            )
        if before is not None:
            before({str(info.value) for info in status.new})
        counter.total = len(status.new)

    with reached(repo, remote):
        result = transfer(
            source,
            target,
            [HashInfo("md5", oid) for oid in names],
            cache_odb=repo.cache.local,
            verify=False,
            validate_status=look,
            callback=counter,
        )
        if result.failed:
            found = repo.failures.found
            raise trouble(found[0] if found else OSError(), remote)
    return {str(info.value) for info in result.transferred}


def _counter(label: str, progress: Progress) -> Any:
    from fsspec.callbacks import Callback

    class Counter(Callback):  # type: ignore[misc]
        """Counts files; DVC's threads report to it, and give a size for every batch of their own."""

        def __init__(self) -> None:
            super().__init__()
            self.total = 0
            self._lock = threading.Lock()

        def set_size(self, _: int) -> None:
            """Only the size of the whole counts."""

        def call(self, *_: Any, **__: Any) -> None:
            """Say how far the transfer has come."""
            with self._lock:
                progress(label, min(int(self.value), self.total), self.total)

    return Counter()


def _changed(
    cache: Any, oids: set[str], names: dict[str, str], progress: Progress, *, remove: bool = False
) -> list[str]:
    """Names of the objects of the cache whose bytes are not those of their digest; with `remove` they leave the cache."""
    changed = []
    for done, oid in enumerate(sorted(oids)):
        path = Path(cache.oid_to_path(oid))
        if path.is_file() and _md5(path) != oid.removesuffix(".dir"):
            changed.append(names[oid])
            if remove:
                path.unlink()
        progress("checking", done + 1, len(oids))
    return sorted(changed)


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _size(cache: Any, oids: set[str]) -> int:
    return sum(Path(cache.oid_to_path(oid)).stat().st_size for oid in oids)


def _checkout(repo: Any, outs: list[Any]) -> None:
    try:
        with muted():
            repo.checkout([out.fs_path for out in outs])
    except Exception as error:
        if "unsaved files" in str(error):  # of DvcException; the paths stand on the lines after it
            root = Path(repo.root_dir).resolve()
            paths = [Path(line) for line in str(error).splitlines()[1:]]
            first = next(
                (path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)), "one of them"
            )
            raise RefusedError(
                f"files in the workspace are in no version and would be lost, the first {first}",
                hint="move them away, or put them under DVC with minivess data add; what was fetched is in the cache",
            ) from None
        raise CouldNotCheckError(
            f"DVC could not put the data into the workspace: {type(error).__name__}",
            hint="is the disk full or read-only?",
        ) from None
    if any(out.status() for out in outs):
        raise VerificationError("the workspace is not what was fetched", hint="did something write to it meanwhile?")
