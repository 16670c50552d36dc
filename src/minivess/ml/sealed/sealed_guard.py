"""Keeps plain files of the sealed test part, and the files they were made from, out of DVC's cache and remotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import read_manifest
from minivess.ml.sealed.plain_copies import search
from minivess.ml.sealed.sealed_files import MANIFEST
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import SealManifest


def sealed_among(workspace: Path, files: Iterable[Path], *, seal: Path | None = None) -> tuple[Path, ...]:
    """Which of these files are plain files of the sealed test part or files it was made from; none while nothing is sealed.

    They are recognised by their content (`copies.search`), so their names do not matter.

    Args:
        workspace: the project folder.
        files: where the bytes are.
        seal: the manifest of the sealed part, where it does not lie in the workspace yet.

    Raises:
        InputError: the manifest of the cases is missing or malformed.
        VerificationError: a manifest was changed.
    """
    sealed = seal or workspace / "data" / "sealed" / MANIFEST
    if not sealed.is_file():
        return ()
    manifest = read_manifest(sealed, SealManifest)
    dataset = read_manifest(workspace / "data" / "manifest.json", DatasetManifest)
    return tuple(dict.fromkeys(copy.path for copy in search(files, manifest, dataset).copies))


@implements("REQ-097", "RC-03")
def refuse_sealed(workspace: Path, files: Mapping[Path, str], *, seal: Path | None = None) -> None:
    """See to it that no plain file of the sealed test part is among files that DVC shall keep, send or bring back.

    Args:
        workspace: the project folder.
        files: where the bytes are, and what a person calls them.
        seal: the manifest of the sealed part, where it does not lie in the workspace yet.

    Raises:
        RefusedError: some are; how many, and the first.
    """
    found = sorted(files[path] for path in sealed_among(workspace, files, seal=seal))
    if found:
        raise RefusedError(
            f"{len(found)} plain files of the sealed test part are among the data, the first {found[0]}",
            hint="move them to where only the custodian of the originals reads them, then run minivess data add again",
        )
