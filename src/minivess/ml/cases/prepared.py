"""Prepared cases: every case as two `.npy` arrays and one JSON file, whatever it came from.

`data/prepared/<case>/image.npy` is little-endian float32 in the order of the record's axes and the units of the source,
`label.npy` uint8 on its grid, with the values of its classes. `case.json` is written last: a case without it does not
exist.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from minivess.foundation.digests import Digest, digest_bytes, digest_file, digest_json
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.foundation.files import read_limited, writing_atomic
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import read_record, write_record
from minivess.ml.reading.formats.numpy_array import map_npy, parse_npy
from minivess.ml.reading.volume import LIMITS
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord

IMAGE, LABEL, CASE = "image.npy", "label.npy", "case.json"
_LARGEST_HEADER = 1 << 16


class PreparedCase(Record):
    """What `case.json` says: the record, what the case was made from, and whether its arrays have been sealed away."""

    record: CaseRecord
    made_from: Digest
    """Of the bytes of its sources, what is stated of the case, and how it was made."""
    sealed: bool = False
    digest: Annotated[Digest | None, Field(exclude_if=lambda digest: digest is None)] = None
    """Of the record and `made_from`; None in cases of before 0.2.0."""

    @classmethod
    def of(cls, record: CaseRecord, made_from: Digest) -> PreparedCase:
        """The state of a case that was just made."""
        return cls(record=record, made_from=made_from, digest=_digest_of(record, made_from))

    @property
    def changed(self) -> bool:
        """Whether the file says something else than when it was written."""
        return self.digest is not None and self.digest != _digest_of(self.record, self.made_from)


def _digest_of(record: CaseRecord, made_from: Digest) -> Digest:
    return digest_json([record.model_dump(mode="json"), made_from])


@dataclass(frozen=True)
class LoadedCase:
    """A prepared case in memory, or mapped from the disk.

    Attributes:
        image: float32, in the order of `record.axes`.
        label: uint8 on `record.grid`; values of `record.classes`, 0 is background.
        record: what is known about it.
    """

    image: npt.NDArray[np.float32]
    label: npt.NDArray[np.uint8]
    record: CaseRecord


def load_case(folder: Path, case_id: str, *, memory_map: bool = True, verify: bool = False) -> LoadedCase:
    """Load a prepared case.

    Args:
        folder: the folder `data/prepared`.
        case_id: which case.
        memory_map: map the arrays from the disk, read-only, instead of reading them.
        verify: check both arrays against the digests in `case.json` first.

    Raises:
        InputError: there is no such case, or an array does not fit its record.
        RefusedError: the case has been sealed.
        VerificationError: an array was changed.
    """
    prepared = state_of(folder / case_id)
    if prepared.sealed:
        raise RefusedError(f"case {case_id} is sealed: it belongs to the test part", hint="see minivess test-set")
    image_path, label_path = folder / case_id / IMAGE, folder / case_id / LABEL
    if verify:
        for path, digest in ((image_path, prepared.record.image), (label_path, prepared.record.label)):
            if not path.is_file() or digest_file(path) != digest:
                raise VerificationError(f"{case_id}/{path.name} was changed", hint="run minivess data ingest again")
    if memory_map:
        image, label = _mapped(image_path), _mapped(label_path)
    else:
        image, label = np.array(_mapped(image_path)), np.array(_mapped(label_path))
    return fit(image, label, prepared.record)


@implements("REQ-180")
def load_recorded(folder: Path, record: CaseRecord) -> LoadedCase:
    """Load a prepared case into memory, exactly as a record says that it is.

    Each array file is read once: the bytes that were digested are the bytes of the array.

    Args:
        folder: the folder `data/prepared`.
        record: what the case must be, from a manifest that was compared with the log.

    Raises:
        InputError: there is no such case, or an array does not fit its record.
        RefusedError: the case has been sealed.
        VerificationError: `case.json`, the image or the mask is another; it is named.
    """
    prepared = state_of(folder / record.id)
    if prepared.record != record:
        raise _changed(record.id, CASE)
    if prepared.sealed:
        raise RefusedError(f"case {record.id} is sealed: it belongs to the test part", hint="see minivess test-set")
    return fit(_read(folder, record, IMAGE), _read(folder, record, LABEL), record)


def _read(folder: Path, record: CaseRecord, name: str) -> npt.NDArray[np.generic]:
    """An array file that has the digest its record says."""
    path = folder / record.id / name
    image = name == IMAGE
    shape, dtype = (record.shape, np.dtype("<f4")) if image else (record.grid, np.dtype("u1"))
    limit = math.prod(shape) * dtype.itemsize + _LARGEST_HEADER
    if not path.is_file() or path.stat().st_size > limit:
        raise _changed(record.id, name)
    data = read_limited(path, limit=limit)
    if digest_bytes(data) != (record.image if image else record.label):
        raise _changed(record.id, name)
    return parse_npy(data, f"{record.id}/{name}")


def _changed(case: str, name: str) -> VerificationError:
    return VerificationError(
        f"data/prepared/{case}/{name} is not the file that was ingested",
        hint="restore it; before the sealing, `minivess data ingest` makes it again",
    )


def fit(image: npt.NDArray[np.generic], label: npt.NDArray[np.generic], record: CaseRecord) -> LoadedCase:
    """Check that arrays are what a record says.

    Raises:
        InputError: another shape or type.
    """
    for array, dtype, shape, name in (
        (image, np.float32, record.shape, IMAGE),
        (label, np.uint8, record.grid, LABEL),
    ):
        if array.shape != shape or array.dtype != dtype:
            raise InputError(
                f"{array.dtype} {array.shape} where {np.dtype(dtype)} {shape} was expected",
                path=f"{record.id}/{name}",
                hint="run minivess data ingest again",
            )
    return LoadedCase(image.astype(np.float32, copy=False), label.astype(np.uint8, copy=False), record)


def is_sealed(folder: Path, case_id: str) -> bool:
    """Whether the arrays of a case have been sealed away; False where there is no such case."""
    return (folder / case_id / CASE).is_file() and state_of(folder / case_id).sealed


def mark_sealed(folder: Path, case_id: str) -> None:
    """Note in `case.json` that the arrays have been sealed away, so that ingest does not bring them back.

    Raises:
        InputError: there is no such case.
    """
    prepared = state_of(folder / case_id)
    if not prepared.sealed:
        write_record(folder / case_id / CASE, prepared.model_copy(update={"sealed": True}))


def npy_bytes(array: npt.NDArray[np.generic]) -> bytes:
    """An array as the bytes of a `.npy` file (NumPy format 1.0)."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def write_npy(path: Path, array: npt.NDArray[np.generic]) -> Digest:
    """Write the bytes that `npy_bytes` gives, without a copy of a contiguous array, and return their digest.

    Raises:
        CannotWriteError: the disk is full or read-only.
    """
    plain = np.ascontiguousarray(array)
    header = _npy_header(plain)
    digest = hashlib.sha256(header)
    voxels = memoryview(plain.reshape(-1).view(np.uint8))
    digest.update(voxels)
    with writing_atomic(path) as stream:
        stream.write(header)
        stream.write(voxels)
    return f"sha256:{digest.hexdigest()}"


def _npy_header(array: npt.NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    return stream.getvalue()


def state_of(folder: Path) -> PreparedCase:
    """What `case.json` in the folder of a case says.

    Raises:
        InputError: there is none, or it is malformed.
    """
    if not (folder / CASE).is_file():
        raise InputError("no such case", path=folder.name, hint="run minivess data ingest")
    return read_record(folder / CASE, PreparedCase)


def _mapped(path: Path) -> npt.NDArray[np.generic]:
    try:
        return map_npy(path, LIMITS)
    except InputError as error:
        raise InputError(
            f"cannot be read: {error.message.removeprefix(f'{path}: ')}",
            path=f"{path.parent.name}/{path.name}",
            hint="run minivess data ingest again",
        ) from None


def whole(folder: Path, record: CaseRecord) -> bool:
    """Whether both arrays of a case are there and have the digests of its record."""
    files = ((folder / IMAGE, record.image), (folder / LABEL, record.label))
    return all(path.is_file() and digest_file(path) == digest for path, digest in files)
