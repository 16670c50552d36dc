"""Looking for plain copies of sealed files: by content, under any name, also gzipped or as a member of an archive.

What is found: byte-equal copies of the prepared arrays and of the source files, in every file under the places searched
(the DVC cache, MLflow's folder and temporary folders of the workspace among them), plain, gzipped, or as a member of a
zip (`.npz` is one) or tar archive; and preprocessed copies where training keeps those of its cases. What cannot be found
by digests: the same voxels in another file format, cut, rescaled or encrypted; other compressions (xz, bzip2, zstd); an
archive in an archive; blocks of deleted files; places not searched.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import IMAGE, LABEL
from minivess.ml.reading.sources import case_sources
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.seal import Kind, SealManifest
from minivess.records.data.source import Data
from minivess.records.sinks import Progress

_CHUNK = 1 << 20
_MOST_UNPACKED = 64 << 30
"""Bytes of one compressed archive after which it is reported as not looked into."""
_DERIVED = {"places.npy": LABEL}
"""Files of a training copy that hold what a prepared array holds."""
_UNREADABLE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class Copy:
    """A plain copy of a sealed file, or of a file it was made from."""

    path: Path
    case: str
    kind: Kind
    source: bool
    """A copy of the source file, not of the prepared array."""
    member: str = ""
    """Its name in the archive; `gzip` for a gzipped file."""


@dataclass(frozen=True)
class Search:
    """What a search found, and what it could not look into."""

    copies: tuple[Copy, ...]
    closed: tuple[Path, ...]
    """Files that could not be read or were too large to unpack."""
    files: int


@dataclass(frozen=True)
class _Wanted:
    """What is looked for: by size, and then by the digest of the bytes, plain or salted."""

    salt: bytes
    sizes: frozenset[int]
    digests: dict[tuple[int, str], tuple[str, Kind, bool]]

    def match(self, size: int, stream: IO[bytes]) -> tuple[str, Kind, bool] | None:
        """What these bytes are, if their size and digest are those of something looked for."""
        if size not in self.sizes:
            return None
        plain, salted, left = hashlib.sha256(), hashlib.sha256(self.salt), size
        while left and (piece := stream.read(min(left, _CHUNK))):
            plain.update(piece)
            salted.update(piece)
            left -= len(piece)
        if left or stream.read(1):
            return None
        found = self.digests.get((size, f"sha256:{plain.hexdigest()}"))
        return found or self.digests.get((size, f"sha256:{salted.hexdigest()}"))


@implements("REQ-014", "REQ-091", "RC-03")
def search(
    places: Iterable[Path], manifest: SealManifest, dataset: DatasetManifest, *, progress: Progress | None = None
) -> Search:
    """Look for plain copies of a sealed test part and of its source files.

    Args:
        places: folders; links to folders are not followed, links to files are.
        manifest: the seal.
        dataset: says which digests the prepared arrays had.
        progress: hears how many files were looked at.
    """
    wanted = _wanted(manifest, dataset)
    prepared = {(file.case, IMAGE if file.kind == "image" else LABEL): file.kind for file in manifest.files}
    copies: list[Copy] = []
    closed: list[Path] = []
    seen: set[tuple[int, int]] = set()
    count = 0
    for path in (path for place in dict.fromkeys(places) for path in _files(place)):
        try:
            state = path.stat()
            if (state.st_dev, state.st_ino) in seen:
                if not path.is_symlink():
                    copies += [_renamed(one, path) for one in copies if _same(one.path, path)]
                continue
            seen.add((state.st_dev, state.st_ino))
            case = _case_folder(path)
            kind = prepared.get((case, _DERIVED.get(path.name, path.name)))
            if kind is not None:
                copies.append(Copy(path, case, kind, source=False))
            else:
                copies += _look_into(path, state.st_size, wanted)
        except _UNREADABLE:
            closed.append(path)
        count += 1
        if progress is not None and count % 1000 == 0:
            progress("looking for plain copies", count, 0)
    return Search(tuple(sorted(copies, key=lambda one: (one.path, one.member))), tuple(sorted(closed)), count)


def sources_of(data: Data, base: Path, cases: Iterable[str]) -> dict[tuple[str, Kind], list[Path]]:
    """The files that cases are made from, as the project says; those that are gone are left out.

    Args:
        data: the project's data.
        base: folder of the project file.
        cases: which cases.

    Raises:
        InputError: the list of cases cannot be read.
    """
    root, wanted = base / (data.root or "."), set(cases)
    if data.synthetic is not None or not root.is_dir():
        return {}
    found: dict[tuple[str, Kind], list[Path]] = {}
    for source in case_sources(data, base):
        if source.id in wanted:
            labels = (source.label, source.second_label)
            found[source.id, "image"] = list(_files(root / source.image))
            found[source.id, "label"] = [path for one in labels if one is not None for path in _files(root / one)]
    return found


@implements("REQ-248")
def dvc_stores(workspace: Path) -> tuple[Path, ...]:
    """DVC's cache and its remotes on this machine that lie outside the workspace.

    Raises:
        CouldNotCheckError: a configuration file of DVC cannot be read.
    """
    folder = workspace / ".dvc"
    named = [text for name in ("config", "config.local") for text in _named_places(folder / name)]
    places = [(folder / Path(text).expanduser()).resolve() for text in named if "://" not in text]
    root = workspace.resolve()
    return tuple(place for place in dict.fromkeys(places) if place.is_dir() and not place.is_relative_to(root))


def _named_places(file: Path) -> list[str]:
    """Paths and URLs of the cache and of the remotes in one configuration file, read as DVC reads it."""
    if not file.is_file():
        return []
    from dvc.config import Config, ConfigError

    try:
        config = Config.load_file(str(file))
    except (
        ConfigError,
        OSError,
        ValueError,
        SyntaxError,
    ):  # ConfigObj raises errors of syntax for `%(name)s` in a value
        raise CouldNotCheckError("the configuration of DVC cannot be read", hint=f"correct .dvc/{file.name}") from None
    remotes = config.get("remote", {}).values()
    found = [config.get("cache", {}).get("dir"), *(one.get("url") for one in remotes if isinstance(one, dict))]
    return [text for text in found if isinstance(text, str)]


@implements("REQ-356")
def _case_folder(path: Path) -> str:
    """The case whose file this is by its place: `prepared/<case>/…`, or `<case>/<key>/…` in `models/cases` or in
    `models/smoke/cases`; else nothing."""
    case, above, place, top = ([one.name for one in path.parents] + [""] * 4)[:4]
    if above == "prepared":
        return case
    return above if place == "cases" and top in {"models", "smoke"} else ""


def _wanted(manifest: SealManifest, dataset: DatasetManifest) -> _Wanted:
    plain = {(case.id, "image"): case.image for case in dataset.cases}
    plain |= {(case.id, "label"): case.label for case in dataset.cases}
    digests: dict[tuple[int, str], tuple[str, Kind, bool]] = {
        (file.size, plain[file.case, file.kind]): (file.case, file.kind, False)
        for file in manifest.files
        if (file.case, file.kind) in plain
    }
    for one in manifest.sources:
        digests.setdefault((one.size, one.digest), (one.case, one.kind, True))
    return _Wanted(bytes.fromhex(manifest.salt), frozenset(size for size, _ in digests), digests)


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place, followlinks=False):
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file():
                yield path


def _look_into(path: Path, size: int, wanted: _Wanted) -> list[Copy]:
    with path.open("rb") as stream:
        found = wanted.match(size, stream)
        if found is not None:
            return [Copy(path, *found)]
        stream.seek(0)
        start = stream.read(512)
        stream.seek(0)
        if start[:2] == b"\x1f\x8b":
            return _gzipped(path, stream, size, wanted)
        if start[:4] == b"PK\x03\x04":
            return list(_zipped(path, stream, wanted))
        if start[257:262] == b"ustar":
            return list(_tarred(path, lambda: tarfile.open(fileobj=stream, mode="r:"), wanted))
    return []


def _gzipped(path: Path, stream: IO[bytes], size: int, wanted: _Wanted) -> list[Copy]:
    stream.seek(max(0, size - 4))
    tail = stream.read(4)
    length = struct.unpack("<I", tail)[0] if len(tail) == 4 else -1  # RFC 1952, ISIZE: the length modulo 2^32
    for full in (one for one in wanted.sizes if one % (1 << 32) == length):
        stream.seek(0)
        with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
            found = wanted.match(full, cast("IO[bytes]", unpacked))
        if found is not None:
            return [Copy(path, *found, member="gzip")]
    stream.seek(0)
    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
        if unpacked.read(512)[257:262] != b"ustar":
            return []
    stream.seek(0)
    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
        return list(_tarred(path, lambda: tarfile.open(fileobj=unpacked, mode="r|"), wanted))


def _zipped(path: Path, stream: IO[bytes], wanted: _Wanted) -> Iterator[Copy]:
    with zipfile.ZipFile(stream) as archive:
        for item in archive.infolist():
            if item.file_size in wanted.sizes and not item.flag_bits & 1:
                with archive.open(item) as member:
                    found = wanted.match(item.file_size, member)
                if found is not None:
                    yield Copy(path, *found, member=item.filename)


def _tarred(path: Path, opened: Callable[[], tarfile.TarFile], wanted: _Wanted) -> Iterator[Copy]:
    unpacked = 0
    with opened() as archive:
        for item in archive:
            unpacked += item.size
            if unpacked > _MOST_UNPACKED:
                raise ValueError("too large to unpack")
            if item.isreg() and item.size in wanted.sizes:
                member = archive.extractfile(item)
                found = None if member is None else wanted.match(item.size, member)
                if found is not None:
                    yield Copy(path, *found, member=item.name)


def _same(one: Path, other: Path) -> bool:
    return one != other and one.samefile(other)


def _renamed(one: Copy, path: Path) -> Copy:
    return Copy(path, one.case, one.kind, one.source, one.member)
