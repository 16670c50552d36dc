"""Measuring a whole data set, remembered case by case, so that an interrupted survey goes on where it stopped.

Measures are remembered in a file of one JSON line a case, under the digests of its arrays: a case that was changed is
measured again, one that was not is only compared with its digests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from minivess.foundation.errors import CannotWriteError, InputError, VerificationError
from minivess.foundation.files import make_folder, read_limited, write_text_atomic
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.case_measures import VERSION, Measures, measure
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.findings import Found
from minivess.records.sinks import Progress

_LARGEST = 512 << 20


@dataclass(frozen=True)
class Survey:
    """What the cases of a data set are like.

    Attributes:
        manifest: the data set.
        folder: the folder `data/prepared`.
        measures: by case id; without those that could not be read.
        faults: what is wrong with the files.
    """

    manifest: DatasetManifest
    folder: Path
    measures: dict[str, Measures]
    faults: tuple[Found, ...]


def survey(
    manifest: DatasetManifest,
    folder: Path,
    *,
    memory: Path | None = None,
    tidy: bool = True,
    progress: Progress | None = None,
) -> Survey:
    """Compare every prepared case with its digests and measure it.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        memory: file that remembers measures; None: nothing is remembered.
        tidy: whether the memory afterwards holds the measures of these cases only; False for a part of a data set.
        progress: hears about each case.

    Raises:
        RefusedError: a case has been sealed already; validation comes before sealing.
        CannotWriteError: the memory cannot be written.
    """
    known = dict(_remembered(memory)) if memory is not None else {}
    measures: dict[str, Measures] = {}
    faults: list[Found] = []
    journal = _Journal(memory) if memory is not None else None
    for done, record in enumerate(manifest.cases):
        if progress is not None:
            progress("validate", done, len(manifest.cases))
        try:
            case = load_case(folder, record.id, verify=True)
        except (InputError, VerificationError) as error:
            faults.append(Found("arrays-match", record.id, error.message))
            continue
        if case.record != record:
            faults.append(Found("arrays-match", record.id, "case.json differs from the manifest: ingest again"))
        key = (case.record.image, case.record.label, case.record.source_dtype)
        if key not in known:
            known[key] = measure(case)
            if journal is not None:
                journal.add(known[key])
        measures[record.id] = known[key]
    if progress is not None:
        progress("validate", len(manifest.cases), len(manifest.cases))
    if memory is not None and tidy:
        _tidy(memory, measures)
    return Survey(manifest, folder, measures, tuple(faults))


def _remembered(memory: Path) -> Iterator[tuple[tuple[str, str, str], Measures]]:
    """What the memory holds; lines that are torn or of another version are left out."""
    if not memory.is_file():
        return
    for line in read_limited(memory, limit=_LARGEST).splitlines():
        try:
            measured = Measures.model_validate_json(line)
        except ValidationError:
            continue
        if measured.version == VERSION:
            yield (measured.image, measured.label, measured.dtype), measured


class _Journal:
    """Appends measures to the memory; on the disk for good every second, not every line."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._flushed = 0.0

    def add(self, measured: Measures) -> None:
        """Remember one case.

        Raises:
            CannotWriteError: the disk is full or read-only.
        """
        try:
            make_folder(self._memory.parent)
            with self._memory.open("ab") as stream:
                stream.write(b"\n" + measured.model_dump_json().encode("utf-8"))
                stream.flush()
                if time.monotonic() - self._flushed > 1:
                    os.fsync(stream.fileno())
                    self._flushed = time.monotonic()
        except OSError as error:
            raise CannotWriteError(
                f"cannot write {self._memory.name}: {error.strerror or type(error).__name__}", hint="free some space"
            ) from error


def _tidy(memory: Path, measures: dict[str, Measures]) -> None:
    """Keep the lines of these cases only."""
    lines = {measured.model_dump_json() for measured in measures.values()}
    write_text_atomic(memory, "\n".join(sorted(lines)))
