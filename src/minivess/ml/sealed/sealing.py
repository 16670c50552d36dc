"""Sealing the test part: encrypt it, prove that it reads back, and only then remove the plain files.

Sealing keeps honest people honest and mistakes impossible: nothing can train on or look at the test part by accident,
and opening it takes the data key, which the manifest holds only wrapped to approvers. It cannot take back copies that
were made before, the source files among them; `plain_copies` looks for them (see docs/concepts/threat-model.md).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path

from minivess.foundation.errors import (
    CouldNotCheckError,
    InputError,
    RefusedError,
    UsageError,
    VerificationError,
)
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import read_manifest, read_record, rooted, write_record
from minivess.ml.cases.prepared import IMAGE, LABEL, load_case, mark_sealed
from minivess.ml.sealed import stream_cipher
from minivess.ml.sealed.plain_copies import dvc_stores, search
from minivess.ml.sealed.sealed_files import (
    MANIFEST,
    verify_files,
    verify_sealed,
    workers,
    write_sealed,
)
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import Kind, SealedFile, SealedSource, SealManifest, SealProgress
from minivess.records.data.split import SplitCase, SplitManifest
from minivess.records.sinks import Progress

PROGRESS = "progress.json"
KINDS: dict[Kind, str] = {"image": IMAGE, "label": LABEL}
_SALT = 16
_TOGETHER = 8
"""Cases after which the progress is written down."""

Sources = Mapping[tuple[str, Kind], Iterable[Path]]
"""The files a case's image and label were made from, by case and kind."""


@dataclass(frozen=True)
class _CaseSealer:
    """Seals the cases of one session under its key."""

    folder: Path
    out: Path
    split: str
    data_key: bytes = field(repr=False)
    session: int
    expected: Mapping[str, SplitCase]
    """What the split says of each case; splits of version 0.1.0 may say nothing."""

    def seal(self, case: str) -> list[SealedFile]:
        """Seal one case, exactly as it was when it was split."""
        record = load_case(self.folder, case).record
        digests: dict[Kind, str] = {"image": record.image, "label": record.label}
        split = self.expected.get(case)
        for name, now, then in (
            () if split is None else ((IMAGE, record.image, split.image), (LABEL, record.label, split.label))
        ):
            if now != then:
                raise VerificationError(
                    f"data/prepared/{case}/{name} is not the file that was split",
                    hint="ingest the cases again as they were when they were split",
                )
        return [
            write_sealed(
                self.folder / case / name,
                digests[kind],
                (case, kind, self.split, self.session),
                self.data_key,
                self.out,
            )
            for kind, name in KINDS.items()
        ]


def _quiet(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@implements("REQ-014", "REQ-090", "RC-03")
def seal(
    folder: Path,
    split: SplitManifest,
    data_key: bytes,
    out: Path,
    *,
    wrap: Mapping[str, str],
    sources: Sources | None = None,
    progress: Progress = _quiet,
) -> SealManifest:
    """Encrypt the test part and remove its plain files.

    Plain files are removed only after every sealed file was read back, decrypted and compared. Interrupted sealing is
    finished by calling again with a fresh key: what was sealed, compared and written down stays as it is, under the key
    of its own session, so that nobody has to keep a key; after the manifest stands only the removal is left.

    Args:
        folder: the folder `data/prepared`.
        split: says which cases are sealed.
        data_key: 32 random bytes, never used before.
        out: the folder `data/sealed`.
        wrap: the data key wrapped to each approver, by identity.
        sources: the files that cases were made from; their salted digests let copies of them be found.
        progress: hears after each case.

    Raises:
        UsageError: no approver, or a key that has not 32 bytes.
        RefusedError: `out` holds another split's test part, or one for other approvers.
        VerificationError: a plain file was changed, or a sealed file cannot be read back as it was written.
        CouldNotCheckError: the disk refuses, or a plain file cannot be removed.
    """
    stream_cipher.check_key(data_key)
    if not wrap:
        raise UsageError(
            "sealing needs at least one approver", hint="at least one person must be able to open the test set"
        )
    if (out / MANIFEST).is_file():
        approvers = read_manifest(out / MANIFEST, SealManifest).wrapped_keys
        if set(approvers) != set(wrap):
            raise RefusedError(
                f"the test part is sealed already, for {', '.join(sorted(approvers))}",
                hint="the approvers of a sealed test part are fixed",
            )
        return finish(folder, split, out)
    done = _sealed_before(folder, split, out, wrap)
    done = done.model_copy(update={"sessions": (*done.sessions, dict(wrap))})
    expected = {case.id: case for case in split.cases}
    sealer = _CaseSealer(folder, out, split.root, data_key, session=len(done.sessions) - 1, expected=expected)
    kept = {file.case for file in done.files}
    todo = [case for case in split.test if case not in kept]
    progress("sealing", len(kept), len(split.test))
    with ThreadPoolExecutor(workers()) as pool:
        for some in batched(todo, _TOGETHER):
            made = pool.map(sealer.seal, some)
            done = done.model_copy(update={"files": (*done.files, *(file for files in made for file in files))})
            write_record(out / PROGRESS, done)
            progress("sealing", len(done.files) // len(KINDS), len(split.test))
    salt = os.urandom(_SALT).hex()
    fields = {
        "split": split.root,
        "files": [file.model_dump(mode="json") for file in _in_order(split, done.files)],
        "wrapped_keys": {who: [session[who] for session in done.sessions] for who in wrap},
        "salt": salt,
        "sources": [one.model_dump(mode="json") for one in _known_again(split, sources or {}, salt)],
    }
    write_record(out / MANIFEST, SealManifest.model_validate(fields | {"root": rooted(fields)}))
    return _clear(folder, read_manifest(out / MANIFEST, SealManifest), split, out)


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
    if sorted((file.case, file.kind) for file in manifest.files) != sorted((c, k) for c in split.test for k in KINDS):
        raise VerificationError("the sealed manifest does not hold one image and one mask for every test case")
    verify_sealed(out, manifest)
    return _clear(folder, manifest, split, out)


@implements("REQ-014", "RC-03")
def plain_copies(workspace: Path, manifest: SealManifest) -> tuple[Path, ...]:
    """Files with plain copies of the sealed part's arrays in the workspace and in its DVC stores.

    Source files are another matter: they are left where they are, and `minivess doctor` names them.

    Raises:
        CouldNotCheckError: there is no data manifest to compare with.
        VerificationError: the data manifest was changed.
    """
    try:
        dataset = read_manifest(workspace / "data" / "manifest.json", DatasetManifest)
    except InputError as error:
        raise CouldNotCheckError(f"plain copies cannot be looked for: {error.message}", hint=error.hint) from None
    found = search((workspace, *dvc_stores(workspace)), manifest, dataset)
    return tuple(dict.fromkeys(copy.path for copy in found.copies if not copy.source))


def salted(salt: str, path: Path) -> str:
    """The digest a manifest recognises a source file by: SHA-256 of the salt and the file's bytes.

    Raises:
        OSError: the file cannot be read.
    """
    state = hashlib.sha256(bytes.fromhex(salt))
    with path.open("rb") as stream:
        while piece := stream.read(stream_cipher.CHUNK):
            state.update(piece)
    return f"sha256:{state.hexdigest()}"


def _clear(folder: Path, manifest: SealManifest, split: SplitManifest, out: Path) -> SealManifest:
    for case in split.test:
        mark_sealed(folder, case)
        _remove(folder / case)
    (out / PROGRESS).unlink(missing_ok=True)
    return manifest


def _sealed_before(folder: Path, split: SplitManifest, out: Path, wrap: Mapping[str, str]) -> SealProgress:
    """What an interrupted sealing left that can be kept: of this split, for these approvers, and whole."""
    nothing = SealProgress(split=split.root, sessions=(), files=())
    try:
        before = read_record(out / PROGRESS, SealProgress)
    except InputError:
        return nothing
    if before.split != split.root or any(set(session) != set(wrap) for session in before.sessions):
        return nothing
    whole = []
    for case in split.test:
        files = [file for file in before.files if file.case == case and file.session < len(before.sessions)]
        if {file.kind for file in files} != set(KINDS) or not _still_fits(folder, case, files, out):
            continue
        whole += files
    return before.model_copy(update={"files": tuple(whole)})


def _still_fits(folder: Path, case: str, files: list[SealedFile], out: Path) -> bool:
    if any(file.size != (folder / case / KINDS[file.kind]).stat().st_size for file in files):
        return False
    try:
        verify_files(out, files)
        load_case(folder, case, verify=True)
    except VerificationError:
        return False
    return True


def _in_order(split: SplitManifest, files: Iterable[SealedFile]) -> list[SealedFile]:
    by_name = {(file.case, file.kind): file for file in files}
    return [by_name[case, kind] for case in split.test for kind in KINDS]


def _known_again(split: SplitManifest, sources: Sources, salt: str) -> list[SealedSource]:
    try:
        return [
            SealedSource(case=case, kind=kind, digest=salted(salt, path), size=path.stat().st_size)
            for (case, kind), paths in sources.items()
            if case in split.test
            for path in paths
        ]
    except OSError as error:
        raise CouldNotCheckError(
            f"a source file of a sealed case cannot be read: {error.strerror or error}",
            hint="its digest is needed to find copies of it later",
        ) from None


def _remove(folder: Path) -> None:
    for name in KINDS.values():
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
