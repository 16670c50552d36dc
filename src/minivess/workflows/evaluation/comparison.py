"""Comparing two models by the records of their evaluations. It writes no entry: both looks were counted before."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from minivess.compliance.changes.logged_evaluations import LoggedEvaluations
from minivess.compliance.rules.looks import EVALUATION
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import RECORD_LIMIT, parse_json_record
from minivess.records.evaluation.comparison.evaluations import (
    ComparedEvaluation,
    Comparison,
    compare,
)
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.workflows.session.services import WorkspaceReader

PLACES = (
    "evaluation.json",
    "evaluation/evaluation.json",
    "data/evaluation/evaluation.json",
    "evidence/evaluation/evaluation.json",
)
"""Where a folder can have the record: a folder of an evaluation, of evidence, of an unpacked pack, of a project."""


def compare_models(
    reader: WorkspaceReader,
    first: Path,
    second: Path,
    *,
    seed: int = 0,
    margins: Mapping[str, float] | None = None,
    goals: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare the evaluations of two models on the same cases, second minus first.

    Args:
        reader: the project, whose log counted the looks.
        first: a file or a folder with the record of an evaluation.
        second: the same of the other model.
        seed: of all draws.
        margins: by measure, the largest loss that does not matter. Where one differs from the registered one, the answer is
            marked.
        goals: by measure, the limit whose sample size is asked for.

    Raises:
        InputError: there is no such record.
        RefusedError: the evaluations are not comparable, or the log does not have one of them.
        UsageError: a margin or goal does not fit.
    """
    entries = reader.log.entries(actions={EVALUATION})
    logged = LoggedEvaluations.of(reader.log.standing.test_set, entries)
    return compare_files(logged, first, second, seed=seed, margins=margins, goals=goals)


def compare_files(
    logged: LoggedEvaluations,
    first: Path,
    second: Path,
    *,
    seed: int = 0,
    margins: Mapping[str, float] | None = None,
    goals: Mapping[str, float] | None = None,
) -> Comparison:
    """As `compare_models`, with the evaluations of a log.

    Raises:
        InputError: there is no such record.
        RefusedError: the evaluations are not comparable, or the log does not have one of them.
        UsageError: a margin or goal does not fit.
    """
    one, two = _read(first), _read(second)
    files = _known(logged, *one, first), _known(logged, *two, second)
    return compare(one[0], two[0], files, seed=seed, margins=margins, goals=goals, registered=logged.margins_of(*files))


def limits_of(words: Iterable[str], option: str) -> dict[str, float]:
    """Numbers by measure, from `measure=value`.

    Raises:
        UsageError: a word has another form, or a measure occurs twice.
    """
    found: dict[str, float] = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or name in found:
            raise UsageError(
                f"{option} {word!r} is no `measure=value`", hint=f"for example {option} dice=0.02, each measure once"
            )
        found[name] = value
    return found


def _read(path: Path) -> tuple[EvaluationRecord, str]:
    """The record at a place, and the digest of its bytes."""
    place = path
    if path.is_dir():
        held = [path / name for name in PLACES if (path / name).is_file()]
        if not held:
            raise InputError("this folder has no evaluation.json", path=path, hint=f"one of {', '.join(PLACES)}")
        place = held[0]
    data = read_limited(place, limit=RECORD_LIMIT)
    return parse_json_record(data, EvaluationRecord, path=place, wrong="is no evaluation"), digest_bytes(data)


@implements("REQ-395", "RC-158")
def _known(logged: LoggedEvaluations, record: EvaluationRecord, digest: str, path: Path) -> ComparedEvaluation:
    """What was read, with the entry of its look.

    Raises:
        RefusedError: it is of the sealed test part, and no evaluation under a look of the log wrote these bytes; or it
            states another part, and its data are those of the sealed test part.
    """
    entry = None
    if record.part is not None:
        if record.data in {one.request.data for one in logged.history.requests.values()}:
            raise RefusedError(
                f"{path} states the {record.part} part, and its data are those of the sealed test part",
                hint="compare records as the evaluation wrote them",
            )
    else:
        entry = logged.look_of(digest)
        if entry is None:
            raise RefusedError(
                f"no evaluation of the log of this project wrote {path} as it is",
                hint="`minivess test-set status` lists the looks; compare records as the evaluation wrote them",
            )
    return ComparedEvaluation(file=digest, model=record.model, request=record.request, look=record.look, entry=entry)
