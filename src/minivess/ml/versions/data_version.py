"""The DVC version of the data: what an entry in the log cites, and what `dvc checkout` brings back.

DVC (3.x) is driven in the workspace without git and without its usage report. Seal first: whatever is versioned is
copied to DVC's cache, and a plain test case must not be among it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from minivess.foundation.errors import (
    CouldNotCheckError,
    InputError,
    MinivessError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import read_manifest
from minivess.ml.sealed.sealed_files import MANIFEST
from minivess.ml.sealed.sealed_guard import refuse_sealed, sealed_among
from minivess.ml.sealed.sealing import plain_copies
from minivess.ml.versions.dvc_folder import muted, opened
from minivess.records.data.seal import SealManifest

OWN = ("data/prepared", "data/sealed", "models", "keystore", "people", "evidence", "release", ".dvc", ".git")
"""Folders of the workspace that are versioned by their own steps, or never."""


@dataclass(frozen=True)
class TrackedFolder:
    """A folder or file under DVC.

    Attributes:
        name: its name in the workspace, with slashes.
        digest: `md5:<hex>.dir`, or `md5:<hex>` of a single file.
        files: MD5 of every file by its name below the folder; of a single file by the empty name.
        size: bytes of all files.
    """

    name: str
    digest: str
    files: Mapping[str, str]
    size: int


@implements("REQ-016", "RC-03")
def version(workspace: Path, folders: Sequence[Path]) -> str:
    """Put folders under DVC and answer the digest of their content.

    For one folder it is the digest in its `.dvc` file. For several it is the digest DVC gives to the folder that holds
    exactly these (the `.dir` listing of their closest common folder), so a stranger can compute it without us.

    Args:
        workspace: the project folder; `.dvc` is made there when it is missing.
        folders: folders inside the workspace, `data/prepared` and `data/sealed` as a rule.

    Returns:
        `md5:<hex>.dir`.

    Raises:
        UsageError: no folder, or one outside the workspace.
        InputError: a folder is missing.
        RefusedError: a sealed test part has plain copies in the workspace; they would enter the cache.
        CouldNotCheckError: DVC fails or the disk refuses.
    """
    root = workspace.resolve()
    paths = [path if path.is_absolute() else root / path for path in folders]
    if not paths or not all(path.resolve().is_relative_to(root) for path in paths):
        raise UsageError("DVC needs at least one folder, inside the workspace")
    for path in paths:
        if not path.is_dir():
            raise InputError("no such folder", path=path.name, hint="run minivess data ingest first")
    check_sealed(workspace)
    return combined(_added(root, [path.resolve() for path in paths]))


@implements("REQ-096", "REQ-097", "RC-03")
def add(workspace: Path, folder: Path) -> TrackedFolder:
    """Put raw data under DVC. What was sealed since the last time leaves the cache.

    Args:
        workspace: the project folder.
        folder: a folder or file inside it; relative names start at the workspace.

    Raises:
        UsageError: it lies outside the workspace, or is one of the workspace's own folders.
        InputError: it is missing.
        RefusedError: plain files of the sealed test part are in it.
        CouldNotCheckError: DVC fails or the disk refuses.
    """
    root = workspace.resolve()
    path = (folder if folder.is_absolute() else root / folder).resolve()
    if not path.is_relative_to(root) or path == root:
        raise UsageError(
            f"{folder.name or 'this folder'} is not inside the project folder",
            hint="DVC versions files inside the project: move the data to data/raw and set data.root to it",
        )
    name = path.relative_to(root).as_posix()
    if any(_overlap(name, own) for own in OWN):
        raise UsageError(
            f"{name} belongs to MiniVess", hint="cases are versioned by `minivess data seal`, models by their stages"
        )
    if not path.exists():
        raise InputError("no such file or folder", path=name, hint="name a folder inside the project folder")
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    refuse_sealed(root, {file: file.relative_to(root).as_posix() for file in files})
    return _added(root, [path])[0]


def combined(folders: Sequence[TrackedFolder]) -> str:
    """The digest of one folder, or the one DVC would give to the closest folder that holds exactly these."""
    if len(folders) == 1:
        return folders[0].digest
    common = PurePosixPath(os.path.commonpath([folder.name for folder in folders]) or ".")
    files = {
        (PurePosixPath(folder.name).relative_to(common) / file).as_posix(): digest
        for folder in folders
        for file, digest in folder.files.items()
    }
    return f"md5:{hashlib.md5(write_listing(files), usedforsecurity=False).hexdigest()}.dir"


def write_listing(files: Mapping[str, str]) -> bytes:
    """A `.dir` listing as DVC 3 writes it: JSON with sorted keys, files in order of path."""
    listed = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items())]
    return json.dumps(listed, sort_keys=True).encode("utf-8")


def read_listing(data: bytes, digest: str, name: str) -> dict[str, str]:
    """The files of a `.dir` listing, MD5 by name.

    Args:
        data: its bytes.
        digest: `<hex>.dir`, what they must have.
        name: the folder, for messages.

    Raises:
        VerificationError: the bytes are not those of the digest, or name a file outside the folder.
    """
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != digest.removesuffix(".dir"):
        raise VerificationError(f"the listing of {name} was changed", hint="fetch it from another copy")
    try:
        listed = {str(item["relpath"]): str(item["md5"]) for item in json.loads(data)}
    except (ValueError, KeyError, TypeError):
        raise VerificationError(f"the listing of {name} is no DVC listing") from None
    for file in listed:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise VerificationError(f"the listing of {name} names a file outside the folder")
    return listed


def check_sealed(workspace: Path) -> None:
    """See to it that the sealed test part has no plain copies in the workspace.

    Raises:
        RefusedError: it has.
    """
    manifest = workspace / "data" / "sealed" / MANIFEST
    if not manifest.is_file():
        return
    left = plain_copies(workspace, read_manifest(manifest, SealManifest))
    if left:
        raise RefusedError(
            f"{len(left)} plain files of the sealed test part are in the workspace, the first "
            f"{left[0].relative_to(workspace).as_posix()}",
            hint="run minivess data seal again, and remove copies made by hand",
        )


def folder_of(root: Path, out: Any, data: bytes | None) -> TrackedFolder:
    """An output of DVC as a record; `data` are the bytes of its listing, None for a single file."""
    digest = str(out.hash_info.value)
    name = Path(out.fs_path).resolve().relative_to(root).as_posix()
    files = {"": digest} if data is None else read_listing(data, digest, name)
    return TrackedFolder(name, f"md5:{digest}", files, int(out.meta.size or 0))


def kept_listing(cache: Any, out: Any) -> bytes | None:
    """The bytes of an output's listing in DVC's cache; None for a single file.

    Raises:
        OSError: the cache lacks it.
    """
    return Path(cache.oid_to_path(str(out.hash_info.value))).read_bytes() if out.hash_info.isdir else None


def _added(root: Path, paths: list[Path]) -> list[TrackedFolder]:
    try:
        with opened(root) as repo:
            before = _cached(repo, paths)
            with muted():
                stages = repo.add([str(path) for path in paths])
            found = {Path(out.fs_path).resolve(): out for stage in stages for out in stage.outs}
            made = [folder_of(root, found[path], kept_listing(repo.cache.local, found[path])) for path in paths]
            kept = {digest for folder in made for digest in folder.files.values()}
            left = (Path(repo.cache.local.oid_to_path(digest)) for digest in before - kept)
            for path in sealed_among(root, left):
                path.unlink()
            return made
    except MinivessError:
        raise
    except Exception as error:
        # DVC and its storage layers have error classes of their own without a common base worth naming
        raise CouldNotCheckError(
            f"DVC could not version the data: {type(error).__name__}", hint="is the disk full or read-only?"
        ) from error


def _cached(repo: Any, paths: list[Path]) -> set[str]:
    """Digests of the files that the last version of these paths put into the cache."""
    digests: set[str] = set()
    for out in repo.index.outs:
        if Path(out.fs_path).resolve() in paths and out.hash_info:
            try:
                listed = folder_of(Path(repo.root_dir).resolve(), out, kept_listing(repo.cache.local, out))
            except OSError:
                continue
            digests |= set(listed.files.values())
    return digests


def _overlap(one: str, other: str) -> bool:
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)
