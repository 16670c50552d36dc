"""Prepared cases: every case as two `.npy` arrays and one JSON file, whatever it came from.

`data/prepared/<case>/image.npy` is little-endian float32 in the order of the record's axes and the units of the source,
`label.npy` uint8 on its grid, with the values of its classes. `case.json` is written last: a case without it does not
exist, so an interrupted ingest goes on where it stopped.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from minivess.foundation.digests import Digest, digest_bytes, digest_file, digest_json
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_distinct, check_id
from minivess.ml.cases.manifests import cases_root, read_record, write_record
from minivess.ml.reading.case import Case, read_case, source_files
from minivess.ml.reading.formats.numpy_array import map_npy, parse_npy
from minivess.ml.reading.geometry import orientation_of, rows_of
from minivess.ml.reading.masks import FOREGROUND
from minivess.ml.reading.sources import case_sources
from minivess.ml.reading.volume import LIMITS, first_line
from minivess.ml.synthesis.volume import SPACING_UM, generate_volume
from minivess.records.base import Record
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.groups import GENERATED
from minivess.records.data.source import CaseSource, Data, Synthetic
from minivess.records.sinks import Progress

IMAGE, LABEL, CASE = "image.npy", "label.npy", "case.json"
_LARGEST_HEADER = 1 << 16
_GENERATOR = "minivess-synthetic/2"
"""Raised with every change to the generator that changes its bytes, so that old cases are made again."""
_MODALITY = "two-photon microscopy"
"""What images are where neither the project nor the file says."""


class PreparedCase(Record):
    """What `case.json` says: the record, what the case was made from, and whether its arrays have been sealed away."""

    record: CaseRecord
    made_from: Digest
    sealed: bool = False


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


@dataclass(frozen=True)
class _Recipe:
    """One case to be prepared: what is stated of it, what it is made from, as a digest, and how."""

    source: CaseSource
    modality: str | None
    made_from: str
    make: Callable[[], Case]

    @property
    def id(self) -> str:
        """The case's id."""
        return self.source.id


@implements("REQ-010", "REQ-011", "REQ-012")
def ingest(data: Data, base: Path, out: Path, *, progress: Progress | None = None) -> DatasetManifest:
    """Prepare every case of a project. Cases that are done and unchanged are left alone.

    A sealed case stays as it is when its source files are gone, for whoever keeps them in custody moved them away.

    Args:
        data: the project's files, or its generator.
        base: folder of the project file; `data.root` is relative to it.
        out: the folder `data/prepared`.
        progress: hears about each case.

    Raises:
        InputError: a file is missing or malformed, or shapes or spacings disagree.
        UsageError: two cases have the same id or the same name of a file, or an id cannot name a file.
        RefusedError: the source of a sealed case was changed, or a file may say who is in the image.
        CouldNotCheckError: the disk refuses.
    """
    sealed = _sealed(out)
    recipes = sorted(_recipes(data, base, sealed), key=lambda recipe: recipe.id)
    ids = [recipe.id for recipe in recipes]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise UsageError(f"two cases are called {twice[0]}", hint="give each case an id of its own")
    for name in ids:
        if not (out / name).is_dir():  # cases that were prepared before stay
            check_id(name, "case")
    check_distinct([*sealed, *ids], "case")
    records = [record for name, record in sealed.items() if name not in ids]
    for done, recipe in enumerate(recipes):
        if progress is not None:
            progress("ingest", done, len(recipes))
        records.append(_prepare(recipe, out / recipe.id))
    if progress is not None:
        progress("ingest", len(recipes), len(recipes))
    records.sort(key=lambda record: record.id)
    return DatasetManifest(
        name=data.name, licence=data.licence, source=data.source, cases=tuple(records), root=cases_root(records)
    )


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
    prepared = _state(folder / case_id)
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
    prepared = _state(folder / record.id)
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


def mark_sealed(folder: Path, case_id: str) -> None:
    """Note in `case.json` that the arrays have been sealed away, so that ingest does not bring them back.

    Raises:
        InputError: there is no such case.
    """
    prepared = _state(folder / case_id)
    if not prepared.sealed:
        write_record(folder / case_id / CASE, prepared.model_copy(update={"sealed": True}))


def is_sealed(folder: Path, case_id: str) -> bool:
    """Whether the arrays of a case have been sealed away; False where there is no such case."""
    return (folder / case_id / CASE).is_file() and _state(folder / case_id).sealed


def npy_bytes(array: npt.NDArray[np.generic]) -> bytes:
    """An array as the bytes of a `.npy` file (NumPy format 1.0)."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _sealed(out: Path) -> dict[str, CaseRecord]:
    """Cases whose arrays have been sealed away, by id."""
    states = (_state(path.parent) for path in sorted(out.glob(f"*/{CASE}")))
    return {state.record.id: state.record for state in states if state.sealed}


def _recipes(data: Data, base: Path, sealed: Collection[str]) -> Iterator[_Recipe]:
    if data.synthetic is not None:
        width = max(2, len(str(data.synthetic.subjects)))
        for number in range(1, data.synthetic.subjects + 1):
            yield _synthetic_recipe(data, data.synthetic, number, f"mouse-{number:0{width}d}")
        return
    root = base / (data.root or ".")
    for source in case_sources(data, base):
        moved = not any((root / path).exists() for path in (source.image, source.label))
        if not (moved and source.id in sealed):
            yield _file_recipe(data, source, root)


def _synthetic_recipe(data: Data, plan: Synthetic, number: int, name: str) -> _Recipe:
    modality = data.modality or _MODALITY

    def make() -> Case:
        made = generate_volume(
            (plan.seed, number), shape=plan.shape, photons=plan.photons, psf_sigma_z_um=plan.psf_sigma_z_um
        )
        classes = data.declared or FOREGROUND
        return Case(
            made.image.astype("<f4"), made.label, "zyx", SPACING_UM, GENERATED, "uint16", (0, 1), classes=classes
        )

    facts = plan.model_dump(mode="json", exclude={"subjects"})
    stated = [[one.model_dump(mode="json") for one in data.declared]] if data.classes else []
    made_from = digest_json([_GENERATOR, facts, number, modality, *stated])
    source = CaseSource(id=name, subject=name, image=PurePosixPath(IMAGE), label=PurePosixPath(LABEL))
    return _Recipe(source, modality, made_from, make)


def _file_recipe(data: Data, source: CaseSource, root: Path) -> _Recipe:
    files = [path for path in (source.image, source.label, source.second_label, source.metadata) if path is not None]
    try:
        digests = [[digest_file(file) for file in source_files(root / path)] for path in files]
    except OSError as error:
        raise InputError(
            first_line(error),
            path=Path(str(error.filename or "")).name or None,
            hint=f"check the paths of case {source.id} in minivess.yaml",
        ) from None
    stated = data.model_dump(mode="json", include={"modality", "classes", "accept_identifiers"})
    if data.unit is not None:  # without it, the digest is that of earlier versions: their cases stay
        stated["unit"] = data.unit
    made_from = digest_json(["minivess-files/2", source.model_dump(mode="json"), digests, stated])

    def make() -> Case:
        return read_case(
            source, root, classes=data.declared, accept_identifiers=data.accept_identifiers, unit=data.unit
        )

    return _Recipe(source, data.modality, made_from, make)


def _prepare(recipe: _Recipe, folder: Path) -> CaseRecord:
    if (folder / CASE).is_file():
        before = _state(folder)
        same = before.made_from == recipe.made_from
        if before.sealed and not same:
            raise RefusedError(
                f"case {recipe.id} is sealed, and its source was changed since",
                hint="put the source back, or start a new workspace for the new data",
            )
        if same and (before.sealed or _whole(folder, before.record)):
            return before.record
    case = recipe.make()
    image, label = npy_bytes(case.image), npy_bytes(case.label)
    source, facts = recipe.source, case.facts
    record = CaseRecord(
        id=source.id,
        subject=source.subject,
        acquisition=source.acquisition or facts.acquisition or source.id,
        axes=case.axes,
        shape=case.image.shape,
        spacing=case.spacing,
        unit=case.unit,
        affine=None if case.affine is None else rows_of(case.affine),
        orientation=None if case.affine is None else orientation_of(case.affine),
        modality=recipe.modality or facts.modality or _MODALITY,
        site=source.site,
        scanner=source.scanner or facts.scanner,
        origin=facts.origin,
        image=digest_bytes(image),
        label=digest_bytes(label),
        source_format=case.source_format,
        source_dtype=case.source_dtype,
        label_values=case.label_values,
        classes=case.classes,
        foreground_fraction=float(np.count_nonzero(case.label)) / case.label.size,
        reader_agreement=case.reader_agreement,
        identifiers=tuple(place[:200] for place in case.identifiers),
        notes=tuple(note[:200] for note in case.notes),
        doubts=case.doubts,
    )
    write_atomic(folder / IMAGE, image)
    write_atomic(folder / LABEL, label)
    write_record(folder / CASE, PreparedCase(record=record, made_from=recipe.made_from))
    return record


def _whole(folder: Path, record: CaseRecord) -> bool:
    files = ((folder / IMAGE, record.image), (folder / LABEL, record.label))
    return all(path.is_file() and digest_file(path) == digest for path, digest in files)


def _state(folder: Path) -> PreparedCase:
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
