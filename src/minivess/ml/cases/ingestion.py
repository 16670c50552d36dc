"""From the sources of a project to prepared cases, in two steps: every case is read and judged, then all are taken.

Cases that were read well are staged: an ingest that was refused or interrupted goes on where it stopped, and prepared
cases stay as they are until every case can be taken.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.foundation.names.ids import check_distinct, check_id, folded
from minivess.foundation.processes.processors import usable_processors
from minivess.foundation.processes.worker_processes import EndedProcess, each_in_processes
from minivess.ml.cases.manifests import cases_root
from minivess.ml.cases.prepared import CASE, PreparedCase, state_of
from minivess.ml.cases.preparing import Task, found_in, prepare
from minivess.ml.cases.recipes import Recipe, recipes_of
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.findings import CasesRefusedError, DataCheck, Found
from minivess.records.data.source import Data
from minivess.records.data.validation import Severity
from minivess.records.sinks import Progress

_ENOUGH_BYTES = 16 << 20
"""Least size of all sources for which further processes are started; starting one takes about a second."""


@dataclass(frozen=True)
class Reading:
    """What reading the sources of a project gave.

    Attributes:
        data: the project's data.
        prepared: the folder of prepared cases.
        staged: the folder of cases that were read and are not yet prepared.
        records: of every case that could be read, in order of id; sealed ones too.
        faults: what stops a case, or the list of cases.
        doubts: what makes the source of a case that could be read doubtful.
        cases: how many cases the project names.
    """

    data: Data
    prepared: Path
    staged: Path
    records: tuple[CaseRecord, ...]
    faults: tuple[Found, ...]
    doubts: tuple[Found, ...]
    cases: int

    @cached_property
    def manifest(self) -> DatasetManifest | None:
        """The cases that could be read; None where there is none."""
        data, records = self.data, self.records
        if not records:
            return None
        return DatasetManifest(
            name=data.name, licence=data.licence, source=data.source, cases=records, root=cases_root(records)
        )


@implements("REQ-300", "REQ-010", "REQ-011", "REQ-012")
def read_cases(
    data: Data,
    base: Path,
    prepared: Path,
    staged: Path,
    *,
    known: Mapping[str, CaseRecord] | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Read every case of a project, whatever is wrong with others. Prepared cases are not changed.

    A case that was read from the same bytes before is kept. A sealed case stays as it is when its source files are gone,
    for whoever keeps them in custody moved them away.

    Args:
        data: the project's files, or its generator.
        base: folder of the project file; `data.root` is relative to it.
        prepared: the folder `data/prepared`.
        staged: takes the cases that are read now.
        known: the records of the newest ingest in the log; a prepared case with another record is read again.
        processes: how many read at a time; by default one a processor, and this one alone for little work.
        progress: hears about each case.

    Raises:
        CouldNotCheckError: the disk refuses.
    """
    sealed = {state.record.id: state.record for state in _states(prepared) if state.sealed}
    refused: list[InputError] = []
    try:
        recipes = sorted(recipes_of(data, base, set(sealed), refused), key=lambda recipe: recipe.source.id)
    except InputError as error:
        error.rule = error.rule or "case-list"
        refused, recipes = [*refused, error], []
    faults = [found_in(error, None) for error in refused]
    count = len(set(sealed) | {recipe.source.id for recipe in recipes}) + len(refused)
    named, right = _named_well(recipes, sealed, prepared)
    faults += named
    tasks = [Task(recipe, prepared, staged, None if known is None else known.get(recipe.source.id)) for recipe in right]
    records = [record for name, record in sealed.items() if name not in {one.source.id for one in recipes}]
    if progress is not None and tasks:
        progress("cases", 0, len(tasks))
    for done, answer in enumerate(_answers(tasks, processes), start=1):
        if isinstance(answer, CaseRecord):
            records.append(answer)
        else:
            faults.append(answer)
        if progress is not None:
            progress("cases", done, len(tasks))
    records.sort(key=lambda record: record.id)
    faults.sort(key=lambda found: (found.rule, found.case or "", found.file or "", found.message))
    return Reading(data, prepared, staged, tuple(records), tuple(faults), tuple(_doubts(records)), count)


@implements("REQ-300")
def take_cases(reading: Reading, report: DataCheck | None = None) -> DatasetManifest:
    """Make the staged cases of a reading the prepared ones. Interrupted, it can be done again.

    Args:
        reading: what was read.
        report: its findings as they were judged; None: the faults alone count.

    Raises:
        CasesRefusedError: a finding blocks; no prepared case was changed.
        RefusedError: another command changed a case meanwhile.
        CannotWriteError: the disk refuses.
    """
    _check_takable(reading, report)
    for record in reading.records:
        folder, target = reading.staged / record.id, reading.prepared / record.id
        if not _is(folder, record):
            if not _is(target, record):
                raise RefusedError(
                    f"case {record.id} was changed while the cases were taken", hint="run `minivess data ingest` again"
                )
            continue
        try:
            make_folder(reading.prepared)
            if target.exists():
                shutil.rmtree(target)
            folder.rename(target)
        except OSError as error:
            raise CannotWriteError(f"cannot write {target.name}: {error.strerror or error}") from error
    drop_staged(reading.staged)
    if (manifest := reading.manifest) is None:
        raise InputError("the project names no case", path=reading.data.root, hint="check `data` in minivess.yaml")
    return manifest


def _is(folder: Path, record: CaseRecord) -> bool:
    return (folder / CASE).is_file() and state_of(folder).record == record


@implements("RC-132")
def _check_takable(reading: Reading, report: DataCheck | None) -> None:
    """All cases of a project are taken, or none.

    Raises:
        CasesRefusedError: a finding blocks.
    """
    faults = [one.graded(Severity.BLOCK) for one in reading.faults]
    blocking = faults if report is None else [one for one in report.findings if one.severity is Severity.BLOCK]
    if blocking:
        raise CasesRefusedError(blocking, reading.cases, report)


def drop_staged(staged: Path) -> None:
    """Remove the cases that were read and not taken."""
    shutil.rmtree(staged, ignore_errors=True)


def ingest(
    data: Data, base: Path, out: Path, *, staged: Path | None = None, progress: Progress | None = None
) -> DatasetManifest:
    """Read and take every case of a project; arguments as for `read_cases`.

    Raises:
        CasesRefusedError: a case cannot be read; every fault is in it, and no prepared case was changed.
        CouldNotCheckError: the disk refuses.
    """
    return take_cases(read_cases(data, base, out, staged or out.with_name("staged"), progress=progress))


def _states(folder: Path) -> Iterator[PreparedCase]:
    return (state_of(path.parent) for path in sorted(folder.glob(f"*/{CASE}")))


def _answers(tasks: Sequence[Task], processes: int | None) -> Iterator[CaseRecord | Found]:
    """What became of each task, in the order in which they end."""
    number = min(len(tasks), processes or usable_processors())
    if number < 2 or (processes is None and sum(task.recipe.weight for task in tasks) < _ENOUGH_BYTES):
        yield from map(prepare, tasks)
        return
    for at, answer in each_in_processes(prepare, tasks, processes=number):
        if isinstance(answer, EndedProcess):
            case = tasks[at].recipe.source.id
            yield Found("reader-failed", case, f"the process that read it {answer}", stops=True)
        else:
            yield answer


def _named_well(
    recipes: Sequence[Recipe], sealed: Mapping[str, CaseRecord], prepared: Path
) -> tuple[list[Found], list[Recipe]]:
    """Ids that cannot name a case, and the recipes without them."""
    faults: dict[str, Found] = {}
    counts = Counter(recipe.source.id for recipe in recipes)
    files = {folded(name): name for name in sealed}
    for name, count in counts.items():
        if count > 1:
            faults[name] = Found("id-unique", name, f"{count} cases are called {name}", stops=True)
            continue
        try:
            if not (prepared / name).is_dir():  # cases that were prepared before stay
                check_id(name, "case")
            check_distinct([files.setdefault(folded(name), name), name], "case")
        except UsageError as error:
            faults[name] = Found("case-id", name, error.message, hint=error.hint or None, stops=True)
    return list(faults.values()), [recipe for recipe in recipes if recipe.source.id not in faults]


def _doubts(records: Iterable[CaseRecord]) -> Iterator[Found]:
    for record in records:
        for doubt in record.doubts:
            yield Found(doubt.rule, record.id, doubt.message)
