"""Making one prepared case, in this process or in another one, and what is wrong where that is not possible."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, InputError, MinivessError, RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import write_record
from minivess.ml.cases.prepared import CASE, IMAGE, LABEL, PreparedCase, npy_bytes, state_of, whole, write_npy
from minivess.ml.cases.readers import reader_counts
from minivess.ml.cases.recipes import MODALITY, Recipe
from minivess.ml.reading.case import Case
from minivess.ml.reading.geometry import orientation_of, rows_of
from minivess.ml.reading.volume import Facts
from minivess.records.attributes import together
from minivess.records.data.dataset import CaseRecord
from minivess.records.data.findings import Found
from minivess.records.data.source import CaseSource


@dataclass(frozen=True)
class Task:
    """One case to be prepared.

    Attributes:
        recipe: what it is made from.
        prepared: the folder of prepared cases.
        staged: the folder of cases that were read and are not yet prepared.
        known: its record in the newest ingest of the log; None: there is none.
    """

    recipe: Recipe
    prepared: Path
    staged: Path
    known: CaseRecord | None = None


@implements("REQ-300")
def prepare(task: Task) -> CaseRecord | Found:
    """Read a case and stage it, or keep it where it was read from the same bytes before.

    Returns:
        The record of the case, or what is wrong with it.

    Raises:
        CouldNotCheckError: the disk refuses.
    """
    recipe, case = task.recipe, task.recipe.source.id
    try:
        made_from = recipe.made_from()
        kept = _prepared_before(task, made_from) or _staged_before(task.staged / case, made_from)
        return kept or _stage(recipe, recipe.make(), made_from, task.staged / case)
    except CouldNotCheckError:
        raise
    except MinivessError as error:
        return found_in(error, case)
    except MemoryError:
        return Found("reader-failed", case, "the memory does not suffice to read it", stops=True)
    except Exception as error:  # a fault of a reader or of a library in it concerns one case of many
        return Found("reader-failed", case, f"reading ended with {type(error).__name__}", stops=True)


def found_in(error: MinivessError, case: str | None) -> Found:
    """A refusal of a reader as a finding."""
    if isinstance(error, InputError):
        rule = error.rule or "file-malformed"
        file = None if error.path is None else f"{error.path}{f':{error.line}' if error.line else ''}"
        return Found(
            rule, case, error.found.removesuffix(f" (rule {rule})"), file=file, hint=error.hint or None, stops=True
        )
    rule = "sealed-changed" if isinstance(error, SealedCaseError) else "identifying-data"
    return Found(rule, case, error.message.removeprefix(f"case {case} "), hint=error.hint or None, stops=True)


class SealedCaseError(RefusedError):
    """A sealed case is not what it was."""


def _prepared_before(task: Task, made_from: str) -> CaseRecord | None:
    """The record of a case that was prepared from the same bytes and is as it was.

    Raises:
        SealedCaseError: it is sealed, and its source or its record was changed.
    """
    folder = task.prepared / task.recipe.source.id
    if not (folder / CASE).is_file():
        return None
    before = state_of(folder)
    if before.made_from == made_from:
        with suppress(VerificationError):
            _check_unchanged(before, folder, task.known)
            return before.record
    if before.sealed:
        raise SealedCaseError(
            f"case {before.record.id} is sealed, and its source or its record was changed since",
            hint="put the source back, or start a new workspace for the new data",
        )
    return None


@implements("RC-131")
def _check_unchanged(state: PreparedCase, folder: Path, known: CaseRecord | None) -> None:
    """A case that was made before is kept only as it was made.

    Args:
        state: what its `case.json` says.
        folder: its folder; the arrays of a sealed case are not there.
        known: its record in the log; None: the log has none.

    Raises:
        VerificationError: the record or an array is another.
    """
    if state.changed or (known is not None and known != state.record):
        raise VerificationError(f"the record of {state.record.id} was changed")
    if not state.sealed and not whole(folder, state.record):
        raise VerificationError(f"an array of {state.record.id} was changed")


def _staged_before(folder: Path, made_from: str) -> CaseRecord | None:
    if not (folder / CASE).is_file():
        return None
    with suppress(InputError, VerificationError):
        before = state_of(folder)
        if before.made_from == made_from and before.digest is not None:
            _check_unchanged(before, folder, None)
            return before.record
    return None


def _stage(recipe: Recipe, case: Case, made_from: str, folder: Path) -> CaseRecord:
    (folder / CASE).unlink(missing_ok=True)
    image, label = write_npy(folder / IMAGE, case.image), write_npy(folder / LABEL, case.label)
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
        modality=recipe.modality or facts.modality or MODALITY,
        site=source.site,
        scanner=source.scanner or facts.scanner,
        attributes=_attributes(source, facts),
        origin=facts.origin,
        frame_of_reference=facts.frame,
        image=image,
        label=label,
        source_format=case.source_format,
        source_dtype=case.source_dtype,
        label_values=case.label_values,
        classes=case.classes,
        channels=tuple(name[:200] for name in case.channels),
        foreground_fraction=float(np.count_nonzero(case.label)) / case.label.size,
        reader_agreement=case.reader_agreement,
        second_label=None if case.second is None else digest_bytes(npy_bytes(case.second)),
        readers=reader_counts(case),
        identifiers=tuple(place[:200] for place in case.identifiers),
        notes=tuple(note[:200] for note in case.notes),
        doubts=case.doubts,
    )
    write_record(folder / CASE, PreparedCase.of(record, made_from))
    return record


@implements("REQ-414")
def _attributes(source: CaseSource, facts: Facts) -> dict[str, str]:
    """What the project states of a case, with the sex and the age band of its image.

    Raises:
        InputError: they state two.
    """
    stated, found = source.recorded, together({}, sex=facts.sex, age=facts.age)
    for name, value in found.items():
        if stated.get(name, value) != value:
            raise InputError(
                f"the project states another {name} than the image",
                path=source.image.as_posix(),
                hint="correct the project, or leave it out there",
                rule="case-list",
            )
    return together({**found, **stated})
