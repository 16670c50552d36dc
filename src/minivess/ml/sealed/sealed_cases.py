"""The one way to read the sealed test part: with the data key, in memory, image and mask by separate calls.

Whoever imports this module can look at test cases, so one workflow alone may (an import contract says which).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.ml.sealed.sealed_files import kind_key, read_sealed, sealed_path, session_keys, verify_sealed
from minivess.records.data.seal import SealedFile, SealManifest

_LARGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class ClosedFile:
    """One sealed image or label, still closed. Its key opens files of its kind alone, and never leaves the process."""

    path: Path
    file: SealedFile
    split: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class SealedCase:
    """One case of the test part, still closed."""

    id: str
    image: ClosedFile
    label: ClosedFile


@implements("REQ-015", "RC-03")
def open_sealed(folder: Path, manifest: SealManifest, keys: bytes) -> Iterator[SealedCase]:
    """Walk over the cases of the test part; nothing is decrypted until `open_image` or `open_label` is called.

    Args:
        folder: the folder `data/sealed`.
        manifest: the manifest whose root stands in the log.
        keys: the unwrapped data keys of its sessions, one after the other.

    Raises:
        UsageError: not 32 bytes a session.
        VerificationError: the manifest's root does not cover it, or a sealed file is missing or changed; it is named.
    """
    sessions = session_keys(keys, len(next(iter(manifest.wrapped_keys.values()), ())))
    verify_sealed(folder, manifest)
    return iter(_cases(folder, manifest, sessions))


def open_image(case: SealedCase) -> npt.NDArray[np.float32]:
    """Decrypt a case's image in memory: float32, in the order of its axes.

    Raises:
        VerificationError: the file was changed, cut short, swapped, or sealed with another key; it is named.
    """
    return _open(case.image).astype(np.float32, copy=False)


def open_label(case: SealedCase) -> npt.NDArray[np.uint8]:
    """Decrypt a case's mask in memory: uint8 on the image's spatial axes, holding class values.

    Raises:
        VerificationError: the file was changed, cut short, swapped, or sealed with another key; it is named.
    """
    return _open(case.label).astype(np.uint8, copy=False)


def _cases(folder: Path, manifest: SealManifest, sessions: Sequence[bytes]) -> list[SealedCase]:
    files = {(file.case, file.kind): file for file in manifest.files}
    ids = list(dict.fromkeys(file.case for file in manifest.files))
    if len(files) != len(manifest.files) or len(files) != 2 * len(ids):
        raise VerificationError("the sealed manifest does not hold one image and one mask for every case")
    if any(file.session >= len(sessions) for file in manifest.files):
        raise VerificationError("the sealed manifest names a session without a key")
    keys = {(number, kind): kind_key(key, kind) for number, key in enumerate(sessions) for kind in ("image", "label")}

    def closed(file: SealedFile) -> ClosedFile:
        return ClosedFile(sealed_path(folder, file), file, manifest.split, keys[file.session, file.kind])

    return [SealedCase(case, closed(files[case, "image"]), closed(files[case, "label"])) for case in ids]


def _open(closed: ClosedFile) -> npt.NDArray[np.generic]:
    plain = read_sealed(closed.path, closed.file, closed.split, closed.key)
    try:
        header = io.BytesIO(memoryview(plain)[:_LARGEST_HEADER])
        version = np.lib.format.read_magic(header)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, fortran, dtype = read(header)
        if dtype.hasobject:
            raise ValueError
        array = np.ndarray(shape, dtype, plain, header.tell(), order="F" if fortran else "C")
    except (ValueError, EOFError, KeyError, TypeError):
        raise VerificationError(f"sealed file {closed.path.name} holds no array") from None
    return array
