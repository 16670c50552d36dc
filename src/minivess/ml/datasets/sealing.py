"""Sealing the test part: encrypt it, prove that it reads back, and only then remove the plain files.

Sealing keeps honest people honest and mistakes impossible: nothing can train on or look at the test part by accident,
and opening it takes the data key, which the manifest holds only wrapped to approvers. It cannot take back copies that
were made before, the source files outside the workspace among them (see docs/data.md).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.datasets import stream_cipher
from minivess.ml.datasets.manifests import read_manifest, rooted, write_record
from minivess.ml.datasets.prepared import IMAGE, LABEL, load_case, mark_sealed
from minivess.ml.datasets.sealed_files import MANIFEST, verify_sealed, write_sealed
from minivess.records.dataset import DatasetManifest
from minivess.records.seal import SealedFile, SealManifest
from minivess.records.split import SplitManifest

_KINDS = {"image": IMAGE, "label": LABEL}


@implements("REQ-014", "RC-03")
def seal(folder: Path, split: SplitManifest, data_key: bytes, out: Path, *, wrap: Mapping[str, str]) -> SealManifest:
    """Encrypt the test part and remove its plain files.

    Plain files are removed only after every sealed file was read back from the disk, decrypted and compared.
    Interrupted sealing is finished by calling again: before the manifest stands everything is sealed anew, after it
    only the removal is left.

    Args:
        folder: the folder `data/prepared`.
        split: says which cases are sealed.
        data_key: 32 random bytes.
        out: the folder `data/sealed`.
        wrap: the data key wrapped to each approver, by identity.

    Raises:
        UsageError: no approver, or a key that has not 32 bytes.
        RefusedError: `out` holds another split's test part, or one for other approvers.
        VerificationError: a sealed file cannot be read back as it was written.
        CouldNotCheckError: the disk refuses, or a plain file cannot be removed.
    """
    stream_cipher.check_key(data_key)
    if not wrap:
        raise UsageError("sealing needs at least one approver", hint="somebody must be able to open the test set")
    if (out / MANIFEST).is_file():
        approvers = read_manifest(out / MANIFEST, SealManifest).wrapped_keys
        if set(approvers) != set(wrap):
            raise RefusedError(
                f"the test part is sealed already, for {', '.join(sorted(approvers))}",
                hint="the approvers of a sealed test part are fixed",
            )
        return finish(folder, split, out)
    files = [file for case in split.test for file in _seal_case(folder, case, split.root, data_key, out)]
    fields = {
        "split": split.root,
        "files": [file.model_dump(mode="json") for file in files],
        "wrapped_keys": dict(wrap),
    }
    write_record(out / MANIFEST, SealManifest.model_validate(fields | {"root": rooted(fields)}))
    return finish(folder, split, out)


@implements("REQ-014", "RC-03")
def finish(folder: Path, split: SplitManifest, out: Path) -> SealManifest:
    """Finish an interrupted sealing whose manifest stands already: remove the plain files that are left.

    It needs no key: the manifest is written only after every sealed file was read back, and its digests are checked
    here.

    Raises:
        InputError: there is no manifest; sealing has to start anew.
        RefusedError: another split's test part is sealed in `out`.
        VerificationError: the manifest or a sealed file was changed; nothing is removed.
        CouldNotCheckError: a plain file cannot be removed.
    """
    manifest = read_manifest(out / MANIFEST, SealManifest)
    if manifest.split != split.root:
        raise RefusedError("another split's test part is sealed here", hint="start a new workspace for a new split")
    if sorted((file.case, file.kind) for file in manifest.files) != sorted((c, k) for c in split.test for k in _KINDS):
        raise VerificationError("the sealed manifest does not hold one image and one mask for every test case")
    verify_sealed(out, manifest)
    for case in split.test:
        mark_sealed(folder, case)
        _remove(folder / case)
    return manifest


@implements("REQ-014", "RC-03")
def plain_copies(workspace: Path, manifest: SealManifest) -> tuple[Path, ...]:
    """Plain files of the sealed part that are still in the workspace, under whatever name (the DVC cache among them).

    Args:
        workspace: the project folder.
        manifest: the seal; files are compared by size, then by digest with `data/manifest.json`.

    Raises:
        CouldNotCheckError: there is no data manifest to compare with.
        VerificationError: the data manifest was changed.
    """
    try:
        dataset = read_manifest(workspace / "data" / "manifest.json", DatasetManifest)
    except InputError as error:
        raise CouldNotCheckError(f"plain copies cannot be looked for: {error.message}", hint=error.hint) from None
    plain = {(case.id, "image"): case.image for case in dataset.cases}
    plain |= {(case.id, "label"): case.label for case in dataset.cases}
    wanted = {(file.size, plain.get((file.case, file.kind))) for file in manifest.files}
    sizes = {size for size, _ in wanted}
    names = {(file.case, _KINDS[file.kind]) for file in manifest.files}
    found = []
    for place, _, files in os.walk(workspace, followlinks=False):
        for name in files:
            path = Path(place) / name
            if path.is_symlink() or not path.is_file():
                continue
            named = (path.parent.name, name) in names and path.parent.parent.name == "prepared"
            size = path.stat().st_size
            if named or (size in sizes and (size, digest_file(path)) in wanted):
                found.append(path)
    return tuple(sorted(found))


def _seal_case(folder: Path, case: str, split: str, data_key: bytes, out: Path) -> list[SealedFile]:
    load_case(folder, case, verify=True)
    return [
        write_sealed((folder / case / name).read_bytes(), (case, kind, split), data_key, out)
        for kind, name in _KINDS.items()
    ]


def _remove(folder: Path) -> None:
    for name in _KINDS.values():
        path = folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise CouldNotCheckError(
                f"the plain file {folder.name}/{name} cannot be removed: {error.strerror}",
                hint="make the folder writable and seal again",
            ) from None
        if path.exists():
            raise CouldNotCheckError(f"the plain file {folder.name}/{name} is still there", hint="seal again")
