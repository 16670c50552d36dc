"""Preprocessed training cases on the disk, mapped when patches are drawn from them.

    <store>/<case>/<key>/image.npy    float32 (channels, *grid)
                         label.npy    uint8 (*grid) of class indices, 0 is background
                         places.npy   uint32 or uint64: flat positions of the voxels of class 1, then of class 2, …
                         stored.json  digests of the three; written last

The key is a digest of the raw case, its preprocessing, the classes and the padded size, so that members of an ensemble
and later runs share a copy. Worker processes import this module: it imports NumPy alone, and the rest where it is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import mmap
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CannotWriteError, CouldNotCheckError, InputError, MinivessError, UsageError
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.ml.preprocessing.preprocessor import Spacing
    from minivess.records.models.preprocessing import Preprocessing
    from minivess.records.models.stored_case import StoredCaseRecord
    from minivess.records.models.task import SegmentationTask
    from minivess.records.sinks import Progress

IMAGE, LABEL, PLACES, STORED = "image.npy", "label.npy", "places.npy", "stored.json"
_BEGUN = ".begun-"
"""Start of the name of a folder that is being written."""
_MADE_AGAIN = "run `minivess train` again: it makes the copy again"


class TrainingCase(NamedTuple):
    """A raw image with its mask."""

    image: NDArray[np.generic]
    """In the order (z, y, x) or (y, x), channels last where there are several; any real type."""
    label: NDArray[np.generic]
    """On the grid of the image, with the values of the classes."""
    spacing: Spacing = None
    """Micrometres along each spatial axis, where they are known."""
    name: str = ""
    """For messages, and of the folder of its copy; by default its number."""


class StoredCase(NamedTuple):
    """A case of a store."""

    name: str
    folder: str
    """In the store."""
    grid: tuple[int, ...]
    """Sizes along the spatial axes, none shorter than the patch."""
    bounds: tuple[int, ...]
    """Where the places of each class begin in `places.npy`, and where the last ones end."""

    @property
    def classes(self) -> tuple[tuple[int, int], ...]:
        """Where the places of each class that the case has begin and end."""
        return tuple((begin, end) for begin, end in zip(self.bounds, self.bounds[1:], strict=False) if begin < end)


class StoredArrays(NamedTuple):
    """The mapped arrays of a case, read-only."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    places: NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class CaseStore:
    """Preprocessed cases in a folder. It can be pickled; the arrays stay on the disk.

    Attributes:
        folder: where they are.
        digest: of the raw cases (`cases_digest`).
        cases: the cases in order.
        patch: size of a patch, to which smaller cases are padded.
        channels: of the images.
        voxels: of the background and of each class in all cases, without the padding.
        spacing: micrometres along each axis, as the network gets the images; where they are not resampled, the median over the
            cases. None: not known.
        hold: keeps other runs from removing the copies while it is there.
    """

    folder: Path
    digest: str
    cases: tuple[StoredCase, ...]
    patch: tuple[int, ...]
    channels: int
    voxels: tuple[int, ...]
    spacing: Spacing = None
    hold: _Hold | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without the hold, which belongs to one process."""
        return {**self.__dict__, "hold": None}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cases."""
        return tuple(case.name for case in self.cases)

    def arrays(self, number: int) -> StoredArrays:
        """The arrays of a case, mapped.

        Raises:
            CouldNotCheckError: they cannot be read, or are not what was stored.
        """
        case = self.cases[number]
        folder = self.folder / case.folder
        try:
            return StoredArrays(
                _mapped(folder / IMAGE, np.dtype(np.float32), (self.channels, *case.grid)),
                _mapped(folder / LABEL, np.dtype(np.uint8), case.grid),
                _mapped(folder / PLACES, _positions(math.prod(case.grid)), (case.bounds[-1],)),
            )
        except (OSError, ValueError) as error:
            raise CouldNotCheckError(
                f"the preprocessed copy of case {case.name} cannot be read: {error}", hint=_MADE_AGAIN
            ) from None


def _positions(voxels: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The type of the places in an image of so many voxels."""
    return np.dtype(np.uint32) if voxels < 1 << 32 else np.dtype(np.uint64)


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of a `.npy` file (NumPy format 1.0) whose header need not be read; `np.load` takes ten times as long.

    Raises:
        OSError: it cannot be opened.
        ValueError: it has another size.
    """
    with path.open("rb") as stream:
        start = 10 + int.from_bytes(stream.read(10)[8:], "little")
        found = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if len(found) != start + math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{path.name} was changed")
    return np.ndarray(shape, dtype, found, start)


def cases_digest(cases: Iterable[TrainingCase]) -> str:
    """Digest of images and masks: for each array a line of JSON `[dtype, shape]`, then its row-major elements."""
    digest = hashlib.sha256(_HEAD)
    for case in cases:
        for piece in _pieces(case):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


@implements("REQ-356")
def store_cases(
    cases: Iterable[TrainingCase],
    folder: Path,
    *,
    patch: tuple[int, ...],
    task: SegmentationTask,
    preprocessing: Preprocessing,
    progress: Progress | None = None,
) -> CaseStore:
    """Preprocess cases into a folder, one after the other, and keep the copies that are there.

    A copy is kept where its files have the digests that were recorded when it was made. One that a killed run began does
    not count. Copies of other cases, or made in another way, are removed, unless another run uses the folder.

    Args:
        cases: read once; one is in memory at a time.
        folder: of the store; nothing else belongs there.
        patch: size of a patch.
        task: channels, axes and classes.
        preprocessing: what images go through.
        progress: hears how many cases are done.

    Raises:
        UsageError: there are no cases.
        InputError: a case is malformed, or none has foreground.
        CannotWriteError: the disk is full or read-only.
    """
    how = _How(tuple(patch), task, preprocessing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hold = _Hold(folder)
        writer = _Writer(folder, how)
        for case in cases:
            writer.add(case)
            del case  # before the next one is read
            if progress is not None:
                progress("preprocessing training cases", len(writer.stored), 0)
        if not writer.stored:
            raise UsageError("training needs cases", hint="the training part of the split is empty")
        if not writer.voxels[1:].any():
            raise InputError("no training case has foreground", hint="check that the masks are not empty")
        hold.remove_others(folder, {case.folder for case in writer.stored})
    except OSError as error:
        raise CannotWriteError(
            f"cannot write the preprocessed training cases into {folder}: {error.strerror or error}",
            hint="free some space: the copies take 5 bytes a voxel, and 4 more a voxel of a class",
        ) from error
    return CaseStore(
        folder=folder,
        digest=f"sha256:{writer.digest.hexdigest()}",
        cases=tuple(writer.stored),
        patch=how.patch,
        channels=preprocessing.channels,
        voxels=tuple(int(count) for count in writer.voxels),
        spacing=preprocessing.spacing or _median(writer.spacings),
        hold=hold,
    )


def _median(spacings: list[Spacing]) -> Spacing:
    """The median of each axis; None where a spacing is not known."""
    known = [one for one in spacings if one is not None]
    return tuple(float(step) for step in np.median(known, axis=0)) if len(known) == len(spacings) else None


_HEAD = b"minivess-cases/1\n"


def _pieces(case: TrainingCase) -> Iterable[bytes | memoryview]:
    for array in (case.image, case.label):
        yield json.dumps([array.dtype.str, list(array.shape)]).encode("ascii") + b"\n"
        yield np.ascontiguousarray(array).data


class _How(NamedTuple):
    """How the copies of a store are made."""

    patch: tuple[int, ...]
    task: SegmentationTask
    preprocessing: Preprocessing


class _Writer:
    """Stores one case after the other.

    Args:
        folder: of the store.
        how: the copies are made.
    """

    def __init__(self, folder: Path, how: _How) -> None:
        self._folder, self._how = folder, how
        self.digest = hashlib.sha256(_HEAD)
        self.stored: list[StoredCase] = []
        self.voxels = np.zeros(len(how.task.classes) + 1, np.int64)
        self.spacings: list[Spacing] = []

    def add(self, case: TrainingCase) -> None:
        """Store a case."""
        name = case.name or f"case-{len(self.stored)}"
        own = hashlib.sha256()
        for piece in _pieces(case):
            self.digest.update(piece)
            own.update(piece)
        place, record = _stored(self._folder, case, name, own.hexdigest(), self._how)
        self.stored.append(StoredCase(name, place, record.grid, record.bounds))
        self.voxels += record.voxels
        self.spacings.append(case.spacing)


def _stored(folder: Path, case: TrainingCase, name: str, raw: str, how: _How) -> tuple[str, StoredCaseRecord]:
    """The folder in the store and the record of the copy of a case, which is made where it is not there."""
    from minivess.foundation.digests import digest_json
    from minivess.ml.preprocessing.preprocessor import Preprocessor

    if Path(name).name != name:
        raise UsageError(f"{name!r} cannot be the name of a training case", hint="it would be that of a folder")
    preprocessor = Preprocessor(how.preprocessing)
    try:
        if preprocessor.grid(case.image) != case.label.shape:
            raise InputError(f"an image of shape {case.image.shape} has a mask of shape {case.label.shape}")
        grid = preprocessor.target_grid(case.image, case.spacing)
        key = {
            "format": "minivess-stored-case/1",
            "raw": raw,
            "spacing": None if case.spacing is None else [float(step) for step in case.spacing],
            "preprocessing": how.preprocessing.model_dump(mode="json"),
            "classes": [one.value for one in how.task.classes],
            "padded": [max(size, side) for size, side in zip(grid, how.patch, strict=True)],
        }
        place = f"{name}/{digest_json(key).partition(':')[2][:32]}"
        record = _kept(folder / place) or _made(folder / place, case, how)
    except InputError as error:
        raise InputError(f"training case {name}: {error.found}", hint=error.hint) from None
    return place, record


def _kept(copy: Path) -> StoredCaseRecord | None:
    """The record of a copy that is whole; None: there is none, or it was changed."""
    from minivess.foundation.reading.json_records import read_json_record
    from minivess.records.models.stored_case import STORED_CASE_LIMIT, StoredCaseRecord

    try:
        record = read_json_record(copy / STORED, StoredCaseRecord, limit=STORED_CASE_LIMIT)
        return _unchanged(record, copy)
    except (MinivessError, OSError):
        return None


@implements("RC-148")
def _unchanged(record: StoredCaseRecord, copy: Path) -> StoredCaseRecord | None:
    """The record, where it and the files are as they were written."""
    from minivess.foundation.digests import digest_file

    found = [digest_file(copy / name) for name in (IMAGE, LABEL, PLACES)]
    return record if record == record.rooted and found == [record.image, record.label, record.places] else None


def _made(copy: Path, case: TrainingCase, how: _How) -> StoredCaseRecord:
    """Write a copy, beside its place and then all at once into it."""
    from minivess.foundation.digests import digest_file
    from minivess.ml.inference.answers import class_indices
    from minivess.ml.inference.tiling import pad_to
    from minivess.ml.preprocessing.preprocessor import Preprocessor
    from minivess.records.models.stored_case import StoredCaseRecord

    preprocessor = Preprocessor(how.preprocessing)
    image, _ = pad_to(preprocessor.apply(case.image, case.spacing), how.patch)
    plain = preprocessor.labels(class_indices(case.label, how.task), case.spacing)
    label, _ = pad_to(plain, how.patch)
    count = len(how.task.classes) + 1
    places = [np.flatnonzero(label == number).astype(_positions(label.size)) for number in range(1, count)]
    copy.parent.mkdir(exist_ok=True)
    begun = Path(tempfile.mkdtemp(prefix=_BEGUN, dir=copy.parent))
    try:
        for name, array in ((IMAGE, image), (LABEL, label), (PLACES, np.concatenate(places))):
            np.save(begun / name, np.ascontiguousarray(array), allow_pickle=False)
        record = StoredCaseRecord(
            image=digest_file(begun / IMAGE),
            label=digest_file(begun / LABEL),
            places=digest_file(begun / PLACES),
            grid=label.shape,
            voxels=tuple(int(voxels) for voxels in np.bincount(plain.reshape(-1), minlength=count)),
            bounds=(0, *(int(end) for end in np.cumsum([one.size for one in places]))),
        ).rooted
        (begun / STORED).write_text(record.model_dump_json() + "\n", encoding="utf-8")
        shutil.rmtree(copy, ignore_errors=True)
        with suppress(FileExistsError):  # another run made the same copy meanwhile
            begun.rename(copy)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return record


class _Hold:
    """A shared lock on a store (`flock`); the kernel lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        self._number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._end = weakref.finalize(self, os.close, self._number)
        fcntl.flock(self._number, fcntl.LOCK_SH)

    @implements("REQ-356")
    def remove_others(self, folder: Path, wanted: set[str]) -> None:
        """Remove copies that are not wanted, unless another run holds the store."""
        from minivess.foundation.files import exclusive

        with exclusive(folder / ".lock", "the preprocessed training cases"):  # one run at a time gives up its share
            try:
                fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for copy in [path for path in folder.glob("*/*") if path.is_dir()]:
                    ours = copy.name.startswith(_BEGUN) or (copy / STORED).is_file()
                    if ours and copy.relative_to(folder).as_posix() not in wanted:
                        shutil.rmtree(copy)
                        with suppress(OSError):
                            copy.parent.rmdir()
            except BlockingIOError:
                return
            finally:
                fcntl.flock(self._number, fcntl.LOCK_SH)
