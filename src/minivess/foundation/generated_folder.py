"""A folder of generated files that is put in place whole, and that never takes the place of somebody's work."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from minivess.foundation.errors import CannotWriteError, UsageError
from minivess.foundation.files import make_folder

MARKER = "site.json"
FORMAT = "minivess-site/1"
_LARGEST_MARKER = 64 << 20


def check_replaceable(folder: Path) -> None:
    """See that `folder` is absent, empty, or a site that was written here and that nobody has put anything into.

    Raises:
        UsageError: it is something else, so that replacing it would destroy what is not ours.
    """
    if not folder.is_symlink() and not folder.exists():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name a folder that does not exist yet")
    found = set(_files(folder))
    if not found:
        return
    foreign = sorted(found - _listed(folder) - {MARKER})
    if foreign:
        raise UsageError(
            f"{folder} holds {foreign[0]}, which is not part of a site of ours; nothing was replaced",
            hint="name another folder, or move it away",
        )


def replace_folder(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[Path]:
    """Write all files into a new folder beside `folder`, flush them to the disk, and put it in the place of `folder`.

    A reader sees the old site or the new one. Between the two there is a moment without either, as no system call in
    reach exchanges two folders; what is cut off then leaves the new one whole beside it.

    Args:
        folder: where the site shall stand.
        files: names relative to it, with slashes, and their contents; taken one by one.

    Returns:
        The files, in the order in which they were given.

    Raises:
        UsageError: `folder` is there and is not a site of ours.
        CannotWriteError: the disk is full, read-only or out of reach; the old site still stands.
    """
    check_replaceable(folder)
    temporary: Path | None = None
    try:
        make_folder(folder.parent)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new.", dir=folder.parent))
        names = _write(temporary, files)
        _flush(temporary, [*names, MARKER])
        temporary.chmod(0o755)
        _exchange(temporary, folder)
    except OSError as error:
        raise CannotWriteError(
            f"cannot write {folder}: {error.strerror or error}", hint="free some space or choose a writable folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return [folder / name for name in names]


def _write(root: Path, files: Iterable[tuple[str, bytes]]) -> list[str]:
    names: list[str] = []
    for name, data in files:
        path = root / name
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
        names.append(name)
    marker = {"format": FORMAT, "files": sorted(names)}
    (root / MARKER).write_text(json.dumps(marker, indent=0, ensure_ascii=True), encoding="utf-8")
    return names


def _flush(root: Path, names: list[str]) -> None:
    """Flush files and folders, after all of them were written: the disk then takes them together."""
    folders = {root, *((root / name).parent for name in names)}
    for path in (*(root / name for name in names), *sorted(folders)):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exchange(new: Path, folder: Path) -> None:
    old = new.with_name(f"{new.name}.old")
    there = folder.exists()
    if there:
        check_replaceable(folder)
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if there and not folder.exists():
            old.rename(folder)
        raise
    _flush(folder.parent, [])
    if there:
        shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> Iterator[str]:
    """Everything below a folder that is not a folder, by its name with slashes. Links count, and are not followed."""
    pending = [(folder, "")]
    while pending:
        path, prefix = pending.pop()
        with os.scandir(path) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    pending.append((Path(entry.path), f"{name}/"))
                else:
                    yield name


def _listed(folder: Path) -> set[str]:
    """The files that the marker of a site of ours names; none when there is no such marker."""
    marker = folder / MARKER
    try:
        if marker.is_symlink() or not marker.is_file() or marker.stat().st_size > _LARGEST_MARKER:
            return set()
        found = json.loads(marker.read_bytes())
    except (OSError, ValueError, RecursionError):
        return set()
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("files"), list):
        return set()
    return {name for name in found["files"] if isinstance(name, str)}
