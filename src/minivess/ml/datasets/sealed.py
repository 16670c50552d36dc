"""The one way to read the sealed test part: with the data key, in memory, image and mask by separate calls.

Whoever imports this module can look at test cases, so one workflow alone may (an import contract says which).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.ml.datasets import stream_cipher
from minivess.ml.datasets.sealed_files import read_sealed, sealed_path, verify_sealed
from minivess.records.seal import SealedFile, SealManifest


@dataclass(frozen=True)
class SealedCase:
    """One case of the test part, still closed. It holds the data key, so it never leaves the process."""

    id: str
    folder: Path
    image: SealedFile
    label: SealedFile
    split: str
    key: bytes = field(repr=False)


@implements("REQ-015", "RC-03")
def open_sealed(folder: Path, manifest: SealManifest, data_key: bytes) -> Iterator[SealedCase]:
    """Walk over the cases of the test part; nothing is decrypted until `open_image` or `open_label` is called.

    Args:
        folder: the folder `data/sealed`.
        manifest: the manifest whose root stands in the log.
        data_key: the unwrapped data key.

    Raises:
        UsageError: a key that has not 32 bytes.
        VerificationError: the manifest's root does not cover it, or a sealed file is missing or changed; it is named.
    """
    stream_cipher.check_key(data_key)
    verify_sealed(folder, manifest)
    return iter(_cases(folder, manifest, data_key))


def open_image(case: SealedCase) -> npt.NDArray[np.float32]:
    """Decrypt a case's image in memory: float32 (z, y, x).

    Raises:
        VerificationError: the file was changed, cut short, swapped, or sealed with another key; it is named.
    """
    return _open(case, case.image).astype(np.float32, copy=False)


def open_label(case: SealedCase) -> npt.NDArray[np.uint8]:
    """Decrypt a case's mask in memory: uint8 (z, y, x), 0 or 1.

    Raises:
        VerificationError: the file was changed, cut short, swapped, or sealed with another key; it is named.
    """
    return _open(case, case.label).astype(np.uint8, copy=False)


def _cases(folder: Path, manifest: SealManifest, data_key: bytes) -> list[SealedCase]:
    files = {(file.case, file.kind): file for file in manifest.files}
    ids = list(dict.fromkeys(file.case for file in manifest.files))
    if len(files) != len(manifest.files) or len(files) != 2 * len(ids):
        raise VerificationError("the sealed manifest does not hold one image and one mask for every case")
    return [
        SealedCase(case, folder, files[case, "image"], files[case, "label"], manifest.split, data_key) for case in ids
    ]


def _open(case: SealedCase, file: SealedFile) -> npt.NDArray[np.generic]:
    path = sealed_path(case.folder, file)
    plain = read_sealed(path, file, case.split, case.key)
    try:
        array: npt.NDArray[np.generic] = np.lib.format.read_array(io.BytesIO(plain), allow_pickle=False)
    except (ValueError, EOFError):
        raise VerificationError(f"sealed file {path.name} holds no array") from None
    return array
