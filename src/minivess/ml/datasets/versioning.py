"""The DVC version of the data: what an entry in the log cites, and what `dvc checkout` brings back.

DVC (3.x) is driven in the workspace without git, without a remote and without its usage report. Seal first: whatever
is versioned is copied to DVC's cache, and a plain test case must not be among it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.datasets.manifests import read_manifest
from minivess.ml.datasets.sealed_files import MANIFEST
from minivess.ml.datasets.sealing import plain_copies
from minivess.records.seal import SealManifest


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
    _check_sealed(workspace)
    with _quiet(root):
        try:
            trees = _add(root, [path.resolve() for path in paths])
        except Exception as error:
            # DVC and its storage layers have error classes of their own without a common base worth naming
            raise CouldNotCheckError(
                f"DVC could not version the data: {type(error).__name__}", hint="is the disk full or read-only?"
            ) from error
    if len(trees) == 1:
        return f"md5:{trees[0][0]}"
    common = Path(os.path.commonpath([path.resolve() for path in paths]))
    files = [
        {"md5": item["md5"], "relpath": f"{path.resolve().relative_to(common).as_posix()}/{item['relpath']}"}
        for path, (_, listing) in zip(paths, trees, strict=True)
        for item in listing
    ]
    return f"md5:{_listing_digest(files)}.dir"


def _check_sealed(workspace: Path) -> None:
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


def _add(root: Path, paths: list[Path]) -> list[tuple[str, list[dict[str, str]]]]:
    from dvc.repo import Repo

    repo = Repo(str(root)) if (root / ".dvc").is_dir() else Repo.init(str(root), no_scm=True)
    with repo:
        with repo.config.edit() as config:
            config["core"]["analytics"] = False
            config["core"]["check_update"] = False
            config["core"]["no_scm"] = True
        stages = repo.add([str(path) for path in paths])
        found: dict[Path, tuple[str, list[dict[str, str]]]] = {}
        for stage in stages:
            for out in stage.outs:
                found[Path(out.fs_path).resolve()] = (str(out.hash_info.value), _listing(out))
    return [found[path] for path in paths]


def _listing(out: Any) -> list[dict[str, str]]:
    listing: list[dict[str, str]] = out.get_obj().as_list()
    return [{"md5": item["md5"], "relpath": item["relpath"]} for item in listing]


def _listing_digest(files: list[dict[str, str]]) -> str:
    """MD5 of a `.dir` listing as DVC 3 writes it: JSON with sorted keys, files in order of path."""
    ordered = sorted(files, key=lambda item: item["relpath"])
    return hashlib.md5(json.dumps(ordered, sort_keys=True).encode("utf-8"), usedforsecurity=False).hexdigest()


@contextlib.contextmanager
def _quiet(root: Path) -> Iterator[None]:
    """No usage report, no progress bars, no log lines, and DVC's own site folder inside the workspace."""
    own = root / ".dvc" / "tmp"
    settings = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(own / "site")}
    settings |= {"DVC_GLOBAL_CONFIG_DIR": str(own), "DVC_SYSTEM_CONFIG_DIR": str(own)}
    before = {name: os.environ.get(name) for name in settings}
    logger = logging.getLogger("dvc")
    level = logger.level
    os.environ.update(settings)
    logger.setLevel(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
